"""A database comes up to this version step by step, all the way or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, MetaData, String, Table, Text

from airgap.errors import StoreUnusable
from airgap.store.database import Database, open_sqlite
from airgap.store.versions import VersionedSchema

FACTS = Table("meta", MetaData(), Column("key", String(64)), Column("value", Text))


def rename(connection: Connection) -> None:
    """Lead from version 1 to version 2."""
    connection.exec_driver_sql("ALTER TABLE things RENAME COLUMN old TO new")


def widen(connection: Connection) -> None:
    """Lead from version 2 to version 3, from what version 1 does not have."""
    connection.exec_driver_sql("ALTER TABLE things ADD COLUMN twice TEXT")
    connection.exec_driver_sql("UPDATE things SET twice = new || new")


def stumble(connection: Connection) -> None:
    """Do something, and then fail."""
    connection.exec_driver_sql("DELETE FROM things")
    connection.exec_driver_sql("DELETE FROM what_is_not_there")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """One of version 1."""
    path = tmp_path / "some.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE meta (key TEXT, value TEXT); CREATE TABLE things (old TEXT);"
            "INSERT INTO meta VALUES ('schema_version', '1'); INSERT INTO things VALUES ('a');"
        )
    with closing(open_sqlite(path, sync=False, writable=True)) as opened:
        yield opened


def things(database: Database) -> Sequence[tuple[str, ...]]:
    """Return the content."""
    with database.reading() as connection:
        return [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM things")]


def test_every_step_from_the_version_that_is_there_is_taken_once(database: Database) -> None:
    """In their order; and none when it is opened again."""
    schema = VersionedSchema(FACTS, 3, {1: rename, 2: widen})
    for _ in range(2):
        with database.writing() as connection:
            schema.migrate(connection)
    assert things(database) == [("a", "aa")]
    with database.reading() as connection:
        assert schema.written(connection) == 3


def test_a_step_that_fails_leaves_everything_as_it_was(database: Database) -> None:
    """The version, and what the steps before it did, too."""
    broken = VersionedSchema(FACTS, 3, {1: rename, 2: stumble})
    with pytest.raises(StoreUnusable), database.writing() as connection:
        broken.migrate(connection)
    assert things(database) == [("a",)]
    with database.reading() as connection:
        assert broken.written(connection) == 1


def test_one_of_a_newer_program_is_refused_with_what_to_do() -> None:
    """Both versions are named."""
    schema = VersionedSchema(FACTS, 3, {})
    schema.refuse_newer(3, "/srv/store", "catalog")
    with pytest.raises(StoreUnusable, match="catalog version 4, this one knows 3") as refusal:
        schema.refuse_newer(4, "/srv/store", "catalog", "use another store")
    assert refusal.value.hint == "update airgap on this machine, or use another store"
