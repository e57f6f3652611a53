"""Moving a stream of bytes on while threads hash it: blocking, in bounded memory.

Bytes pass through a ring of blocks. While one block is written, those before it are hashed, which
``hashlib`` and ``zstandard`` let happen at the same time; a block is filled again only when nobody
reads it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import zstandard

from airgap.oci.digest import Digest

if TYPE_CHECKING:
    from airgap.oci.digest import Hasher

BLOCK_SIZE = 1024 * 1024
"""Bytes of one block of the ring."""

BLOCKS = 8
"""Blocks in the ring."""

Write: TypeAlias = Callable[[memoryview | bytes], Future[None] | None]

_INLINE_HASH_LIMIT = 32 * 1024
"""Bytes up to which handing them to another thread costs more than hashing them."""


@dataclass(slots=True)
class ContentHash:
    """A hash over a part of the stream.

    Attributes:
        hasher: sees the bytes, in a thread of the pump.
        last: the latest piece of work; when it is done, all before it is.
    """

    hasher: Hasher
    last: Future[None] | None = None

    def digest(self) -> Digest:
        """Wait until everything is hashed and return the digest."""
        if self.last is not None:
            self.last.result()
        return Digest.from_hasher(self.hasher)


@dataclass(slots=True)
class _Block:
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(BLOCK_SIZE)))
    used: int = 0
    readers: list[Future[None]] = field(default_factory=list)

    def reuse(self) -> None:
        """Wait until nobody reads the block any more, and make it empty."""
        for reader in self.readers:
            reader.result()
        self.readers.clear()
        self.used = 0


class Pump:
    """Hands a stream on in whole blocks, and hashes parts of it meanwhile."""

    def __init__(self, write: Write, compressor: zstandard.ZstdCompressionObj | None) -> None:
        """Take what the stream goes to.

        Args:
            write: takes the next bytes; where they may not change yet when it returns, it returns
                what to wait for.
            compressor: what the stream passes through first.
        """
        self._write = write
        self._compressor = compressor
        self._ring = [_Block() for _ in range(BLOCKS)]
        self._turn = 0
        self._content_hashing = ThreadPoolExecutor(1, "bundle-verify")

    def append(self, data: bytes, content: ContentHash | None = None) -> None:
        """Append bytes from memory."""
        rest = memoryview(data)
        while rest:
            block = self._room()
            piece = rest[: BLOCK_SIZE - block.used]
            block.buffer[block.used : block.used + len(piece)] = piece
            self._take(block, len(piece), content)
            rest = rest[len(piece) :]

    def append_from(
        self, read_into: Callable[[memoryview], int], limit: int, content: ContentHash | None
    ) -> int:
        """Append what one reading gives: at most ``limit`` bytes, and at most what a block takes.

        Returns:
            How many bytes there were; 0 at the end.
        """
        block = self._room()
        count = read_into(block.buffer[block.used : min(BLOCK_SIZE, block.used + limit)])
        self._take(block, count, content)
        return count

    def _room(self) -> _Block:
        block = self._ring[self._turn]
        if block.used == BLOCK_SIZE:
            self._write_out(block)
            self._turn = (self._turn + 1) % BLOCKS
            block = self._ring[self._turn]
            block.reuse()
        return block

    def _take(self, block: _Block, count: int, content: ContentHash | None) -> None:
        piece = block.buffer[block.used : block.used + count]
        block.used += count
        if content is None:
            return
        if count <= _INLINE_HASH_LIMIT and (content.last is None or content.last.done()):
            content.hasher.update(piece)
            return
        content.last = self._content_hashing.submit(content.hasher.update, piece)
        block.readers.append(content.last)

    def _write_out(self, block: _Block) -> None:
        data: memoryview | bytes = block.buffer[: block.used]
        if self._compressor is not None:
            data = self._compressor.compress(data)
        reading = self._write(data)
        if reading is not None:
            block.readers.append(reading)

    def finish(self) -> None:
        """Hand on what is left."""
        self._write_out(self._ring[self._turn])
        if self._compressor is not None:
            self._write(self._compressor.flush())
        self.close()

    def close(self) -> None:
        """Wait for the thread and let it go; may be called twice."""
        self._content_hashing.shutdown(wait=True)
