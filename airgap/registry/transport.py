"""One HTTP exchange at a time over one session: no retry, no redirect, no credentials.

Whatever aiohttp, the socket or TLS raise becomes an :class:`ExchangeFailed` here.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from airgap.registry.failures import ExchangeFailed, Failure, FailureKind
from airgap.registry.proxies import ProxyRules

READ_BUFFER = 384 * 1024
"""Bytes of a body that wait in memory before its connection pauses, at twice that.

With the 256 KiB that the event loop reads at once a piece so has at most 1 MiB.
"""

MAX_HEADER = 64 * 1024
"""Bytes of one header field; the tokens of some clouds are over the 8 KiB that aiohttp allows."""


class Transport:
    """The process's HTTP session; an async context manager."""

    def __init__(self, user_agent: str, proxies: ProxyRules) -> None:
        self._user_agent = user_agent
        self._proxies = proxies
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # How many connections there are is the pacers' business.
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Content is what its digest says, so nobody may compress it on the way.
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            max_field_size=MAX_HEADER,
            max_line_size=MAX_HEADER,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None,
        connect_timeout: float,
        read_timeout: float,
        body: aiohttp.Payload | bytes | None = None,
    ) -> aiohttp.ClientResponse:
        """Send one request and return the answer, whose body is the caller's to read.

        An answer that was read to its end has given its connection back by itself; any other must
        be closed.

        Raises:
            ExchangeFailed: no answer came.
        """
        if self._session is None:
            raise RuntimeError("the registry client is used outside its context")
        with failures_of(read_timeout):
            return await self._session.request(
                method,
                url,
                headers=headers,
                data=body,
                allow_redirects=False,
                ssl=tls if tls is not None else True,
                proxy=self._proxies.proxy_for(url),
                timeout=aiohttp.ClientTimeout(sock_connect=connect_timeout, sock_read=read_timeout),
            )


async def read_piece(response: aiohttp.ClientResponse, read_timeout: float) -> bytes:
    """Return what has arrived of a body, at least a byte; nothing at its end.

    Raises:
        ExchangeFailed: the body broke off, or nothing came for ``read_timeout`` seconds.
    """
    with failures_of(read_timeout):
        # What has arrived in several reads comes in as many pieces: joining them would copy each
        # byte once more, on the one thread that all transfers share.
        # An empty piece is either the end of a chunk of the transfer coding, or that of the body.
        piece = b""
        while not piece and not response.content.at_eof():
            piece, _ = await response.content.readchunk()
        return piece


async def read_bounded(
    response: aiohttp.ClientResponse, limit: int, read_timeout: float
) -> bytes | None:
    """Return a whole body, or None where it has more than ``limit`` bytes.

    Raises:
        ExchangeFailed: the body broke off, or nothing came for ``read_timeout`` seconds.
    """
    pieces: list[bytes] = []
    size = 0
    while piece := await read_piece(response, read_timeout):
        size += len(piece)
        if size > limit:
            return None
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def failures_of(patience: float) -> Iterator[None]:
    """Turn what aiohttp and the operating system raise into :class:`ExchangeFailed`."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        raise ExchangeFailed(_failure_of(error, patience)) from error


def _failure_of(error: Exception, patience: float) -> Failure:
    match error:
        case aiohttp.ClientConnectorError() | ssl.SSLError() | aiohttp.ServerFingerprintMismatch():
            return _connection_failure(error)
        case aiohttp.ConnectionTimeoutError():
            return Failure(FailureKind.NO_CONNECTION, "no answer to the connection attempt")
        case aiohttp.ClientHttpProxyError():
            return Failure(FailureKind.NO_CONNECTION, f"its proxy answered {error.status}")
        case TimeoutError():
            return Failure(FailureKind.STALLED, f"nothing came for {patience:g} s")
        case aiohttp.ClientResponseError():
            return Failure(FailureKind.BROKEN, "what it answered is not HTTP")
        case _:
            return _broken(error)


def _broken(error: Exception) -> Failure:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError) and "ALERT" in (cause.reason or ""):
        # In TLS 1.3 a server refuses our certificate, or the lack of one, after the handshake.
        return Failure(FailureKind.TLS, f"it refuses us ({_tls_reason(cause)})")
    return Failure(FailureKind.BROKEN, "the connection broke off")


def _connection_failure(error: Exception) -> Failure:
    cause = getattr(error, "os_error", error)
    match error:
        case aiohttp.ClientConnectorDNSError():
            if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN:
                return Failure(FailureKind.NO_CONNECTION, "the name server does not answer")
            return Failure(FailureKind.UNKNOWN_NAME, "there is no host of that name")
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "is not valid"
            return Failure(FailureKind.TLS, f"its certificate is not trusted ({reason})")
        case aiohttp.ClientProxyConnectionError():
            return Failure(FailureKind.NO_CONNECTION, f"its proxy: {_os_reason(cause)}")
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return Failure(FailureKind.TLS, f"the TLS handshake failed ({_tls_reason(cause)})")
        case _:
            return Failure(FailureKind.NO_CONNECTION, _os_reason(cause))


def _tls_reason(cause: Exception) -> str:
    reason = getattr(cause, "reason", None)
    return reason.replace("_", " ").lower() if isinstance(reason, str) else "no reason given"


def _os_reason(cause: Exception) -> str:
    number = getattr(cause, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) else "no connection"
