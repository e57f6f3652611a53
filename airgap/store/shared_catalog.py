"""A catalog in a PostgreSQL database, which belongs to one store: both have its id.

The content stays in the store's folder. A catalog of one store beside the content of another would
name what is not there, and collect what it does not know, so neither is used without the other.
"""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Connection, inspect, select

from airgap.errors import NotFound, StoreUnusable
from airgap.store import schema
from airgap.store.address import DatabaseAddress
from airgap.store.database import Database
from airgap.store.durable import replace_file
from airgap.store.locks import SWEEP, USE, Locks, exclusive, shared
from airgap.store.opening import create_tables
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.postgres import Server, find_server
from airgap.store.postgres_locks import PostgresLocks

_MAX_ID = 64
_PATIENCE = 30.0


def open_shared(
    places: Places, address: DatabaseAddress, stack: ExitStack, *, writable: bool, sync: bool
) -> tuple[Server, Database, Locks]:
    """Open the catalog of a store in a database; made where both are empty.

    Args:
        places: the store, whose folders are there.
        address: the database.
        stack: closes what is opened.
        writable: the store's folder can be written to.
        sync: make what is written survive a power cut.

    Raises:
        StoreUnusable: the two do not belong together, or one of them is gone.
        Unreachable, AccessDenied, NotFound, Unsupported: the database cannot be used.
    """
    server, database, locks = connect(places, address, stack, sync=sync)
    if writable:
        stack.enter_context(shared(locks, USE))
    written, noted = catalog_id(database), noted_id(places)
    if written is None and noted is None and writable:
        _found(places, database, locks, sync=sync)
        written, noted = catalog_id(database), noted_id(places)
    elif written is None and noted is not None and not places.marker.exists() and writable:
        # Whoever made it was killed half-way.
        with shared(locks, SWEEP) as sweep, database.writing(sweep) as connection:
            create_tables(connection, noted)
        written = catalog_id(database)
    require_match(places, server, written, noted)
    return server, database, locks


def connect(
    places: Places, address: DatabaseAddress, stack: ExitStack, *, sync: bool
) -> tuple[Server, Database, Locks]:
    """Reach the database of a catalog, whatever is in it."""
    server = find_server(address, sync=sync)
    database = server.database()
    stack.callback(database.close)
    locks = PostgresLocks(server, places.own)
    stack.callback(locks.close)
    return server, database, locks


def require_match(places: Places, server: Server, written: str | None, noted: str | None) -> None:
    """Refuse a catalog that is another store's, or gone.

    Args:
        places: the store.
        server: the database.
        written: the id that the catalog has; None where there is none.
        noted: the id that the folder has; None where it has none.

    Raises:
        StoreUnusable: they differ.
    """
    if written == noted and written is not None:
        return
    if written is None:
        raise StoreUnusable(
            str(places.root),
            f"its catalog is gone from {server.name}",
            "name the right database, or make the catalog anew with `airgap store rebuild`",
        )
    if noted is None:
        raise StoreUnusable(
            server.name,
            f"is the catalog of another store than {places.root} (its id is {written})",
            "name the folder of that one, or an empty database; where this folder is that one's "
            f"and has lost its id, write that into {places.elsewhere}",
        )
    raise StoreUnusable(
        str(places.root),
        f"is store {noted}, and {server.name} is the catalog of store {written}",
        "name the database and the folder that belong together",
    )


def catalog_id(database: Database) -> str | None:
    """Return the id of the store that a catalog is of; None where there is no catalog."""
    with database.reading() as connection:
        return id_within(connection)


def id_within(connection: Connection) -> str | None:
    """Return the same within a transaction."""
    if not inspect(connection).has_table(schema.meta.name):
        return None
    meta = schema.meta.c
    found = connection.execute(select(meta.value).where(meta.key == "store_id")).scalar()
    return None if found is None else str(found)


def noted_id(places: Places) -> str | None:
    """Return the id that a store's folder has; None where its catalog is in no database."""
    try:
        return read_note(places.elsewhere)
    except NotFound:
        return None


def read_note(path: Path) -> str:
    """Return the id in a file.

    Raises:
        NotFound: there is no such file.
    """
    with explained(path), path.open("rb") as file:
        return file.read(_MAX_ID).decode("ascii", "replace").strip()


def note_id(places: Places, store_id: str, *, sync: bool) -> None:
    """Write down in the folder that the catalog is in a database, and its store's id."""
    content = f"{store_id}\n".encode()
    replace_file(places.elsewhere, content, temporary=places.temporary(), sync=sync)


def _found(places: Places, database: Database, locks: Locks, *, sync: bool) -> None:
    """Make a new store's id and catalog, unless somebody else has just done so."""
    with exclusive(locks, SWEEP, patience=_PATIENCE) as sweep:
        if noted_id(places) is None and catalog_id(database) is None:
            note_id(places, str(uuid.uuid4()), sync=sync)
        with database.writing(sweep) as connection:
            if id_within(connection) is None:
                create_tables(connection, noted_id(places))
