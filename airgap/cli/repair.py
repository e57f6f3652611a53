"""``airgap repair``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

from airgap.bundle.repair import RepairReport, repair_volumes
from airgap.bundle.volume_files import find_volumes
from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.errors import UsageError


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write rebuilt volumes here [beside the index].",
)
@common_options
def repair(invocation: Invocation, *, paths: tuple[Path, ...], output: Path | None) -> int:
    """Rebuild lost or damaged volumes of a bundle from its parity volumes.

    FILE is a volume, the index, or a folder with volumes; name several where they are on several
    sticks. Every volume is read and checked; what was rebuilt has the digest that the index gives.
    A damaged volume in the way is renamed to ….damaged, and nothing is deleted.
    """

    async def work(view: EventView) -> Result:
        del view
        return _result(await asyncio.to_thread(_repair, paths, output))

    return perform(invocation, "repair", work)


def _repair(paths: tuple[Path, ...], output: Path | None) -> RepairReport:
    volumes = find_volumes(paths)
    if volumes is None:
        raise UsageError(
            ", ".join(map(str, paths)),
            "is no volume, and only volumes have parity",
            "a bundle in one file has to be brought or exported again",
        )
    return repair_volumes(volumes, output)


def _result(report: RepairReport) -> Result:
    document = {
        "set": report.check.volumes.index.set_id,
        "problems": list(report.check.problems()),
        "rebuilt": [str(path) for path in report.rebuilt.values()],
        "set_aside": [str(path) for path in report.set_aside],
    }
    return Result(document, _lines(report))


def _lines(report: RepairReport) -> Iterator[str]:
    for problem in report.check.problems():
        yield f"  {problem}"
    for path in report.set_aside:
        yield f"  the damaged file is kept as {path}"
    for volume, path in report.rebuilt.items():
        yield f"  rebuilt {volume}: {path}"
    if not report.rebuilt:
        yield f"{report.check.volumes.path}: every volume is whole; nothing was written"
        return
    yield f"{report.check.volumes.path}: every volume is whole again"
