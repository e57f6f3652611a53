"""Files that are worked on: read and written in pieces, their failures told to a person. Blocking.

Everything here is temporary: whoever asked for a file makes it last, or throws it away.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from airgap.errors import AirgapError, ContentMismatch, NoSpace, NotFound, NotPermitted

PIECE = 1024 * 1024
"""Bytes that are read, given or taken at once."""

OnBytes: TypeAlias = Callable[[int], None]
"""Told how many more bytes have been dealt with; may raise to break the work off."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def unheard(_count: int) -> None:
    """Listen to nothing: where nobody wants to know how far the work is."""


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into the error that a person understands.

    Raises:
        NoSpace: the disk is full, or its file system takes no file as large.
        NotPermitted: the file or folder may not be read or written.
        NotFound: there is no such file or folder.
        AirgapError: anything else.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        thing = str(path)
        if error.errno in _FULL:
            hint = "free some space there, or work in a folder on a larger disk"
            raise NoSpace(thing, reason.lower(), hint) from error
        if error.errno in _FORBIDDEN:
            raise NotPermitted(thing, reason.lower()) from error
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise NotFound(thing, reason.lower()) from error
        raise AirgapError(thing, reason.lower(), "see what the disk has (`dmesg`)") from error


def file_size(path: Path) -> int:
    """Return the bytes of a file."""
    with telling(path):
        return path.stat().st_size


def file_pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, 1 MiB at most at a time."""
    with telling(path), path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            yield piece


def region_pieces(file: BinaryIO, path: Path, offset: int, length: int) -> Iterator[bytes]:
    """Yield ``length`` bytes of an open file from ``offset`` on, 1 MiB at most at a time.

    Raises:
        ContentMismatch: the file has become shorter.
    """
    end = offset + length
    while offset < end:
        with telling(path):
            file.seek(offset)
            piece = file.read(min(PIECE, end - offset))
        if not piece:
            raise ContentMismatch(str(path), f"ends at byte {offset:,}: it was changed meanwhile")
        offset += len(piece)
        yield piece
