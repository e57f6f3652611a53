"""``inspect`` and ``history``: what an image says of itself, in the shape that docker gives it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airgap.content.walk import read_verified
from airgap.image.history import Step, read_history
from airgap.oci.descriptor import Descriptor
from airgap.oci.image_config import MAX_CONFIG_SIZE
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import Manifest
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference
from airgap.usecases.created import read_small_blob
from airgap.usecases.places import PlacedImage
from airgap.usecases.platform_choice import image_of_platform

_EMPTY_CONFIG: Mapping[str, Any] = {
    "User": "",
    "ExposedPorts": {},
    "Env": [],
    "Entrypoint": [],
    "Cmd": [],
    "Volumes": {},
    "WorkingDir": "",
    "Labels": {},
}
"""The fields of a config that can be asked for in any image (OCI image-spec, ``config.md``)."""


@dataclass(frozen=True, slots=True)
class InspectedImage:
    """An image of one platform.

    Attributes:
        root: what the name stands for: the image's manifest, or an index.
        raw: the bytes of that.
        image: the image's manifest.
        config: the bytes of its config.
    """

    root: Descriptor
    raw: bytes
    image: Manifest
    config: bytes

    def history(self) -> tuple[Step, ...]:
        """Return the steps of its making, the newest first.

        Raises:
            ContentMismatch: the config is broken.
        """
        return read_history(self.config, self.image)

    def document(self, names: Sequence[Reference]) -> dict[str, Any]:
        """Return what ``docker inspect`` shows of an image.

        Args:
            names: every name that stands for it.

        Raises:
            ContentMismatch: the config is broken.
        """
        what = f"config of {self.image.descriptor.digest}"
        fields = JsonObject.parse(self.config, what, limit=MAX_CONFIG_SIZE)
        rootfs = fields.object("rootfs") if "rootfs" in fields else None
        raw: Mapping[str, Any] = json.loads(self.config)
        steps = self.history()
        repositories = dict.fromkeys(name.repository for name in names)
        shown = {
            "Id": self.image.config.digest if self.image.config is not None else None,
            "RepoTags": [name.familiar for name in names if name.tag is not None],
            "RepoDigests": [f"{known.familiar}@{self.root.digest}" for known in repositories],
            "Comment": steps[0].comment if steps else "",
            "Created": fields.optional_text("created"),
            "Author": fields.optional_text("author") or "",
            "Config": {**_EMPTY_CONFIG, **_without_nulls(raw.get("config"))},
            "Architecture": fields.optional_text("architecture"),
            "Variant": fields.optional_text("variant"),
            "Os": fields.optional_text("os"),
            "OsVersion": fields.optional_text("os.version"),
            "Size": sum(layer.size for layer in self.image.layers),
            "RootFS": {
                "Type": "layers",
                "Layers": list(rootfs.texts("diff_ids") if rootfs else ()),
            },
            "Descriptor": self.root.to_json(),
            "Manifest": self.image.descriptor.to_json(),
        }
        return {key: value for key, value in shown.items() if value is not None}


def _without_nulls(config: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (config or {}).items() if value is not None}


async def inspect_image(
    placed: PlacedImage, wanted: Platform | None, here: Platform
) -> InspectedImage:
    """Read what describes an image; its layers are not read.

    Args:
        placed: which image.
        wanted: which of its platforms; None takes this machine's, or the only one.
        here: the platform of this machine.

    Raises:
        InvalidReference: there is no such platform.
        Unsupported: it is an artifact that is no image.
    """
    repository = placed.reference.repository
    root = await placed.resolve()
    manifest = await read_verified(placed.source, repository, root, sized=False)
    image = await image_of_platform(placed.source, repository, root, wanted, here)
    config = b"{}"
    if image.config is not None:
        config = await read_small_blob(placed.source, repository, image.config)
    return InspectedImage(root, manifest.raw, image, config)
