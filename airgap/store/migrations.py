"""Bringing the catalog of an older version up to this one, step by step, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Table, select, update

from airgap.store import schema

_DELIVERIES = (
    schema.deliveries,
    schema.delivered_blobs,
    schema.delivered_content,
    schema.delivered_names,
    schema.receptions,
    schema.received_names,
    schema.imports,
)


def migrate(connection: Connection) -> None:
    """Make the catalog one of this version, unless another process has just done so."""
    key = schema.meta.c.key
    found = connection.execute(
        select(schema.meta.c.value).where(key == "schema_version")
    ).scalar_one()
    for version in range(int(found), schema.SCHEMA_VERSION):
        _STEPS[version](connection)
    connection.execute(
        update(schema.meta).where(key == "schema_version").values(value=str(schema.SCHEMA_VERSION))
    )


def _add(*tables: Table) -> Callable[[Connection], None]:
    def step(connection: Connection) -> None:
        schema.metadata.create_all(connection, tables=tables)

    return step


_STEPS: Mapping[int, Callable[[Connection], None]] = {
    1: _add(*_DELIVERIES),
    2: _add(schema.pushes),
}
"""By version: what leads from it to the next."""
