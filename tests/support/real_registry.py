"""Debian's ``docker-registry`` as a peer: plain, behind htpasswd, with TLS, with client TLS."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.certificates import Certificates

_START_SECONDS = 20.0
_POLL_SECONDS = 0.02
_ATTEMPTS = 3


@dataclass(frozen=True)
class RealRegistry:
    """A running docker-registry.

    Attributes:
        host: ``127.0.0.1:PORT``, the domain of its repositories.
        url: its base URL, without a slash at the end.
        root: the folder where it keeps its content.
        log: the file that it writes its access log to, one line a request.
    """

    host: str
    url: str
    root: Path
    log: Path

    def requests(self, method: str) -> int:
        """Count the requests of one method that it has answered."""
        return self.log.read_text().count(f'"{method} ')


@asynccontextmanager
async def real_registry(
    folder: Path,
    *,
    user: tuple[str, str] | None = None,
    tls: Certificates | None = None,
    ask_client_certificate: bool = False,
    settings: dict[str, Any] | None = None,
) -> AsyncIterator[RealRegistry]:
    """Run a docker-registry on a free loopback port until the block ends.

    Args:
        folder: its configuration, log and content; made where it is missing, kept afterwards.
        user: name and password that it asks for (htpasswd); None lets everybody in.
        tls: serve https with this certificate.
        ask_client_certificate: refuse clients without a certificate of the same authority.
        settings: more top-level sections of its configuration file.

    Raises:
        RuntimeError: it does not come up; the message holds its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(_ATTEMPTS):
        port = _free_port()
        config = folder / "config.yml"
        fields = _configuration(folder, port, user, tls, ask_client_certificate)
        # JSON is YAML, so no YAML writer is needed.
        config.write_text(json.dumps(fields | (settings or {})))
        log = folder / "registry.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *("docker-registry", "serve", str(config)), stdout=output, stderr=output
            )
        try:
            if not await _is_up(process, port, tls):
                if attempt + 1 < _ATTEMPTS:
                    continue
                raise RuntimeError(f"docker-registry does not start:\n{log.read_text()}")
            host = f"127.0.0.1:{port}"
            scheme = "http" if tls is None else "https"
            yield RealRegistry(host, f"{scheme}://{host}", folder / "content", log)
            return
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _configuration(
    folder: Path,
    port: int,
    user: tuple[str, str] | None,
    tls: Certificates | None,
    ask_client_certificate: bool,  # noqa: FBT001 - private, named at its only call
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "content")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "the same for every start"},
    }
    if tls is not None:
        fields["http"]["tls"] = {
            "certificate": str(tls.server_cert),
            "key": str(tls.server_key),
            **({"clientcas": [str(tls.ca)]} if ask_client_certificate else {}),
        }
    if user is not None:
        passwords = folder / "htpasswd"
        passwords.write_bytes(_htpasswd(*user))
        fields["auth"] = {"htpasswd": {"realm": "airgap tests", "path": str(passwords)}}
    return fields


def _htpasswd(name: str, password: str) -> bytes:
    return subprocess.run(
        ["htpasswd", "-nbB", "-C", "4", name, password], check=True, capture_output=True
    ).stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _is_up(process: asyncio.subprocess.Process, port: int, tls: Certificates | None) -> bool:
    context: ssl.SSLContext | None = None
    if tls is not None:
        context = ssl.create_default_context(cafile=str(tls.ca))
        context.load_cert_chain(tls.client_cert, tls.client_key)
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while asyncio.get_running_loop().time() < deadline and process.returncode is None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        except ConnectionError:
            # Waiting for another process to listen: there is nothing to await but time.
            await asyncio.sleep(_POLL_SECONDS)
            continue
        try:
            writer.write(b"GET /v2/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
            status = await reader.readline()
        except ConnectionError:
            status = b""
        finally:
            writer.close()
        if b" 200 " in status or b" 401 " in status:
            return True
    return False


async def _serve(folder: Path) -> None:
    async with real_registry(folder) as registry:
        sys.stdout.write(f"{registry.url}\n")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
