"""What leads from the catalog of each older version to the next one."""

from __future__ import annotations

from sqlalchemy import Connection, Table

from airgap.store import schema
from airgap.store.versions import Step, VersionedSchema

_DELIVERIES = (
    schema.deliveries,
    schema.delivered_blobs,
    schema.delivered_content,
    schema.delivered_names,
    schema.receptions,
    schema.received_names,
    schema.imports,
)


def _add(*tables: Table) -> Step:
    def step(connection: Connection) -> None:
        schema.metadata.create_all(connection, tables=tables)

    return step


CATALOG = VersionedSchema(
    schema.meta,
    schema.SCHEMA_VERSION,
    {
        1: _add(*_DELIVERIES),
        2: _add(schema.pushes),
        3: _add(schema.delivered_bundles),
    },
)
