"""Moving images with the real graph copy, as use cases will."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.archive.sinks import Packing
from airgap.archive.source import ArchiveSource
from airgap.archive.tar_target import ArchiveFormat, archive_file
from airgap.content.copy_images import ImageCopy, copy_images
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.ports import Source, TagMove, Target
from airgap.content.walk import WalkRules
from airgap.oci.digest import Digest
from airgap.oci.platform_filter import ALL_PLATFORMS, Platforms
from airgap.oci.reference import Reference


async def write_archive(
    source: Source,
    names: Sequence[str],
    path: Path,
    archive_format: ArchiveFormat = ArchiveFormat.DOCKER,
    *,
    packing: Packing = Packing.NONE,
    label: str | None = None,
    platforms: Platforms = ALL_PLATFORMS,
) -> None:
    """Write some images of a source to an archive."""
    async with archive_file(path, archive_format, packing=packing, label=label) as target:
        await carry(source, target, names, platforms)


async def carry(
    source: Source, target: Target, names: Sequence[str], platforms: Platforms = ALL_PLATFORMS
) -> None:
    """Copy some images to a target, all or nothing."""
    references = [Reference.parse(name) for name in names]
    roots = [TagMove(reference, await source.resolve(reference)) for reference in references]
    plan = await plan_copy(source, roots, WalkRules(platforms))
    await copy_plan(source, target, plan)


async def copy_one(source: Source, target: Target, origin: str, name: str) -> Digest:
    """Copy one image, and return the digest that it has."""
    image = ImageCopy(Reference.parse(origin), Reference.parse(name))
    report = await copy_images(source, target, [image])
    error = report.error()
    if error is not None:
        raise error
    descriptor = report.images[0].descriptor
    assert descriptor is not None
    return descriptor.digest


def named(source: ArchiveSource) -> dict[str, Digest]:
    """Return the digest of every named image of an archive."""
    return {n.familiar: image.descriptor.digest for image in source.images for n in image.names}
