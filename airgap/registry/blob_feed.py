"""The bytes of a blob that is on its way to a registry, from any offset, as often as needed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from airgap.content.ports import FileRegion, OnBytes, OpenBlob
from airgap.errors import ContentMismatch
from airgap.oci.descriptor import Descriptor


class BlobFeed:
    """One blob from its source; an async context manager.

    It stays open over several requests that each take the next piece, and opens the source again
    only where a request goes back. Progress is reported once for each byte.
    """

    def __init__(self, open_at: OpenBlob, descriptor: Descriptor, on_bytes: OnBytes) -> None:
        self.size = descriptor.size
        self._digest = descriptor.digest
        self._open_at = open_at
        self._on_bytes = on_bytes
        self._reported = 0
        self._position = 0
        self._left_over = b""
        self._pieces: AsyncIterator[bytes] | None = None
        self._region: FileRegion | None = None
        self._source = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self.seek(0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def seek(self, offset: int) -> None:
        """Go to an offset in bytes; a source that cannot start there is read up to it.

        Raises:
            ContentMismatch: the source has another number of bytes than announced.
        """
        if self._pieces is not None and offset == self._position:
            return
        await self._close()
        reader = await self._source.enter_async_context(self._open_at(offset))
        self._position = reader.offset
        self._region = reader.region
        self._pieces = aiter(reader)
        if self._region is not None:
            if self._position + self._region.length != self.size:
                raise self._wrong_size(self._position + self._region.length)
            return
        async for _ in self.take(offset - self._position):
            pass

    def region(self, length: int) -> FileRegion | None:
        """Return the next ``length`` bytes as a piece of a file and go past them, or None."""
        if self._region is None:
            return None
        here = FileRegion(self._region.path, self._region.offset, length)
        self._region = FileRegion(here.path, here.offset + length, self._region.length - length)
        self._position += length
        return here

    async def take(self, length: int) -> AsyncIterator[bytes]:
        """Yield exactly the next ``length`` bytes.

        Raises:
            ContentMismatch: the source ends before, or has more than the descriptor says.
        """
        end = self._position + length
        while self._position < end:
            piece = self._left_over or await self._next_piece()
            wanted = end - self._position
            self._left_over = piece[wanted:]
            piece = piece[:wanted] if self._left_over else piece
            self._position += len(piece)
            if self._position == self.size:
                await self._expect_end()
            yield piece

    def report(self, position: int) -> None:
        """Report progress up to an offset, unless that was reported before a setback."""
        if position > self._reported:
            self._on_bytes(position - self._reported)
            self._reported = position

    async def _next_piece(self) -> bytes:
        if self._pieces is not None:
            async for piece in self._pieces:
                if piece:
                    return piece
        raise self._wrong_size(self._position)

    async def _expect_end(self) -> None:
        # Before the last piece is out: a registry must not get all that it needs to be content.
        surplus = self._left_over
        while not surplus and self._pieces is not None:
            try:
                surplus = await anext(self._pieces)
            except StopAsyncIteration:
                return
        if surplus:
            raise ContentMismatch(
                str(self._digest), f"the source has more than the {self.size} bytes announced"
            )

    async def _close(self) -> None:
        self._left_over = b""
        if isinstance(self._pieces, AsyncGenerator):
            await self._pieces.aclose()
        self._pieces = None
        await self._source.aclose()

    def _wrong_size(self, size: int) -> ContentMismatch:
        return ContentMismatch(
            str(self._digest), f"the source has {size} bytes where {self.size} were announced"
        )
