"""One at a time: the same thing is never done by two processes at once.

Whoever mirrors, exports for a channel, imports or pushes by the config holds a lock in the store
meanwhile, be it the daemon or somebody at a terminal. The kernel lets go of it when its holder
dies.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from airgap.errors import NotFound, StoreUnusable
from airgap.store.durable import try_lock, write_all
from airgap.store.os_errors import explained
from airgap.store.places import Places

POLL_SECONDS = 1.0
_LONGEST_NOTE = 64


class Busy(StoreUnusable):
    """Somebody else is doing the same thing right now."""


@asynccontextmanager
async def turn(store: Path, what: str, *, patience: float = 0.0) -> AsyncIterator[None]:
    """Be the only one who does a thing on a store.

    Args:
        store: the store's folder; where there is none yet, nobody else can be at it.
        what: the thing, such as ``mirror`` or ``export.plant``.
        patience: seconds to wait for somebody else.

    Raises:
        Busy: somebody else has been doing it for all of that time.
        NotPermitted: the store can only be read.
    """
    path = Places(store).sweep_lock.with_name(f"turn.{what}")
    try:
        descriptor = await asyncio.to_thread(_open, path)
    except NotFound:
        yield
        return
    try:
        await _wait(descriptor, what, patience)
        await asyncio.to_thread(_sign, descriptor)
        yield
    finally:
        os.close(descriptor)


async def _wait(descriptor: int, what: str, patience: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while not try_lock(descriptor):
        if loop.time() >= deadline:
            holder = os.pread(descriptor, _LONGEST_NOTE, 0).decode("ascii", "replace").strip()
            by = f"process {holder}" if holder else "another process"
            raise Busy(
                what, f"is being done by {by} right now", "try again when it is done (see `ps`)"
            )
        await asyncio.sleep(min(POLL_SECONDS, patience))


def _open(path: Path) -> int:
    with explained(path):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _sign(descriptor: int) -> None:
    # Only to tell others who it is: a disk too full for it must not keep anybody from working.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        write_all(descriptor, f"{os.getpid()}\n".encode())
