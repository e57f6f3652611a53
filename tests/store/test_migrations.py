"""Catalogs of earlier versions become catalogs of this one, with all that was in them."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from sqlalchemy import inspect, select

from airgap.oci.reference import Reference
from airgap.store import schema
from airgap.store.journal import StoreJournal
from airgap.store.ledger import StoreLedger
from airgap.store.store import Store
from tests.content.conformance import put_image
from tests.support.images import image, random_layer

REFERENCE = Reference.parse("alpine:3")
NOT_IN_VERSION_1 = [
    "deliveries",
    "delivered_blobs",
    "delivered_content",
    "delivered_names",
    "receptions",
    "received_names",
    "imports",
    "pushes",
    "delivered_bundles",
]


async def _store_of_version_1(root: Path) -> str:
    """Make a store as version 1 left it; return its id."""
    async with Store.open(root, create=True) as store:
        await put_image(store, REFERENCE, image([random_layer(1)]))
        store_id = store.store_id
    connection = sqlite3.connect(root / "airgap" / "catalog.sqlite")
    for table in NOT_IN_VERSION_1:
        connection.execute(f"DROP TABLE {table}")
    connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    connection.commit()
    connection.close()
    return store_id


async def test_a_store_of_version_1_gets_a_ledger_and_a_journal(root: Path) -> None:
    """Its id, its names and its content stay, and what is new is empty."""
    before = await _store_of_version_1(root)
    async with Store.open(root) as store:
        assert store.store_id == before
        await store.resolve(REFERENCE)
        assert list(await StoreLedger(store).channels()) == []
        assert list(await StoreJournal(store).entries()) == []
        with store.database.reading() as connection:
            version = select(schema.meta.c.value).where(schema.meta.c.key == "schema_version")
            assert connection.execute(version).scalar_one() == str(schema.SCHEMA_VERSION)


async def test_a_migrated_catalog_is_like_a_new_one(root: Path, tmp_path: Path) -> None:
    """Every table has the columns and indexes that one made by this version has."""
    await _store_of_version_1(root)
    async with (
        Store.open(root) as migrated,
        Store.open(tmp_path / "new", create=True) as new,
    ):
        assert _shape(migrated) == _shape(new)


async def test_two_processes_may_migrate_at_once(root: Path) -> None:
    """One does it, and the other finds it done."""
    await _store_of_version_1(root)
    ids = await asyncio.gather(*(_open_and_close(root) for _ in range(4)))
    assert len(set(ids)) == 1


async def _open_and_close(root: Path) -> str:
    async with Store.open(root) as store:
        return store.store_id


def _shape(store: Store) -> dict[str, list[str]]:
    with store.database.reading() as connection:
        inspector = inspect(connection)
        return {
            table: [
                *(f"{c['name']} {c['type']} {c['nullable']}" for c in inspector.get_columns(table)),
                *(str(index["name"]) for index in inspector.get_indexes(table)),
            ]
            for table in inspector.get_table_names()
        }
