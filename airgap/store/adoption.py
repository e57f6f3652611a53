"""Letting content belong to repositories that name it, also where others brought it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, select, tuple_

from airgap.content.homes import Homes
from airgap.oci.digest import Digest
from airgap.store import schema
from airgap.store.changes import repository_ids
from airgap.store.database import chunks, insert_new
from airgap.store.graph import below
from airgap.store.lookups import sizes_of

_Place = tuple[int, str]


def adopt(connection: Connection, homes: Homes) -> None:
    """Let content belong where it should, and everything below it; what is not there is left out.

    Args:
        connection: a transaction that writes.
        homes: repositories that are known, for each piece of content.
    """
    ids = repository_ids(connection, {home for of_one in homes.values() for home in of_one})
    wanted = {(ids[home], digest) for digest, of_one in homes.items() for home in of_one}
    there = sizes_of(connection, {Digest(digest) for _, digest in wanted})
    lacking = [place for place in sorted(wanted) if place[1] in there]
    manifests = _manifests(connection, {digest for _, digest in lacking})
    for chunk in chunks(lacking):
        known = _belonging(connection, chunk)
        rows = [
            {"repository": repository, "digest": found, "is_manifest": is_manifest}
            for repository, digest in chunk
            if (repository, digest) not in known
            for found, is_manifest in _with_all_below(connection, digest, manifests)
        ]
        insert_new(connection, schema.members, rows)


def _with_all_below(
    connection: Connection, digest: str, manifests: frozenset[str]
) -> Iterator[tuple[str, bool]]:
    if digest not in manifests:
        yield digest, False
        return
    for row in connection.execute(below(Digest(digest))):
        yield row.digest, row.is_manifest


def _manifests(connection: Connection, digests: Iterable[str]) -> frozenset[str]:
    manifest = schema.manifests.c
    found: set[str] = set()
    for chunk in chunks(sorted(digests)):
        rows = connection.execute(select(manifest.digest).where(manifest.digest.in_(chunk)))
        found |= set(rows.scalars())
    return frozenset(found)


def _belonging(connection: Connection, places: Sequence[_Place]) -> set[_Place]:
    member = schema.members.c
    rows = connection.execute(
        select(member.repository, member.digest).where(
            tuple_(member.repository, member.digest).in_(places)
        )
    )
    return {(repository, digest) for repository, digest in rows}
