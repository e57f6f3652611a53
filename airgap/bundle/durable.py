"""Files that are there whole or not at all, also after a power cut. Blocking."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from airgap.errors import NoSpace, Refused


def partial(path: Path) -> Path:
    """Return what a file is called until it is whole."""
    return path.with_name(f"{path.name}.partial")


def create_locked(temporary: Path, final: Path) -> int:
    """Create an empty file that no other process writes; return its descriptor.

    Raises:
        Refused: another process does.
        OSError: it cannot be made.
    """
    file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(file, 0)
    except BlockingIOError:
        os.close(file)
        raise Refused(
            str(final), "another process is writing it", "wait for it, or choose a name"
        ) from None
    except OSError:
        os.close(file)
        raise
    return file


def check_space(file: int, path: Path, size: int) -> None:
    """Check that a disk can take ``size`` bytes more.

    Args:
        file: any open file there.
        path: what is to be written, for the error.
        size: bytes.

    Raises:
        NoSpace: it cannot.
    """
    disk = os.fstatvfs(file)
    free = disk.f_bavail * disk.f_frsize
    if free < size:
        raise NoSpace(
            str(path),
            f"the bundle has {size:,} bytes, and {free:,} are free",
            "free some space there, or write elsewhere; nothing was written",
        )


def write_all(file: int, data: memoryview | bytes) -> None:
    """Append bytes to a file, however many the system takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def replace_file(path: Path, content: bytes, *, sync: bool) -> None:
    """Write a small file under its name, whole or not at all."""
    temporary = partial(path)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    temporary.rename(path)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
