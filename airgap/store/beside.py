"""Databases beside the catalog, of the same kind and as shared as it is."""

from __future__ import annotations

from airgap.store.database import Database, open_sqlite
from airgap.store.store import Store


def open_beside(store: Store, name: str, remedy: str) -> tuple[Database, str]:
    """Open a database of its own beside a store's catalog; it is made where it is not there.

    Args:
        store: the store.
        name: what it is called: a file, or the end of a schema's name.
        remedy: what a person can do when it is damaged.

    Returns:
        It, and what a person knows it by.

    Raises:
        StoreUnusable, NotPermitted, NoSpace, Unreachable: it cannot be opened.
    """
    if store.server is not None:
        return store.server.beside(name)
    path = store.places.own / f"{name}.sqlite"
    return open_sqlite(path, sync=store.sync, writable=True, remedy=remedy), str(path)
