"""The config of an image, as people and loaders ask of it (OCI image-spec, ``config.md``)."""

from __future__ import annotations

from dataclasses import dataclass

from airgap.errors import ContentMismatch, InvalidReference
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.platform import Platform

MAX_CONFIG_SIZE = 4 * 1024 * 1024
"""Bytes; configs are JSON of a few KiB, histories included."""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a config says of its image.

    Attributes:
        platform: where the image runs.
        diff_ids: digests of the uncompressed layers, lowest first.
        created: RFC 3339 time as written, or None.
    """

    platform: Platform
    diff_ids: tuple[Digest, ...]
    created: str | None


def parse_image_config(raw: bytes, what: str = "image config") -> ImageConfig:
    """Read an image config of unknown origin.

    Raises:
        ContentMismatch: over 4 MiB, not JSON, a field of the wrong type, or a diff id that is not a
            digest.
    """
    document = JsonObject.parse(raw, what, limit=MAX_CONFIG_SIZE)
    rootfs = document.object("rootfs") if "rootfs" in document else None
    try:
        diff_ids = tuple(Digest(text) for text in rootfs.texts("diff_ids")) if rootfs else ()
    except InvalidReference as error:
        raise ContentMismatch(what, f"{error}") from None
    return ImageConfig(
        platform=Platform.from_json(document),
        diff_ids=diff_ids,
        created=document.optional_text("created"),
    )
