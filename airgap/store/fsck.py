"""Checking a store: every byte against its digest, the catalog against the disk, and repairing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, literal, select

from airgap.content.parallel import for_each
from airgap.content.ports import OnBytes
from airgap.errors import NotFound
from airgap.oci import media_types
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.oci.reference import Reference
from airgap.store import schema
from airgap.store.changes import mark_layout_stale
from airgap.store.collection import blob_files, digest_of_file
from airgap.store.database import chunks
from airgap.store.durable import replace_file
from airgap.store.hashed_file import BUFFER_SIZE
from airgap.store.layout import MARKER, index_document, write_index
from airgap.store.locks import SWEEP, exclusive
from airgap.store.lookups import PAGE, all_names, reference_of, sizes_of
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.store import Store

HASHING_THREADS = 2
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Damage:
    """Content that is not what its digest says.

    Attributes:
        digest: what it should be.
        cause: ``missing``, ``truncated`` or whatever else is wrong, in a few words.
        names: the names of images that need it.
    """

    digest: Digest
    cause: str
    names: tuple[Reference, ...] = ()


@dataclass(slots=True)
class FsckReport:
    """What a check found.

    Attributes:
        blobs: pieces of content that were read.
        bytes: their bytes.
        damaged: content that is wrong or gone.
        incomplete: configs and layers that a manifest of the store names and the store lacks.
        strays: files among the content that the catalog does not know; collection removes them.
        stale_index: ``index.json`` or ``oci-layout`` was not what it should be.
        repaired: damaged content was taken out, and the layout's files were written again.
        lost_names: names that the repair had to remove, because their manifest was damaged.
    """

    blobs: int = 0
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)
    incomplete: list[Damage] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    stale_index: bool = False
    repaired: bool = False
    lost_names: tuple[Reference, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether everything is as it should be; strays do no harm."""
        return not (self.damaged or self.incomplete or self.stale_index)


def _tell_nobody(_: int) -> None:
    return


async def check_store(
    store: Store, *, repair: bool = False, on_bytes: OnBytes = _tell_nobody
) -> FsckReport:
    """Read all content and hold it against the catalog.

    Args:
        store: the store; others may go on using it.
        repair: move damaged content to ``airgap/quarantine`` and forget it, so that the next
            mirror or import brings it again; write ``index.json`` and ``oci-layout`` anew.
        on_bytes: told how many more bytes have been read.
    """
    await store.settle()
    report = FsckReport()
    wrong: dict[Digest, str] = {}
    last = ""
    while page := await store.threads.ask(_next_blobs, store, last):

        async def check(item: tuple[Digest, int]) -> None:
            digest, size = item
            cause = await _fault(store, digest, size)
            report.blobs += 1
            report.bytes += size
            on_bytes(size)
            # Gone for good reasons meanwhile?
            if cause is not None and await store.threads.ask(_is_known, store, digest):
                wrong[digest] = cause

        await for_each(page, check, concurrency=HASHING_THREADS)
        last = page[-1][0]
    await store.threads.on_files(_complete, store, report, wrong)
    if repair:
        await store.threads.on_files(_repair, store, report)
    return report


async def _fault(store: Store, digest: Digest, size: int) -> str | None:
    stopped = threading.Event()
    try:
        return await store.threads.on_files(_check_file, store.places, digest, size, stopped)
    finally:
        stopped.set()


def _check_file(places: Places, digest: Digest, size: int, stopped: threading.Event) -> str | None:
    """Return what is wrong with a content file."""
    path = places.blob(digest)
    hasher = digest.hasher()
    try:
        with explained(path), path.open("rb", buffering=0) as file:
            actual = os.fstat(file.fileno()).st_size
            if actual != size:
                return f"has {actual} bytes where {size} should be"
            buffer = memoryview(bytearray(min(BUFFER_SIZE, size + 1)))
            while (count := file.readinto(buffer)) and not stopped.is_set():
                hasher.update(buffer[:count])
            # Nobody needs this soon, and what others need should stay in memory.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except NotFound:
        return "is missing"
    found = Digest.from_hasher(hasher)
    return None if found == digest else f"its bytes hash to {found}"


def _next_blobs(store: Store, last: str) -> list[tuple[Digest, int]]:
    blob = schema.blobs.c
    with store.database.reading() as connection:
        rows = connection.execute(
            select(blob.digest, blob.size)
            .where(blob.digest > last)
            .order_by(blob.digest)
            .limit(PAGE)
        )
        return [(Digest(digest), size) for digest, size in rows]


def _is_known(store: Store, digest: Digest) -> bool:
    with store.database.reading() as connection:
        return digest in sizes_of(connection, [digest])


def _complete(store: Store, report: FsckReport, wrong: dict[Digest, str]) -> None:
    places = store.places
    with store.database.reading() as connection:
        report.damaged = _with_names(connection, sorted(wrong.items()))
        report.incomplete = _with_names(connection, _lacking(connection))
        for chunk in chunks(blob_files(places)):
            named = {digest_of_file(entry): entry.path for entry in chunk}
            digests = [digest for digest in named if digest is not None]
            strange = set(named) - sizes_of(connection, digests).keys()
            report.strays += sorted(named[digest] for digest in strange)
        expected = index_document(all_names(connection))
    for path, content in ((places.index, expected), (places.marker, MARKER)):
        try:
            with explained(path):
                report.stale_index |= path.read_bytes() != content
        except NotFound:
            report.stale_index = True


def _lacking(connection: Connection) -> list[tuple[Digest, str]]:
    edge, blob = schema.edges.c, schema.blobs.c
    rows = connection.execute(
        select(edge.child, edge.media_type)
        .outerjoin(schema.blobs, blob.digest == edge.child)
        .where(edge.role != Role.MANIFEST.value, blob.digest.is_(None))
        .distinct()
        .order_by(edge.child)
    )
    return [
        (Digest(digest), "is not in the store")
        for digest, media_type in rows
        if not media_types.is_foreign_layer(media_type)
    ]


def _with_names(connection: Connection, found: Iterable[tuple[Digest, str]]) -> list[Damage]:
    return [Damage(digest, cause, _needing(connection, digest)) for digest, cause in found]


def _needing(connection: Connection, digest: Digest) -> tuple[Reference, ...]:
    """Return the names of the images that have a piece of content."""
    edge, repository, tag = schema.edges.c, schema.repositories.c, schema.tags.c
    above = select(literal(digest, schema.DIGEST).label("digest")).cte("above", recursive=True)
    above = above.union(select(edge.parent).join(above, edge.child == above.c.digest))
    rows = connection.execute(
        select(repository.domain, repository.path, tag.name)
        .join_from(schema.tags, above, tag.digest == above.c.digest)
        .join(schema.repositories, repository.id == tag.repository)
        .distinct()
        .order_by(repository.domain, repository.path, tag.name)
    )
    return tuple(reference_of(domain, path, name) for domain, path, name in rows)


def _repair(store: Store, report: FsckReport) -> None:
    places = store.places
    with exclusive(store.locks, SWEEP, patience=PATIENCE) as sweep:
        with store.database.writing(sweep) as connection:
            sizes = sizes_of(connection, [damage.digest for damage in report.damaged])
            # Whoever has put it again meanwhile has repaired it.
            wrong = [
                d
                for d, size in sizes.items()
                if _check_file(places, d, size, threading.Event()) is not None
            ]
            report.lost_names = _forget(connection, wrong)
            mark_layout_stale(connection)
        for digest in wrong:
            path = places.blob(digest)
            with explained(path):
                if path.exists():
                    path.replace(places.quarantine / f"{digest.algorithm}-{digest.hex}")
    write_index(places, store.database, store.locks, sync=store.sync)
    replace_file(places.marker, MARKER, temporary=places.temporary(), sync=store.sync)
    report.repaired = True


def _forget(connection: Connection, digests: Sequence[Digest]) -> tuple[Reference, ...]:
    """Drop damaged content from the catalog, and the names that stood for it."""
    tag, repository = schema.tags.c, schema.repositories.c
    lost: list[Reference] = []
    for chunk in chunks(digests):
        rows = connection.execute(
            select(repository.domain, repository.path, tag.name)
            .join(schema.tags, tag.repository == repository.id)
            .where(tag.digest.in_(chunk))
            .order_by(repository.domain, repository.path, tag.name)
        )
        lost += [reference_of(domain, path, name) for domain, path, name in rows]
        for column in (
            tag.digest,
            schema.members.c.digest,
            schema.edges.c.parent,
            schema.manifests.c.digest,
            schema.blobs.c.digest,
        ):
            connection.execute(delete(column.table).where(column.in_(chunk)))
    return tuple(lost)
