"""Making the catalog in a database from the layout, or moving it there from a file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from sqlalchemy import Connection, delete, func, select, text

from airgap.errors import StoreUnusable
from airgap.store import schema
from airgap.store.address import DatabaseAddress
from airgap.store.carry_over import carry_over_history
from airgap.store.layout import write_index
from airgap.store.locks import SWEEP, USE, FileLocks, exclusive
from airgap.store.migrations import CATALOG
from airgap.store.opening import create_tables
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.shared_catalog import connect, id_within, note_id, noted_id, require_match

_CONTENT = (
    schema.tags,
    schema.members,
    schema.edges,
    schema.manifests,
    schema.blobs,
    schema.repositories,
)
"""What the layout says, in an order in which it can be deleted."""


def rebuild_shared(
    places: Places,
    address: DatabaseAddress,
    fill: Callable[[Connection], None],
    *,
    patience: float,
    sync: bool,
) -> bool:
    """Make the catalog in a database anew, in one transaction; what was sent and taken in stays.

    Args:
        places: the store.
        address: the database, which is this store's, or empty.
        fill: writes into an empty catalog what the layout says.
        patience: seconds to wait for others to be done with the store.
        sync: make it survive a power cut.

    Returns:
        Whether no history was lost.

    Raises:
        StoreUnusable: it is another store's, or somebody is using the store.
    """
    with ExitStack() as stack:
        server, database, locks = connect(places, address, stack, sync=sync)
        # Whoever uses a catalog in the folder does not know of locks in the database.
        stack.enter_context(exclusive(FileLocks(places.locks), USE, patience=patience))
        stack.enter_context(exclusive(locks, USE, patience=patience))
        sweep = stack.enter_context(exclusive(locks, SWEEP, patience=patience))
        noted = noted_id(places)
        with database.writing(sweep) as connection:
            written = id_within(connection)
            if written is not None:
                _require_moving(places, noted)
                require_match(places, server, written, noted)
                CATALOG.refuse_newer(CATALOG.written(connection), server.name, "catalog")
                CATALOG.migrate(connection)
            create_tables(connection, noted)
            for table in _CONTENT:
                connection.execute(delete(table))
            fill(connection)
            moved = written is None
            kept = carry_over_history(connection, places.catalog) if moved else True
            _go_on_counting(connection)
            store_id = str(id_within(connection))
            if noted is None:
                # Before the transaction ends: a catalog that no folder knows is nobody's.
                note_id(places, store_id, sync=sync)
        _put_away(places)
        write_index(places, database, locks, sync=sync)
    return kept


def _require_moving(places: Places, noted: str | None) -> None:
    if noted is None and places.catalog.exists():
        raise StoreUnusable(
            str(places.root),
            "has its catalog in its own folder, and the database has one already",
            "name an empty database",
        )


def _go_on_counting(connection: Connection) -> None:
    """Let numbers that the database gives go on after those that came along."""
    for column in (schema.imports.c.id, schema.repositories.c.id):
        highest = select(func.max(column)).scalar_subquery()
        sequence = func.pg_get_serial_sequence(text(f"'{column.table.name}'"), column.name)
        connection.execute(select(func.setval(sequence, func.coalesce(highest, 1))))


def _put_away(places: Places) -> None:
    """Keep the catalog that was moved, under a name that nobody opens."""
    for suffix in ("", "-wal", "-shm"):
        path = places.catalog.with_name(places.catalog.name + suffix)
        with explained(path):
            if path.exists():
                path.replace(path.with_name(f"moved-{path.name}"))
