"""``export CHANNEL`` as the config has it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from airgap.app import App
from airgap.bundle.age_keys import load_recipients
from airgap.bundle.format import Change
from airgap.bundle.identity import BundleIdentity, creation_time
from airgap.bundle.ledger import DeliveryRecord, KeepRules, Standing
from airgap.bundle.output import WriteOptions
from airgap.bundle.statements import Request
from airgap.bundle.volumes import VolumeCut
from airgap.config.transfer import Compression, ExportChannel, PackKind
from airgap.errors import ConfigError, NotFound
from airgap.operations.packing import packer_at
from airgap.operations.signing import unattended_signer
from airgap.operations.turns import turn
from airgap.operations.watching import NOBODY, Watcher
from airgap.store.ledger import StoreLedger
from airgap.usecases.delivery import (
    DeliveryReport,
    DeliveryRequest,
    Ledger,
    PlannedDelivery,
    deliver,
    plan_next,
    reconcile,
)
from airgap.usecases.export import ExportRequest
from airgap.usecases.pack_rules import PackRules
from airgap.usecases.retention import retire


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of an export for a channel.

    Attributes:
        planned: what the next bundle would carry.
        report: what was written; None where there was nothing new to carry.
        retired: older bundles whose files went.
    """

    planned: PlannedDelivery
    report: DeliveryReport | None
    retired: tuple[DeliveryRecord, ...] = ()


async def export_next(
    app: App,
    channel: str,
    watcher: Watcher = NOBODY,
    *,
    folder: Path | None = None,
    asked: Request | None = None,
) -> Exported:
    """Write the next bundle of a channel, unless it would say nothing new.

    Nothing new is what the destination has confirmed, and what the last bundle says already, while
    it can still be carried; where a folder is named, from there.

    Args:
        app: the program's config and places.
        channel: a section of the config's ``export``.
        watcher: is told what happens, and asked before anything is written.
        folder: where the bundle goes instead of where the config says.
        asked: a request that the bundle answers, which is news in any case.

    Raises:
        NotFound: there is no such channel, or what it selects is not in the store.
        ConfigError: the config does not say where to write it.
        Busy: somebody else exports for the channel right now.
        Refused: the watcher does not let it leave.
        ContentMismatch, NoSpace: as ``deliver``; nothing is left of the bundle.
    """
    section = app.config.exports.get(channel)
    if section is None:
        raise NotFound(channel, "is no `export` section of the config")
    now = datetime.now(UTC)
    path = _path(section, channel, now, folder)
    selection = ExportRequest(tuple(section.include))
    request = DeliveryRequest(channel, selection, section.policy, asked=asked)
    options = write_options(section, sync=app.config.store.sync)
    rules = PackRules.of(section.pack, section.delta_memory)
    sign = unattended_signer(section.sign, app.environ)
    identity = BundleIdentity(creation_time(None, app.environ, now))
    async with (
        app.open_store() as store,
        turn(store, f"export.{channel}", patience=watcher.patience),
    ):
        ledger = StoreLedger(store)
        await reconcile(channel, ledger)
        planned = await plan_next(request, store, ledger)
        if asked is None and await _says_nothing_new(planned, ledger, folder):
            return Exported(planned, None)
        await watcher.ask(_proposal(planned, path))
        async with packer_at(store, rules, planned.holding, watcher.emit) as packer:
            report = await deliver(
                planned,
                path,
                store,
                ledger,
                identity=identity,
                options=options,
                sign=sign,
                packer=packer,
                emit=watcher.emit,
            )
        keep = section.keep
        kept = KeepRules(keep.count, keep.age, keep.size)
        return Exported(planned, report, await retire(channel, kept, ledger, time.time()))


def write_options(section: ExportChannel, *, sync: bool) -> WriteOptions:
    """Return how a channel's bundles are written.

    Raises:
        UsageError: a recipient is none.
        NotFound, NotPermitted: a file of recipients cannot be read.
        Unsupported: what encrypts is not installed.
    """
    volumes = section.volumes
    is_packed = section.pack is not PackKind.PLAIN
    return WriteOptions(
        zstd=section.compress is Compression.ZSTD or is_packed,
        long=is_packed,
        sync=sync,
        read_back=section.read_back,
        cut=VolumeCut(volumes.size, volumes.parity or 0) if volumes.size is not None else None,
        recipients=tuple(load_recipients(section.encrypt)) if section.encrypt else (),
    )


def _path(section: ExportChannel, channel: str, now: datetime, folder: Path | None) -> Path:
    path = section.output_path(channel, now)
    if folder is not None:
        name = path.name if path is not None else f"{channel}-{now:%Y-%m-%dT%H-%M-%SZ}.tar"
        return folder / name
    if path is None:
        raise ConfigError(
            f"export.{channel}", "does not say where to write bundles", "add `output`"
        )
    return path


async def _says_nothing_new(planned: PlannedDelivery, ledger: Ledger, folder: Path | None) -> bool:
    increment = planned.delivery.increment
    unchanged = all(named.change is Change.UNCHANGED for named in increment.references)
    if increment.base is not None and unchanged and not planned.delivery.carried.items:
        return True
    history = (await ledger.status(planned.channel)).history
    last = history[-1] if history else None
    if last is None or not await asyncio.to_thread(_is_there, last, folder):
        return False
    holding = await ledger.holding(last)
    names = {root.reference: root.descriptor for root in planned.delivery.carried.roots}
    return holding.names == names and holding.content == planned.delivery.content


def _is_there(record: DeliveryRecord, folder: Path | None) -> bool:
    """Tell whether a bundle has arrived, or can be carried; from the folder, if one is named."""
    if record.standing is not Standing.EXPORTED:
        return record.standing is Standing.CONFIRMED and folder is None
    return bool(record.files) and all(
        file.path.exists() and (folder is None or file.path.parent == folder.absolute())
        for file in record.files
    )


def _proposal(planned: PlannedDelivery, path: Path) -> dict[str, object]:
    carried = planned.delivery.carried
    return {
        "what": "export",
        "channel": planned.channel,
        "sequence": planned.sequence,
        "path": str(path),
        "names": [
            {"name": str(root.reference), "digest": root.descriptor.digest}
            for root in carried.roots
        ],
        "blobs": [item.descriptor.digest for item in carried.items],
        "bytes": carried.size,
    }
