"""A piece of a blob as the body of a request: sent by the kernel where it can be."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator
from typing import NoReturn

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from airgap.content.ports import FileRegion
from airgap.errors import AirgapError, ContentMismatch
from airgap.registry.blob_feed import BlobFeed
from airgap.registry.pacing import Pacer

_FIRST_SLICE = 256 * 1024
_LARGEST_SLICE = 8 * 1024 * 1024
_QUICK, _SLOW = 0.1, 1.0
"""Seconds for a slice under which the next is larger, and over which it is smaller."""


class FeedPayload(aiohttp.Payload):
    """The next ``length`` bytes of a feed, from ``start`` on.

    A file goes out by ``sendfile`` over plain http (with ``by_kernel``), else by large reads in
    threads. It goes in slices that take the connection a moment each, and between them an early
    answer is noticed. Nothing waits for ever: a connection that takes no slice for ``stall``
    seconds is given up.

    Two payloads of one feed never read it at once: this one waits until the one ``before`` is over.

    Attributes:
        source_error: what went wrong at the source. aiohttp would take it for an error of the
            connection, so it is kept here for the one who sends.
    """

    def __init__(
        self,
        feed: BlobFeed,
        start: int,
        length: int,
        *,
        pacer: Pacer,
        stall: float,
        by_kernel: bool = True,
        before: FeedPayload | None = None,
    ) -> None:
        super().__init__(feed, content_type="application/octet-stream")
        self._size = length
        self._feed = feed
        self._start = start
        self._pacer = pacer
        self._stall = stall
        self._by_kernel = by_kernel
        self.source_error: AirgapError | OSError | None = None
        self._sender: asyncio.Task[object] | None = None
        self._over = asyncio.Event()
        self._before = before

    async def settled(self) -> None:
        """Return when nothing reads the feed any more for this payload.

        An answer may come, or the request be cancelled, while aiohttp's own task still sends.
        """
        sender = self._sender
        if sender is None or self._over.is_set() or sender is asyncio.current_task():
            return
        sender.cancel()
        await self._over.wait()

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> NoReturn:
        """Refuse: a blob is never a string."""
        raise TypeError("a blob is sent, not decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send everything."""
        await self.write_with_length(writer, None)

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Send everything; the length is that of the payload already.

        Raises:
            OSError: the connection broke, or the source did.
            TimeoutError: the connection takes no more bytes.
        """
        self._consumed = True
        self._sender = asyncio.current_task()
        try:
            await self._send(writer, self._size or 0)
        finally:
            self._over.set()

    async def _send(self, writer: AbstractStreamWriter, length: int) -> None:
        if self._before is not None:
            # The same piece was sent a moment ago, and refused for want of a token.
            await self._before.settled()
        try:
            await self._feed.seek(self._start)
            region = self._feed.region(length)
        except (AirgapError, OSError) as error:
            self._blame_source(error)
        if region is None:
            await self._send_pieces(writer, length)
        else:
            await self._send_file(writer, region)

    async def _send_pieces(self, writer: AbstractStreamWriter, length: int) -> None:
        position = self._start
        async for piece in self._from_source(self._feed.take(length)):
            async with asyncio.timeout(self._stall):
                await writer.write(piece)
            position += len(piece)
            await self._account(position, len(piece))

    async def _send_file(self, writer: AbstractStreamWriter, region: FileRegion) -> None:
        try:
            file = await _opened(region)
        except OSError as error:
            self._blame_source(error)
        with file:
            await self._send_slices(writer, file, region)

    async def _send_slices(
        self, writer: AbstractStreamWriter, file: io.FileIO, region: FileRegion
    ) -> None:
        clock = asyncio.get_running_loop().time
        size, sent = _FIRST_SLICE, 0
        while sent < region.length:
            size = min(size, self._pacer.burst or size, region.length - sent)
            begun = clock()
            async with asyncio.timeout(self._stall):
                await self._send_slice(writer, file, region.offset + sent, size)
            sent += size
            await self._account(self._start + sent, size)
            await _let_answers_in()
            took = clock() - begun
            if took < _QUICK:
                size = min(size * 2, _LARGEST_SLICE)
            elif took > _SLOW:
                size = max(size // 2, _FIRST_SLICE // 4)

    async def _send_slice(
        self, writer: AbstractStreamWriter, file: io.FileIO, offset: int, size: int
    ) -> None:
        transport = writer.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the registry closed the connection")
        if not self._by_kernel or transport.get_extra_info("sslcontext") is not None:
            piece = await asyncio.to_thread(os.pread, file.fileno(), size, offset)
            await writer.write(piece)
            sent = len(piece)
        else:
            # What aiohttp still holds of the headers goes first.
            writer.send_headers()
            sent = await asyncio.get_running_loop().sendfile(transport, file, offset, size)
        if sent != size:
            self._blame_source(ContentMismatch(str(file.name), "the file became shorter"))

    async def _account(self, position: int, size: int) -> None:
        self._feed.report(position)
        if self._pacer.limits_bytes:
            await self._pacer.spend(size)

    async def _from_source(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        while True:
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except (AirgapError, OSError) as error:
                self._blame_source(error)
            yield piece

    def _blame_source(self, error: AirgapError | OSError) -> NoReturn:
        self.source_error = error
        raise ConnectionAbortedError("the source failed") from error


async def _let_answers_in() -> None:
    # While the kernel sends, the event loop does not read from the connection. It takes one round
    # to notice that an answer is there, and one to read it.
    for _ in range(2):
        await asyncio.sleep(0)


async def _opened(region: FileRegion) -> io.FileIO:
    opening = asyncio.create_task(asyncio.to_thread(_open_for_reading, region))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread goes on; what it has opened would stay open.
        opening.add_done_callback(_close_opened)
        raise


def _close_opened(opening: asyncio.Task[io.FileIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _open_for_reading(region: FileRegion) -> io.FileIO:
    file = io.FileIO(region.path, "rb")
    # So that the kernel has read ahead when a slice is due: sending must not wait for the disk.
    os.posix_fadvise(file.fileno(), region.offset, region.length, os.POSIX_FADV_SEQUENTIAL)
    return file
