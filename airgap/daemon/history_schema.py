"""The tables of the history, and their versions."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
)

from airgap.store.versions import VersionedSchema

metadata = MetaData()
meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("started", Double, nullable=False),
    Column("ended", Double),
    Column("outcome", String(16), nullable=False),
    Column("summary", Text, nullable=False),
    Column("report", Text, nullable=False),
    Index("runs_by_name", "name", "id"),
)
marks = Table(
    "marks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("since", Double, nullable=False),
    Column("begun", Double),
    Column("succeeded", Double),
    Column("told_late", Double),
)
arrivals = Table(
    "arrivals",
    metadata,
    Column("folder", String(64), primary_key=True),
    Column("fingerprint", String(80), primary_key=True),
    Column("path", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("seen", Double, nullable=False),
    Column("run", Integer, nullable=False),
)
HISTORY = VersionedSchema(meta, version=1, steps={})


def prepare(connection: Connection, name: str) -> None:
    """Make the tables, or bring those of an older version up to this one.

    Args:
        connection: a transaction that writes; all of it is done, or nothing.
        name: the database, as a person knows it.

    Raises:
        StoreUnusable: a newer version has written it; nothing is touched.
    """
    if not inspect(connection).has_table(meta.name):
        metadata.create_all(connection)
        fact = {"key": "schema_version", "value": str(HISTORY.version)}
        connection.execute(insert(meta).values(fact))
        return
    HISTORY.refuse_newer(HISTORY.written(connection), name, "history")
    HISTORY.migrate(connection)
