"""Listing the members of a tar: in place where it can be, else by way of one temporary file.

A plain tar file is indexed where it is; only its headers are read. A compressed one, or one that
comes through a pipe, is read once from front to back: the content of its files goes into a spool
in the scratch folder, never more than the headers declare, never more than the disk can take.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from airgap.archive.members import MemberList, TarMembers
from airgap.errors import NoSpace, NotFound, NotPermitted
from airgap.image.compression import HEAD_SIZE, Compression, detect, unpacked
from airgap.image.tar_entries import TarReader
from airgap.image.threads import StopSign, in_thread

SPACE_RESERVE = 64 * 1024 * 1024
"""Bytes that a spool leaves free on its disk."""

_POLL_SECONDS = 0.2


@asynccontextmanager
async def tar_members(origin: Path | BinaryIO, *, scratch: Path) -> AsyncIterator[TarMembers]:
    """List the members of a tar, which may be compressed with gzip, zstd, xz or bzip2.

    Args:
        origin: a file, or an open stream such as standard input, which is read to the tar's end.
        scratch: an existing folder on a disk with room for the content, where the tar is
            compressed or a stream. What is put there is gone when the block ends.

    Raises:
        ArchiveDamaged: not a tar, truncated, or with members that no archive has.
        NoSpace: the content does not fit into the scratch folder.
        NotFound, NotPermitted: there is no such file, or it may not be read.
    """
    what = str(origin) if isinstance(origin, Path) else "standard input"
    if isinstance(origin, Path):
        members = await in_thread(lambda _: _index_in_place(origin))
        if members is not None:
            yield members
            return
    with _spool_file(scratch) as spool:

        def fill(sign: StopSign) -> TarMembers:
            with _opened(origin) as stream:
                return _fill_spool(stream, what, spool, sign)

        yield await in_thread(fill)


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file or a pipe for reading.

    Raises:
        NotFound, NotPermitted: there is none, it is a folder, or it may not be read.
    """
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        raise NotFound(str(path), "there is no such file") from None
    except IsADirectoryError:
        raise NotPermitted(
            str(path), "is a folder", "name it oci:FOLDER or dir:FOLDER where it holds an image"
        ) from None
    except OSError as error:
        raise NotPermitted(str(path), f"cannot be read: {error.strerror}") from None
    with file:
        yield file


@contextmanager
def _opened(origin: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(origin, Path):
        with reading(origin) as file:
            yield file
    else:
        yield origin


def _index_in_place(path: Path) -> TarMembers | None:
    with reading(path) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        if detect(file.read(HEAD_SIZE)) is not Compression.NONE:
            return None
        file.seek(0)
        members = MemberList(str(path))
        for entry in TarReader(file, str(path), size=status.st_size):
            members.add(entry, path, entry.offset)
    return members.finish()


@contextmanager
def _spool_file(scratch: Path) -> Iterator[BinaryIO]:
    try:
        number, name = tempfile.mkstemp(dir=scratch, prefix="airgap-spool-")
    except OSError as error:
        raise NotPermitted(str(scratch), f"cannot be written to: {error.strerror}") from None
    path = Path(name)
    try:
        os.close(number)
        with path.open("wb", buffering=0) as file:
            yield file
    finally:
        path.unlink()


def _fill_spool(stream: BinaryIO, what: str, spool: BinaryIO, sign: StopSign) -> TarMembers:
    path = Path(spool.name)
    members = MemberList(what)
    tar = TarReader(unpacked(_Stoppable(stream, sign), what), what)
    end = 0
    for entry in tar:
        members.add(entry, path, end)
        _check_space(path, entry.stored, what)
        for piece in tar.pieces():
            _write(spool, piece, what)
        end += entry.stored
    return members.finish()


def _check_space(spool: Path, size: int, what: str) -> None:
    if not size:
        return
    disk = os.statvfs(spool)
    free = disk.f_bavail * disk.f_frsize
    if size + SPACE_RESERVE > free:
        raise _no_space(what, f"its next member has {size:,} bytes, and {free:,} are free", spool)


def _write(spool: BinaryIO, piece: bytes, what: str) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[spool.write(rest) :]
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise _no_space(what, "the disk is full", Path(spool.name)) from None
        raise NotPermitted(spool.name, f"cannot be written: {error.strerror}") from None


def _no_space(what: str, cause: str, spool: Path) -> NoSpace:
    return NoSpace(
        what,
        f"{cause} in {spool.parent}, where it is unpacked for reading",
        "name a scratch folder on a larger disk, or unpack the file first",
    )


class _Stoppable:
    """A stream whose reading ends soon after nobody waits for it, even on a silent pipe."""

    def __init__(self, stream: BinaryIO, sign: StopSign) -> None:
        # Beneath a buffer, so that waiting and reading see the same bytes, and that one read
        # returns what there is instead of waiting for all of it.
        self._stream: BinaryIO = getattr(stream, "raw", stream)
        self._sign = sign
        try:
            mode = os.fstat(stream.fileno()).st_mode
        except OSError:  # a stream in memory has no file number
            mode = stat.S_IFREG
        self._may_wait = not stat.S_ISREG(mode)

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes."""
        self._sign.check()
        while self._may_wait and not select.select([self._stream], [], [], _POLL_SECONDS)[0]:
            self._sign.check()
        return self._stream.read(size)
