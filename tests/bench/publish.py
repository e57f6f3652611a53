"""Put images of incompressible layers into a registry: ``python -m tests.bench.publish``.

A process of its own, since a child's peak memory is never below what its parent had at the fork.
"""

from __future__ import annotations

import asyncio
import sys

from airgap.app import App
from airgap.content.copy_images import ImageCopy, copy_images
from airgap.oci.reference import Reference
from tests.support.images import image, random_layer
from tests.support.memory import MemorySource


async def publish(repository: str, images: int, layer_size: int) -> None:
    """Push images of two layers each, tagged 0, 1, 2 and so on."""
    async with App().registries() as client:
        for number in range(images):
            layers = [random_layer(2 * number + n, layer_size) for n in (0, 1)]
            name = f"{repository}:{number}"
            reference = Reference.parse(name)
            source = MemorySource({name: image(layers)})
            report = await copy_images(source, client, [ImageCopy(reference, reference)])
            error = report.error()
            if error is not None:
                raise error


if __name__ == "__main__":
    asyncio.run(publish(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
