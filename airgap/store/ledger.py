"""The ledger of what was exported: for each channel its bundles, and what they amounted to.

Content and names of a channel stand there with the bundle from which on they were, and the one from
which on they were not: every state that there was can be told again, and a bundle that changes
little costs little.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from airgap.bundle.delivery import Holding, Names
from airgap.bundle.format import Kind, decode_bundle_json, encode_bundle_json
from airgap.bundle.ledger import (
    ChannelStatus,
    DeliveryRecord,
    Standing,
    WrittenBundle,
    WrittenFile,
)
from airgap.content.homes import Edges
from airgap.errors import ContentMismatch, Refused, StoreUnusable
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store import schema
from airgap.store.database import chunks
from airgap.store.store import Store
from airgap.store.transactions import ask, transact

_deliveries = schema.deliveries.c
_content = schema.delivered_content.c
_names = schema.delivered_names.c


@dataclass(frozen=True, slots=True)
class StoreLedger:
    """The ledger in the catalog of a store."""

    store: Store

    async def channels(self) -> Sequence[str]:
        """Return every channel that something was exported for."""
        return await ask(self.store, _channels)

    async def status(self, channel: str) -> ChannelStatus:
        """Return all bundles of a channel."""
        return await ask(self.store, lambda connection: _status(connection, channel))

    async def holding(self, record: DeliveryRecord, through: int | None = None) -> Holding:
        """Return what a destination holds that has taken in a bundle.

        Args:
            record: the bundle.
            through: leave out content that was not part of every bundle up to this one: a
                destination that has taken in a later one may have collected it.
        """
        return await ask(
            self.store,
            lambda connection: _holding(connection, record, through or record.sequence),
        )

    async def carried(self, record: DeliveryRecord) -> frozenset[Digest]:
        """Return what a bundle carried."""
        return await ask(self.store, lambda connection: _carried(connection, record))

    async def names_since(self, channel: str, sequence: int) -> Names:
        """Return every name that a channel has had from a bundle on, and what it stood for last."""
        return await ask(self.store, lambda connection: _names_since(connection, channel, sequence))

    async def edges(self, manifests: Sequence[Digest]) -> Mapping[Digest, Edges]:
        """Return what each of some manifests of the store names."""
        return await ask(self.store, lambda connection: _edges(connection, manifests))

    async def written(self, record: DeliveryRecord) -> WrittenBundle | None:
        """Return how a bundle was written; None where only its receipt is known.

        Raises:
            StoreUnusable: the catalog is damaged there.
        """
        return await ask(self.store, lambda connection: _written(connection, record))

    async def announce(
        self,
        record: DeliveryRecord,
        carried: Iterable[Digest],
        after: Holding,
        written: WrittenBundle | None = None,
    ) -> None:
        """Write down a bundle that is complete and about to get its name.

        Args:
            record: the bundle.
            carried: what it carries.
            after: what a destination holds that has taken it in.
            written: how it is written, so that it can be written again.

        Raises:
            Refused: another process has just exported a bundle of this number.
        """

        def act(connection: Connection) -> None:
            if _status(connection, record.channel).next_sequence != record.sequence:
                raise Refused(
                    f"{record.channel}, bundle {record.sequence}",
                    "another process has exported a bundle for this channel meanwhile",
                    "export again, so that it comes after that one",
                )
            _add(connection, record, after)
            rows = [
                {"channel": record.channel, "sequence": record.sequence, "digest": digest}
                for digest in carried
            ]
            if rows:
                connection.execute(insert(schema.delivered_blobs), rows)
            if written is not None:
                connection.execute(insert(schema.delivered_bundles), [_how(record, written)])

        await transact(self.store, act)

    async def settle(self, record: DeliveryRecord) -> None:
        """Write down that a bundle has its name, and in which files it is."""
        await transact(self.store, lambda connection: _rewrite(connection, record))

    async def withdraw(self, record: DeliveryRecord) -> None:
        """Forget a bundle that was announced and did not get its name."""
        await transact(self.store, lambda connection: _withdraw(connection, record))

    async def adopt(self, record: DeliveryRecord, after: Holding) -> None:
        """Take over a bundle that this ledger has not seen, from what its receipt says."""
        await transact(self.store, lambda connection: _add(connection, record, after))


def _channels(connection: Connection) -> Sequence[str]:
    rows = connection.execute(select(_deliveries.channel).distinct().order_by(_deliveries.channel))
    return list(rows.scalars())


def _status(connection: Connection, channel: str) -> ChannelStatus:
    rows = connection.execute(
        select(schema.deliveries)
        .where(_deliveries.channel == channel)
        .order_by(_deliveries.sequence)
    )
    return ChannelStatus(channel, tuple(_record(row) for row in rows))


def _record(row: Row[Any]) -> DeliveryRecord:
    return DeliveryRecord(
        channel=row.channel,
        sequence=row.sequence,
        id=row.bundle_id,
        digest=Digest(row.digest),
        created=datetime.fromisoformat(row.created),
        kind=Kind(row.kind),
        base=row.base,
        standing=Standing(row.standing),
        confirmed=row.confirmed,
        blobs=row.blobs,
        bytes=row.bytes,
        path=Path(row.path) if row.path is not None else None,
        files=tuple(WrittenFile(Path(path), size) for path, size in json.loads(row.files or "[]")),
    )


def _row(record: DeliveryRecord) -> dict[str, Any]:
    return {
        "channel": record.channel,
        "sequence": record.sequence,
        "bundle_id": record.id,
        "digest": record.digest,
        "created": record.created.isoformat(),
        "kind": record.kind.value,
        "base": record.base,
        "standing": record.standing.value,
        "confirmed": record.confirmed,
        "blobs": record.blobs,
        "bytes": record.bytes,
        "path": str(record.path) if record.path is not None else None,
        "files": json.dumps([(str(file.path), file.size) for file in record.files]),
    }


def _add(connection: Connection, record: DeliveryRecord, after: Holding) -> None:
    connection.execute(insert(schema.deliveries), [_row(record)])
    _continue_content(connection, record, after.content)
    _continue_names(connection, record, after.names)


def _rewrite(connection: Connection, record: DeliveryRecord) -> None:
    connection.execute(
        update(schema.deliveries).where(_is(schema.deliveries, record)).values(_row(record))
    )


def _withdraw(connection: Connection, record: DeliveryRecord) -> None:
    for table in (schema.deliveries, schema.delivered_blobs, schema.delivered_bundles):
        connection.execute(delete(table).where(_is(table, record)))
    for table in (schema.delivered_content, schema.delivered_names):
        connection.execute(
            delete(table).where(table.c.channel == record.channel, table.c.since == record.sequence)
        )
        connection.execute(
            update(table)
            .where(table.c.channel == record.channel, table.c.until == record.sequence)
            .values(until=None)
        )


def _is(table: Table, record: DeliveryRecord) -> ColumnElement[bool]:
    return and_(table.c.channel == record.channel, table.c.sequence == record.sequence)


def _at(table: Table, channel: str, sequence: int) -> ColumnElement[bool]:
    """Select what belonged to a channel when a bundle had been taken in."""
    return and_(
        table.c.channel == channel,
        table.c.since <= sequence,
        or_(table.c.until.is_(None), table.c.until > sequence),
    )


def _continue_content(
    connection: Connection, record: DeliveryRecord, content: frozenset[Digest]
) -> None:
    table, channel = schema.delivered_content, record.channel
    open_now = and_(_content.channel == channel, _content.until.is_(None))
    before = frozenset(connection.execute(select(_content.digest).where(open_now)).scalars())
    for chunk in chunks(sorted(before - content)):
        connection.execute(
            update(table).where(open_now, _content.digest.in_(chunk)).values(until=record.sequence)
        )
    rows = [
        {"channel": channel, "digest": digest, "since": record.sequence}
        for digest in sorted(content - before)
    ]
    if rows:
        connection.execute(insert(table), rows)


def _continue_names(connection: Connection, record: DeliveryRecord, names: Names) -> None:
    table, channel = schema.delivered_names, record.channel
    open_now = and_(_names.channel == channel, _names.until.is_(None))
    before = {
        (name, digest)
        for name, digest in connection.execute(select(_names.name, _names.digest).where(open_now))
    }
    after = {(str(name), descriptor.digest): descriptor for name, descriptor in names.items()}
    for chunk in chunks(sorted(name for name, digest in before if (name, digest) not in after)):
        connection.execute(
            update(table).where(open_now, _names.name.in_(chunk)).values(until=record.sequence)
        )
    rows = [
        {
            "channel": channel,
            "name": name,
            "since": record.sequence,
            "digest": digest,
            "media_type": descriptor.media_type,
            "size": descriptor.size,
        }
        for (name, digest), descriptor in after.items()
        if (name, digest) not in before
    ]
    if rows:
        connection.execute(insert(table), rows)


def _holding(connection: Connection, record: DeliveryRecord, through: int) -> Holding:
    where = (record.channel, record.sequence)
    content = connection.execute(
        select(_content.digest).where(
            _at(schema.delivered_content, *where),
            or_(_content.until.is_(None), _content.until > through),
        )
    )
    return Holding(
        record.sequence,
        record.id,
        _descriptors(connection, _at(schema.delivered_names, *where)),
        frozenset(Digest(digest) for digest in content.scalars()),
    )


def _carried(connection: Connection, record: DeliveryRecord) -> frozenset[Digest]:
    table = schema.delivered_blobs
    rows = connection.execute(select(table.c.digest).where(_is(table, record)))
    return frozenset(Digest(digest) for digest in rows.scalars())


def _how(record: DeliveryRecord, written: WrittenBundle) -> dict[str, Any]:
    return {
        "channel": record.channel,
        "sequence": record.sequence,
        "bundle_json": zlib.compress(encode_bundle_json(written.manifest)),
        "is_compressed": written.is_compressed,
        "is_encrypted": written.is_encrypted,
    }


def _written(connection: Connection, record: DeliveryRecord) -> WrittenBundle | None:
    table = schema.delivered_bundles
    row = connection.execute(select(table).where(_is(table, record))).one_or_none()
    if row is None:
        return None
    try:
        manifest = decode_bundle_json(zlib.decompress(row.bundle_json))
    except (zlib.error, ContentMismatch) as error:
        raise StoreUnusable(
            f"{record.channel}, bundle {record.sequence}",
            f"what the ledger has of it is damaged ({error})",
            "export a new bundle for the channel",
        ) from None
    return WrittenBundle(manifest, row.is_compressed, row.is_encrypted)


def _names_since(connection: Connection, channel: str, sequence: int) -> Names:
    since = and_(_names.channel == channel, or_(_names.until.is_(None), _names.until > sequence))
    return _descriptors(connection, since)


def _descriptors(connection: Connection, where: ColumnElement[bool]) -> Names:
    rows = connection.execute(
        select(_names.name, _names.media_type, _names.digest, _names.size)
        .where(where)
        .order_by(_names.name, _names.since)
    )
    return {
        Reference.parse(name): Descriptor(media_type, Digest(digest), size)
        for name, media_type, digest, size in rows
    }


def _edges(connection: Connection, manifests: Sequence[Digest]) -> Mapping[Digest, Edges]:
    manifest, edge = schema.manifests.c, schema.edges.c
    found: dict[Digest, Edges] = {}
    for chunk in chunks(manifests):
        children: dict[str, list[Digest]] = {digest: [] for digest in chunk}
        rows = connection.execute(
            select(edge.parent, edge.child)
            .where(edge.parent.in_(chunk))
            .order_by(edge.parent, edge.position)
        )
        for parent, child in rows:
            children[parent].append(Digest(child))
        subjects = connection.execute(
            select(manifest.digest, manifest.subject).where(manifest.digest.in_(chunk))
        )
        for digest, subject in subjects:
            found[Digest(digest)] = Edges(
                tuple(children[digest]), Digest(subject) if subject is not None else None
            )
    return found
