"""Files that are whole or not there, and locks between processes. Everything here blocks."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap.errors import StoreUnusable
from airgap.store.os_errors import explained

_POLL_SECONDS = 0.02


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


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this holder alone; False where another one has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def shared_lock(path: Path) -> Iterator[None]:
    """Hold a lock that many can hold at once; waits while somebody holds it exclusively."""
    with _open_lock(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def exclusive_lock(path: Path, *, patience: float) -> Iterator[None]:
    """Hold a lock that nobody else holds in any way.

    Args:
        path: the lock's file.
        patience: seconds to wait for the others.

    Raises:
        StoreUnusable: the others did not let go in time.
    """
    deadline = time.monotonic() + patience
    with _open_lock(path) as descriptor:
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise StoreUnusable(
                    str(path),
                    f"another process has held this lock for {patience:g} seconds",
                    f"see which one (`fuser {path}`) and try again when it is done",
                )
            time.sleep(_POLL_SECONDS)
        yield


@contextmanager
def _open_lock(path: Path) -> Iterator[int]:
    with explained(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
