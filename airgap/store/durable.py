"""Files that are whole or not there. Everything here blocks."""

from __future__ import annotations

import os
from pathlib import Path

from airgap.store.os_errors import explained


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Return how many bytes the file system of a path still takes from us."""
    with explained(path):
        status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of ``data``; the system may take it in several pieces."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_new_file(path: Path, content: bytes, *, sync: bool) -> None:
    """Make a file that is not there yet.

    Raises:
        NoSpace, NotPermitted: it is not there.
    """
    with explained(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            write_all(descriptor, content)
            if sync:
                os.fsync(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)


def replace_file(path: Path, content: bytes, *, temporary: Path, sync: bool) -> None:
    """Let ``path`` have new content, at once and for good.

    Args:
        path: the file.
        content: all of its new bytes.
        temporary: an unused name on the same file system.
        sync: wait until it would survive a power cut.

    Raises:
        NoSpace, NotPermitted: nothing has changed.
    """
    write_new_file(temporary, content, sync=sync)
    with explained(path):
        temporary.replace(path)
        if sync:
            sync_folder(path.parent)
