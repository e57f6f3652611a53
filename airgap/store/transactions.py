"""Changes of several things in the catalog at once, outside of the group commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from airgap.store.layout import index_update
from airgap.store.locks import SWEEP, shared
from airgap.store.store import Store

Result = TypeVar("Result")

Act = Callable[[Connection], Result]


async def ask(store: Store, query: Act[Result]) -> Result:
    """Look something up in one consistent view of the catalog."""

    def run() -> Result:
        with store.database.reading() as connection:
            return query(connection)

    return await store.threads.ask(run)


async def transact(store: Store, act: Act[Result], *, renames: bool = False) -> Result:
    """Change the catalog, all or nothing; what was put before is in it already.

    Args:
        store: whose catalog.
        act: is given the transaction; an error undoes what it wrote.
        renames: names change, so ``index.json`` is written along.

    Raises:
        NotPermitted: the store can only be read.
    """
    store.require_writable()
    await store.settle()

    def run() -> Result:
        with shared(store.locks, SWEEP) as sweep:
            under = (sweep, *store.session.locks)
            if not renames:
                with store.database.writing(*under) as connection:
                    return act(connection)
            with index_update(store.places, store.database, store.locks, sync=store.sync) as index:
                with store.database.writing(*under) as connection:
                    result = act(connection)
                    index.stage(connection)
                return result

    return await store.threads.ask(run)
