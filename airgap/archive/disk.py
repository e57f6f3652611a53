"""Files that appear whole or not at all, and the operating system's errors as ours."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from airgap.errors import AirgapError, NoSpace, NotPermitted

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def told_as_ours(thing: Path | str) -> Iterator[None]:
    """Turn an ``OSError`` about ``thing`` into an error that a person can act on.

    Raises:
        NoSpace: the disk is full, or the file may not grow so large there.
        NotPermitted: anything else.
    """
    try:
        yield
    except OSError as error:
        raise _told(thing, error) from None


def _told(thing: Path | str, error: OSError) -> AirgapError:
    cause = error.strerror or str(error)
    if error.errno == errno.EFBIG:
        return NoSpace(str(thing), f"cannot grow so large there: {cause}")
    if error.errno in _FULL:
        return NoSpace(str(thing), f"cannot be written: {cause}", "free some space on that disk")
    return NotPermitted(str(thing), f"cannot be written: {cause}")


def sync_folder(folder: Path) -> None:
    """Let a rename in a folder survive a loss of power."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that it is there as a whole, or not at all.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def temporary_beside(path: Path) -> Path:
    """Return a name in the same folder that nobody else uses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def write_all(file: BinaryIO, content: bytes) -> None:
    """Write to a file without buffer, which may take less at once than it is given."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
