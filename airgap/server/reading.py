"""Reading request bodies: bounded in size, in memory, in number and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

from aiohttp import ClientError, web

from airgap.server.answers import ApiError, Code

_PIECE_SIZE = 128 * 1024
"""Bytes that are handed on at once: enough to cost little, few enough for many clients."""


class Turns:
    """Lets so many bodies be read at once, and so many more wait; the rest must come back later.

    A body that waits costs what aiohttp buffers of it before it makes the client stop.
    """

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._seats = waiting

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and have it.

        Raises:
            ApiError: too many wait already (429).
        """
        if self._free.locked() and self._seats <= 0:
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                Code.TOOMANYREQUESTS,
                "too many pushes at once",
                headers={"Retry-After": "2"},
            )
        self._seats -= 1
        try:
            await self._free.acquire()
        finally:
            self._seats += 1
        try:
            yield
        finally:
            self._free.release()


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
        turns: Turns,
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

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body in large pieces; close the generator, for it holds one of the turns.

        Raises:
            ApiError: it is longer than ``limit`` (413), it ends early (400), the client pauses for
                too long, or the reading was interrupted (408).
        """
        announced = self._request.content_length
        if announced is not None and announced > self.limit:
            raise self._too_large()
        if not self._request.body_exists:
            return
        async with self._turns.turn():
            await self._invite()
            total = 0
            ended: ApiError | None = None
            while ended is None:
                piece, ended = await self._piece()
                total += len(piece)
                if total > self.limit:
                    raise self._too_large()
                # What came before the body broke off is handed on too: the client resumes there.
                if piece:
                    yield piece
                elif ended is None:
                    return
            raise ended

    async def _piece(self) -> tuple[bytes, ApiError | None]:
        held: list[bytes] = []
        size = 0
        try:
            while size < _PIECE_SIZE and (data := await self._next()):
                held.append(data)
                size += len(data)
        except ApiError as error:
            # A newer request goes on from what was handed on before, so the rest is dropped.
            return b"" if self._interrupted else b"".join(held), error
        return b"".join(held), None

    async def whole(self) -> bytes:
        """Return the whole body; for what is small.

        Raises:
            ApiError: as :meth:`pieces` does.
        """
        async with aclosing(self.pieces()) as pieces:
            return b"".join([piece async for piece in pieces])

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
