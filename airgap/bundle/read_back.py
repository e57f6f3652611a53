"""Reading a file from the medium itself, past what the system still remembers of it. Blocking."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
from collections.abc import Callable
from pathlib import Path

from airgap.bundle.failures import telling
from airgap.errors import ContentMismatch
from airgap.oci.digest import Digest

_PIECE = 4 * 1024 * 1024
"""Bytes; a multiple of any page and sector."""

_NOT_DIRECT = {errno.EINVAL, errno.EOPNOTSUPP}


def digest_on_medium(path: Path, between: Callable[[], None] = lambda: None) -> Digest:
    """Return the SHA-256 of a file as it is on the medium.

    The file must be synced. It is read with ``O_DIRECT`` where the file system can do that, and
    elsewhere after the page cache was asked to forget it.

    Args:
        path: the file.
        between: called between two readings; may raise, to give up.

    Raises:
        BundleDamaged: the medium cannot be read.
        NotFound, NotPermitted: the file cannot be opened.
    """
    with telling(path), mmap.mmap(-1, _PIECE) as buffer:
        file = _open_direct(path)
        try:
            hasher = hashlib.sha256()
            position, end = 0, os.fstat(file).st_size
            with memoryview(buffer) as view:
                # Past the end, a direct reading may fail instead of giving nothing.
                while position < end and (count := os.preadv(file, [buffer], position)):
                    hasher.update(view[:count])
                    position += count
                    between()
        finally:
            os.close(file)
        return Digest.from_hasher(hasher)


def _open_direct(path: Path) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno not in _NOT_DIRECT:
            raise
    file = os.open(path, flags)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    return file


def expect_on_medium(
    path: Path, digest: Digest, what: str, between: Callable[[], None] = lambda: None
) -> None:
    """Check that a medium gives back what was written to it.

    Args:
        path: a file that is synced.
        digest: the SHA-256 of what was written.
        what: which part of a bundle it is, for the error.
        between: called between two readings; may raise, to give up.

    Raises:
        ContentMismatch: it gives other bytes.
    """
    actual = digest_on_medium(path, between)
    if actual != digest:
        raise ContentMismatch(
            f"{path}: {what}",
            f"{digest} was written, and the medium gives {actual}",
            "the medium is bad: write to another one",
        )
