"""``export CHANNEL``: the next bundle for a destination, with what it lacks and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from airgap.bundle.delivery import Delivery, Holding, Names, plan_delivery
from airgap.bundle.format import BundleManifest, encode_bundle_json
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.ledger import ChannelStatus, DeliveryRecord, Standing, WrittenBundle
from airgap.bundle.leftovers import Fate, fate_of, files_of
from airgap.bundle.output import DEFAULT_OPTIONS, WriteOptions
from airgap.bundle.packing import Packer
from airgap.bundle.statements import Request
from airgap.bundle.writer import BundleReport, BundleWriter, Signer
from airgap.config.transfer import DeliveryPolicy
from airgap.content import events
from airgap.content.copy_plan import copy_plan
from airgap.content.events import Emit
from airgap.content.homes import Edges
from airgap.content.report import CopyReport
from airgap.errors import Refused, UsageError
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.usecases.export import ExportRequest, ImageStore, plan_export


class Ledger(Protocol):
    """What was exported for each channel."""

    async def status(self, channel: str) -> ChannelStatus:
        """Return all bundles of a channel."""
        ...

    async def holding(self, record: DeliveryRecord, through: int | None = None) -> Holding:
        """Return what a destination holds that has taken in a bundle.

        Without content that was not part of every bundle up to ``through``, where that is given.
        """
        ...

    async def carried(self, record: DeliveryRecord) -> frozenset[Digest]:
        """Return what a bundle carried."""
        ...

    async def names_since(self, channel: str, sequence: int) -> Names:
        """Return every name that a channel has had from a bundle on, and what it stood for last."""
        ...

    async def edges(self, manifests: Sequence[Digest]) -> Mapping[Digest, Edges]:
        """Return what each of some manifests of the store names."""
        ...

    async def written(self, record: DeliveryRecord) -> WrittenBundle | None:
        """Return how a bundle was written; None where only its receipt is known."""
        ...

    async def announce(
        self,
        record: DeliveryRecord,
        carried: Iterable[Digest],
        after: Holding,
        written: WrittenBundle | None = None,
    ) -> None:
        """Write down a bundle that is complete and about to get its name.

        Raises:
            Refused: another process has just exported a bundle of this number.
        """
        ...

    async def settle(self, record: DeliveryRecord) -> None:
        """Write down what has become of a bundle."""
        ...

    async def withdraw(self, record: DeliveryRecord) -> None:
        """Forget a bundle that was announced and did not get its name."""
        ...

    async def adopt(self, record: DeliveryRecord, after: Holding) -> None:
        """Take over a bundle that this ledger has not seen, from what its receipt says."""
        ...


@dataclass(frozen=True, slots=True)
class DeliveryRequest:
    """What to send to whom.

    Attributes:
        channel: the destination's name.
        selection: which names it shall have.
        policy: what it is taken to hold.
        full: rely on nothing.
        since: rely on what this bundle of the channel brought, whatever the policy says.
        asked: rely on what the destination says in a request that it has.
    """

    channel: str
    selection: ExportRequest
    policy: DeliveryPolicy = DeliveryPolicy.CONFIRMED
    full: bool = False
    since: int | None = None
    asked: Request | None = None

    def __post_init__(self) -> None:
        """Check that one thing is asked for.

        Raises:
            UsageError: several are, or the request is another channel's.
        """
        if self.full + (self.since is not None) + (self.asked is not None) > 1:
            raise UsageError("", "--full, --since and --request exclude each other")
        if self.asked is not None and self.asked.channel != self.channel:
            raise UsageError(
                f"the request of channel {self.asked.channel}",
                f"cannot be answered by a bundle for {self.channel}",
                f"`airgap export {self.asked.channel} --request FILE`",
            )


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """The next bundle of a channel, before it is written.

    Attributes:
        channel: the destination's name.
        sequence: the number that it will have.
        delivery: what it carries, relies on and changes.
        unknown: bundles whose export was cut off when they were about to get their names; nobody
            can tell whether they went out.
        holding: what the destination is taken to hold; None where nothing is relied on.
    """

    channel: str
    sequence: int
    delivery: Delivery
    unknown: tuple[DeliveryRecord, ...] = ()
    holding: Holding | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A bundle that was exported for a channel.

    Attributes:
        copied: how it was packed.
        bundle: what was written.
        record: what the ledger says of it.
    """

    copied: CopyReport
    bundle: BundleReport
    record: DeliveryRecord = field(repr=False)


async def plan_next(request: DeliveryRequest, store: ImageStore, ledger: Ledger) -> PlannedDelivery:
    """Find out what the next bundle of a channel would carry, without changing anything.

    Raises:
        NotFound, InvalidReference: the selection is not in the store, or a bundle that is to be
            relied on not in the ledger.
    """
    status = await ledger.status(request.channel)
    whole = await plan_export(request.selection, store)
    holding = await _holding(request, status, ledger)
    if holding is not None:
        since = holding.sequence
    else:
        since = status.confirmed.sequence if status.confirmed is not None else 0
    known = {**await ledger.names_since(request.channel, since)}
    if holding is not None:
        known = {**holding.names, **known}
    manifests = [item.descriptor.digest for item in whole.items if item.role is Role.MANIFEST]
    delivery = plan_delivery(whole, await ledger.edges(manifests), holding, known)
    unknown = tuple(r for r in status.history if r.standing is Standing.ANNOUNCED)
    return PlannedDelivery(request.channel, status.next_sequence, delivery, unknown, holding)


async def _holding(
    request: DeliveryRequest, status: ChannelStatus, ledger: Ledger
) -> Holding | None:
    if request.full:
        return None
    if request.asked is not None:
        return await _asked(request.asked, status, ledger)
    if request.since is not None:
        return await ledger.holding(status.record(request.since))
    base = status.base(request.policy)
    if base is None or status.last is None:
        return None
    # Bundles after the base may have been taken in unconfirmed, and what they no longer had may
    # have been collected since.
    return await ledger.holding(base, status.last.sequence)


async def _asked(asked: Request, status: ChannelStatus, ledger: Ledger) -> Holding | None:
    """Return what a destination holds that could not take in a bundle, by what it says itself."""
    refused = _known(status, asked.refused.sequence, asked.refused.id)
    last = _known(status, asked.last.sequence, asked.last.id) if asked.last is not None else None
    content: frozenset[Digest] = frozenset()
    if refused is not None:
        # All that the refused bundle relies on was looked for, and what was not there is listed.
        after = await ledger.holding(refused)
        content = after.content - await ledger.carried(refused)
    held = await ledger.holding(last) if last is not None else None
    if held is not None:
        content |= held.content
    content -= frozenset(asked.missing)
    base = last if last is not None else refused
    if not content or base is None:
        return None
    return Holding(base.sequence, base.id, held.names if held is not None else {}, content)


def _known(status: ChannelStatus, sequence: int, bundle_id: str) -> DeliveryRecord | None:
    """Return a bundle that the other side speaks of; None where the ledger does not have it.

    Raises:
        Refused: the ledger has another bundle of this number.
    """
    found = next((r for r in status.history if r.sequence == sequence), None)
    if found is not None and found.id != bundle_id:
        raise Refused(
            f"{status.channel}, bundle {sequence}",
            f"is {bundle_id} over there and {found.id} here: the channel has two histories",
            "`airgap export CHANNEL --full` begins anew, with a number that is higher than both",
        )
    return found


async def reconcile(channel: str, ledger: Ledger) -> None:
    """Find out what became of bundles whose export was cut off at the very end.

    Raises:
        Refused: another process is exporting for the channel right now.
    """
    status = await ledger.status(channel)
    for record in status.history:
        if record.standing is not Standing.ANNOUNCED or record.path is None:
            continue
        fate = await asyncio.to_thread(fate_of, record.path)
        if fate is Fate.PUBLISHED:
            files = await asyncio.to_thread(files_of, record.path)
            await ledger.settle(replace(record, standing=Standing.EXPORTED, files=files))
        elif fate is Fate.NEVER and record is status.last:
            await ledger.withdraw(record)


async def deliver(
    planned: PlannedDelivery,
    path: Path,
    store: ImageStore,
    ledger: Ledger,
    *,
    identity: BundleIdentity,
    options: WriteOptions = DEFAULT_OPTIONS,
    sign: Signer | None = None,
    packer: Packer | None = None,
    emit: Emit = events.discard,
) -> DeliveryReport:
    """Write the next bundle of a channel, and into the ledger that it is out.

    The ledger knows of the bundle right before the bundle has its name. A process that is killed
    between the two leaves a number that is not given away again.

    Raises:
        ContentMismatch, NoSpace: as :func:`airgap.usecases.export.export`; no number is used up.
        Refused: another process has just exported for the channel.
    """
    delivery = planned.delivery
    announced: list[DeliveryRecord] = []

    async def announce(manifest: BundleManifest) -> None:
        record = _record(manifest, path)
        names = {root.reference: root.descriptor for root in delivery.carried.roots}
        after = Holding(planned.sequence, manifest.id, names, delivery.content)
        written = WrittenBundle(manifest, options.zstd, bool(options.recipients))
        await ledger.announce(record, delivery.carried.digests(), after, written)
        announced.append(record)

    identity = replace(identity, channel=planned.channel, sequence=planned.sequence)
    try:
        async with BundleWriter(
            path,
            store,
            identity,
            options,
            sign,
            increment=delivery.increment,
            announce=announce,
            packer=packer,
        ) as writer:
            copied = await copy_plan(store, writer, delivery.carried, emit=emit)
            bundle = writer.report
    except BaseException:
        for record in announced:
            if await asyncio.to_thread(fate_of, path) is Fate.GONE:
                await ledger.withdraw(record)
        raise
    files = await asyncio.to_thread(files_of, path)
    record = replace(announced[0], standing=Standing.EXPORTED, files=files)
    await ledger.settle(record)
    return DeliveryReport(copied, bundle, record)


def _record(manifest: BundleManifest, path: Path) -> DeliveryRecord:
    return DeliveryRecord(
        channel=manifest.channel or "",
        sequence=manifest.sequence or 0,
        id=manifest.id,
        digest=Digest.of(encode_bundle_json(manifest)),
        created=manifest.created,
        kind=manifest.kind,
        base=manifest.base.sequence if manifest.base is not None else None,
        standing=Standing.ANNOUNCED,
        blobs=len(manifest.blobs),
        bytes=manifest.size,
        path=path.absolute(),
    )
