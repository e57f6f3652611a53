"""A catalog in PostgreSQL: connections, transactions, and what can go wrong with them.

Transactions mean what they mean in SQLite. One that writes is alone: it takes an advisory lock
first, and as each of its statements sees what was committed before (READ COMMITTED), it sees all
that those before it wrote. One that reads has one view of all (REPEATABLE READ).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.schema import CreateSchema

from airgap.errors import (
    AccessDenied,
    AirgapError,
    NoSpace,
    NotFound,
    NotPermitted,
    StoreUnusable,
    Unreachable,
    Unsupported,
    UsageError,
)
from airgap.store.address import DatabaseAddress
from airgap.store.database import BUSY_SECONDS, Database

_PATIENCE = {
    # Seconds (the last: milliseconds) and counts after which we give up a server that is gone,
    # unless the URL says so; libpq's documentation, "Parameter Key Words".
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_WRITING = "writing"
_NOTHING: Mapping[str, str] = {}
_KEEP_ALIVE = {
    # Seconds and counts after which the server gives up a machine that is gone.
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # A lock is no less needed when nothing is asked of its connection for hours.
    "idle_session_timeout": "0",
}
_SCHEMES = frozenset({"postgresql", "postgres"})
_MAX_NAME = 63

# Codes of errors, and the classes that they begin with: PostgreSQL's documentation, appendix A.
_LOCK_NOT_AVAILABLE = "55P03"
_NO_ROOM = (NoSpace, "the database server needs more room")
_FORBIDDEN = (NotPermitted, "see what airgap's user may do there, and that it takes writes")
_BY_CODE: dict[str, tuple[type[AirgapError], str]] = {
    _LOCK_NOT_AVAILABLE: (StoreUnusable, "try again when it is done"),
    "53100": _NO_ROOM,
    "53200": _NO_ROOM,
    "42501": _FORBIDDEN,
    "25006": _FORBIDDEN,
}
_UNREACHABLE = frozenset({"08", "53", "57"})
_DENIED = ("authentication failed", "no password", "no pg_hba.conf entry")


@dataclass(frozen=True, slots=True)
class Server:
    """A database that can be reached.

    Attributes:
        url: where it is; holds the password.
        engine: for the catalog.
        name: what a person knows it by, without the password.
        schema: the schema that the catalog's tables are in.
        sync: what is committed survives a power cut of the server.
    """

    url: URL
    engine: Engine
    name: str
    schema: str
    sync: bool

    def explain(self, error: DBAPIError) -> AirgapError:
        """Return the error that a person should see."""
        return translate(error, self.name)

    def database(self) -> Database:
        """Return the catalog."""
        return self._database(self.engine, self.schema)

    def beside(self, name: str) -> tuple[Database, str]:
        """Open a schema beside that of the catalog, named by what is added to its name.

        Returns:
            It, and what a person knows it by.

        Raises:
            NotPermitted: there is none, and airgap's user may not make one.
        """
        schema = f"{self.schema}_{name}"
        settings = {"search_path": schema}
        engine = _engine(self.url, sync=self.sync, settings=settings, pool_pre_ping=True)
        database = self._database(engine, schema)
        try:
            with database.writing() as connection:
                if not inspect(connection).has_schema(schema):
                    connection.execute(CreateSchema(schema))
        except BaseException:
            database.close()
            raise
        return database, f"{self.name}, schema {schema}"

    def _database(self, engine: Engine, schema: str) -> Database:
        # Imported late, as the locks build on this module.
        from airgap.store.postgres_locks import lock_key  # noqa: PLC0415 - see above

        key = lock_key(schema, _WRITING)

        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get("airgap_writes", False):
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

        event.listen(engine, "begin", begin)
        reading = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        writing = engine.execution_options(isolation_level="READ COMMITTED", airgap_writes=True)
        return Database(reading, writing, self.explain)

    def engine_for_locks(self) -> Engine:
        """Return what makes connections that each statement is a transaction of its own on."""
        return _engine(
            self.url,
            sync=self.sync,
            settings=_KEEP_ALIVE,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )


def find_server(address: DatabaseAddress, *, sync: bool) -> Server:
    """Reach a database.

    Raises:
        UsageError: the URL is none.
        Unsupported: the driver is not installed.
        Unreachable, AccessDenied, NotFound: it cannot be reached, or is not there.
        StoreUnusable: tables would have no schema to be in.
    """
    url = _url(address)
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    name = plain.render_as_string()
    engine = _engine(url, sync=sync, pool_size=4, max_overflow=2, pool_pre_ping=True)
    with (
        explained_by(lambda error: translate(error, name)),
        engine.connect() as connection,
    ):
        schema = connection.execute(text("SELECT current_schema()")).scalar()
    if schema is None:
        engine.dispose()
        raise StoreUnusable(
            name,
            "has no schema for the catalog: the search path names none that there is",
            "make one that belongs to airgap's user (`CREATE SCHEMA AUTHORIZATION …`)",
        )
    return Server(url, engine, name, str(schema), sync)


@contextmanager
def explained_by(explain: Callable[[DBAPIError], AirgapError]) -> Iterator[None]:
    """Raise what the database says as an error that a person can act on."""
    try:
        yield
    except DBAPIError as error:
        raise explain(error) from error


def _url(address: DatabaseAddress) -> URL:
    try:
        url = make_url(address.url)
    except (ArgumentError, ValueError):
        # What it says may have a password in it.
        raise _no_url() from None
    if url.drivername not in _SCHEMES or not url.database:
        raise _no_url()
    if address.password is not None:
        url = url.set(password=address.password)
    return url.set(drivername="postgresql+psycopg")


def _no_url() -> UsageError:
    return UsageError(
        "the database",
        "is not named by a URL of PostgreSQL",
        "write it as postgresql://USER@HOST/DATABASE",
    )


def _engine(url: URL, *, sync: bool, settings: Mapping[str, str] = _NOTHING, **how: Any) -> Engine:
    wanted = {"lock_timeout": f"{BUSY_SECONDS}s", **settings}
    if not sync:
        wanted["synchronous_commit"] = "off"
    options = [url.query.get("options", ""), *(f"-c {name}={to}" for name, to in wanted.items())]
    who = f"airgap on {socket.gethostname()}, process {os.getpid()}"
    how_to = {
        **{name: value for name, value in _PATIENCE.items() if name not in url.query},
        "options": " ".join(map(str, options)).strip(),
        "application_name": who[:_MAX_NAME],
    }
    try:
        return create_engine(url.difference_update_query(["options"]), connect_args=how_to, **how)
    except ModuleNotFoundError:
        raise Unsupported(
            "postgresql",
            "the driver is not installed",
            "install it: pip install 'airgap[postgres]'",
        ) from None


def is_timeout(error: DBAPIError) -> bool:
    """Tell whether a lock was waited for in vain."""
    return getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def translate(error: DBAPIError, name: str) -> AirgapError:
    """Return the error that a person should see for what the server or the driver says."""
    code = str(getattr(error.orig, "sqlstate", None) or "")
    reason = _reason(error)
    if code == _LOCK_NOT_AVAILABLE:
        reason = f"another process has been writing for {BUSY_SECONDS} seconds"
    kind, hint = _kind(code, reason, is_lost=error.connection_invalidated)
    return kind(name, reason, hint)


def _kind(code: str, reason: str, *, is_lost: bool) -> tuple[type[AirgapError], str]:
    """Return which error it is, and what to do. A connection that is refused has no code."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if any(words in reason for words in _DENIED):
        return AccessDenied, "see user and password: `store: database` of the config, ~/.pgpass"
    if not code and "does not exist" in reason:
        return NotFound, "make it, empty: `createdb`"
    if is_lost or not code or code[:2] in _UNREACHABLE:
        return Unreachable, "see that the server runs and can be reached from here"
    return StoreUnusable, "see the server's log"


def _reason(error: DBAPIError) -> str:
    """Return the first line of what was said, without the driver's own advice."""
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    return lines[0] if lines else type(error.orig).__name__
