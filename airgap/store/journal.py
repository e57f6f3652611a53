"""The journal of imports, and what each channel has brought: the isolated side's memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from airgap.bundle.format import BundleManifest
from airgap.bundle.journal import (
    GIVEN_UP,
    Evidence,
    GoneName,
    ImportEntry,
    ImportState,
    ReceivedBundle,
)
from airgap.bundle.lineage import Lineage
from airgap.content.homes import Homes
from airgap.content.ports import TagMove
from airgap.errors import NotFound
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store import schema
from airgap.store.adoption import adopt
from airgap.store.changes import Change, apply_changes, move_tags
from airgap.store.database import insert_or_replace
from airgap.store.lookups import manifest_of, sizes_of
from airgap.store.removal import remove_name
from airgap.store.store import Store
from airgap.store.transactions import ask, transact

_imports = schema.imports.c
_receptions = schema.receptions.c
_received = schema.received_names.c


@dataclass(frozen=True, slots=True)
class StoreJournal:
    """The journal in the catalog of a store."""

    store: Store

    # Channels

    async def lineage(self, channel: str) -> Lineage:
        """Return which bundles of a channel were taken in."""
        return await ask(self.store, lambda connection: _lineage(connection, channel))

    async def newest(self, channel: str) -> ReceivedBundle | None:
        """Return the newest bundle of a channel that was taken in."""
        found = await self.channels()
        return next((bundle for bundle in found if bundle.channel == channel), None)

    async def channels(self) -> Sequence[ReceivedBundle]:
        """Return the newest bundle of each channel, by channel."""
        return await ask(self.store, _newest)

    async def gone(self, manifest: BundleManifest) -> Sequence[GoneName]:
        """Return the names that a channel brought and that a bundle of it no longer lists."""
        return await ask(self.store, lambda connection: list(_gone(connection, manifest)))

    async def missing(self, digests: Iterable[Digest]) -> Sequence[Digest]:
        """Return those digests whose content is not in the store, on its disk, sorted."""
        return await self.store.threads.on_files(_missing, self.store, sorted(set(digests)))

    async def lost(self, digests: Iterable[Digest]) -> Sequence[Digest]:
        """Return those digests that the catalog has and the disk has not, sorted."""
        return await self.store.threads.on_files(_lost, self.store, sorted(set(digests)))

    async def rely_on(self, digests: Iterable[Digest]) -> None:
        """Keep content from being collected until the store's session ends."""
        change = Change(confirmed=tuple(digests))
        await transact(
            self.store, lambda connection: apply_changes(connection, [change], time.time())
        )

    # Imports

    async def find(self, digest: Digest) -> ImportEntry | None:
        """Return the last import of a bundle, by the digest of its ``bundle.json``."""
        query = select(schema.imports).where(_imports.digest == digest)
        entries = await ask(self.store, lambda connection: _entries(connection, query))
        return entries[-1] if entries else None

    async def entries(self) -> Sequence[ImportEntry]:
        """Return all imports, oldest first."""
        query = select(schema.imports)
        return await ask(self.store, lambda connection: _entries(connection, query))

    async def begin(
        self, manifest: BundleManifest, digest: Digest, evidence: Evidence
    ) -> ImportEntry:
        """Write down that a bundle was received."""
        now = time.time()
        evidence = _timed(evidence, {}, ImportState.RECEIVED, now)
        row = {
            "bundle_id": manifest.id,
            "digest": digest,
            "channel": manifest.channel,
            "sequence": manifest.sequence,
            "state": ImportState.RECEIVED.value,
            "started": now,
            "updated": now,
            "evidence": json.dumps(evidence),
        }

        def act(connection: Connection) -> ImportEntry:
            done = connection.execute(insert(schema.imports).values(row))
            (number,) = done.inserted_primary_key or (0,)
            return _one(connection, int(number))

        return await transact(self.store, act)

    async def advance(
        self, entry: ImportEntry, state: ImportState, evidence: Evidence
    ) -> ImportEntry:
        """Write down that an import has come further, and what it has found out by now."""
        return await transact(
            self.store, lambda connection: _advance(connection, entry, state, evidence)
        )

    async def abandon(self, entry: ImportEntry) -> None:
        """Forget an import that was refused before it wrote anything."""
        await transact(
            self.store,
            lambda connection: connection.execute(
                delete(schema.imports).where(_imports.id == entry.number)
            ),
        )

    async def give_up(self, entry: ImportEntry) -> ImportEntry:
        """Write down that an import will not go on; importing the bundle again takes it up."""

        def act(connection: Connection) -> ImportEntry:
            current = _one(connection, entry.number)
            times = {**current.evidence["times"], GIVEN_UP: _moment(time.time())}
            evidence = json.dumps({**current.evidence, "times": times})
            connection.execute(
                update(schema.imports).where(_imports.id == entry.number).values(evidence=evidence)
            )
            return _one(connection, entry.number)

        return await transact(self.store, act)

    async def publish(
        self,
        entry: ImportEntry,
        manifest: BundleManifest,
        homes: Homes,
        removed: Sequence[GoneName],
        evidence: Evidence,
    ) -> ImportEntry:
        """Let all names of a bundle stand for what it brought, in one transaction.

        With them moves everything else that says that the bundle was taken in: its place in the
        channel, the channel's names, the journal.

        Args:
            entry: the import.
            manifest: what the bundle says.
            homes: which repositories its content belongs to.
            removed: names to take away.
            evidence: what the import has found out by now.

        Raises:
            Refused: another process has taken in a bundle of the channel meanwhile.
            NotFound: content is gone that was there before.
        """
        moves = [TagMove(r.reference, r.descriptor) for r in manifest.present]

        def act(connection: Connection) -> ImportEntry:
            _pass(connection, manifest, entry.digest)
            if moves:
                move_tags(connection, moves, time.time())
            adopt(connection, homes)
            for gone in removed:
                name = Reference.parse(gone.name)
                remove_name(connection, name.repository, name.name)
            _remember_names(connection, manifest, removed)
            return _advance(connection, entry, ImportState.PUBLISHED, evidence)

        return await transact(self.store, act, renames=True)

    async def note(
        self, entry: ImportEntry, manifest: BundleManifest, evidence: Evidence
    ) -> ImportEntry:
        """Write down that a bundle was taken in past the store, straight into a registry."""

        def act(connection: Connection) -> ImportEntry:
            _pass(connection, manifest, entry.digest)
            return _advance(connection, entry, ImportState.PUBLISHED, evidence)

        return await transact(self.store, act)


def _lineage(connection: Connection, channel: str) -> Lineage:
    rows = connection.execute(
        select(_receptions.sequence, _receptions.bundle_id).where(_receptions.channel == channel)
    )
    return Lineage(channel, {row.sequence: row.bundle_id for row in rows})


def _newest(connection: Connection) -> list[ReceivedBundle]:
    last = (
        select(_receptions.channel, func.max(_receptions.sequence).label("sequence"))
        .group_by(_receptions.channel)
        .subquery()
    )
    rows = connection.execute(
        select(schema.receptions)
        .join(
            last,
            (last.c.channel == _receptions.channel) & (last.c.sequence == _receptions.sequence),
        )
        .order_by(_receptions.channel)
    )
    return [
        ReceivedBundle(r.channel, r.sequence, r.bundle_id, Digest(r.digest), r.received)
        for r in rows
    ]


def _pass(connection: Connection, manifest: BundleManifest, digest: Digest) -> None:
    if manifest.channel is None:
        return
    # Once more, within the transaction: another process may have been quicker.
    _lineage(connection, manifest.channel).accept(manifest)
    connection.execute(
        insert(schema.receptions).values(
            channel=manifest.channel,
            sequence=manifest.sequence,
            bundle_id=manifest.id,
            digest=digest,
            received=time.time(),
        )
    )


def _gone(connection: Connection, manifest: BundleManifest) -> Iterator[GoneName]:
    if manifest.channel is None:
        return
    present = {str(reference.reference) for reference in manifest.present}
    rows = connection.execute(
        select(_received.name, _received.digest)
        .where(_received.channel == manifest.channel)
        .order_by(_received.name)
    )
    gone = {name: Digest(digest) for name, digest in rows if name not in present}
    others = connection.execute(
        select(_received.name, _received.channel).where(_received.channel != manifest.channel)
    )
    shared = {name: channel for name, channel in others if name in gone}
    for name, digest in gone.items():
        named = manifest_of(connection, Reference.parse(name))
        if named is None:
            continue
        because = None
        if named.digest != digest:
            because = "it was moved here since"
        elif name in shared:
            because = f"channel {shared[name]} brought it too"
        yield GoneName(name, digest, because)


def _remember_names(
    connection: Connection, manifest: BundleManifest, removed: Sequence[GoneName]
) -> None:
    if manifest.channel is None:
        return
    insert_or_replace(
        connection,
        schema.received_names,
        [
            {
                "channel": manifest.channel,
                "name": str(reference.reference),
                "digest": reference.descriptor.digest,
            }
            for reference in manifest.present
        ],
        replaced=("digest",),
    )
    for gone in removed:
        connection.execute(
            delete(schema.received_names).where(
                _received.channel == manifest.channel, _received.name == gone.name
            )
        )


def _missing(store: Store, digests: Sequence[Digest]) -> list[Digest]:
    with store.database.reading() as connection:
        sizes = sizes_of(connection, digests)
    return [digest for digest in digests if not _is_there(store, digest, sizes.get(digest))]


def _lost(store: Store, digests: Sequence[Digest]) -> list[Digest]:
    with store.database.reading() as connection:
        sizes = sizes_of(connection, digests)
    return [digest for digest in sorted(sizes) if not _is_there(store, digest, sizes[digest])]


def _is_there(store: Store, digest: Digest, size: int | None) -> bool:
    if size is None:
        return False
    try:
        return store.places.blob(digest).stat().st_size == size
    except FileNotFoundError:
        return False


def _entries(connection: Connection, query: Any) -> list[ImportEntry]:
    return [_entry(row) for row in connection.execute(query.order_by(_imports.id))]


def _one(connection: Connection, number: int) -> ImportEntry:
    query = select(schema.imports).where(_imports.id == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"import {number}", "is not in the journal", "see `airgap report`")
    return _entry(row)


def _entry(row: Row[Any]) -> ImportEntry:
    return ImportEntry(
        number=row.id,
        bundle_id=row.bundle_id,
        digest=Digest(row.digest),
        channel=row.channel,
        sequence=row.sequence,
        state=ImportState(row.state),
        started=row.started,
        updated=row.updated,
        evidence=json.loads(row.evidence),
    )


def _advance(
    connection: Connection, entry: ImportEntry, state: ImportState, evidence: Evidence
) -> ImportEntry:
    now = time.time()
    timed = _timed(evidence, entry.evidence, state, now)
    connection.execute(
        update(schema.imports)
        .where(_imports.id == entry.number)
        .values(state=state.value, updated=now, evidence=json.dumps(timed))
    )
    return _one(connection, entry.number)


def _timed(evidence: Evidence, before: Evidence, state: ImportState, now: float) -> Evidence:
    """Return the evidence with the time at which each state was reached."""
    reached = {step: at for step, at in before.get("times", {}).items() if step != GIVEN_UP}
    return {**evidence, "times": {**reached, state.value: _moment(now)}}


def _moment(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
