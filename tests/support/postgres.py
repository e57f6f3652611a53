"""A real PostgreSQL, Debian's, in a folder of its own, and databases in it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from airgap.store.address import DatabaseAddress

POSTGRESQL = "postgresql"
ON_BOTH = pytest.mark.parametrize("address", ["sqlite", POSTGRESQL], indirect=True)
"""Runs a test with the catalog in a file, and again with it in a real PostgreSQL."""

PASSWORD = "correct horse"  # noqa: S105 - of the server that is started here
_OWNER = "postgres"
_MAKING = (
    "--no-sync",
    "--encoding=UTF8",
    "--auth-local=trust",
    "--auth-host=scram-sha-256",
    # A language whose order of letters is not that of bytes.
    "--locale=C.UTF-8",
    "--locale-provider=icu",
    "--icu-locale=en",
)
_SETTINGS = {
    # What is lost in a power cut was a test's.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
    "listen_addresses": "127.0.0.1",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server that runs.

    Attributes:
        folder: where its socket is.
        port: of the socket, and on 127.0.0.1, where it wants ``PASSWORD``.
    """

    folder: Path
    port: int

    def url(self, name: str) -> str:
        """Return the URL of a database, through the socket, which wants no password."""
        return f"postgresql://{_OWNER}@/{name}?host={self.folder}&port={self.port}"

    def tcp_url(self, name: str) -> str:
        """Return the URL of a database, through TCP."""
        return f"postgresql://{_OWNER}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, name: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement in a database, and return its rows."""
        with closing(psycopg.connect(self.url(name), autocommit=True)) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description is not None else []

    @contextmanager
    def new_database(self) -> Iterator[DatabaseAddress]:
        """Yield an empty database, which is gone afterwards, whoever uses it."""
        name = f"t{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE "{name}" STRATEGY file_copy')
        try:
            yield DatabaseAddress(self.url(name))
        finally:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def cut_connections(self, name: str, like: str = "%") -> int:
        """Break the connections to a database; return how many they were."""
        broken = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        return len(self.execute(f"{broken} WHERE datname = '{name}' AND query LIKE '{like}'"))


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a server of its own; as another user where we are root, as it refuses to be."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(_OWNER)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        data, secret = folder / "data", folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        _run(["initdb", "-D", data, "-U", _OWNER, "--pwfile", secret, *_MAKING], folder)
        port = _free_port()
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        options = " ".join([*settings, f"-k{folder}", f"-p{port}"])
        log = folder / "log"
        _run(["pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", options], folder)
        try:
            yield PostgresServer(folder, port)
        finally:
            _run(["pg_ctl", "stop", "-w", "-m", "immediate", "-D", data], folder)
    finally:
        shutil.rmtree(folder)


def url_of(address: DatabaseAddress | None) -> str:
    """Return what another process needs to know of a test's ``address``; empty for a file."""
    return address.url if address is not None else ""


def address_of(url: str) -> DatabaseAddress | None:
    """Return the ``address`` that ``url_of`` has told."""
    return DatabaseAddress(url) if url else None


def database_name(address: DatabaseAddress) -> str:
    """Return what a database is called on its server."""
    return address.url.partition("@/")[2].partition("?")[0]


def _run(command: Sequence[str | Path], folder: Path) -> None:
    user = _OWNER if os.geteuid() == 0 else None
    done = subprocess.run(
        [_program(str(command[0])), *command[1:]],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _program(name: str) -> Path:
    """Return the newest one that Debian has; it puts them beside each other, and not on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return found[-1]


def _free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
