"""``airgap save`` and ``airgap load``."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from airgap.app import App
from airgap.archive.opening import open_archive, open_layout
from airgap.archive.sinks import Packing, StreamSink
from airgap.archive.source import ArchiveSource
from airgap.archive.tar_target import ArchiveFormat, TarTarget, archive_file
from airgap.cli.invocation import Invocation, common_options, platform_option, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.errors import UsageError
from airgap.oci.location import STANDARD_STREAM
from airgap.oci.platform import Platform
from airgap.oci.platform_filter import Platforms
from airgap.operations.documents import copy_document
from airgap.operations.sizes import counted, human_size
from airgap.usecases.load import LoadReport
from airgap.usecases.load import load as load_archive
from airgap.usecases.save import plan_save
from airgap.usecases.save import save as save_images


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="REF…")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The archive to write [standard output].",
)
@click.option(
    "--format",
    "archive_format",
    type=click.Choice([str(form) for form in ArchiveFormat]),
    default=str(ArchiveFormat.DOCKER),
    show_default=True,
    help="docker: every loader takes it; oci: nothing but an OCI layout.",
)
@click.option(
    "--compress",
    type=click.Choice([str(packing) for packing in Packing]),
    default=str(Packing.NONE),
    show_default=True,
    help="What to wrap around it.",
)
@platform_option
@store_option
@common_options
def save(
    invocation: Invocation,
    *,
    references: tuple[str, ...],
    output: Path | None,
    archive_format: str,
    compress: str,
    platforms: Platforms,
) -> int:
    """Write images of the local store into one archive, which `docker load` and others take.

    Every manifest is inside byte for byte, so `airgap load` gives the same digests again. Engines
    take one platform of each image: the one of --platform, else this machine's.
    """
    app = invocation.app()
    to_stream = output is None or str(output) == STANDARD_STREAM
    if to_stream and sys.stdout.isatty():
        raise UsageError("save", "does not write an archive to a terminal", "name a file with -o")
    if to_stream and invocation.json:
        raise UsageError("--json", "and the archive cannot both go to standard output", "use -o")
    form, packing = ArchiveFormat(archive_format), Packing(compress)
    offered = min(platforms, default=app.platform)

    async def work(view: EventView) -> Result:
        async with app.open_store() as store:
            plan = await plan_save(references, store, platforms)
            async with _archive(output if not to_stream else None, form, packing, offered) as tar:
                report = await save_images(plan, store, tar, view.emit)
        if output is None or to_stream:
            return Result({})
        size = output.stat().st_size  # noqa: ASYNC240 - one question to the file system
        document = {"archive": str(output), "size": size, **copy_document(report)}
        count = counted(len(plan.roots), "image")
        return Result(document, [f"{output}: {count}, {human_size(size)}"])

    return perform(invocation, "save", work)


@asynccontextmanager
async def _archive(
    path: Path | None, form: ArchiveFormat, packing: Packing, platform: Platform
) -> AsyncIterator[TarTarget]:
    if path is None:
        yield TarTarget(StreamSink(sys.stdout.buffer, packing), form, platform=platform)
        return
    async with archive_file(path, form, packing=packing, platform=platform) as target:
        yield target


@click.command()
@click.option(
    "-i",
    "--input",
    "archive",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The archive to read, or a folder with an OCI layout [standard input].",
)
@store_option
@common_options
def load(invocation: Invocation, *, archive: Path | None) -> int:
    """Take the images of an archive into the local store: all of them, or none.

    It reads what docker, podman, buildah and skopeo save, old and new, with gzip, zstd, xz or bzip2
    around it or without. Layers are unpacked once and held against what their images' configs say.
    """
    app = invocation.app()
    from_stream = archive is None or str(archive) == STANDARD_STREAM
    if from_stream and sys.stdin.isatty():
        raise UsageError("load", "reads no archive from a terminal", "name a file with -i")

    async def work(view: EventView) -> Result:
        async with (
            _opened(None if from_stream else archive, app) as opened,
            app.open_store(create=True) as store,
            store.writing(),
        ):
            report = await load_archive(opened, store, view.emit)
        document = {**copy_document(report.copied), "untagged": list(report.untagged)}
        return Result(document, _loaded_lines(report))

    return perform(invocation, "load", work)


@asynccontextmanager
async def _opened(path: Path | None, app: App) -> AsyncIterator[ArchiveSource]:
    if path is not None and path.is_dir():  # noqa: ASYNC240 - one question to the file system
        yield await open_layout(path)
        return
    with app.scratch() as scratch:
        async with open_archive(path or sys.stdin.buffer, scratch=scratch) as archive:
            yield archive


def _loaded_lines(report: LoadReport) -> Iterator[str]:
    for image in report.copied.images:
        if image.target.tag is not None:
            yield f"Loaded image: {image.target.familiar}"
    for image_id in report.untagged:
        yield f"Loaded image ID: {image_id}"
