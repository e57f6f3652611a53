"""One at a time: the same thing is never done by two processes at once.

Whoever mirrors, exports for a channel, imports or pushes by the config holds a lock of the store
meanwhile, be it a daemon or somebody at a terminal, on this machine or on another one that shares
the store. A holder that dies lets go of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from airgap.errors import StoreUnusable
from airgap.store.locks import Lock
from airgap.store.store import Store
from airgap.store.threads import settled

POLL_SECONDS = 1.0


class Busy(StoreUnusable):
    """Somebody else is doing the same thing right now."""


@asynccontextmanager
async def turn(store: Store, what: str, *, patience: float = 0.0) -> AsyncIterator[None]:
    """Be the only one who does a thing on a store.

    Args:
        store: the store.
        what: the thing, such as ``mirror`` or ``export.plant``.
        patience: seconds to wait for somebody else.

    Raises:
        Busy: somebody else has been doing it for all of that time.
        NotPermitted: the store can only be read.
    """
    lock = await _wait(store, what, patience)
    try:
        yield
    finally:
        await settled(asyncio.ensure_future(asyncio.to_thread(lock.release)))


async def _wait(store: Store, what: str, patience: float) -> Lock:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    name = f"turn.{what}"
    while (lock := await _attempt(store, name)) is None:
        if loop.time() >= deadline:
            holder = await asyncio.to_thread(store.locks.holder, name)
            raise Busy(
                what, f"is being done by {holder} right now", "try again when it is done (see `ps`)"
            )
        await asyncio.sleep(min(POLL_SECONDS, patience))
    return lock


async def _attempt(store: Store, name: str) -> Lock | None:
    """Try to take the lock; one that is taken while we are cancelled is let go of."""
    trying = asyncio.ensure_future(asyncio.to_thread(store.locks.try_exclusive, name))
    try:
        return await settled(trying)
    except asyncio.CancelledError:
        if not trying.cancelled() and trying.exception() is None:
            lock = trying.result()
            if lock is not None:
                lock.release()
        raise
