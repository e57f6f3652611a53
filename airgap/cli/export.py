"""``airgap export``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airgap.app import App
from airgap.bundle.identity import BundleIdentity, creation_time
from airgap.bundle.volumes import VolumeId
from airgap.bundle.writer import BundleReport, BundleWriter
from airgap.cli.export_again import Remaking, refuse_other_options
from airgap.cli.export_channel import Packing, export_channel
from airgap.cli.invocation import Invocation, common_options, platform_option, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.wrapping import Wrapping, wrapping_options, written_document, written_lines
from airgap.config.transfer import ExportChannel
from airgap.content.plan import CopyPlan
from airgap.errors import UsageError
from airgap.oci.platform_filter import Platforms
from airgap.operations.documents import copy_document, plan_document
from airgap.operations.pack_summaries import pack_document, pack_lines
from airgap.operations.packing import packer_at
from airgap.operations.sizes import counted, human_size
from airgap.operations.statements import read_request
from airgap.operations.summaries import omitted_lines
from airgap.usecases.delivery import DeliveryRequest
from airgap.usecases.export import ExportRequest, plan_export
from airgap.usecases.export import export as export_bundle
from airgap.usecases.pack_figures import PackFigures

if TYPE_CHECKING:
    from airgap.usecases.layer_packing import LayerPacker


@click.command()
@click.argument("references", nargs=-1, metavar="[CHANNEL | REF…]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The bundle to write."
)
@click.option("--full", is_flag=True, help="CHANNEL: rely on nothing that it holds.")
@click.option(
    "--since",
    type=click.IntRange(min=1),
    metavar="N",
    help="CHANNEL: rely on its bundle N, whatever was confirmed.",
)
@click.option(
    "--request",
    "request_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CHANNEL: answer what its import could not take in.",
)
@click.option(
    "--sequence",
    type=click.IntRange(min=1),
    metavar="N",
    help="CHANNEL: the bundle that --only-volume is about [the newest].",
)
@click.option("--all", "everything", is_flag=True, help="Pack everything that the store has.")
@platform_option
@click.option("--no-referrers", is_flag=True, help="Leave signatures, SBOMs, attestations behind.")
@wrapping_options
@click.option("--id", "bundle_id", metavar="ID", help="Pin the bundle's id (32 hex digits).")
@click.option("--created", metavar="TIME", help="Pin its time [$SOURCE_DATE_EPOCH, now].")
@click.option("--dry-run", is_flag=True, help="Show what would be packed; write nothing.")
@store_option
@common_options
def export(
    invocation: Invocation,
    *,
    references: tuple[str, ...],
    output: Path | None,
    full: bool,
    since: int | None,
    request_file: Path | None,
    sequence: int | None,
    everything: bool,
    platforms: Platforms,
    no_referrers: bool,
    wrapping: Wrapping,
    bundle_id: str | None,
    created: str | None,
    dry_run: bool,
) -> int:
    """Pack images of the local store into one file that crosses the gap.

    REF is a reference, or a shell pattern over whole references ('quay.io/team/*'). A CHANNEL of
    the config names what to pack and where to; of what its destination holds, as its receipts say,
    nothing is packed again. Beside the bundle stands a .sha256 file, written last: once it is
    there, the bundle is complete.

    With --volume-size the bundle becomes FILE.001, FILE.002, … and FILE.volumes.json, which
    `airgap import` takes in any order; with --sign it says who made it. --only-volume makes a lost
    volume again, byte for byte: of a CHANNEL from what its ledger says of the bundle.
    """
    app = invocation.app()
    name, channel = _channel(app, references) if not everything else (None, None)
    now = datetime.now(UTC)
    if sequence is not None and not (channel and wrapping.only_volumes):
        raise UsageError("--sequence", "is for --only-volume of a channel's bundle")
    if channel is not None and name is not None and wrapping.only_volumes:
        refuse_other_options(
            {
                "--full": full,
                "--since": since,
                "--request": request_file,
                "--platform": platforms,
                "--no-referrers": no_referrers,
                "--compress": wrapping.compress,
                "--pack": wrapping.pack,
                "--delta-memory": wrapping.delta_memory,
                "--id": bundle_id,
                "--created": created,
                "--dry-run": dry_run,
            }
        )
        remaking = Remaking(app, name, channel, wrapping, sequence, output)
        return perform(invocation, "export", remaking.work)
    path = output or (channel.output_path(name, now) if channel and name else None)
    if path is None and not dry_run:
        raise UsageError("", "no file is named to write to", "name one with -o FILE")
    patterns = tuple(channel.include) if channel else references
    if not patterns and channel is None and not everything:
        raise UsageError(
            "", "nothing to export", "name references or a channel, or pack all with --all"
        )
    request = ExportRequest(patterns, platforms, referrers=not no_referrers)
    if channel is None and (full or since or request_file):
        raise UsageError("", "--full, --since and --request want a channel of the config")
    before = wrapping.written_before(path)
    if before is not None:
        created = created or before.created
    identity = BundleIdentity(creation_time(created, os.environ, now), bundle_id)
    options = wrapping.options(channel, before, sync=app.config.store.sync)
    rules = wrapping.pack_rules(channel)
    sign = wrapping.signer(channel, os.environ) if not dry_run else None

    async def work(view: EventView) -> Result:
        async with app.open_store() as store:
            if channel is not None and name is not None:
                asked = (
                    read_request(app, request_file, view.emit) if request_file is not None else None
                )
                next_one = DeliveryRequest(name, request, channel.policy, full, since, asked)
                target = None if dry_run else path
                packing = Packing(target, identity, options, sign, rules, keep=channel.keep)
                return await export_channel(next_one, packing, store, view)
            plan = await plan_export(request, store, view.emit)
            async with packer_at(store, rules, None, view.emit) as packer:
                if dry_run or path is None:
                    return await _previewed(plan, packer)
                async with BundleWriter(
                    path, store, identity, options, sign, packer=packer
                ) as writer:
                    report = await export_bundle(plan, store, writer, view.emit)
                    bundle = writer.report
                figures = packer.figures(plan) if packer is not None else None
        document = {
            **copy_document(report),
            **written_document(bundle),
            **pack_document(figures),
            "omitted": plan_document(plan)["omitted"],
            "not_loadable": {str(name): why for name, why in bundle.not_loadable.items()},
        }
        return Result(document, _bundle_lines(plan, bundle, wrapping.only_volumes, figures))

    return perform(invocation, "export", work)


def _channel(app: App, references: tuple[str, ...]) -> tuple[str | None, ExportChannel | None]:
    if len(references) == 1 and references[0] in app.config.exports:
        return references[0], app.config.exports[references[0]]
    if not references and len(app.config.exports) == 1:
        name = next(iter(app.config.exports))
        return name, app.config.exports[name]
    return None, None


async def _previewed(plan: CopyPlan, packer: LayerPacker | None) -> Result:
    figures = None
    if packer is not None:
        await packer.pack(plan)
        figures = packer.figures(plan)
    document = {"dry_run": True, **plan_document(plan), **pack_document(figures)}
    return Result(document, [*pack_lines(figures), *_plan_lines(plan)])


def _plan_lines(plan: CopyPlan) -> Iterator[str]:
    for root in plan.roots:
        yield f"  {root.reference.familiar}  {root.descriptor.digest.short}"
    yield from omitted_lines(plan.omitted)
    yield f"{_sum(plan)} would be packed; nothing was written"


def _bundle_lines(
    plan: CopyPlan,
    bundle: BundleReport,
    only: tuple[VolumeId, ...],
    figures: PackFigures | None,
) -> Iterator[str]:
    yield from omitted_lines(plan.omitted)
    for reference, why in bundle.not_loadable.items():
        yield f"not for docker load: {reference.familiar}: {why}"
    yield f"{_sum(plan)} packed"
    yield from pack_lines(figures)
    yield from written_lines(bundle, only)


def _sum(plan: CopyPlan) -> str:
    return (
        f"{counted(len(plan.roots), 'reference')} in {counted(len(plan.items), 'item')} "
        f"with {human_size(plan.size)}"
    )
