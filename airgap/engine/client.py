"""A client of the Docker Engine API; Podman's service speaks it too.

It finds the engine as the docker command does: ``DOCKER_HOST``, else the well-known socket.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import aiohttp
from yarl import URL

from airgap.errors import (
    AccessDenied,
    AirgapError,
    EngineFault,
    NotFound,
    NotPermitted,
    Unreachable,
    Unsupported,
    UsageError,
)

DEFAULT_HOST = "unix:///var/run/docker.sock"
NEWEST_VERSION = (1, 47)
"""The newest version of the API that is spoken here; older engines are asked in their own."""

_CONNECT_SECONDS = 10.0
_MAX_ANSWER = 16 * 1024 * 1024
_MAX_ERROR = 64 * 1024
_PIECE = 1024 * 1024
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where an engine listens.

    Attributes:
        text: as the person wrote it: ``unix:///path`` or ``tcp://host:port``.
        socket: the path of a unix socket, or None.
        base: the beginning of every URL.
        certificates: the folder with ``ca.pem``, ``cert.pem`` and ``key.pem``, where it is talked
            to with TLS.
    """

    text: str
    socket: str | None
    base: str
    certificates: Path | None = None

    @classmethod
    def parse(cls, text: str) -> EngineAddress:
        """Read the value of ``DOCKER_HOST``.

        Raises:
            UsageError: it is no such value.
            Unsupported: it is ``ssh://`` or another kind that we do not speak.
        """
        kind, separator, rest = text.partition("://")
        if not separator or not rest:
            raise UsageError(
                f"DOCKER_HOST={text}", "is not an address", "write unix:///path or tcp://host:port"
            )
        if kind == "unix":
            return cls(text, rest, "http://engine")
        if kind in {"tcp", "http"}:
            return cls(text, None, f"http://{rest.rstrip('/')}")
        raise Unsupported(
            f"DOCKER_HOST={text}",
            f"{kind}:// is not spoken",
            "forward the socket, as with ssh -L /tmp/docker.sock:/var/run/docker.sock",
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> EngineAddress:
        """Return what ``DOCKER_HOST`` says, else the default socket.

        ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` count as they do for the docker command.
        """
        address = cls.parse(environment.get("DOCKER_HOST") or DEFAULT_HOST)
        if not environment.get("DOCKER_TLS_VERIFY") or address.socket is not None:
            return address
        home = environment.get("HOME", "/")
        folder = Path(environment.get("DOCKER_CERT_PATH") or f"{home}/.docker")
        base = address.base.replace("http://", "https://", 1)
        return replace(address, base=base, certificates=folder)

    def tls(self) -> ssl.SSLContext | None:
        """Return how to talk TLS to the engine, or None where it is talked to plainly.

        Raises:
            NotPermitted: a certificate is missing, unreadable or not one.
        """
        if self.certificates is None:
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.certificates / "ca.pem"))
            context.load_cert_chain(self.certificates / "cert.pem", self.certificates / "key.pem")
        except OSError as error:
            raise NotPermitted(
                str(self.certificates),
                f"has no usable ca.pem, cert.pem and key.pem ({error.strerror or error})",
            ) from None
        return context


class EngineClient:
    """An open client; use it as an async context manager."""

    def __init__(self, address: EngineAddress) -> None:
        """Talk to an engine; nothing is sent before the first question."""
        self.address = address
        self._session: aiohttp.ClientSession | None = None
        self._version = ""

    async def __aenter__(self) -> Self:
        connector = (
            aiohttp.UnixConnector(path=self.address.socket)
            if self.address.socket is not None
            else aiohttp.TCPConnector(ssl=self.address.tls() or True)
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        what: str,
        parameters: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Any:
        """Ask one question and return the JSON of its answer; None where that is empty.

        Args:
            method: of HTTP.
            path: below the API's version, such as ``/images/json``.
            what: what the question is about, for errors: an image, a container.
            parameters: of the query.
            body: is sent as JSON.

        Raises:
            NotFound: there is no such image or container.
            EngineFault: the engine fails, or answers with what is not JSON.
            NotPermitted, Unreachable: it cannot be talked to.
        """
        async with self.request(
            method, path, what=what, parameters=parameters, json_body=body
        ) as answer:
            raw = await self.body(answer, what)
        if not raw.strip():
            return None
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise EngineFault(what, "the engine answers with something that is not JSON") from None

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        parameters: Mapping[str, str] | list[tuple[str, str]] | None = None,
        json_body: object = None,
        data: AsyncIterator[bytes] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give its answer, whose status says that it went well."""
        path = f"/{self._version or await self._negotiate()}{path}"
        async with self._send(
            method, path, what=what, params=parameters, json=json_body, data=data
        ) as answer:
            yield answer

    async def _negotiate(self) -> str:
        """Agree on a version: the engine's own, or the newest that is known here."""
        async with self._send("GET", "/_ping", what=self.address.text) as answer:
            said = answer.headers.get("Api-Version", "")
        match = _VERSION.fullmatch(said)
        if match is None:
            raise EngineFault(self.address.text, "is not a container engine: it names no version")
        major, minor = min((int(match[1]), int(match[2])), NEWEST_VERSION)
        self._version = f"v{major}.{minor}"
        return self._version

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, *, what: str, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise EngineFault(what, "the client is not open")
        url = URL(f"{self.address.base}{path}", encoded=True)
        if options.get("data") is not None:
            options["headers"] = {"Content-Type": "application/x-tar"}
        try:
            async with self._session.request(method, url, **options) as answer:
                if answer.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                    raise await self._refusal(answer, what)
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from None

    async def body(self, answer: aiohttp.ClientResponse, what: str) -> bytes:
        """Return a whole answer of at most 16 MiB.

        To leave before its end would tell the engine to stop what it is doing.

        Raises:
            EngineFault: it is longer.
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in self.pieces(answer):
            size += len(piece)
            if size > _MAX_ANSWER:
                raise EngineFault(what, f"the engine's answer has over {_MAX_ANSWER:,} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def pieces(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Yield the body of an answer as it comes.

        Raises:
            Unreachable: the connection breaks before its end.
        """
        try:
            async for piece in answer.content.iter_chunked(_PIECE):
                yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from None

    async def _refusal(self, answer: aiohttp.ClientResponse, what: str) -> AirgapError:
        raw = b""
        async for piece in self.pieces(answer):
            raw += piece
            if len(raw) > _MAX_ERROR:
                break
        try:
            message = str(json.loads(raw)["message"])
        except (ValueError, TypeError, KeyError, RecursionError):
            message = raw.decode("utf-8", "replace")[:200] or answer.reason or "no reason given"
        message = " ".join(message.split())[:500]
        match answer.status:
            case 404:
                return NotFound(what, f"the engine does not have it ({message})")
            case 401 | 403:
                return AccessDenied(what, f"the engine refuses: {message}")
            case status:
                return EngineFault(what, f"the engine answers {status}: {message}")

    def _unreachable(self, error: Exception) -> AirgapError:
        cause: BaseException = error
        if isinstance(error, aiohttp.ClientConnectorError):
            cause = error.os_error
        if isinstance(cause, PermissionError):
            return NotPermitted(
                self.address.text,
                "this user may not talk to the engine",
                "run as root, or as a member of the group docker",
            )
        if isinstance(cause, FileNotFoundError):
            return Unreachable(
                self.address.text,
                "there is no engine: the socket does not exist",
                "start dockerd or `podman system service`, or set DOCKER_HOST",
            )
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(
                self.address.text, "nobody answers there", "start the engine, or set DOCKER_HOST"
            )
        if isinstance(error, asyncio.TimeoutError):
            return Unreachable(self.address.text, "the engine does not answer in time")
        reason = str(error) or type(error).__name__
        return Unreachable(self.address.text, f"the connection broke ({reason})")
