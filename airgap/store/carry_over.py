"""Taking ledger and journal over from a catalog that is about to be replaced."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select

from airgap.errors import StoreUnusable
from airgap.store import schema
from airgap.store.database import chunks, open_sqlite


def carry_over_history(connection: Connection, catalog: Path) -> bool:
    """Copy what cannot be told from the content: what was sent, taken in, and pushed.

    Args:
        connection: a transaction on the new catalog, whose tables are empty.
        catalog: the old one, which may be damaged, of an earlier version, or not there.

    Returns:
        Whether nothing was lost.
    """
    if not catalog.exists():
        return True
    old = open_sqlite(catalog, sync=False, writable=False)
    try:
        with old.reading() as source, connection.begin_nested():
            known = inspect(source)
            for table in schema.HISTORY:
                if known.has_table(table.name):
                    for rows in chunks(source.execute(select(table)).mappings()):
                        connection.execute(insert(table), [dict(row) for row in rows])
    except StoreUnusable:
        return False
    finally:
        old.close()
    return True
