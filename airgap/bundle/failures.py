"""What the operating system says, as errors that tell a person what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap.errors import AirgapError, BundleDamaged, NoSpace, NotFound, NotPermitted

BRING_AGAIN = "bring the copy again"

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into the error that a person understands.

    Raises:
        NoSpace: the disk is full, or its file system takes no file as large.
        NotPermitted: the file or folder may not be read or written.
        NotFound: there is no such file or folder.
        BundleDamaged: the medium cannot be read.
        AirgapError: anything else.
    """
    try:
        yield
    except OSError as error:
        raise _told(path, error) from error


def _told(path: Path, error: OSError) -> AirgapError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        return NoSpace(str(path), "the disk is full", "free some space there, or write elsewhere")
    if error.errno == errno.EFBIG:
        return NoSpace(
            str(path),
            "the file system there takes no file of this size",
            "FAT32 takes 4 GiB - 1 at most: format the medium as exFAT or ext4, or write elsewhere",
        )
    if error.errno in _FORBIDDEN:
        return NotPermitted(str(path), reason)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return NotFound(str(path), reason)
    if error.errno == errno.EIO:
        return BundleDamaged(str(path), "the medium cannot be read or written", BRING_AGAIN)
    return AirgapError(str(path), reason)
