"""Manifests and indexes: parsed for their edges, kept byte for byte.

Nothing here ever writes a manifest again: what crosses is the ``raw`` bytes that came in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from airgap.errors import ContentMismatch, Unsupported
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject

MAX_MANIFEST_SIZE = 4 * 1024 * 1024
"""Bytes; what registries accept at least and at most (distribution-spec, "Pushing Manifests")."""


class Role(StrEnum):
    """What a child is to its parent manifest; it decides how the child is walked and shipped."""

    MANIFEST = "manifest"
    CONFIG = "config"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class Child:
    """An edge of the graph: the content that a manifest names, and in which role."""

    descriptor: Descriptor
    role: Role


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index.

    Attributes:
        descriptor: type, digest and size of the raw bytes.
        raw: the bytes as received.
        config: the config of an image or artifact; None for an index.
        layers: layers of an image, blobs of an artifact.
        manifests: the entries of an index.
        subject: what a referrer refers to; it is not a child, and may be absent.
        artifact_type: declared type, else the config's media type (distribution-spec, "Referrers").
        annotations: the manifest's own annotations.
    """

    descriptor: Descriptor
    raw: bytes
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] | None = None

    @property
    def is_index(self) -> bool:
        """Whether the manifest names other manifests rather than blobs."""
        return self.descriptor.media_type in media_types.INDEXES

    @property
    def is_image(self) -> bool:
        """Whether a runtime could run it: an image config, and only layers that are tars."""
        return (
            self.config is not None
            and self.config.media_type in media_types.IMAGE_CONFIGS
            and all(media_types.is_tar_layer(layer.media_type) for layer in self.layers)
        )

    def children(self) -> Iterator[Child]:
        """Yield what the manifest names, in its own order: config before layers."""
        for descriptor in self.manifests:
            yield Child(descriptor, Role.MANIFEST)
        if self.config is not None:
            yield Child(self.config, Role.CONFIG)
        for descriptor in self.layers:
            yield Child(descriptor, Role.LAYER)


def parse_manifest(
    raw: bytes, media_type: str | None = None, *, digest: Digest | None = None
) -> Manifest:
    """Read a manifest of unknown origin.

    Args:
        raw: at most 4 MiB.
        media_type: what the transport says it is; the document's own ``mediaType`` must agree.
        digest: what the bytes must hash to, where that is known.

    Raises:
        ContentMismatch: wrong digest, not a manifest, or two documents in one (CVE-2021-41190).
        Unsupported: a Docker schema 1 manifest, which has no digest-addressed config.
    """
    what = f"manifest {digest}" if digest else "manifest"
    if len(raw) > MAX_MANIFEST_SIZE:
        raise ContentMismatch(what, f"has {len(raw)} bytes where {MAX_MANIFEST_SIZE} are allowed")
    actual = Digest.of(raw, digest.algorithm if digest else "sha256")
    if digest is not None and actual != digest:
        raise ContentMismatch(what, f"its bytes hash to {actual}", "nothing of it was kept")
    document = JsonObject.parse(raw, f"manifest {actual}", limit=MAX_MANIFEST_SIZE)
    kind = _media_type_of(document, media_type)
    indexes, images = "manifests" in document, "layers" in document or "config" in document
    if indexes and images:
        raise ContentMismatch(document.what, "is an index and an image manifest at once")
    if (kind in media_types.INDEXES and images) or (
        kind in media_types.IMAGE_MANIFESTS and indexes
    ):
        raise ContentMismatch(document.what, f"does not have the shape of {kind}")
    config = _child(document, "config")
    blobs_key = "blobs" if kind == media_types.OCI_ARTIFACT_MANIFEST else "layers"
    return Manifest(
        descriptor=Descriptor(kind, actual, len(raw)),
        raw=raw,
        config=config,
        layers=tuple(Descriptor.from_json(item) for item in document.objects(blobs_key)),
        manifests=tuple(Descriptor.from_json(item) for item in document.objects("manifests")),
        subject=_child(document, "subject"),
        artifact_type=document.optional_text("artifactType")
        or (config.media_type if config is not None else None),
        annotations=document.mapping("annotations"),
    )


def _child(document: JsonObject, key: str) -> Descriptor | None:
    return Descriptor.from_json(document.object(key)) if key in document else None


def _media_type_of(document: JsonObject, announced: str | None) -> str:
    announced = announced.partition(";")[0].strip() if announced else None
    own = document.optional_text("mediaType")
    if announced in media_types.DOCKER_SCHEMA1 or (
        "fsLayers" in document and "history" in document
    ):
        raise Unsupported(
            document.what,
            "is a Docker schema 1 manifest",
            "ask its publisher to push it again with any client since 2017",
        )
    # Some servers and files know no better type; then the document's own word counts.
    if announced in {None, "", "application/json", "application/octet-stream", "text/plain"}:
        announced = None
    if own and announced and own != announced:
        raise ContentMismatch(document.what, f"says it is {own} but was announced as {announced}")
    kind = own or announced
    if kind is None:
        kind = media_types.OCI_INDEX if "manifests" in document else media_types.OCI_MANIFEST
    return kind
