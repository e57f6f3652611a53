"""Locks between everybody who uses a store, and how they are held by files.

Where the catalog is a file in the store's folder, so are the locks: the kernel lets go of them when
their holder dies. Where it is a database that several machines share, ``postgres_locks`` has locks
that hold across machines. Everything here blocks.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from airgap.errors import StoreUnusable
from airgap.store.durable import write_all
from airgap.store.os_errors import explained

SWEEP = "sweep"
"""Shared while content is published; exclusive while content is taken out."""

INDEX = "index"
"""Exclusive while ``index.json`` is written."""

USE = "use"
"""Shared while a process has the store open; exclusive while its catalog is replaced."""

_POLL_SECONDS = 0.02
_LONGEST_NOTE = 64


class LockLost(StoreUnusable):
    """A lock was held, and then the connection that held it was gone."""


class Lock(Protocol):
    """A lock that is held; it is gone with its holder, however that ends."""

    def confirm(self, connection: Connection) -> None:
        """Make sure, within a transaction that writes, that the lock has been held all along.

        Raises:
            LockLost: somebody else may have had it meanwhile.
        """
        ...

    def release(self) -> None:
        """Let go; a second time does nothing."""
        ...


class Locks(Protocol):
    """The locks of one open store.

    Two of them exclude each other, also within one process, and so do two takings from one.
    """

    def try_exclusive(self, name: str) -> Lock | None:
        """Take a lock that nobody else holds in any way; None where somebody does."""
        ...

    def try_shared(self, name: str) -> Lock | None:
        """Take a lock that others may share; None where somebody holds it exclusively."""
        ...

    def wait(self, name: str, *, alone: bool, patience: float) -> Lock | None:
        """Take a lock, exclusively or shared, as soon as the others let go of it.

        Args:
            name: which one.
            alone: exclusively.
            patience: seconds to wait at most.

        Returns:
            It; None where they did not in time.
        """
        ...

    def open_file(self, path: Path, flags: int) -> tuple[int, Lock | None]:
        """Open a file of the store's own, and lock it.

        Args:
            path: the file.
            flags: as for ``os.open``.

        Returns:
            Its descriptor, and the lock; None where somebody else has it. Whoever has both closes
            the descriptor before the lock is let go of.

        Raises:
            OSError: it cannot be opened.
        """
        ...

    def put_file(self, temporary: Path, path: Path, before: Lock | None) -> Lock:
        """Give a new file its name, locked from the first moment that it has it.

        Args:
            temporary: the file, which nobody else knows.
            path: its name from now on; a file of that name is replaced.
            before: the lock of that one, where this process has it; it is let go of.

        Raises:
            OSError: it cannot be renamed.
        """
        ...

    def holder(self, name: str) -> str:
        """Say in a few words who holds a lock exclusively."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


@contextmanager
def shared(locks: Locks, name: str) -> Iterator[Lock]:
    """Hold a lock that many can hold at once; waits while somebody holds it exclusively."""
    lock = take(locks, name, alone=False, patience=inf)
    try:
        yield lock
    finally:
        lock.release()


@contextmanager
def exclusive(locks: Locks, name: str, *, patience: float) -> Iterator[Lock]:
    """Hold a lock that nobody else holds in any way.

    Args:
        locks: the store's.
        name: which one.
        patience: seconds to wait for the others.

    Raises:
        StoreUnusable: the others did not let go in time.
    """
    lock = take(locks, name, alone=True, patience=patience)
    try:
        yield lock
    finally:
        lock.release()


def take(locks: Locks, name: str, *, alone: bool, patience: float) -> Lock:
    """Take a lock that whoever takes it lets go of.

    Args:
        locks: the store's.
        name: which one.
        alone: nobody else holds it in any way; otherwise many may.
        patience: seconds to wait for the others.

    Raises:
        StoreUnusable: the others did not let go in time.
    """
    lock = locks.wait(name, alone=alone, patience=patience)
    if lock is None:
        raise StoreUnusable(
            f"the store's lock {name!r}",
            f"another process has held it for {patience:g} seconds",
            "try again when that one is done",
        )
    return lock


@dataclass(slots=True)
class FileLock:
    """A locked file that is open.

    Attributes:
        descriptor: the file; None once it is let go of.
    """

    descriptor: int | None

    def confirm(self, connection: Connection) -> None:
        """Do nothing: the kernel takes no lock away from who lives."""

    def release(self) -> None:
        """Close the file."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


@dataclass(frozen=True, slots=True)
class LockedDescriptor:
    """The lock of an open file, which is gone when whoever has the descriptor closes it."""

    def confirm(self, connection: Connection) -> None:
        """Do nothing, as with ``FileLock``."""

    def release(self) -> None:
        """Do nothing: the descriptor has been closed."""


@dataclass(frozen=True, slots=True)
class FileLocks:
    """Locks of files (``flock``), among the processes of one machine.

    Attributes:
        folder: where the files of named locks are.
    """

    folder: Path

    def try_exclusive(self, name: str) -> Lock | None:
        """Take a lock that nobody else holds in any way; None where somebody does."""
        lock = self._try(name, fcntl.LOCK_EX)
        if lock is not None and lock.descriptor is not None:
            _sign(lock.descriptor)
        return lock

    def try_shared(self, name: str) -> Lock | None:
        """Take a lock that others may share; None where somebody holds it exclusively."""
        return self._try(name, fcntl.LOCK_SH)

    def wait(self, name: str, *, alone: bool, patience: float) -> Lock | None:
        """Take a lock, exclusively or shared, as soon as the others let go of it."""
        attempt = self.try_exclusive if alone else self.try_shared
        deadline = time.monotonic() + patience
        while (lock := attempt(name)) is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return lock

    def open_file(self, path: Path, flags: int) -> tuple[int, Lock | None]:
        """Open a file of the store's own, and lock it."""
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
        return descriptor, LockedDescriptor() if _locked(descriptor, fcntl.LOCK_EX) else None

    def put_file(self, temporary: Path, path: Path, before: Lock | None) -> Lock:
        """Give a new file its name, locked from the first moment that it has it."""
        descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _locked(descriptor, fcntl.LOCK_EX)
            temporary.replace(path)
        except OSError:
            os.close(descriptor)
            raise
        if before is not None:
            before.release()
        return FileLock(descriptor)

    def holder(self, name: str) -> str:
        """Say in a few words who holds a lock exclusively."""
        with suppress(OSError, ValueError), self._path(name).open("rb") as file:
            return f"process {int(file.read(_LONGEST_NOTE))}"
        return "another process"

    def close(self) -> None:
        """Do nothing: each lock has a descriptor of its own."""

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _try(self, name: str, kind: int) -> FileLock | None:
        path = self._path(name)
        with explained(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            if _locked(descriptor, kind):
                return FileLock(descriptor)
            os.close(descriptor)
        return None


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int) -> None:
    # Only to tell others who it is: a disk too full for it must not keep anybody from working.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        write_all(descriptor, f"{os.getpid()}\n".encode())
