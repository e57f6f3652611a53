"""Finding a store, or making one, in a way that being killed half-way does no harm.

What makes a folder a store comes in this order, each step whole or not there: ``airgap/``, the
catalog (its tables in one transaction), ``index.json``, ``oci-layout``. Opening finishes whatever
of it is lacking. Where the catalog is in a database of a server (``shared_catalog``), a file with
the store's id comes before it.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, inspect, select

from airgap.errors import NoSpace, NotFound, NotPermitted, StoreUnusable
from airgap.store import schema
from airgap.store.address import DatabaseAddress
from airgap.store.database import Database, insert_new, open_sqlite
from airgap.store.durable import replace_file, sync_folder
from airgap.store.layout import MARKER, write_index
from airgap.store.locks import SWEEP, USE, FileLocks, Locks, shared
from airgap.store.migrations import CATALOG
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.threads import settled

if TYPE_CHECKING:
    from airgap.store.postgres import Server

_REBUILD = "take it over with `airgap store rebuild`, which reads the layout and makes a catalog"


@dataclass(frozen=True, slots=True)
class OpenStore:
    """A store that has been found fit to use; whoever has it closes ``held`` in the end."""

    places: Places
    database: Database
    locks: Locks
    server: Server | None
    store_id: str
    writable: bool
    held: ExitStack

    def require_writable(self) -> None:
        """Refuse to write where the store can only be read.

        Raises:
            NotPermitted: so it is.
        """
        if not self.writable:
            raise NotPermitted(
                str(self.places.root), "the store can only be read here", "see who owns its folder"
            )


def open_store(
    path: Path, address: DatabaseAddress | None, *, create: bool, sync: bool
) -> OpenStore:
    """Open the store in a folder; blocks.

    Args:
        path: the store's folder.
        address: where its catalog is; None for a file in the folder.
        create: make a store where the folder is not there or empty.
        sync: make what is written survive a power cut.

    Raises:
        NotFound: there is nothing, and nothing is to be made.
        NotPermitted: a store cannot be made or read there.
        StoreUnusable: it is a file, something else than a store, another version's, or its catalog
            is another store's.
        Unreachable, AccessDenied: so is its database.
    """
    places = Places(path)
    with explained(path):
        _check_place(places, create=create, shared_catalog=address is not None)
    writable = _is_writable(places)
    if writable:
        make_folders(places, sync=sync)
    elif not (places.catalog.exists() or places.elsewhere.exists()):
        raise NotPermitted(
            str(path), "a store cannot be made here", "see who may write to this folder"
        )
    with ExitStack() as stack:
        if address is None:
            server, locks = None, cast("Locks", FileLocks(places.locks))
            # A rebuild replaces the catalog's file, so it waits until nobody has it open.
            if writable:
                stack.enter_context(shared(locks, USE))
            database = open_sqlite(places.catalog, sync=sync, writable=writable)
            stack.callback(database.close)
        else:
            # The driver is large, and a store on a disk never needs it.
            from airgap.store.shared_catalog import open_shared  # noqa: PLC0415 - see above

            server, database, locks = open_shared(
                places, address, stack, writable=writable, sync=sync
            )
        store_id = check_catalog(places, database, locks, writable=writable)
        if writable:
            # A full disk must not keep anybody from freeing space; the next opening tries again.
            with suppress(NoSpace):
                write_index(places, database, locks, sync=sync)
            if not places.marker.exists():
                replace_file(places.marker, MARKER, temporary=places.temporary(), sync=sync)
        return OpenStore(places, database, locks, server, store_id, writable, stack.pop_all())


async def open_in_thread(
    path: Path, address: DatabaseAddress | None, *, create: bool, sync: bool
) -> OpenStore:
    """Open a store without blocking; cancelling leaves nothing open."""
    opening = asyncio.ensure_future(
        asyncio.to_thread(open_store, path, address, create=create, sync=sync)
    )
    try:
        return await settled(opening)
    except asyncio.CancelledError:
        if not opening.cancelled() and opening.exception() is None:
            opening.result().held.close()
        raise


def _check_place(places: Places, *, create: bool, shared_catalog: bool) -> None:
    root = places.root
    if root.exists() and not root.is_dir():
        raise StoreUnusable(
            str(root), "is a file, and a store is a folder", "name another path with --store"
        )
    if shared_catalog and places.catalog.exists():
        raise StoreUnusable(
            str(root),
            "has its catalog in its own folder, and the config names a database",
            "`airgap store rebuild` moves it there; or take the database out of the config",
        )
    if not shared_catalog and places.elsewhere.exists():
        raise StoreUnusable(
            str(root),
            "has its catalog in a database, and none is named",
            "name it: store.database of the config, or $AIRGAP_DATABASE",
        )
    if places.catalog.exists() or places.elsewhere.exists():
        return
    if places.marker.exists() or places.index.exists():
        if places.own.exists():
            raise StoreUnusable(
                str(root), "the store's catalog is gone", "make it anew with `airgap store rebuild`"
            )
        raise StoreUnusable(str(root), "is an OCI image layout, but no store of airgap's", _REBUILD)
    entries = {entry.name for entry in root.iterdir()} if root.exists() else set[str]()
    if not create:
        raise NotFound(
            str(root),
            "there is no store here",
            "name the right folder with --store; `airgap mirror`, `pull` and `import` make one",
        )
    # What a killed creation leaves is our own folder, perhaps with that of the blobs.
    if entries and not (places.own.name in entries <= {places.own.name, places.blobs.name}):
        raise StoreUnusable(
            str(root),
            "is a folder with other things in it",
            "name an empty folder, or one that is not there yet",
        )


def _is_writable(places: Places) -> bool:
    if not places.root.exists():
        return True
    folders = [places.root, *(f for f in (places.own, places.blobs) if f.exists())]
    return all(os.access(folder, os.W_OK | os.X_OK) for folder in folders) and (
        not places.catalog.exists() or os.access(places.catalog, os.W_OK)
    )


def make_folders(places: Places, *, sync: bool) -> None:
    """Make whatever folder of a store is not there."""
    with explained(places.root):
        if not places.root.exists():
            places.root.mkdir(parents=True, exist_ok=True)
            if sync:
                sync_folder(places.root.absolute().parent)
        lacking = [folder for folder in places.folders() if not folder.is_dir()]
        for folder in lacking:
            folder.mkdir(exist_ok=True)
        if sync and lacking:
            for folder in sorted({folder.parent for folder in lacking}):
                sync_folder(folder)


def check_catalog(places: Places, database: Database, locks: Locks, *, writable: bool) -> str:
    """Make the catalog's tables where there are none, and bring old ones up to this version.

    Returns:
        The store's id.

    Raises:
        StoreUnusable: it is a newer version's, or cannot be made.
    """
    with database.reading() as connection:
        has_tables = inspect(connection).has_table(schema.meta.name)
    if not has_tables:
        if not writable:
            raise StoreUnusable(str(places.root), "the store was never finished", "make it anew")
        with shared(locks, SWEEP) as sweep, database.writing(sweep) as connection:
            create_tables(connection)
    with database.reading() as connection:
        rows = connection.execute(select(schema.meta.c.key, schema.meta.c.value))
        facts = {key: value for key, value in rows}  # noqa: C416 - rows are not quite tuples
    version = int(facts["schema_version"])
    CATALOG.refuse_newer(version, str(places.root), "catalog", "use another store")
    if version < schema.SCHEMA_VERSION and writable:
        with shared(locks, SWEEP) as sweep, database.writing(sweep) as connection:
            CATALOG.migrate(connection)
    return str(facts["store_id"])


def create_tables(connection: Connection, store_id: str | None = None) -> None:
    """Make the catalog's tables and first facts, unless another process has just done so.

    Args:
        connection: a transaction that writes.
        store_id: the store's, where it has one.
    """
    schema.metadata.create_all(connection)
    facts = {
        "schema_version": str(schema.SCHEMA_VERSION),
        "store_id": store_id or str(uuid.uuid4()),
        "layout_wanted": "0",
        "layout_written": "0",
    }
    insert_new(
        connection, schema.meta, [{"key": key, "value": value} for key, value in facts.items()]
    )
