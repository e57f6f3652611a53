"""Turning what the operating system says into errors that a person can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap.errors import AirgapError, NoSpace, NotFound, NotPermitted, StoreUnusable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def translate(error: OSError, thing: Path | str) -> AirgapError:
    """Return the error that a person should see for an ``OSError`` about ``thing``."""
    reason = (error.strerror or str(error)).lower()
    if error.errno in _FULL:
        hint = "free some space (`airgap store gc`), or put the store on a larger disk"
        return NoSpace(str(thing), reason, hint)
    if error.errno in _FORBIDDEN:
        hint = "run as the store's owner, and see that its disk is mounted for writing"
        return NotPermitted(str(thing), reason, hint)
    if error.errno == errno.ENOENT:
        return NotFound(str(thing), reason)
    return StoreUnusable(str(thing), reason, "see what the disk has (`dmesg`, `airgap store fsck`)")


@contextmanager
def explained(thing: Path | str) -> Iterator[None]:
    """Raise an ``OSError`` of the body as an ``AirgapError`` about ``thing``.

    Raises:
        NoSpace: the disk or the quota is full, or the file would be too large for it.
        NotPermitted: missing rights, or a read-only disk.
        NotFound: the file is not there.
        StoreUnusable: anything else.
    """
    try:
        yield
    except OSError as error:
        raise translate(error, thing) from error
