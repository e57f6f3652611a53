"""The next bundle of a channel: what ``airgap export CHANNEL`` does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from airgap.bundle.delivery import Increment
from airgap.bundle.format import BundleBase, Change
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.ledger import DeliveryRecord, KeepRules
from airgap.bundle.output import WriteOptions
from airgap.bundle.writer import Signer
from airgap.cli.output import Result
from airgap.cli.progress import EventView
from airgap.cli.wrapping import written_document, written_lines
from airgap.config.transfer import KeepSection
from airgap.operations.documents import Document, copy_document, plan_document
from airgap.operations.pack_summaries import pack_document, pack_lines
from airgap.operations.packing import packer_at
from airgap.operations.sizes import counted, human_size
from airgap.operations.summaries import omitted_lines
from airgap.operations.turns import turn
from airgap.store.ledger import StoreLedger
from airgap.store.store import Store
from airgap.usecases.delivery import (
    DeliveryReport,
    DeliveryRequest,
    PlannedDelivery,
    deliver,
    plan_next,
    reconcile,
)
from airgap.usecases.pack_rules import PackRules
from airgap.usecases.retention import retire

_WORDS = {
    Change.ADDED: "new",
    Change.MOVED: "moved",
    Change.UNCHANGED: "same",
    Change.REMOVED: "gone",
}


@dataclass(frozen=True, slots=True)
class Packing:
    """How and where a bundle is written.

    Attributes:
        path: the file to be; None where nothing is to be written.
        identity: its id and time.
        options: compression, syncing, checking.
        sign: makes its signatures.
        rules: how layers are made small.
        keep: which older files of the channel stay.
    """

    path: Path | None
    identity: BundleIdentity
    options: WriteOptions
    sign: Signer | None = None
    rules: PackRules | None = None
    keep: KeepSection = field(default_factory=KeepSection)


async def export_channel(
    request: DeliveryRequest, packing: Packing, store: Store, view: EventView
) -> Result:
    """Plan the next bundle of a channel, and write it unless that is only to be shown."""
    ledger = StoreLedger(store)
    path = packing.path
    if path is None:
        planned = await plan_next(request, store, ledger)
        async with packer_at(store, packing.rules, planned.holding, view.emit) as packer:
            figures = None
            if packer is not None:
                await packer.pack(planned.delivery.carried)
                figures = packer.figures(planned.delivery.carried)
        document = {"dry_run": True, **_plan_document(planned), **pack_document(figures)}
        return Result(document, [*pack_lines(figures), *_preview(planned)])
    async with turn(store, f"export.{request.channel}"):
        await reconcile(request.channel, ledger)
        planned = await plan_next(request, store, ledger)
        async with packer_at(store, packing.rules, planned.holding, view.emit) as packer:
            report = await deliver(
                planned,
                path,
                store,
                ledger,
                identity=packing.identity,
                options=packing.options,
                sign=packing.sign,
                packer=packer,
                emit=view.emit,
            )
            figures = packer.figures(planned.delivery.carried) if packer is not None else None
        keep = packing.keep
        rules = KeepRules(keep.count, keep.age, keep.size)
        retired = await retire(request.channel, rules, ledger, time.time())
    document = {**_document(planned, report, retired), **pack_document(figures)}
    lines = [*_lines(planned, report, retired), *pack_lines(figures)]
    return Result(document, [*lines, *written_lines(report.bundle)])


def _plan_document(planned: PlannedDelivery) -> Document:
    increment = planned.delivery.increment
    base = increment.base
    return {
        "channel": planned.channel,
        "sequence": planned.sequence,
        "kind": "full" if base is None else "incremental",
        "base": base.sequence if base is not None else None,
        "relied_on": len(base.digests) if base is not None else 0,
        "changes": [
            {
                "reference": str(reference.reference),
                "change": str(reference.change),
                "digest": reference.descriptor.digest,
                "previous": reference.previous,
            }
            for reference in increment.references
        ],
        **plan_document(planned.delivery.carried),
    }


def _document(
    planned: PlannedDelivery, report: DeliveryReport, retired: tuple[DeliveryRecord, ...]
) -> Document:
    bundle = report.bundle
    base = bundle.manifest.base
    return {
        **copy_document(report.copied),
        **_plan_document(planned),
        "kind": str(bundle.manifest.kind),
        "base": base.sequence if base is not None else None,
        "relied_on": len(base.digests) if base is not None else 0,
        **written_document(bundle),
        "not_loadable": {str(name): why for name, why in bundle.not_loadable.items()},
        "deleted": [str(file.path) for record in retired for file in record.files],
    }


def _change_lines(increment: Increment) -> Iterator[str]:
    for reference in increment.references:
        if reference.change is not Change.UNCHANGED:
            digest = reference.descriptor.digest.short
            was = f"  (was {reference.previous.short})" if reference.previous else ""
            yield f"  {_WORDS[reference.change]:<6} {reference.reference.familiar}  {digest}{was}"


def _what(planned: PlannedDelivery, base: BundleBase | None) -> str:
    increment, carried = planned.delivery.increment, planned.delivery.carried
    counts = ", ".join(
        f"{len(increment.of(change))} {_WORDS[change]}" for change in Change if increment.of(change)
    )
    kind = "full" if base is None else f"on top of bundle {base.sequence}"
    return (
        f"{planned.channel}, bundle {planned.sequence}, {kind}: {counts}; "
        f"{counted(len(carried.items), 'item')} with {human_size(carried.size)}"
    )


def _preview(planned: PlannedDelivery) -> Iterator[str]:
    yield from _change_lines(planned.delivery.increment)
    yield from omitted_lines(planned.delivery.carried.omitted)
    base = planned.delivery.increment.base
    if base is not None:
        yield f"left out: {counted(len(base.digests), 'item')} that the other side holds"
    yield f"{_what(planned, base)} would be packed; nothing was written"


def _lines(
    planned: PlannedDelivery, report: DeliveryReport, retired: tuple[DeliveryRecord, ...]
) -> Iterator[str]:
    yield from _change_lines(planned.delivery.increment)
    yield from omitted_lines(planned.delivery.carried.omitted)
    # Deltas may be all that a bundle stands on something for.
    base = report.bundle.manifest.base
    if base is None:
        for reference, why in report.bundle.not_loadable.items():
            yield f"not for docker load: {reference.familiar}: {why}"
    else:
        yield "not for docker load: only `airgap import` puts it on top of what is there"
    for record in planned.unknown:
        yield (
            f"bundle {record.sequence} was cut off at its very end and is not at {record.path}; "
            "its number stays unused"
        )
    for record in retired:
        yield f"deleted the files of bundle {record.sequence}, as `keep` has it"
    yield f"{_what(planned, base)} packed"
