"""``airgap bundle``: what is done with bundles besides carrying them."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.reading import Reading, reading_options, unchecked_warning
from airgap.cli.wrapping import written_document, written_lines
from airgap.config.quantities import parse_size
from airgap.content.events import Note
from airgap.operations.sizes import counted, human_size
from airgap.operations.unpacking import means_for, unpack


@click.group()
def bundle() -> None:
    """Change the form of bundles."""


@bundle.command("unpack")
@reading_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The bundle to write.",
)
@click.option(
    "--delta-memory",
    callback=lambda _context, _parameter, text: parse_size(text) if text is not None else None,
    metavar="SIZE",
    help="Memory that it may take [the config, 1GiB].",
)
@store_option
@common_options
def unpack_bundle(
    invocation: Invocation, *, reading: Reading, output: Path, delta_memory: int | None
) -> int:
    """Make a plain bundle of a packed one, with everything that its names stand for.

    What comes out stands alone: docker, podman, ctr and skopeo load it. What the bundle stands on
    (--pack delta; any later bundle of a channel) is taken from the store, which must have taken in
    what came before. The new bundle belongs to no channel, and nobody has signed it.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        found = await reading.find()
        means = means_for(app, output, delta_memory)
        async with reading.opened(app, found, means) as opened:
            verdict = reading.verdict(app, opened.head)
            verdict.require(str(opened.path))
            warning = unchecked_warning(verdict)
            if warning is not None:
                view.emit(Note("warning", warning))
            report = await unpack(app, opened, output, view.emit)
        document = {"unpacked": str(opened.path), **written_document(report)}
        blobs = report.manifest.blobs
        size = sum(item.descriptor.size for item in blobs)
        first = f"{counted(len(blobs), 'item')} with {human_size(size)} unpacked"
        return Result(document, [first, *written_lines(report)])

    return perform(invocation, "bundle unpack", work)
