"""The labels of the store's images, for those who choose by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.content.ports import Source
from airgap.content.walk import read_verified
from airgap.oci.digest import Digest
from airgap.oci.image_config import MAX_CONFIG_SIZE
from airgap.oci.json_object import JsonObject
from airgap.oci.reference import Reference
from airgap.store.listing import ListedImage
from airgap.usecases.created import read_small_blob


async def labels_of(
    images: Sequence[ListedImage], store: Source
) -> dict[Digest, Mapping[str, str]]:
    """Return the labels of every image by its id; one config is read for each.

    Raises:
        ContentMismatch: a config is damaged.
    """
    found: dict[Digest, Mapping[str, str]] = {}
    for image in images:
        repository = image.reference.repository
        for variant in image.variants:
            if variant.config in found:
                continue
            descriptor = await store.resolve(Reference(repository, digest=variant.manifest))
            manifest = await read_verified(store, repository, descriptor)
            if manifest.config is not None:
                raw = await read_small_blob(store, repository, manifest.config)
                found[variant.config] = config_labels(raw, variant.config)
    return found


def config_labels(raw: bytes, image_id: Digest) -> Mapping[str, str]:
    """Return the labels that a config sets.

    Raises:
        ContentMismatch: the config is not JSON, or its labels are no map of strings.
    """
    document = JsonObject.parse(raw, f"config {image_id}", limit=MAX_CONFIG_SIZE)
    return document.object("config").mapping("Labels") if "config" in document else {}
