"""Questions to the catalog: names, repositories, what belongs where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from airgap.content.ports import TagMove
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository
from airgap.store import schema
from airgap.store.database import chunks

PAGE = 1000
"""Rows that a listing holds in memory."""


def repository_id(connection: Connection, repository: Repository) -> int | None:
    """Return the id of a repository that something belonged to once."""
    table = schema.repositories.c
    found = connection.execute(
        select(table.id).where(table.domain == repository.domain, table.path == repository.path)
    )
    return found.scalar()


def resolved(connection: Connection, reference: Reference) -> Descriptor | None:
    """Return the manifest that a tag of a repository, or a digest of any, stands for."""
    if reference.digest is None:
        return manifest_of(connection, reference)
    return _descriptor(connection, schema.manifests.c.digest == reference.digest)


def manifest_of(connection: Connection, reference: Reference) -> Descriptor | None:
    """Return the manifest that a tag of a repository, or a digest within it, stands for."""
    number = repository_id(connection, reference.repository)
    if number is None:
        return None
    if reference.digest is not None:
        return _descriptor(connection, _belongs(number, reference.digest, is_manifest=True))
    named = schema.tags.c
    query = _manifests().join(schema.tags, named.digest == schema.manifests.c.digest)
    row = connection.execute(
        query.where(named.repository == number, named.name == reference.name)
    ).first()
    return _as_descriptor(row) if row is not None else None


def _belongs(repository: int, digest: Digest, *, is_manifest: bool) -> ColumnElement[bool]:
    member = schema.members.c
    return and_(
        schema.manifests.c.digest == digest,
        select(member.digest)
        .where(
            member.repository == repository,
            member.digest == digest,
            member.is_manifest == is_manifest,
        )
        .exists(),
    )


def referrers_of(
    connection: Connection, repository: Repository, subject: Digest
) -> Sequence[Descriptor]:
    """Return the manifests of a repository whose subject is a digest, sorted by digest.

    They carry artifact type and annotations, as the distribution specification wants them listed.
    """
    member = schema.members.c
    rows = connection.execute(
        _manifests()
        .join(schema.members, member.digest == schema.manifests.c.digest)
        .where(
            schema.manifests.c.subject == subject,
            member.repository == repository_id(connection, repository),
            member.is_manifest,
        )
        .order_by(schema.manifests.c.digest)
    )
    return [_as_descriptor(row) for row in rows]


def blob_use(
    connection: Connection, repository: Repository, digest: Digest
) -> tuple[int, float] | None:
    """Return size and last use of a blob that belongs to a repository."""
    member = schema.members.c
    row = connection.execute(
        select(schema.blobs.c.size, schema.blobs.c.used)
        .join(schema.members, member.digest == schema.blobs.c.digest)
        .where(
            member.repository == repository_id(connection, repository),
            member.digest == digest,
            ~member.is_manifest,
        )
    ).first()
    return (row.size, row.used) if row is not None else None


def sizes_of(connection: Connection, digests: Iterable[Digest]) -> dict[Digest, int]:
    """Return the sizes of those digests that are in the store."""
    found: dict[Digest, int] = {}
    for chunk in chunks(digests):
        rows = connection.execute(
            select(schema.blobs.c.digest, schema.blobs.c.size).where(
                schema.blobs.c.digest.in_(chunk)
            )
        )
        found |= {Digest(digest): size for digest, size in rows}
    return found


def belonging(
    connection: Connection, repository: Repository, digests: Iterable[Digest]
) -> dict[Digest, float]:
    """Return those digests that belong to a repository as blobs, with their last use."""
    number = repository_id(connection, repository)
    found: dict[Digest, float] = {}
    member = schema.members.c
    for chunk in chunks(digests if number is not None else ()):
        rows = connection.execute(
            select(member.digest, schema.blobs.c.used)
            .join(schema.blobs, schema.blobs.c.digest == member.digest)
            .where(member.repository == number, member.digest.in_(chunk), ~member.is_manifest)
        )
        found |= {Digest(digest): used for digest, used in rows}
    return found


def belongs_anywhere(connection: Connection, digest: Digest) -> bool:
    """Tell whether a digest is a blob of any repository."""
    member = schema.members.c
    query = select(member.digest).where(member.digest == digest, ~member.is_manifest).limit(1)
    return connection.execute(query).first() is not None


def tags_after(connection: Connection, repository: Repository, last: str) -> list[str]:
    """Return the next tags of a repository in byte order; names that are digests are no tags."""
    named = schema.tags.c
    rows = connection.execute(
        select(named.name)
        .where(
            named.repository == repository_id(connection, repository),
            named.name > last,
            ~named.name.contains(":"),
        )
        .order_by(named.name)
        .limit(PAGE)
    )
    return list(rows.scalars())


def is_known(connection: Connection, repository: Repository) -> bool:
    """Tell whether a repository has anything."""
    number = repository_id(connection, repository)
    member = schema.members.c
    query = select(member.digest).where(member.repository == number).limit(1)
    return connection.execute(query).first() is not None


def repositories_after(connection: Connection, last: tuple[str, str]) -> list[Repository]:
    """Return the next repositories that have a manifest, by domain and path."""
    table, member = schema.repositories.c, schema.members.c
    domain, path = last
    rows = connection.execute(
        select(table.domain, table.path)
        .where(
            (table.domain > domain) | ((table.domain == domain) & (table.path > path)),
            select(member.digest).where(member.repository == table.id, member.is_manifest).exists(),
        )
        .order_by(table.domain, table.path)
        .limit(PAGE)
    )
    return [Repository(domain, path) for domain, path in rows]


def all_names(connection: Connection) -> list[TagMove]:
    """Return every name and what it stands for, by domain, path and name."""
    named, table = schema.tags.c, schema.repositories.c
    rows = connection.execute(
        _manifests()
        .add_columns(table.domain, table.path, named.name)
        .join(schema.tags, named.digest == schema.manifests.c.digest)
        .join(schema.repositories, table.id == named.repository)
        .order_by(table.domain, table.path, named.name)
    )
    return [
        TagMove(reference_of(domain, path, name), _as_descriptor(fields))
        for *fields, domain, path, name in rows
    ]


def reference_of(domain: str, path: str, name: str) -> Reference:
    """Return the reference of a row of ``tags``."""
    repository = Repository(domain, path)
    if ":" in name:
        return Reference(repository, digest=Digest(name))
    return Reference(repository, tag=name)


def _manifests() -> Select[Any]:
    manifest = schema.manifests.c
    return select(
        manifest.media_type,
        manifest.digest,
        schema.blobs.c.size,
        manifest.artifact_type,
        manifest.annotations,
    ).join_from(schema.manifests, schema.blobs, schema.blobs.c.digest == manifest.digest)


def _descriptor(connection: Connection, where: ColumnElement[bool]) -> Descriptor | None:
    row = connection.execute(_manifests().where(where)).first()
    return _as_descriptor(row) if row is not None else None


def _as_descriptor(row: Sequence[Any]) -> Descriptor:
    media_type, digest, size, artifact_type, annotations = row
    return Descriptor(
        media_type,
        Digest(digest),
        size,
        artifact_type=artifact_type,
        annotations=json.loads(annotations) if annotations else {},
    )
