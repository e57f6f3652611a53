"""Names for manifests that clients push: tags, or the manifest's own digest where nothing else is.

A manifest pushed by digest alone is kept by its digest's name until something else leads to it: a
tag, an index that names it, or the manifest that it refers to. Then the name goes, so that the
manifest goes with what leads to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, or_, select

from airgap.content.ports import TagMove
from airgap.oci.manifest import Manifest, Role
from airgap.oci.reference import Reference, Repository
from airgap.store import schema
from airgap.store.changes import mark_layout_stale, move_tags, repository_ids


def name_pushed(
    connection: Connection,
    repository: Repository,
    manifest: Manifest,
    tags: Sequence[str],
    now: float,
) -> None:
    """Name a manifest that belongs to the repository already, and unname what it now leads to."""
    descriptor = manifest.descriptor
    references = [Reference(repository, tag) for tag in tags]
    if not references and not _is_led_to(connection, repository, manifest):
        references = [Reference(repository, digest=descriptor.digest)]
    if references:
        move_tags(connection, [TagMove(reference, descriptor) for reference in references], now)
    below = [entry.digest for entry in manifest.manifests]
    _unname(connection, repository, manifest, [*below, *([descriptor.digest] if tags else [])])


def _is_led_to(connection: Connection, repository: Repository, manifest: Manifest) -> bool:
    member, edge = schema.members.c, schema.edges.c
    digest = manifest.descriptor.digest
    number = repository_ids(connection, [repository])[repository]
    belongs = select(member.digest).where(member.repository == number, member.is_manifest)
    tagged = select(schema.tags.c.name).where(
        schema.tags.c.repository == number, schema.tags.c.digest == digest
    )
    parents = select(edge.parent).where(
        edge.child == digest, edge.role == Role.MANIFEST.value, edge.parent.in_(belongs)
    )
    questions = [tagged, parents]
    if manifest.subject is not None:
        questions.append(belongs.where(member.digest == manifest.subject.digest))
    return any(connection.execute(question.limit(1)).first() for question in questions)


def _unname(
    connection: Connection, repository: Repository, manifest: Manifest, digests: Sequence[str]
) -> None:
    """Take away the digests' names of some manifests, and of those that refer to this one."""
    number = repository_ids(connection, [repository])[repository]
    named = schema.tags.c
    referrers = select(schema.manifests.c.digest).where(
        schema.manifests.c.subject == manifest.descriptor.digest
    )
    removed = connection.execute(
        delete(schema.tags).where(
            named.repository == number,
            named.name == named.digest,
            or_(named.name.in_(digests), named.name.in_(referrers)),
        )
    )
    if removed.rowcount:
        mark_layout_stale(connection)
