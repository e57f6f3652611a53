"""A file that grows, with the hash of what is in it: each byte is written once, hashed once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.content.ports import FileRegion
from airgap.errors import ContentMismatch, NotFound
from airgap.oci.digest import Digest
from airgap.store.durable import write_all
from airgap.store.locks import Lock
from airgap.store.os_errors import explained

if TYPE_CHECKING:
    from airgap.oci.digest import Hasher

BUFFER_SIZE = 1024 * 1024
"""Bytes read, hashed and written at a time: fits the processor's cache, dwarfs a system call."""

WRITE_BACK_SIZE = 16 * 1024 * 1024
"""Bytes after which the disk is set to work, so that the sync at the end finds little to do."""

_MAX_PIECES = 512  # half of what one writev takes


class HashedFile:
    """An open file of our own. Every method blocks, and one thread uses it at a time.

    Attributes:
        path: where it is.
        length: bytes in it, all of them hashed.
        stopped: set from any thread to end a long copy early.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        hasher: Hasher,
        *,
        sync: bool,
        lock: Lock | None = None,
    ) -> None:
        self.path = path
        self.length = 0
        self.stopped = threading.Event()
        self._descriptor = descriptor
        self._hasher = hasher
        self._sync = sync
        self._lock = lock
        self._written_back = 0

    @property
    def digest(self) -> Digest:
        """The digest of what is in the file."""
        return Digest.from_hasher(self._hasher)

    @property
    def hasher(self) -> Hasher:
        """The hasher, which has seen all that is in the file."""
        return self._hasher

    def adopt(self, hasher: Hasher, length: int) -> None:
        """Go on after ``length`` bytes that ``hasher`` has seen already."""
        self._hasher = hasher
        self.length = self._written_back = length
        with explained(self.path):
            os.lseek(self._descriptor, length, os.SEEK_SET)
            os.ftruncate(self._descriptor, length)

    def rehash(self, hasher: Hasher) -> None:
        """Hash what is in the file, with another process's bytes or another algorithm."""
        self._hasher = hasher
        self.length = 0
        buffer = memoryview(bytearray(BUFFER_SIZE))
        with explained(self.path):
            while not self.stopped.is_set():
                count = os.preadv(self._descriptor, [buffer], self.length)
                if not count:
                    break
                hasher.update(buffer[:count])
                self.length += count
            self._written_back = self.length
            os.lseek(self._descriptor, self.length, os.SEEK_SET)

    def restart(self, hasher: Hasher) -> None:
        """Throw away what is in the file."""
        self.adopt(hasher, 0)

    def append(self, pieces: Sequence[bytes]) -> int:
        """Hash and write pieces; return how many bytes they were."""
        for piece in pieces:
            self._hasher.update(piece)
        total = sum(map(len, pieces))
        with explained(self.path):
            if len(pieces) > _MAX_PIECES:
                write_all(self._descriptor, b"".join(pieces))
            else:
                written = os.writev(self._descriptor, pieces)
                if written < total:
                    write_all(self._descriptor, memoryview(b"".join(pieces))[written:])
        self._grown(total)
        return total

    def copy(self, region: FileRegion, limit: int, on_bytes: Callable[[int], None]) -> None:
        """Append a piece of another file.

        Args:
            region: the piece.
            limit: bytes to take at most.
            on_bytes: told, in this thread, how many more bytes have been dealt with.

        Raises:
            NotFound: the other file is gone.
            ContentMismatch: the other file ends before the region does.
        """
        buffer = memoryview(bytearray(min(BUFFER_SIZE, max(region.length, 1))))
        position, rest = region.offset, min(region.length, limit)
        with explained(region.path):
            source = os.open(region.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with explained(region.path):
                os.posix_fadvise(source, position, rest, os.POSIX_FADV_SEQUENTIAL)
            while rest and not self.stopped.is_set():
                with explained(region.path):
                    count = os.preadv(source, [buffer[: min(rest, len(buffer))]], position)
                if not count:
                    raise ContentMismatch(str(region.path), f"ends {rest} bytes early")
                self._hasher.update(buffer[:count])
                with explained(self.path):
                    write_all(self._descriptor, buffer[:count])
                self._grown(count)
                on_bytes(count)
                position, rest = position + count, rest - count
        finally:
            os.close(source)

    def sync(self) -> None:
        """Wait until the bytes would survive a power cut, if the store is one that does."""
        if self._sync:
            with explained(self.path):
                os.fsync(self._descriptor)

    def is_named(self) -> bool:
        """Tell whether ``path`` is still this file, and not gone or another."""
        try:
            named = self.path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(self._descriptor))

    def close(self) -> None:
        """Close the file, and let go of its lock."""
        os.close(self._descriptor)
        if self._lock is not None:
            self._lock.release()

    def discard(self) -> None:
        """Remove the file's name, unless it has become another file's."""
        if self.is_named():
            self.path.unlink(missing_ok=True)

    def _grown(self, count: int) -> None:
        self.length += count
        if self._sync and self.length - self._written_back >= WRITE_BACK_SIZE:
            # Dirty pages cannot be dropped, but being asked to makes the disk begin with them.
            os.posix_fadvise(
                self._descriptor,
                self._written_back,
                self.length - self._written_back,
                os.POSIX_FADV_DONTNEED,
            )
            self._written_back = self.length


def open_region(path: Path, descriptor: int, offset: int) -> FileRegion:
    """Describe an open file's bytes from ``offset`` on.

    Raises:
        NotFound: the file ends before ``offset``.
    """
    size = os.fstat(descriptor).st_size
    if offset > size:
        raise NotFound(str(path), f"has {size} bytes, and is wanted from byte {offset} on")
    return FileRegion(path, offset, size - offset)
