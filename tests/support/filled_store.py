"""A local store with images in it, for tests of what commands do with a store."""

from __future__ import annotations

from pathlib import Path

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.store.store import Store
from tests.support.images import artifact, image, index, random_layer
from tests.support.memory import MemorySource

MEBIBYTE = 1024 * 1024


def several_megabytes() -> MemorySource:
    """Return three images and an artifact, with shared layers: some 14 MiB in all."""
    shared = random_layer(1, 5 * MEBIBYTE)
    return MemorySource(
        {
            "docker.io/team/web:1.0": image([shared, random_layer(2, 3 * MEBIBYTE)]),
            "docker.io/team/web:1.10": image([shared, random_layer(3, 3 * MEBIBYTE)]),
            "quay.io/team/worker:2": index(
                {
                    "linux/amd64": image([shared]),
                    "linux/arm64": image([random_layer(4, 3 * MEBIBYTE)], platform="linux/arm64"),
                }
            ),
            "quay.io/team/sbom:1": artifact(b"a bill of materials"),
        }
    )


async def filled_store(path: Path, source: MemorySource) -> Path:
    """Make a store that has everything of a source."""
    async with Store.open(path, create=True, sync=False) as store:
        report = await copy_images(source, store, [ImageCopy(n, n) for n in source.roots])
    assert report.error() is None
    return path
