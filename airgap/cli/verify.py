"""``airgap verify``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

from airgap.bundle.verify import VerifyReport, verify_bundle
from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.sizes import counted, human_size


@click.command()
@click.argument("bundle_file", type=click.Path(path_type=Path), metavar="FILE")
@common_options
def verify(invocation: Invocation, *, bundle_file: Path) -> int:
    """Read a bundle once and check everything: its .sha256, every digest, every edge.

    All that is wrong is listed. Nothing is written anywhere.
    """

    async def work(view: EventView) -> Result:
        del view
        report = await asyncio.to_thread(verify_bundle, bundle_file)
        document = {
            "bundle": str(report.path),
            "id": report.manifest.id,
            "sha256": report.digest.hex if report.digest else None,
            "checksum_matches": report.digest == report.checksum if report.checksum else None,
            "references": len(report.manifest.references),
            "blobs": len(report.manifest.blobs),
            "problems": list(report.problems),
        }
        return Result(document, _lines(report), report.error())

    return perform(invocation, "verify", work)


def _lines(report: VerifyReport) -> Iterator[str]:
    for problem in report.problems:
        yield f"  {problem}"
    if report.problems:
        return
    manifest = report.manifest
    yield (
        f"{report.path}: {counted(len(manifest.references), 'reference')} in "
        f"{counted(len(manifest.blobs), 'blob')} with {human_size(manifest.size)}, all as they "
        "should be"
    )
    if report.checksum is None:
        yield "there is no .sha256 beside it; its content was checked all the same"
