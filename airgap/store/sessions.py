"""Who is copying right now, so that nothing a running copy relies on is collected.

A session is a file that its process keeps locked; when the process ends, however it ends, the lock
is gone. The file's time is by the clock that tells its process what was used lately. Collection
keeps all that was put or relied on since the oldest live session began, or since the oldest
unfinished push did (``push_claim``).
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from airgap.store.locks import SWEEP, Lock, Locks, shared
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.push_claim import SUFFIX, read_claim

USE_RESOLUTION = 300.0
"""Seconds by which the catalog's idea of a last use may lag; spares most writes for reading."""


def is_recent(used: float) -> bool:
    """Tell whether a last use is so young that another one is not written."""
    return used > time.time() - USE_RESOLUTION


class Session:
    """One process's claim on the content that it deals with. Its methods block."""

    def __init__(self, places: Places, locks: Locks) -> None:
        self._places = places
        self._locks = locks
        self._guard = threading.Lock()
        self._holders = 0
        self._descriptor: int | None = None
        self._lock: Lock | None = None
        self._path: Path | None = None

    @property
    def path(self) -> Path | None:
        """The session's file while it is live."""
        return self._path

    @property
    def locks(self) -> Sequence[Lock]:
        """What must be held for all that the session relies on to be there."""
        with self._guard:
            return () if self._lock is None else (self._lock,)

    @property
    def is_live(self) -> bool:
        """Whether the claim stands."""
        return self._descriptor is not None

    def begin(self) -> None:
        """Make the claim, or count one more holder of it."""
        with self._guard:
            self._holders += 1
            if self._descriptor is None:
                self._path = self._places.sessions / uuid.uuid4().hex
                # A collection that has looked around for sessions already is waited for.
                with shared(self._locks, SWEEP), explained(self._path):
                    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                    self._descriptor, self._lock = self._locks.open_file(self._path, flags)
                    now = time.time()
                    os.utime(self._path, (now, now))

    def end(self) -> None:
        """Let one holder go; the claim ends with the last."""
        with self._guard:
            self._holders = max(self._holders - 1, 0)
            if not self._holders and self._descriptor is not None and self._path is not None:
                self._path.unlink(missing_ok=True)
                os.close(self._descriptor)
                if self._lock is not None:
                    self._lock.release()
                self._descriptor = self._lock = self._path = None


def oldest_session(places: Places, locks: Locks, *, besides: Path | None = None) -> float | None:
    """Return when the oldest live session began (seconds since 1970); forget dead ones.

    Called under the exclusive sweep lock, so that no session is just beginning.

    Args:
        places: the store's paths.
        locks: the store's.
        besides: a session that does not count, because it is the caller's.
    """
    began: list[float] = []
    with explained(places.sessions):
        for path in sorted(places.sessions.iterdir()):
            if path == besides:
                continue
            if path.suffix == SUFFIX:
                claimed, _ = read_claim(path, locks)
                if claimed is None:
                    path.unlink(missing_ok=True)
                else:
                    began.append(claimed)
                continue
            try:
                descriptor, lock = locks.open_file(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                if lock is not None:
                    path.unlink(missing_ok=True)
                else:
                    began.append(os.fstat(descriptor).st_mtime)
            finally:
                os.close(descriptor)
                if lock is not None:
                    lock.release()
    return min(began, default=None)
