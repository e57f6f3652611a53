"""Taking names and memberships out of the catalog; the bytes go with the next collection."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import ColumnElement, Connection, delete

from airgap.oci.reference import Repository
from airgap.store import schema
from airgap.store.changes import mark_layout_stale
from airgap.store.lookups import repository_id


class Remove(Protocol):
    """One kind of removal, within a transaction."""

    def __call__(self, connection: Connection, repository: Repository, name: str, /) -> bool:
        """Remove something by digest or tag; False where it was not there."""
        ...


def remove_blob(connection: Connection, repository: Repository, name: str) -> bool:
    """Take a blob out of a repository."""
    return _remove_member(connection, repository, name, is_manifest=False)


def remove_manifest(connection: Connection, repository: Repository, name: str) -> bool:
    """Take a manifest, and all names that stand for it, out of a repository."""
    _remove_names(connection, repository, schema.tags.c.digest == name)
    return _remove_member(connection, repository, name, is_manifest=True)


def remove_name(connection: Connection, repository: Repository, name: str) -> bool:
    """Remove one name of a repository."""
    return _remove_names(connection, repository, schema.tags.c.name == name)


def _remove_names(
    connection: Connection, repository: Repository, which: ColumnElement[bool]
) -> bool:
    number = repository_id(connection, repository)
    removed = connection.execute(
        delete(schema.tags).where(schema.tags.c.repository == number, which)
    )
    if removed.rowcount:
        mark_layout_stale(connection)
    return removed.rowcount > 0


def _remove_member(
    connection: Connection, repository: Repository, digest: str, *, is_manifest: bool
) -> bool:
    member = schema.members.c
    removed = connection.execute(
        delete(schema.members).where(
            member.repository == repository_id(connection, repository),
            member.digest == digest,
            member.is_manifest == is_manifest,
        )
    )
    return removed.rowcount > 0
