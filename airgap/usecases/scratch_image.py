"""The image without layers, which Dockerfiles call ``scratch``."""

from __future__ import annotations

import json

from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.manifest import Manifest, parse_manifest
from airgap.oci.platform import Platform
from airgap.oci.reference import Repository

SCRATCH = Repository.parse("scratch")
"""A name that no registry has: Docker Hub keeps it free for this meaning."""


def scratch_image(platform: Platform) -> tuple[Manifest, bytes]:
    """Return manifest and config of an empty image."""
    fields = {**platform.to_json(), "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    config = json.dumps(fields, separators=(",", ":")).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": Descriptor.of(config, media_types.OCI_CONFIG).to_json(),
        "layers": [],
    }
    raw = json.dumps(manifest, separators=(",", ":")).encode()
    return parse_manifest(raw, media_types.OCI_MANIFEST), config
