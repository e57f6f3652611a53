"""How much a store holds, and how much it would without keeping each piece once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from airgap.store import schema
from airgap.store.store import Store
from airgap.store.transactions import ask


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What a store holds.

    Attributes:
        blobs: pieces of content, manifests included.
        bytes: theirs.
        named_bytes: bytes that the repositories would have if each kept its own.
        repositories: repositories that hold anything.
        names: tags, and digests that are kept without one.
        free_bytes: what the file system still takes.
    """

    blobs: int
    bytes: int
    named_bytes: int
    repositories: int
    names: int
    free_bytes: int

    @property
    def saved_bytes(self) -> int:
        """Bytes that are not there twice."""
        return max(0, self.named_bytes - self.bytes)


async def store_figures(store: Store) -> StoreFigures:
    """Count what a store holds; takes as long as reading its catalog once."""
    blobs, size, named, repositories, names = await ask(store, _count)
    return StoreFigures(blobs, size, named, repositories, names, await store.free_bytes())


def _count(connection: Connection) -> tuple[int, int, int, int, int]:
    blob, member = schema.blobs.c, schema.members.c
    belonging = select(member.repository, member.digest).distinct().subquery()
    blobs, size = connection.execute(
        select(func.count(), func.coalesce(func.sum(blob.size), 0)).select_from(schema.blobs)
    ).one()
    named, repositories = connection.execute(
        select(
            func.coalesce(func.sum(blob.size), 0), func.count(belonging.c.repository.distinct())
        ).select_from(belonging.join(schema.blobs, blob.digest == belonging.c.digest))
    ).one()
    names = connection.execute(select(func.count()).select_from(schema.tags)).scalar_one()
    return blobs, size, named, repositories, names
