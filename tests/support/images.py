"""Images made in memory: real layers, real configs, every kind of manifest.

They are deterministic for their arguments, so that a test can build the same image twice.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest, parse_manifest
from airgap.oci.platform import Platform


@dataclass(frozen=True)
class Layer:
    """A layer as it travels, and the digest of its tar."""

    content: bytes
    media_type: str
    diff_id: Digest

    @property
    def descriptor(self) -> Descriptor:
        """The layer's descriptor."""
        return Descriptor.of(self.content, self.media_type)


@dataclass(frozen=True)
class BuiltImage:
    """A manifest or index with everything below it.

    Attributes:
        manifests: children before parents; the last one is the root.
        blobs: configs and layers by digest.
    """

    manifests: tuple[Manifest, ...]
    blobs: Mapping[Digest, bytes] = field(default_factory=dict)

    @property
    def root(self) -> Manifest:
        """The manifest that a tag stands for."""
        return self.manifests[-1]

    @property
    def digest(self) -> Digest:
        """The digest that a tag resolves to."""
        return self.root.descriptor.digest


def layer(files: Mapping[str, bytes], *, compress: bool = True, docker: bool = False) -> Layer:
    """Build a layer from paths and contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in sorted(files.items()):
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    plain = buffer.getvalue()
    if docker:
        media_type = media_types.DOCKER_LAYER_GZIP
    else:
        media_type = media_types.OCI_LAYER_GZIP if compress else media_types.OCI_LAYER
    content = gzip.compress(plain, 6, mtime=0) if compress else plain
    return Layer(content, media_type, Digest.of(plain))


def random_layer(seed: int, size: int = 4096) -> Layer:
    """Build a layer that holds ``size`` incompressible bytes, the same for the same seed."""
    noise = random.Random(seed).randbytes(size)  # noqa: S311 - test data, not a secret
    return layer({f"data/{seed}.bin": noise})


def image(
    layers: Sequence[Layer],
    *,
    platform: str = "linux/amd64",
    docker: bool = False,
    author: str = "airgap tests",
    annotations: Mapping[str, str] | None = None,
    subject: Descriptor | None = None,
) -> BuiltImage:
    """Build a single-platform image."""
    where = Platform.parse(platform)
    config = _encode(
        {
            "created": "2024-01-02T03:04:05Z",
            "author": author,
            **where.to_json(),
            "config": {"Cmd": ["/bin/true"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [str(item.diff_id) for item in layers]},
            "history": [{"created_by": f"layer {n}"} for n in range(len(layers))],
        }
    )
    config_type = media_types.DOCKER_CONFIG if docker else media_types.OCI_CONFIG
    manifest_type = media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST
    fields: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": Descriptor.of(config, config_type).to_json(),
        "layers": [item.descriptor.to_json() for item in layers],
    }
    if annotations:
        fields["annotations"] = dict(annotations)
    if subject is not None:
        fields["subject"] = subject.to_json()
    blobs = {Digest.of(config): config} | {i.descriptor.digest: i.content for i in layers}
    return BuiltImage((parse_manifest(_encode(fields), manifest_type),), blobs)


def index(
    images: Mapping[str, BuiltImage], *, docker: bool = False, absent: Sequence[str] = ()
) -> BuiltImage:
    """Build a multi-platform image; platforms in ``absent`` are named, but not part of it."""
    kind = media_types.DOCKER_LIST if docker else media_types.OCI_INDEX
    entries = []
    for platform, built in images.items():
        entry = built.root.descriptor.to_json()
        entry["platform"] = Platform.parse(platform).to_json()
        entries.append(entry)
    raw = _encode({"schemaVersion": 2, "mediaType": kind, "manifests": entries})
    present = [built for platform, built in images.items() if platform not in absent]
    manifests = tuple(m for built in present for m in built.manifests)
    blobs = {digest: content for built in present for digest, content in built.blobs.items()}
    return BuiltImage((*manifests, parse_manifest(raw, kind)), blobs)


def artifact(
    content: bytes,
    *,
    artifact_type: str = "application/vnd.example.sbom.v1",
    subject: Descriptor | None = None,
) -> BuiltImage:
    """Build an artifact that is not an image: an empty config and one blob."""
    empty = b"{}"
    fields: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": Descriptor.of(empty, media_types.OCI_EMPTY).to_json(),
        "layers": [Descriptor.of(content, "application/vnd.example.data").to_json()],
    }
    if subject is not None:
        fields["subject"] = subject.to_json()
    blobs = {Digest.of(empty): empty, Digest.of(content): content}
    return BuiltImage((parse_manifest(_encode(fields), media_types.OCI_MANIFEST),), blobs)


def _encode(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, indent=3).encode()
