"""Making the catalog from the layout: after the loss of the catalog, or for a layout of others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from airgap.content.homes import Edges, find_homes
from airgap.content.ports import TagMove
from airgap.errors import ContentMismatch, InvalidReference, NotFound, StoreUnusable, Unsupported
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest
from airgap.oci.reference import Reference, Repository, is_tag
from airgap.store.address import DatabaseAddress
from airgap.store.carry_over import carry_over_history
from airgap.store.changes import Change, Member, apply_changes, mark_layout_stale, move_tags
from airgap.store.collection import blob_files, digest_of_file
from airgap.store.database import chunks, open_sqlite
from airgap.store.durable import replace_file, sync_folder
from airgap.store.layout import IMAGE_NAME, MARKER, REF_NAME, write_index
from airgap.store.locks import USE, FileLocks, exclusive
from airgap.store.opening import create_tables, make_folders
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.threads import Threads

MAX_INDEX_SIZE = 256 * 1024 * 1024
"""Bytes of an ``index.json`` that are read: some hundred thousand names."""

PATIENCE = 10.0


@dataclass(slots=True)
class RebuildReport:
    """What was found in a layout.

    Attributes:
        blobs: pieces of content.
        bytes: their bytes.
        manifests: how many of them are manifests.
        names: names that the new catalog has.
        skipped: entries of ``index.json`` that could not be taken over, and why.
        history: the ledger of channels and the journal of imports were taken over from the old
            catalog, or there were none.
    """

    blobs: int = 0
    bytes: int = 0
    manifests: int = 0
    names: int = 0
    skipped: list[str] = field(default_factory=list)
    history: bool = True


async def rebuild_catalog(
    path: Path,
    address: DatabaseAddress | None = None,
    *,
    repository: Repository | None = None,
    sync: bool = True,
) -> RebuildReport:
    """Make a new catalog from ``index.json`` and the content beside it.

    Manifests are verified, everything else is taken at its size; ``check_store`` reads it all.

    Args:
        path: a store, or any OCI image layout, which becomes a store.
        address: the database that the catalog is to be in; None for a file in the folder. A
            catalog in the folder moves into the database, with its ledger and its journal.
        repository: where entries belong that are named by a tag alone, as other programs do.
        sync: make it survive a power cut.

    Raises:
        InvalidReference: an entry is named by a tag alone, and no ``repository`` is given.
        NotFound: there is no such folder.
        StoreUnusable: it is no layout, or another process is using the store.
    """
    threads = Threads()
    try:
        return await threads.on_files(_rebuild, Places(path), address, repository, sync=sync)
    finally:
        threads.close()


def _rebuild(
    places: Places, address: DatabaseAddress | None, repository: Repository | None, *, sync: bool
) -> RebuildReport:
    if not places.root.exists():
        raise NotFound(str(places.root), "there is no such folder")
    if not places.index.is_file() and not places.marker.is_file():
        raise StoreUnusable(
            str(places.root),
            "is no OCI image layout: it has neither oci-layout nor index.json",
            "name the folder of a store",
        )
    if address is None and places.elsewhere.exists():
        raise StoreUnusable(
            str(places.root),
            "has its catalog in a database, and none is named",
            "name it (store.database of the config, or $AIRGAP_DATABASE); where it is gone for "
            f"good, remove {places.elsewhere}",
        )
    make_folders(places, sync=sync)
    report = RebuildReport()
    if address is None:
        _rebuild_file(places, repository, report, sync=sync)
    else:
        # The driver is large, and a store on a disk never needs it.
        from airgap.store.shared_rebuild import rebuild_shared  # noqa: PLC0415 - see above

        def fill_from_layout(connection: Connection) -> None:
            fill(connection, places, repository, report)

        report.history = rebuild_shared(
            places, address, fill_from_layout, patience=PATIENCE, sync=sync
        )
    if not places.marker.exists():
        replace_file(places.marker, MARKER, temporary=places.temporary(), sync=sync)
    return report


def _rebuild_file(
    places: Places, repository: Repository | None, report: RebuildReport, *, sync: bool
) -> None:
    locks = FileLocks(places.locks)
    new = places.catalog.with_name(f"{places.catalog.name}.new")
    with exclusive(locks, USE, patience=PATIENCE):
        _remove_database(new)
        database = open_sqlite(new, sync=sync, writable=True)
        try:
            with database.writing() as connection:
                create_tables(connection)
                fill(connection, places, repository, report)
                report.history = carry_over_history(connection, places.catalog)
        except BaseException:
            database.close()
            _remove_database(new)
            raise
        database.close()
        _remove_database(places.catalog)
        with explained(places.catalog):
            new.replace(places.catalog)
            if sync:
                sync_folder(places.own)
        database = open_sqlite(places.catalog, sync=sync, writable=True)
        try:
            write_index(places, database, locks, sync=sync)
        finally:
            database.close()


def _remove_database(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def fill(
    connection: Connection, places: Places, repository: Repository | None, report: RebuildReport
) -> None:
    """Write into an empty catalog what the layout says."""
    now = time.time()
    entries = list(_index_entries(places, report))
    announced = {descriptor.digest: descriptor.media_type for descriptor, _ in entries}
    edges: dict[Digest, Edges] = {}
    for chunk in chunks(blob_files(places)):
        changes = [change for entry in chunk if (change := _read(entry, announced, report))]
        for change in changes:
            report.blobs += 1
            report.bytes += sum(size for _, size in change.added)
            report.manifests += len(change.manifests)
            edges |= {m.descriptor.digest: Edges.of(m) for m in change.manifests}
        apply_changes(connection, changes, now)
    moves = [
        TagMove(reference, descriptor)
        for descriptor, names in entries
        if (reference := _reference(descriptor, names, repository, edges, report))
    ]
    report.names = len({move.reference for move in moves})
    move_tags(connection, moves, now)
    _add_homes(connection, moves, edges, now)
    mark_layout_stale(connection)


def _index_entries(
    places: Places, report: RebuildReport
) -> Iterator[tuple[Descriptor, Sequence[str]]]:
    """Yield what ``index.json`` names, with the names from best to worst."""
    try:
        with explained(places.index), places.index.open("rb") as file:
            raw = file.read(MAX_INDEX_SIZE + 1)
    except NotFound:
        report.skipped.append("index.json is not there: no image has a name")
        return
    document = JsonObject.parse(raw, str(places.index), limit=MAX_INDEX_SIZE)
    for value in document.objects("manifests"):
        try:
            descriptor = Descriptor.from_json(value)
        except ContentMismatch as error:
            report.skipped.append(str(error))
            continue
        names = (descriptor.annotations.get(key) for key in (REF_NAME, IMAGE_NAME))
        yield descriptor, [name for name in names if name]


def _reference(
    descriptor: Descriptor,
    names: Sequence[str],
    repository: Repository | None,
    edges: dict[Digest, Edges],
    report: RebuildReport,
) -> Reference | None:
    digest = descriptor.digest
    if digest not in edges:
        report.skipped.append(f"{digest}: index.json names it, and it is no manifest in the layout")
        return None
    for name in names:
        if "/" in name or ":" in name:
            try:
                return Reference.parse(name).tagged()
            except InvalidReference:
                continue
    if repository is None:
        raise InvalidReference(
            names[0] if names else digest,
            "the layout names this image without a repository",
            "say which repository the images of the layout belong to",
        )
    tag = next((name for name in names if is_tag(name)), None)
    return Reference(repository, tag) if tag else Reference(repository, digest=digest)


def _read(
    entry: os.DirEntry[str], announced: dict[Digest, str], report: RebuildReport
) -> Change | None:
    digest = digest_of_file(entry)
    if digest is None or not entry.is_file(follow_symlinks=False):
        report.skipped.append(f"{entry.path}: is not named by a digest")
        return None
    path, size = Path(entry.path), entry.stat().st_size
    manifest = _as_manifest(path, digest, announced.get(digest)) if size else None
    return Change(added=((digest, size),), manifests=(manifest,) if manifest else ())


def _as_manifest(path: Path, digest: Digest, media_type: str | None) -> Manifest | None:
    """Return the manifest that a content file is, or None where it is something else."""
    with explained(path), path.open("rb") as file:
        if file.read(1) != b"{":
            return None
        raw = b"{" + file.read(MAX_MANIFEST_SIZE)
    try:
        document = JsonObject.parse(raw, digest, limit=MAX_MANIFEST_SIZE)
        kind = document.optional_text("mediaType")
        looks_like_one = "layers" in document or "manifests" in document
        if media_type is None and kind not in media_types.MANIFESTS and not looks_like_one:
            return None
        return parse_manifest(raw, media_type, digest=digest)
    except (ContentMismatch, InvalidReference, Unsupported):
        return None


def _add_homes(
    connection: Connection, moves: Sequence[TagMove], edges: dict[Digest, Edges], now: float
) -> None:
    """Let everything below a name, and what refers to it, belong to the name's repository."""
    members = [
        Member(repository, digest, is_manifest=digest in edges)
        for digest, repositories in find_homes(moves, edges).items()
        for repository in repositories
    ]
    apply_changes(connection, [Change(members=tuple(members))], now)
