"""How an image came to be, step by step (OCI image-spec, ``config.md``, "history")."""

from __future__ import annotations

from dataclasses import dataclass

from airgap.oci.descriptor import Descriptor
from airgap.oci.image_config import MAX_CONFIG_SIZE
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an image's making.

    Attributes:
        created: RFC 3339 time as written, or None.
        created_by: the command, or empty.
        author: who, or empty.
        comment: what was said about it, or empty.
        layer: the layer that it left; None where it changed only the config.
    """

    created: str | None
    created_by: str
    author: str
    comment: str
    layer: Descriptor | None

    @property
    def size(self) -> int:
        """Bytes of its layer as it travels; 0 where it left none."""
        return self.layer.size if self.layer is not None else 0


def read_history(raw_config: bytes, image: Manifest) -> tuple[Step, ...]:
    """Return the steps of an image, the newest first.

    Layers that no step accounts for (a history is optional, and often wrong) come as steps without
    words, below all others.

    Raises:
        ContentMismatch: the config is not JSON, or a field has the wrong type.
    """
    document = JsonObject.parse(raw_config, "image config", limit=MAX_CONFIG_SIZE)
    entries = list(document.objects("history"))
    layers = list(image.layers)
    steps: list[Step] = []
    for entry in reversed(entries):
        layer = None if entry.flag("empty_layer") or not layers else layers.pop()
        steps.append(
            Step(
                entry.optional_text("created"),
                entry.optional_text("created_by") or "",
                entry.optional_text("author") or "",
                entry.optional_text("comment") or "",
                layer,
            )
        )
    steps += (Step(None, "", "", "", layer) for layer in reversed(layers))
    return tuple(steps)
