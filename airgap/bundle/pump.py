"""Moving a stream of bytes into a file while threads hash it: blocking, in bounded memory.

Bytes pass through a ring of blocks. While one block is written, those before it are hashed, which
``hashlib`` and ``zstandard`` let happen at the same time; a block is filled again only when nobody
reads it any more.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import zstandard

from airgap.oci.digest import Digest

if TYPE_CHECKING:
    from airgap.oci.digest import Hasher

BLOCK_SIZE = 1024 * 1024
"""Bytes of one block of the ring."""

BLOCKS = 8
"""Blocks in the ring."""

_SYNC_EVERY = 32
"""Blocks after which the disk is set to work, where it will have to at the end anyway."""

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
    """Appends to one file and hashes what it appends."""

    def __init__(
        self, file: int, compressor: zstandard.ZstdCompressionObj | None, *, sync: bool
    ) -> None:
        """Take the file descriptor of an empty file; it stays the caller's."""
        self._file = file
        self._compressor = compressor
        self._sync = sync
        self._ring = [_Block() for _ in range(BLOCKS)]
        self._turn = 0
        self._blocks_written = 0
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._stream_hashing = ThreadPoolExecutor(1, "bundle-hash")
        self._content_hashing = ThreadPoolExecutor(1, "bundle-verify")
        self._syncing = ThreadPoolExecutor(1, "bundle-sync")
        self._last_sync: Future[None] | None = None

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
        block.readers.append(self._write(data))
        self._blocks_written += 1
        if self._sync and self._blocks_written % _SYNC_EVERY == 0:
            self._start_sync()

    def _write(self, data: memoryview | bytes) -> Future[None]:
        hashing = self._stream_hashing.submit(self._sha256.update, data)
        self._size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        return hashing

    def _start_sync(self) -> None:
        if self._last_sync is not None:
            if not self._last_sync.done():
                return
            self._last_sync.result()
        self._last_sync = self._syncing.submit(os.fdatasync, self._file)

    def finish(self) -> tuple[int, Digest]:
        """Write what is left, sync it where that is wanted, return the file's size and SHA-256."""
        self._write_out(self._ring[self._turn])
        if self._compressor is not None:
            self._write(self._compressor.flush())
        if self._last_sync is not None:
            self._last_sync.result()
        if self._sync:
            os.fdatasync(self._file)
        self.close()
        return self._size, Digest.from_hasher(self._sha256)

    def close(self) -> None:
        """Wait for the threads and let them go; may be called twice."""
        for executor in (self._stream_hashing, self._content_hashing, self._syncing):
            executor.shutdown(wait=True)
