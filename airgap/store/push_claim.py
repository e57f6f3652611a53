"""A server's claim on what unfinished pushes need, which outlives the server for a while.

A client pushes an image in many requests, and hours may pass between the first blob and the
manifest. The server says how far back the oldest unfinished push reaches; collection keeps all that
was put or relied on since then. The claim is a file: whoever has it locked is alive, and a server
that ended or was killed leaves it for the next one.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from airgap.store.durable import write_new_file
from airgap.store.locks import SWEEP, Lock, Locks, shared
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.threads import Threads

SUFFIX = ".push"

HEIR_SECONDS = 3600.0
"""How long a claim whose server is gone stands, for the server to be started again."""

_MAX_TEXT = 64


class PushClaim:
    """One server's claim. Its methods block."""

    def __init__(self, places: Places, locks: Locks) -> None:
        self._places = places
        self._locks = locks
        self._path = places.sessions / f"{uuid.uuid4().hex}{SUFFIX}"
        self._lock: Lock | None = None

    def inherit(self) -> float | None:
        """Take over the claims of servers that are gone; return how far back they reach."""
        reached: list[float] = []
        with explained(self._places.sessions):
            for path in sorted(self._places.sessions.glob(f"*{SUFFIX}")):
                began, alive = read_claim(path, self._locks)
                if began is None or alive:
                    continue
                reached.append(began)
                # Ours stands before theirs goes, so that there is no moment without one.
                self.reach_back_to(min(reached))
                path.unlink(missing_ok=True)
        return min(reached, default=None)

    def reach_back_to(self, began: float | None) -> None:
        """Keep what was put or relied on since ``began`` (seconds since 1970); None lets go."""
        if began is None:
            if self._lock is not None:
                self._path.unlink(missing_ok=True)
                self.close()
            return
        temporary = self._places.temporary()
        # A collection that has looked around for claims already is waited for.
        with shared(self._locks, SWEEP):
            write_new_file(temporary, repr(began).encode("ascii"), sync=False)
            with explained(self._path):
                # Locked before it has its name, so that nobody ever takes it for one left behind.
                self._lock = self._locks.put_file(temporary, self._path, self._lock)

    def close(self) -> None:
        """Leave the claim to whoever serves the store next."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


@dataclass(frozen=True, slots=True)
class StorePushClaim:
    """The claim as a server has it; see ``airgap.content.hosting.PushClaim``.

    Attributes:
        inherited: how far back the pushes of a server that is gone reach.
    """

    file: PushClaim
    inherited: float | None
    threads: Threads

    async def reach_back_to(self, began: float | None) -> None:
        """Keep what was put or relied on since then; None lets go."""
        await self.threads.ask(self.file.reach_back_to, began)


@asynccontextmanager
async def claim_for_pushes(
    places: Places, locks: Locks, threads: Threads
) -> AsyncIterator[StorePushClaim]:
    """Have a claim, which takes over those of servers that are gone, until the block ends."""
    file = PushClaim(places, locks)
    try:
        yield StorePushClaim(file, await threads.ask(file.inherit), threads)
    finally:
        await threads.ask(file.close)


def read_claim(path: Path, locks: Locks) -> tuple[float | None, bool]:
    """Return how far back a claim reaches, and whether its server is alive.

    The former is None where the claim stands no longer.
    """
    try:
        descriptor, lock = locks.open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return None, False
    alive = lock is None
    try:
        fresh = os.fstat(descriptor).st_mtime > time.time() - HEIR_SECONDS
        text = os.read(descriptor, _MAX_TEXT)
    finally:
        os.close(descriptor)
        if lock is not None:
            lock.release()
    if not (alive or fresh):
        return None, False
    try:
        return float(text), alive
    except ValueError:
        # Not a number of ours: nobody can tell what it claims, so it claims everything.
        return 0.0, alive
