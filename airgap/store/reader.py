"""A blob of the store, open for reading."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from airgap.content.ports import FileRegion
from airgap.errors import NotFound
from airgap.store.hashed_file import BUFFER_SIZE, open_region
from airgap.store.os_errors import explained
from airgap.store.threads import Threads


class FileReader:
    """The bytes of a blob file from an offset on; see ``airgap.content.ports.BlobReader``."""

    def __init__(self, threads: Threads, region: FileRegion, descriptor: int) -> None:
        self._threads = threads
        self._region = region
        self._descriptor = descriptor

    @property
    def offset(self) -> int:
        """Where reading starts, in bytes."""
        return self._region.offset

    @property
    def region(self) -> FileRegion:
        """The same bytes as a piece of the blob's file."""
        return self._region

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces of 1 MiB."""
        position = self._region.offset
        while piece := await self._threads.on_files(self._read, position):
            position += len(piece)
            yield piece

    def _read(self, position: int) -> bytes:
        with explained(self._region.path):
            return os.pread(self._descriptor, BUFFER_SIZE, position)


@asynccontextmanager
async def open_reader(
    threads: Threads, path: Path, offset: int, name: str
) -> AsyncIterator[FileReader]:
    """Open a blob's file; what is open can be read to its end even if it is collected meanwhile.

    Args:
        threads: where reading is done.
        path: the file.
        offset: where to start, in bytes.
        name: what the person knows the blob by.

    Raises:
        NotFound: on entering, where there is no such file.
    """
    region, descriptor = await threads.on_files(_open, path, offset, name)
    try:
        yield FileReader(threads, region, descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, offset: int, name: str) -> tuple[FileRegion, int]:
    try:
        with explained(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except NotFound:
        raise NotFound(name, "is not in the store") from None
    try:
        return open_region(path, descriptor, offset), descriptor
    except BaseException:
        os.close(descriptor)
        raise


def read_small(path: Path, limit: int, name: str) -> bytes:
    """Return a file's bytes, one more than ``limit`` at most.

    Raises:
        NotFound: there is no such file; the error is about ``name``.
    """
    try:
        with explained(path), path.open("rb") as file:
            return file.read(limit + 1)
    except NotFound:
        raise NotFound(name, "is not in the store") from None
