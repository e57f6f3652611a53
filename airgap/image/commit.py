"""A new image from an old one: its config and manifest, as bytes, from nothing but values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from airgap.errors import ContentMismatch, Unsupported
from airgap.image.instructions import apply_changes
from airgap.image.layer_builder import BuiltLayer
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.image_config import MAX_CONFIG_SIZE
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import Manifest, parse_manifest

_DOCKER_TYPES = {
    media_types.OCI_LAYER_GZIP: media_types.DOCKER_LAYER_GZIP,
    media_types.OCI_LAYER: "application/vnd.docker.image.rootfs.diff.tar",
}


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says and changes.

    Attributes:
        created: when; SOURCE_DATE_EPOCH where the image shall be reproducible.
        author: who; empty leaves the base's author.
        message: why; it stands in the history.
        created_by: the history's word for what was done.
        changes: Dockerfile instructions, in order.
    """

    created: datetime
    author: str = ""
    message: str = ""
    created_by: str = ""
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommittedImage:
    """A new image.

    Attributes:
        manifest: its manifest.
        config: the bytes of its config; their digest is the image id.
    """

    manifest: Manifest
    config: bytes


def commit_image(
    base: Manifest, base_config: bytes, layers: Sequence[BuiltLayer], commit: Commit
) -> CommittedImage:
    """Make the image that a commit leaves; the same for the same arguments.

    What the base's config holds beside is kept, fields that we do not know included.

    Raises:
        ContentMismatch: the base's config is broken.
        Unsupported: the base is an index or an artifact.
        UsageError: an instruction is unknown or malformed.
    """
    if not base.is_image or base.config is None:
        raise Unsupported(
            base.descriptor.digest, "is not an image of one platform", "choose a platform of it"
        )
    fields = _fields(base_config)
    created = commit.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields["created"] = created
    if commit.author:
        fields["author"] = commit.author
    fields["config"] = apply_changes(fields.get("config") or {}, commit.changes)
    # What Docker records of the container that an image was made in says nothing of the new one.
    for of_a_container in ("container", "container_config"):
        fields.pop(of_a_container, None)
    rootfs = fields.get("rootfs") or {"type": "layers", "diff_ids": []}
    diff_ids = [*(rootfs.get("diff_ids") or []), *(str(layer.diff_id) for layer in layers)]
    fields["rootfs"] = {**rootfs, "diff_ids": diff_ids}
    steps = [_step(commit, created, empty=False) for _ in layers]
    history = [*(fields.get("history") or []), *(steps or [_step(commit, created, empty=True)])]
    fields["history"] = history
    config = _encode(fields)
    return CommittedImage(_manifest(base, base.config, config, layers), config)


def _fields(raw: bytes) -> dict[str, Any]:
    document = JsonObject.parse(raw, "image config", limit=MAX_CONFIG_SIZE)
    for key in ("config", "rootfs"):
        if key in document:
            document.object(key)
    tuple(document.objects("history"))
    fields = json.loads(raw)
    if not isinstance(fields, dict):
        raise ContentMismatch("image config", "is not a JSON object")
    return fields


def _step(commit: Commit, created: str, *, empty: bool) -> dict[str, Any]:
    created_by = commit.created_by or "; ".join(commit.changes) or "airgap commit"
    step: dict[str, Any] = {"created": created, "created_by": created_by}
    if commit.author:
        step["author"] = commit.author
    if commit.message:
        step["comment"] = commit.message
    if empty:
        step["empty_layer"] = True
    return step


def _manifest(
    base: Manifest, base_config: Descriptor, config: bytes, layers: Sequence[BuiltLayer]
) -> Manifest:
    kind = base.descriptor.media_type
    added = [layer.descriptor for layer in layers]
    if kind == media_types.DOCKER_MANIFEST:
        added = [replace(layer, media_type=_DOCKER_TYPES[layer.media_type]) for layer in added]
    fields: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": Descriptor.of(config, base_config.media_type).to_json(),
        "layers": [layer.to_json() for layer in (*base.layers, *added)],
    }
    if base.annotations:
        fields["annotations"] = dict(base.annotations)
    return parse_manifest(_encode(fields), kind)


def _encode(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
