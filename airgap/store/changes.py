"""What operations write into the catalog, merged so that many cost no more statements than one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection, bindparam, select, tuple_, update

from airgap.content.ports import TagMove
from airgap.errors import NotFound
from airgap.oci.digest import Digest
from airgap.oci.manifest import Child, Manifest, Role
from airgap.oci.reference import Repository
from airgap.store import schema
from airgap.store.database import Row, chunks, insert_new, insert_or_replace
from airgap.store.graph import below


@dataclass(frozen=True, slots=True)
class Member:
    """That some content belongs to a repository, as a manifest or as a blob."""

    repository: Repository
    digest: Digest
    is_manifest: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What one operation adds.

    Attributes:
        added: content that is on disk now, with its size in bytes.
        manifests: manifests among the content.
        members: what belongs where, if it is there when the change is made.
        confirmed: content that somebody relies on, if it is there when the change is made.
    """

    added: tuple[tuple[Digest, int], ...] = ()
    manifests: tuple[Manifest, ...] = ()
    members: tuple[Member, ...] = ()
    confirmed: tuple[Digest, ...] = ()

    @classmethod
    def of_manifest(cls, repository: Repository, manifest: Manifest) -> Self:
        """Return what a manifest adds that comes into a repository."""
        digest = manifest.descriptor.digest
        return cls(
            added=((digest, manifest.descriptor.size),),
            manifests=(manifest,),
            members=(Member(repository, digest, is_manifest=True),),
        )


def apply_changes(
    connection: Connection, changes: Sequence[Change], now: float
) -> frozenset[Digest]:
    """Write all changes, and return which of the content that they name is there."""
    sizes = {digest: size for change in changes for digest, size in change.added}
    insert_or_replace(
        connection,
        schema.blobs,
        [{"digest": d, "size": size, "added": now, "used": now} for d, size in sizes.items()],
        replaced=("used",),
    )
    _add_manifests(connection, {m.descriptor.digest: m for c in changes for m in c.manifests})
    members = {member: None for change in changes for member in change.members}
    relied_on = {digest: None for change in changes for digest in change.confirmed}
    relied_on |= {member.digest: None for member in members}
    there = set(sizes)
    for chunk in chunks(digest for digest in relied_on if digest not in sizes):
        rows = connection.execute(
            select(schema.blobs.c.digest).where(schema.blobs.c.digest.in_(chunk))
        )
        there |= {Digest(digest) for digest in rows.scalars()}
        connection.execute(
            update(schema.blobs).where(schema.blobs.c.digest.in_(chunk)).values(used=now)
        )
    _add_members(connection, [member for member in members if member.digest in there])
    return frozenset(there)


def _add_manifests(connection: Connection, manifests: dict[Digest, Manifest]) -> None:
    insert_or_replace(
        connection,
        schema.manifests,
        [_manifest_row(manifest) for manifest in manifests.values()],
        replaced=("media_type", "artifact_type", "subject", "config", "is_index", "is_image"),
    )
    # Where the same bytes come as two media types the edges of both stay: nothing that one of the
    # readings needs is ever collected.
    rows = [
        _edge_row(digest, position, child)
        for digest, manifest in manifests.items()
        for position, child in enumerate(manifest.children())
    ]
    insert_new(connection, schema.edges, rows)


def _manifest_row(manifest: Manifest) -> Row:
    return {
        "digest": manifest.descriptor.digest,
        "media_type": manifest.descriptor.media_type,
        "artifact_type": manifest.artifact_type,
        "subject": manifest.subject.digest if manifest.subject else None,
        "config": manifest.config.digest if manifest.config else None,
        "is_index": manifest.is_index,
        "is_image": manifest.is_image,
        "annotations": json.dumps(manifest.annotations) if manifest.annotations else None,
    }


def _edge_row(parent: Digest, position: int, child: Child) -> Row:
    descriptor = child.descriptor
    is_entry = child.role is Role.MANIFEST
    platform = descriptor.platform if is_entry else None
    annotations = descriptor.annotations if is_entry else None
    return {
        "parent": parent,
        "role": child.role.value,
        "position": position,
        "child": descriptor.digest,
        "media_type": descriptor.media_type,
        "size": descriptor.size,
        "platform": json.dumps(platform.to_json()) if platform else None,
        "annotations": json.dumps(dict(annotations)) if annotations else None,
    }


def repository_ids(
    connection: Connection, repositories: Iterable[Repository]
) -> dict[Repository, int]:
    """Return the ids of those repositories that the catalog knows."""
    found: dict[Repository, int] = {}
    table = schema.repositories.c
    for chunk in chunks(dict.fromkeys(repositories)):
        names = [(repository.domain, repository.path) for repository in chunk]
        rows = connection.execute(
            select(table.domain, table.path, table.id).where(
                tuple_(table.domain, table.path).in_(names)
            )
        )
        found |= {Repository(domain, path): number for domain, path, number in rows}
    return found


def _known_ids(connection: Connection, repositories: Iterable[Repository]) -> dict[Repository, int]:
    wanted = dict.fromkeys(repositories)
    known = repository_ids(connection, wanted)
    new = [{"domain": r.domain, "path": r.path} for r in wanted if r not in known]
    if not new:
        return known
    insert_new(connection, schema.repositories, new)
    return repository_ids(connection, wanted)


def _add_members(connection: Connection, members: Sequence[Member]) -> None:
    ids = _known_ids(connection, (member.repository for member in members))
    rows = [
        {"repository": ids[m.repository], "digest": m.digest, "is_manifest": m.is_manifest}
        for m in members
    ]
    insert_new(connection, schema.members, rows)


def move_tags(connection: Connection, moves: Sequence[TagMove], now: float) -> None:
    """Let names stand for manifests; what is below them belongs to the repositories too.

    Raises:
        NotFound: a manifest is not in the store.
        InvalidReference: a reference names a whole repository.
    """
    _require_manifests(connection, moves)
    ids = _known_ids(connection, (move.reference.repository for move in moves))
    rows: dict[tuple[int, str], Row] = {}
    roots: set[tuple[int, Digest]] = set()
    for move in moves:
        repository, digest = ids[move.reference.repository], move.descriptor.digest
        name = move.reference.tag or move.reference.name
        roots.add((repository, digest))
        rows[repository, name] = {
            "repository": repository,
            "name": name,
            "digest": digest,
            "updated": now,
        }
    insert_or_replace(connection, schema.tags, list(rows.values()), replaced=("digest", "updated"))
    _adopt(connection, roots)
    mark_layout_stale(connection)


def _require_manifests(connection: Connection, moves: Sequence[TagMove]) -> None:
    wanted = {move.descriptor.digest: move.reference for move in moves}
    there: set[str] = set()
    for chunk in chunks(wanted):
        rows = connection.execute(
            select(schema.manifests.c.digest).where(schema.manifests.c.digest.in_(chunk))
        )
        there |= set(rows.scalars())
    for digest, reference in wanted.items():
        if digest not in there:
            raise NotFound(
                str(reference), f"the store has no manifest {digest}", "copy the image first"
            )


def _adopt(connection: Connection, roots: Iterable[tuple[int, Digest]]) -> None:
    """Let all that is below a manifest belong to the repository that names it."""
    member = schema.members.c
    for chunk in chunks(sorted(roots)):
        known = connection.execute(
            select(member.repository, member.digest).where(
                tuple_(member.repository, member.digest).in_(chunk), member.is_manifest
            )
        )
        belonging = {(repository, digest) for repository, digest in known.all()}
        for repository, digest in chunk:
            if (repository, digest) not in belonging:
                content = connection.execute(below(digest)).all()
                rows = [
                    {"repository": repository, "digest": child, "is_manifest": is_manifest}
                    for child, is_manifest in content
                ]
                insert_new(connection, schema.members, rows)


def mark_layout_stale(connection: Connection) -> None:
    """Note in the transaction that changes names that ``index.json`` must be written again."""
    set_generation(connection, "layout_wanted", generation(connection, "layout_wanted") + 1)


def generation(connection: Connection, key: str) -> int:
    """Return one of the two counters that tell whether ``index.json`` is current."""
    value = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == key)).scalar()
    return int(value or 0)


def set_generation(connection: Connection, key: str, value: int) -> None:
    """Set one of the two counters that tell whether ``index.json`` is current."""
    connection.execute(
        update(schema.meta).where(schema.meta.c.key == bindparam("of")).values(value=str(value)),
        {"of": key},
    )
