"""``export CHANNEL --only-volume``: volumes of a bundle that is out already, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from airgap.bundle.delivery import Increment
from airgap.bundle.format import BundleManifest
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.ledger import DeliveryRecord, WrittenBundle
from airgap.bundle.output import WriteOptions
from airgap.bundle.volumes import INDEX_SUFFIX, VolumeIndex
from airgap.bundle.writer import BundleReport, BundleWriter, Signer
from airgap.content import events
from airgap.content.copy_plan import copy_plan
from airgap.content.events import Emit
from airgap.content.plan import CopyPlan
from airgap.content.ports import Source, TagMove
from airgap.errors import NotFound, Refused, Unsupported
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.usecases.delivery import Ledger

_SHOWN = 3


class Keeper(Protocol):
    """A place that keeps content, and knows what it does not have any more."""

    async def rely_on(self, digests: Iterable[Digest]) -> None:
        """Keep content from being collected meanwhile."""
        ...

    async def missing(self, digests: Iterable[Digest]) -> Sequence[Digest]:
        """Return those digests whose content is not there, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class Redelivery:
    """A bundle that is to be written again, in part.

    Attributes:
        record: what the ledger says of it.
        written: how it was written.
        path: where its index is, and its volumes go.
    """

    record: DeliveryRecord
    written: WrittenBundle
    path: Path

    @property
    def plan(self) -> CopyPlan:
        """What it carries."""
        manifest = self.written.manifest
        # Of what is left out a bundle says nothing but the digest.
        omitted = (Descriptor("", digest, 0) for digest in manifest.omitted)
        roots = (TagMove(named.reference, named.descriptor) for named in manifest.present)
        return CopyPlan(tuple(roots), manifest.blobs, tuple(omitted))

    def index_path(self) -> Path:
        """Return the file that says what its volumes were."""
        return self.path.with_name(self.path.name + INDEX_SUFFIX)

    def expect_index(self, index: VolumeIndex) -> None:
        """Check that an index is this bundle's.

        Raises:
            Refused: it is another one's.
        """
        if index.bundle_json != self.record.digest:
            raise Refused(
                str(self.index_path()),
                f"is the index of another bundle than {_name(self.record)}",
                "name the right number with --sequence, or the right file with -o",
            )


async def plan_again(
    channel: str,
    sequence: int | None,
    path: Path | None,
    ledger: Ledger,
    keeper: Keeper,
) -> Redelivery:
    """Find out what a bundle of a channel was, as the ledger has it.

    Args:
        channel: whose bundle.
        sequence: which one; the newest where None.
        path: folder and name of its volumes; where they were written where None.
        ledger: what was exported.
        keeper: must still have everything that the bundle carried.

    Raises:
        NotFound: the ledger has no such bundle, or the store has not all of its content any more.
        Unsupported: it is encrypted or packed, or the ledger does not know how it was written.
    """
    status = await ledger.status(channel)
    if status.last is None:
        raise NotFound(channel, "nothing was exported for it yet")
    record = status.record(sequence) if sequence is not None else status.last
    where = path or record.path
    written = await ledger.written(record)
    if written is None or where is None:
        raise Unsupported(
            _name(record),
            "was exported by another store, or by an airgap that kept no record of how",
            "export a new bundle for the channel",
        )
    if written.is_encrypted:
        raise Unsupported(
            _name(record),
            "is encrypted, and encrypting again gives other bytes: its volumes cannot be made "
            "again one by one",
            "bring a copy of the volume, rebuild it from parity (`airgap repair`), or export the "
            "content anew with --full",
        )
    if written.manifest.pack is not None:
        raise Unsupported(
            _name(record),
            "is packed, and how small that comes out depends on more than the ledger keeps",
            "bring a copy of the volume, rebuild it from parity (`airgap repair`), or export the "
            "content anew with --full",
        )
    await _require_content(record, written.manifest, keeper)
    return Redelivery(record, written, where)


async def _require_content(
    record: DeliveryRecord, manifest: BundleManifest, keeper: Keeper
) -> None:
    carried = [item.descriptor.digest for item in manifest.blobs]
    await keeper.rely_on(carried)
    missing = await keeper.missing(carried)
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        raise NotFound(
            _name(record),
            f"{len(missing)} of the {len(carried)} pieces that it carried are not in the "
            f"store any more: {shown}",
            "rebuild the volume from parity (`airgap repair`), or export a new bundle",
        )


async def deliver_again(
    again: Redelivery,
    store: Source,
    *,
    options: WriteOptions,
    sign: Signer | None = None,
    emit: Emit = events.discard,
) -> BundleReport:
    """Write volumes of a bundle once more; the ledger stays as it is.

    Args:
        again: the bundle.
        store: where its content is.
        options: whose ``cut`` says which volumes; compression is the bundle's own.
        sign: makes its signatures, with the keys that it was signed with.
        emit: is told what happens.

    Raises:
        Refused: the volumes would be other than they were; nothing was changed.
        ContentMismatch, NoSpace: as :func:`airgap.usecases.export.export`.
    """
    manifest = again.written.manifest
    identity = BundleIdentity(
        manifest.created, manifest.id, manifest.channel, manifest.sequence, manifest.tool
    )
    options = replace(options, zstd=again.written.is_compressed, recipients=())
    async with BundleWriter(
        again.path,
        store,
        identity,
        options,
        sign,
        increment=Increment(manifest.references, manifest.base),
    ) as writer:
        await copy_plan(store, writer, again.plan, emit=emit)
        return writer.report


def _name(record: DeliveryRecord) -> str:
    return f"{record.channel}, bundle {record.sequence}"
