"""Garbage collection: what no name needs, and nobody has relied on lately, is deleted.

Kept is: what a name stands for, everything below that, every manifest whose subject is kept and
everything below those; likewise for manifests that were put or relied on within the grace period
or since the oldest running copy began; and blobs that were. So is what the destinations of channels
hold that deltas are made for.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection, Select, delete, or_, select, union, union_all

from airgap.errors import InvalidReference, NotFound
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.store import schema
from airgap.store.database import chunks
from airgap.store.locks import SWEEP, Locks, exclusive
from airgap.store.lookups import sizes_of
from airgap.store.os_errors import explained
from airgap.store.places import PARTIAL, TEMPORARY, Places
from airgap.store.sessions import USE_RESOLUTION, oldest_session
from airgap.store.store import Store
from airgap.store.uploads import expire_uploads

HOUR = 3600.0
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class GcRules:
    """What may go. All times are seconds.

    Attributes:
        grace: content put or relied on within this time stays (give or take five minutes), for
            clients of a server that push an image in several requests.
        partials: unfinished blobs untouched for longer go; until then they can be resumed.
        uploads: unfinished uploads of registry clients untouched for longer go.
        patience: how long to wait for other processes that are publishing.
        held: channels whose destinations shall find what they hold here, too, for deltas to be made
            against it; each with the bundle from which on its names count.
    """

    grace: float = HOUR
    partials: float = 7 * DAY
    uploads: float = DAY
    patience: float = 30.0
    held: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GcReport:
    """What a collection removed, or would.

    Attributes:
        dry_run: nothing was removed.
        removed: the content, sorted by digest, with its size in bytes.
        partials: unfinished files that went.
        partial_bytes: their bytes.
        uploads: unfinished uploads that went.
        spared: content that no name needs and that was too fresh to go.
        spared_bytes: its bytes.
    """

    dry_run: bool
    removed: tuple[tuple[Digest, int], ...] = ()
    partials: int = 0
    partial_bytes: int = 0
    uploads: int = 0
    spared: int = 0
    spared_bytes: int = 0

    @property
    def removed_bytes(self) -> int:
        """Bytes of the removed content."""
        return sum(size for _, size in self.removed)


async def collect_garbage(
    store: Store, rules: GcRules | None = None, *, dry_run: bool = False
) -> GcReport:
    """Delete what is not needed.

    Other processes may go on using the store: those that publish wait for a moment.

    Raises:
        StoreUnusable: another process has been publishing for all of ``patience``.
    """
    await store.settle()
    return await store.threads.on_files(_collect, store, rules or GcRules(), dry_run=dry_run)


def _collect(store: Store, rules: GcRules, *, dry_run: bool) -> GcReport:
    places = store.places
    trash: list[Path] = []
    with exclusive(store.locks, SWEEP, patience=rules.patience) as sweep:
        if not dry_run:
            _bring_back(store)
        oldest = oldest_session(places, store.locks, besides=store.session.path)
        began = oldest - USE_RESOLUTION if oldest is not None else time.time()
        cutoff = min(time.time() - rules.grace, began)
        with store.database.writing(sweep) as connection:
            garbage = _garbage(connection, cutoff, rules.held)
            unneeded = _garbage(connection, float("inf"), rules.held)
            if not dry_run:
                _forget(connection, list(garbage))
        strays = _strays(store, cutoff)
        removed = garbage | strays
        # Renaming is quick, deleting large files is not: that can wait until others may go on.
        if not dry_run:
            for digest in removed:
                _throw_away(places, digest)
            trash = _listed(places.trash)
            # Were the lock lost meanwhile, somebody might have put again what is in the trash now.
            # Then it stays there, and the next collection brings it back.
            store.database.confirm(sweep)
    report = GcReport(
        dry_run,
        tuple(sorted(removed.items())),
        spared=len(unneeded) - len(garbage),
        spared_bytes=sum(unneeded.values()) - sum(garbage.values()),
    )
    stale = list(_stale_files(places, store.locks, rules.partials))
    report = replace(report, partials=len(stale), partial_bytes=sum(size for _, size in stale))
    if dry_run:
        return report
    for path, _ in stale:
        path.unlink(missing_ok=True)
    with explained(places.trash):
        for path in trash:
            path.unlink(missing_ok=True)
    return replace(report, uploads=expire_uploads(places, store.locks, rules.uploads))


def _listed(folder: Path) -> list[Path]:
    with explained(folder):
        return sorted(folder.iterdir())


def _bring_back(store: Store) -> None:
    """Put back content that the catalog knows, and that only the trash still has."""
    found: dict[Digest, Path] = {}
    for path in _listed(store.places.trash):
        with suppress(InvalidReference):
            found[Digest(path.name.partition(".")[0].replace("-", ":", 1))] = path
    with store.database.reading() as connection:
        known = sizes_of(connection, found)
    for digest in known:
        path = store.places.blob(digest)
        with explained(path):
            if not path.exists():
                found[digest].replace(path)


def _kept(cutoff: float, held: Mapping[str, int]) -> Select[tuple[str]]:
    """Select the digests that stay."""
    manifest, edge, blob = schema.manifests.c, schema.edges.c, schema.blobs.c
    recent = select(blob.digest).where(blob.used >= cutoff)
    start = union(
        select(schema.tags.c.digest),
        recent.where(blob.digest.in_(select(manifest.digest))),
        *(_held_by(channel, sequence) for channel, sequence in held.items()),
    ).subquery()
    # From a manifest one comes to the entries of an index, and to whatever refers to it.
    links = union_all(
        select(edge.parent.label("here"), edge.child.label("there")).where(
            edge.role == Role.MANIFEST.value
        ),
        select(manifest.subject, manifest.digest).where(manifest.subject.is_not(None)),
    ).subquery()
    reached = select(start.c.digest).cte("reached", recursive=True)
    reached = reached.union(select(links.c.there).join(reached, links.c.here == reached.c.digest))
    children = select(edge.child).join(reached, edge.parent == reached.c.digest)
    kept = union(select(reached.c.digest), children, recent).subquery()
    return select(kept.c.digest)


def _held_by(channel: str, sequence: int) -> Select[tuple[str]]:
    """Select what the names of a channel have stood for from a bundle on."""
    name = schema.delivered_names.c
    return select(name.digest).where(
        name.channel == channel, or_(name.until.is_(None), name.until > sequence)
    )


def _garbage(connection: Connection, cutoff: float, held: Mapping[str, int]) -> dict[Digest, int]:
    blob = schema.blobs.c
    rows = connection.execute(
        select(blob.digest, blob.size)
        .where(blob.digest.not_in(_kept(cutoff, held)))
        .order_by(blob.digest)
    )
    return {Digest(digest): size for digest, size in rows}


def _forget(connection: Connection, digests: list[Digest]) -> None:
    for chunk in chunks(digests):
        for column in (
            schema.members.c.digest,
            schema.edges.c.parent,
            schema.manifests.c.digest,
            schema.blobs.c.digest,
        ):
            connection.execute(delete(column.table).where(column.in_(chunk)))


def blob_files(places: Places) -> Iterator[os.DirEntry[str]]:
    """Yield every file in the folders of content."""
    with explained(places.blobs):
        for folder in sorted(path for path in places.blobs.iterdir() if path.is_dir()):
            with os.scandir(folder) as entries:
                yield from entries


def digest_of_file(entry: os.DirEntry[str]) -> Digest | None:
    """Return the digest that a content file's name stands for, or None where it is none."""
    path = Path(entry.path)
    try:
        return Digest(f"{path.parent.name}:{path.name}")
    except InvalidReference:
        return None


def _strays(store: Store, cutoff: float) -> dict[Digest, int]:
    """Return content files that the catalog does not know, as a killed process leaves them."""
    strays: dict[Digest, int] = {}
    with store.database.reading() as connection:
        for chunk in chunks(blob_files(store.places)):
            named = {digest_of_file(entry): entry for entry in chunk}
            digests = [digest for digest in named if digest is not None]
            for digest in set(digests) - sizes_of(connection, digests).keys():
                status = named[digest].stat()
                if status.st_mtime < cutoff:
                    strays[digest] = status.st_size
    return strays


def _throw_away(places: Places, digest: Digest) -> None:
    path = places.blob(digest)
    with explained(path):
        try:
            # No collection takes what another has in the trash for its own.
            path.replace(places.trash / f"{digest.algorithm}-{digest.hex}.{uuid.uuid4().hex}")
        except FileNotFoundError:
            return


def _stale_files(places: Places, locks: Locks, partials: float) -> Iterator[tuple[Path, int]]:
    """Yield unfinished files that nobody works on, and that nobody will go on with."""
    now = time.time()
    for path in sorted(places.ingest.iterdir()):
        limits = {PARTIAL: partials, TEMPORARY: min(partials, HOUR)}
        if path.suffix not in limits:
            continue
        try:
            with explained(path):
                descriptor, lock = locks.open_file(path, os.O_RDWR)
        except NotFound:
            continue
        try:
            status = os.fstat(descriptor)
            if status.st_mtime <= now - limits[path.suffix] and lock is not None:
                yield path, status.st_size
        finally:
            os.close(descriptor)
            if lock is not None:
                lock.release()
