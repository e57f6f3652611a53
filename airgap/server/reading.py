"""Reading request bodies: bounded in size, in memory, in number and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

from aiohttp import ClientError, web

from airgap.server.answers import ApiError, Code

_PIECE_SIZE = 1024 * 1024
"""Bytes that are handed on at once: each piece costs a change of thread and one write."""


class BodyReader:
    """The body of one request.

    Attributes:
        limit: bytes that it may have at most.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        *,
        limit: int,
        idle_seconds: float,
        turns: asyncio.Semaphore,
    ) -> None:
        self.limit = limit
        self._request = request
        self._idle_seconds = idle_seconds
        self._turns = turns
        self._waiting: asyncio.Timeout | None = None
        self._interrupted = False

    def interrupt(self) -> None:
        """Stop reading: somebody else goes on with what this body was for."""
        self._interrupted = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body in large pieces.

        Raises:
            ApiError: it is longer than ``limit`` (413), it ends early (400), the client pauses for
                too long, or the reading was interrupted (408).
        """
        announced = self._request.content_length
        if announced is not None and announced > self.limit:
            raise self._too_large()
        if not self._request.body_exists:
            return
        async with self._turns:
            await self._invite()
            held: list[bytes] = []
            held_size = total = 0
            while data := await self._next():
                held.append(data)
                held_size += len(data)
                total += len(data)
                if total > self.limit:
                    raise self._too_large()
                if held_size >= _PIECE_SIZE:
                    yield b"".join(held)
                    held.clear()
                    held_size = 0
            if held:
                yield b"".join(held)

    async def whole(self) -> bytes:
        """Return the whole body; for what is small.

        Raises:
            ApiError: as :meth:`pieces` does.
        """
        return b"".join([piece async for piece in self.pieces()])

    async def _invite(self) -> None:
        # A client that waits for 100 sends nothing before; one that is refused never sends it.
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            transport = self._request.transport
            if transport is not None:
                transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _next(self) -> bytes:
        if self._interrupted:
            raise self._stopped()
        try:
            async with asyncio.timeout(self._idle_seconds) as self._waiting:
                return await self._request.content.readany()
        except TimeoutError:
            raise self._stopped() from None
        except (ConnectionError, ClientError, web.RequestPayloadError) as error:
            raise ApiError(
                HTTPStatus.BAD_REQUEST,
                Code.SIZE_INVALID,
                f"the body ended early ({type(error).__name__})",
            ) from None
        finally:
            self._waiting = None

    def _stopped(self) -> ApiError:
        cause = "another request goes on" if self._interrupted else "the client paused too long"
        return ApiError(HTTPStatus.REQUEST_TIMEOUT, Code.BLOB_UPLOAD_INVALID, cause)

    def _too_large(self) -> ApiError:
        return ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            Code.SIZE_INVALID,
            f"more than {self.limit} bytes are not taken",
        )
