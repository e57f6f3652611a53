"""Where the bytes of an archive go: a file that appears only when it is whole, or a stream."""

from __future__ import annotations

import asyncio
import gzip
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from airgap.archive.disk import sync_folder, told_as_ours


class Packing(StrEnum):
    """What is wrapped around an archive."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3


class ArchiveSink(Protocol):
    """Takes the bytes of an archive in order."""

    async def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            NoSpace, NotPermitted: they cannot be kept.
        """
        ...

    async def commit(self) -> None:
        """Make the archive visible: all of its bytes have come."""
        ...


class _Writer(Protocol):
    def write(self, data: bytes, /) -> int: ...

    def close(self) -> object: ...


class FileSink:
    """An archive in a file: written under another name, synced, renamed.

    Use :func:`file_sink`, which throws away what was not committed.
    """

    def __init__(self, path: Path, temporary: Path, file: BinaryIO, packing: Packing) -> None:
        self._path = path
        self._temporary = temporary
        self._file = file
        self._packed = _packed(file, packing)

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        with told_as_ours(self._path):
            await asyncio.to_thread(self._packed.write, data)

    async def commit(self) -> None:
        """Sync the file and give it its name."""
        with told_as_ours(self._path):
            await asyncio.to_thread(self._publish)

    def _publish(self) -> None:
        if self._packed is not self._file:
            self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._temporary.replace(self._path)
        sync_folder(self._path.parent)


@contextmanager
def file_sink(path: Path, packing: Packing = Packing.NONE) -> Iterator[FileSink]:
    """Write an archive to a file, which is replaced when, and only when, the archive is whole.

    Raises:
        NotPermitted: the folder is not there or may not be written to.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with told_as_ours(path):
        file = temporary.open("xb")
    try:
        with file:
            yield FileSink(path, temporary, file, packing)
    finally:
        temporary.unlink(missing_ok=True)


class StreamSink:
    """An archive on a stream that is open already, such as standard output."""

    def __init__(self, stream: BinaryIO, packing: Packing = Packing.NONE) -> None:
        self._stream = stream
        self._packed = _packed(stream, packing)

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        with told_as_ours("standard output"):
            await asyncio.to_thread(self._packed.write, data)

    async def commit(self) -> None:
        """Finish the packing; the stream stays open."""

        def finish() -> None:
            if self._packed is not self._stream:
                self._packed.close()
            self._stream.flush()

        with told_as_ours("standard output"):
            await asyncio.to_thread(finish)


def _packed(stream: BinaryIO, packing: Packing) -> _Writer:
    """Wrap a compressor around a stream; the same bytes in give the same bytes out."""
    match packing:
        case Packing.NONE:
            return stream
        case Packing.GZIP:
            return gzip.GzipFile(
                filename="", fileobj=stream, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0
            )
        case Packing.ZSTD:
            compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
            return compressor.stream_writer(stream, closefd=False)
