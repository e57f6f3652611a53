"""One image of one platform, where a name may stand for an index of many."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.content.ports import Source
from airgap.content.walk import MAX_DEPTH, read_verified
from airgap.errors import InvalidReference, NotFound, Unsupported
from airgap.oci.descriptor import Descriptor
from airgap.oci.manifest import Manifest
from airgap.oci.platform import Platform
from airgap.oci.reference import Repository


async def image_of_platform(
    source: Source,
    repository: Repository,
    root: Descriptor,
    wanted: Platform | None,
    here: Platform,
) -> Manifest:
    """Return the image that a person means who names an index.

    Args:
        source: where it is.
        repository: where it is there.
        root: what the name stands for; the size is not relied on.
        wanted: the platform asked for; None takes the image of this machine, or the only one.
        here: the platform of this machine.

    Raises:
        InvalidReference: the index has no such platform, or several and none was asked for.
        Unsupported: the name stands for an artifact that is no image.
    """
    manifest = await read_verified(source, repository, root, sized=False)
    for _ in range(MAX_DEPTH):
        if not manifest.is_index:
            break
        manifest = await _entry(source, repository, manifest, wanted, here)
    if not manifest.is_image:
        raise Unsupported(
            f"{repository}@{manifest.descriptor.digest}",
            f"is not an image, but {manifest.artifact_type or 'an artifact'}",
        )
    return manifest


async def _entry(
    source: Source,
    repository: Repository,
    index: Manifest,
    wanted: Platform | None,
    here: Platform,
) -> Manifest:
    present = await _present(source, repository, index.manifests)
    for manifest, platform in present:
        if platform is not None and platform.matches(wanted or here):
            return manifest
    if wanted is None and len(present) == 1:
        return present[0][0]
    offered = ", ".join(str(platform) for _, platform in present if platform is not None)
    raise InvalidReference(
        f"{repository}@{index.descriptor.digest}",
        f"has no image for {wanted or here} here",
        f"choose one with --platform: {offered}" if offered else "",
    )


async def _present(
    source: Source, repository: Repository, entries: Sequence[Descriptor]
) -> list[tuple[Manifest, Platform | None]]:
    """Return those entries that are there; attestations are no images to choose."""
    found: list[tuple[Manifest, Platform | None]] = []
    for entry in entries:
        if entry.platform is not None and entry.platform.os == "unknown":
            continue
        try:
            found.append((await read_verified(source, repository, entry), entry.platform))
        except NotFound:
            # A sparse index names images that stayed behind.
            continue
    return found
