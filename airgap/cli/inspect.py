"""``airgap inspect``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import click

from airgap.bundle.format import encode_bundle_json
from airgap.bundle.inspect import BundleSummary, inspect_bundle
from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.sizes import counted, human_size


@click.command()
@click.argument("bundle_file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--raw", is_flag=True, help="Print the bundle's own manifest, byte for byte.")
@common_options
def inspect(invocation: Invocation, *, bundle_file: Path, raw: bool) -> int:
    """Show what a bundle is and does, from its head alone.

    Nothing is checked but the head itself; `airgap verify` reads all of it.
    """

    async def work(view: EventView) -> Result:
        del view
        summary = await asyncio.to_thread(inspect_bundle, bundle_file)
        encoded = encode_bundle_json(summary.manifest)
        if raw:
            return Result({"bundle_json": json.loads(encoded)}, [encoded.decode()])
        document = {
            "bundle": str(summary.path),
            "size": summary.file_size,
            "compressed": summary.compressed,
            "has_checksum": summary.has_checksum,
            "signed_by": list(summary.signed_by),
            "bundle_json": json.loads(encoded),
        }
        return Result(document, _lines(summary))

    return perform(invocation, "inspect", work)


def _lines(summary: BundleSummary) -> Iterator[str]:
    manifest = summary.manifest
    around = ", zstd around it" if summary.compressed else ""
    checksum = "stands beside it" if summary.has_checksum else "IS NOT THERE: is the copy complete?"
    yield f"bundle    {summary.path}  {human_size(summary.file_size)}{around}"
    yield f"id        {manifest.id}  (format 1, {manifest.kind})"
    if manifest.channel is not None:
        yield f"channel   {manifest.channel}, number {manifest.sequence or '-'}"
    yield f"created   {manifest.created.isoformat()} by {manifest.tool}"
    yield f"signed by {', '.join(summary.signed_by) or 'nobody'}"
    yield f".sha256   {checksum}"
    for role, amount in summary.content.items():
        yield f"content   {counted(amount.count, role)} with {human_size(amount.size)}"
    if manifest.omitted:
        yield f"left out  {counted(len(manifest.omitted), 'item')} that its images name"
    changes = ", ".join(f"{n} {change}" for change, n in summary.changes.items() if n)
    yield f"brings    {counted(len(manifest.references), 'reference')}: {changes}"
    for reference in manifest.references:
        digest = reference.descriptor.digest.short
        yield f"  {reference.change:<9} {reference.reference.familiar}  {digest}"
