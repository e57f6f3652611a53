"""A catalog in a real PostgreSQL: what belongs together, what is refused, and moving there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, update

from airgap.bundle.delivery import Holding
from airgap.errors import (
    AccessDenied,
    NotFound,
    NotPermitted,
    StoreUnusable,
    Unreachable,
    UsageError,
)
from airgap.oci.reference import Reference
from airgap.store import schema
from airgap.store.address import DatabaseAddress
from airgap.store.fsck import check_store
from airgap.store.ledger import StoreLedger
from airgap.store.migrations import CATALOG
from airgap.store.rebuild import rebuild_catalog
from airgap.store.store import Store
from tests.content.conformance import named, put_image
from tests.store.test_ledger import record
from tests.support.images import image, random_layer
from tests.support.postgres import PASSWORD, PostgresServer, database_name

IMAGE = image([random_layer(1)])


async def open_and_close(
    root: Path, address: DatabaseAddress | None, *, create: bool = False
) -> str:
    """Open a store, and return its id."""
    async with Store.open(root, address, create=create, sync=False) as store:
        return store.store_id


async def test_a_store_and_its_database_know_each_other(
    root: Path, database: DatabaseAddress
) -> None:
    """The id stays, however often it is opened, and whoever makes it first."""
    ids = await asyncio.gather(
        *(open_and_close(root, database, create=True) for _ in range(4)),
    )
    assert len({*ids, await open_and_close(root, database)}) == 1
    assert not (root / "airgap" / "catalog.sqlite").exists()


async def test_a_database_is_of_one_store(
    root: Path, tmp_path: Path, database: DatabaseAddress, postgres: PostgresServer
) -> None:
    """Neither a new store nor another one goes with it, and nothing is written."""
    store_id = await open_and_close(root, database, create=True)
    with pytest.raises(StoreUnusable, match=f"another store.*{store_id}"):
        await open_and_close(tmp_path / "new", database, create=True)
    with postgres.new_database() as second:
        other = await open_and_close(tmp_path / "other", second, create=True)
        with pytest.raises(StoreUnusable, match=f"is store {other}.*of store {store_id}"):
            await open_and_close(tmp_path / "other", database)
        assert await open_and_close(tmp_path / "other", second) == other
    assert await open_and_close(root, database) == store_id


async def test_a_catalog_is_where_it_was(
    root: Path, tmp_path: Path, database: DatabaseAddress
) -> None:
    """Whoever forgets the database, or names one for a store that has a file, is told."""
    await open_and_close(root, database, create=True)
    with pytest.raises(StoreUnusable, match="in a database, and none is named"):
        await open_and_close(root, None)
    with pytest.raises(StoreUnusable, match="in a database, and none is named"):
        await rebuild_catalog(root)
    await open_and_close(tmp_path / "file", None, create=True)
    with pytest.raises(StoreUnusable) as refusal:
        await open_and_close(tmp_path / "file", database)
    assert "airgap store rebuild" in refusal.value.hint


async def test_a_lost_database_is_made_anew(
    root: Path, database: DatabaseAddress, postgres: PostgresServer
) -> None:
    """An empty one in its place is not taken for a store without images."""
    async with Store.open(root, database, create=True, sync=False) as store:
        store_id = store.store_id
        await put_image(store, named("1"), IMAGE)
    with postgres.new_database() as empty:
        with pytest.raises(StoreUnusable, match="its catalog is gone"):
            await open_and_close(root, empty)
        report = await rebuild_catalog(root, empty)
        assert (report.names, report.manifests) == (1, 1)
        async with Store.open(root, empty, sync=False) as store:
            assert store.store_id == store_id
            assert (await check_store(store)).is_clean


async def test_a_catalog_moves_from_a_file_with_all_that_it_remembers(
    root: Path, database: DatabaseAddress
) -> None:
    """Names, and the ledger; what counts on from there does so."""
    async with Store.open(root, create=True, sync=False) as store:
        await put_image(store, named("1"), IMAGE)
        await StoreLedger(store).announce(record(1), [], Holding(1, "id-1", {}, frozenset()))
    report = await rebuild_catalog(root, database)
    assert report.history
    async with Store.open(root, database, sync=False) as store:
        assert await store.find(named("1")) == IMAGE.root.descriptor
        assert (await StoreLedger(store).status("plant")).history == (record(1),)
        await put_image(store, Reference.parse("other.example/new:1"), image([random_layer(2)]))
        assert (await check_store(store)).is_clean
    assert not (root / "airgap" / "catalog.sqlite").exists()
    assert (root / "airgap" / "moved-catalog.sqlite").exists()


async def test_a_rebuild_keeps_what_the_layout_cannot_tell(
    root: Path, database: DatabaseAddress
) -> None:
    """The ledger stays in the database, and names come from the layout."""
    async with Store.open(root, database, create=True, sync=False) as store:
        await put_image(store, named("1"), IMAGE)
        await StoreLedger(store).announce(record(1), [], Holding(1, "id-1", {}, frozenset()))
    assert (await rebuild_catalog(root, database)).names == 1
    async with Store.open(root, database, sync=False) as store:
        assert (await StoreLedger(store).status("plant")).history == (record(1),)
        assert (await check_store(store)).is_clean


async def test_a_database_does_not_move_over_another_stores(
    root: Path, tmp_path: Path, database: DatabaseAddress
) -> None:
    """What a store in a file has is not mixed into the catalog of another one."""
    await open_and_close(tmp_path / "other", database, create=True)
    await open_and_close(root, None, create=True)
    with pytest.raises(StoreUnusable, match="the database has one already"):
        await rebuild_catalog(root, database)
    await open_and_close(root, None)


async def test_an_interrupted_creation_is_finished(root: Path, database: DatabaseAddress) -> None:
    """A process killed between the folder's id and the database's is made up for."""
    (root / "airgap").mkdir(parents=True)
    (root / "airgap" / "catalog.postgresql").write_text("some-id\n")
    assert await open_and_close(root, database, create=True) == "some-id"


async def test_an_old_catalog_is_brought_up_and_a_newer_one_refused(
    root: Path, database: DatabaseAddress
) -> None:
    """As in a file: step by step, and by nobody who does not know how."""
    async with Store.open(root, database, create=True, sync=False) as store:
        with store.database.writing() as connection:
            for table in (schema.delivered_bundles, schema.pushes):
                table.drop(connection)
            _set_version(connection, 2)
    ids = await asyncio.gather(*(open_and_close(root, database) for _ in range(3)))
    assert len(set(ids)) == 1
    async with Store.open(root, database, sync=False) as store:
        with store.database.reading() as connection:
            assert CATALOG.written(connection) == schema.SCHEMA_VERSION
            assert set(inspect(connection).get_table_names()) == set(schema.metadata.tables)
        with store.database.writing() as connection:
            _set_version(connection, 999)
    with pytest.raises(StoreUnusable, match="newer airgap"):
        await open_and_close(root, database)


def _set_version(connection: Connection, version: int) -> None:
    key = schema.meta.c.key
    connection.execute(
        update(schema.meta).where(key == "schema_version").values(value=str(version))
    )


async def test_tags_come_in_the_order_of_bytes(root: Path, database: DatabaseAddress) -> None:
    """Whatever language the server has been set up for."""
    async with Store.open(root, database, create=True, sync=False) as store:
        for tag in ("a", "B", "b", "A", "_", "1", "a-1", "a.1", "aa"):
            await put_image(store, named(tag), IMAGE)
        found = [tag async for tag in store.tags(named("a").repository)]
    assert found == sorted(found)
    assert len(found) == 9


async def test_a_password_is_used_and_never_shown(
    root: Path, database: DatabaseAddress, postgres: PostgresServer
) -> None:
    """Neither where it is right nor where it is wrong."""
    url = postgres.tcp_url(database_name(database))
    assert PASSWORD not in repr(DatabaseAddress(url, PASSWORD))
    await open_and_close(root, DatabaseAddress(url, PASSWORD), create=True)
    within = url.replace("postgres@", "postgres:s3cret@")
    for address in (DatabaseAddress(url, "s3cret"), DatabaseAddress(within)):
        with pytest.raises(AccessDenied) as refusal:
            await open_and_close(root, address)
        assert "s3cret" not in f"{refusal.value!r}{address!r}"
        assert "127.0.0.1" in refusal.value.thing


async def test_what_cannot_be_reached_is_named(root: Path, postgres: PostgresServer) -> None:
    """With what it was, and what to do."""
    with pytest.raises(UsageError, match="URL of PostgreSQL"):
        await open_and_close(root, DatabaseAddress("mysql://:s3cret@host/db"), create=True)
    with pytest.raises(NotFound, match="nowhere"):
        await open_and_close(root, DatabaseAddress(postgres.url("nowhere")), create=True)
    gone = f"postgresql://someone@/db?host={postgres.folder}&port=1"
    with pytest.raises(Unreachable):
        await open_and_close(root, DatabaseAddress(gone), create=True)


async def test_a_user_without_a_schema_is_told(
    root: Path, database: DatabaseAddress, postgres: PostgresServer
) -> None:
    """And one who may not make tables."""
    name = database_name(database)
    postgres.execute("CREATE ROLE guest LOGIN")
    try:
        guest = DatabaseAddress(database.url.replace("postgres@", "guest@"))
        with pytest.raises(NotPermitted, match="permission denied"):
            await open_and_close(root, guest, create=True)
        nowhere = DatabaseAddress(f"{guest.url}&options=-csearch_path%3Dnone")
        with pytest.raises(StoreUnusable, match="no schema"):
            await open_and_close(root, nowhere, create=True)
        postgres.execute("CREATE SCHEMA guest AUTHORIZATION guest", name)
        assert await open_and_close(root, guest, create=True)
    finally:
        postgres.execute("DROP OWNED BY guest CASCADE", name)
        postgres.execute("DROP ROLE guest")


async def test_two_stores_share_a_database_in_schemas_of_their_own(
    tmp_path: Path, database: DatabaseAddress, postgres: PostgresServer
) -> None:
    """Neither their tables nor their locks meet."""
    name = database_name(database)
    stores = {}
    for each in ("one", "two"):
        postgres.execute(f"CREATE SCHEMA {each}", name)
        address = DatabaseAddress(f"{database.url}&options=-csearch_path%3D{each}")
        stores[each] = (tmp_path / each, address)
    async with (
        Store.open(*stores["one"], create=True, sync=False) as one,
        Store.open(*stores["two"], create=True, sync=False) as two,
    ):
        assert one.store_id != two.store_id
        assert one.locks.try_exclusive("turn.x") is not None
        assert two.locks.try_exclusive("turn.x") is not None


async def test_a_store_goes_on_after_the_server_was_restarted(
    root: Path, database: DatabaseAddress, postgres: PostgresServer
) -> None:
    """A store that is open for years; only what was under way fails, and says why."""
    async with Store.open(root, database, create=True, sync=False, long_lived=True) as store:
        await put_image(store, named("1"), IMAGE)
        assert postgres.cut_connections(database_name(database)) > 0
        await put_image(store, named("2"), image([random_layer(2)]))
        async with store.writing():
            await put_image(store, named("3"), image([random_layer(3)]))
            assert postgres.cut_connections(database_name(database)) > 0
            with pytest.raises(StoreUnusable, match="the connection was lost"):
                await put_image(store, named("4"), image([random_layer(4)]))
        async with store.writing():
            await put_image(store, named("4"), image([random_layer(4)]))
        assert (await check_store(store)).is_clean
