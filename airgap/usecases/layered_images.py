"""Names as the images below them, and those as their layers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from airgap.content.ports import Source, TagMove
from airgap.content.walk import read_verified
from airgap.errors import NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference
from airgap.packing.base_choice import LayeredImage

_MAX_DEPTH = 8


async def layered_images(source: Source, roots: Iterable[TagMove]) -> list[LayeredImage]:
    """Return every image below some names; what the source does not have is left out."""
    return [
        image
        for root in roots
        async for image in _images(source, root.reference, root.descriptor, depth=0)
    ]


async def _images(
    source: Source, reference: Reference, descriptor: Descriptor, depth: int
) -> AsyncIterator[LayeredImage]:
    try:
        manifest = await read_verified(source, reference.repository, descriptor)
    except NotFound:
        return
    if not manifest.is_index:
        layers = tuple(layer.digest for layer in manifest.layers)
        yield LayeredImage(reference, layers, descriptor.platform)
    elif depth < _MAX_DEPTH:
        for entry in manifest.manifests:
            async for image in _images(source, reference, entry, depth + 1):
                yield image
