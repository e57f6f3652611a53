"""Which members a bundle has, in which order, of which bytes, and where. Pure.

Everything but the content of the blobs follows from ``bundle.json``: a writer lays a bundle out
before the first byte is written, and a reader knows every header and every offset after the head.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from airgap.bundle import tar
from airgap.bundle.format import BundleManifest
from airgap.content.plan import PlannedItem
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest

OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
"""The content of ``oci-layout`` (OCI image-spec, ``image-layout.md``)."""

OCI_LAYOUT_NAME = "oci-layout"
BUNDLE_JSON_NAME = "airgap/bundle.json"
INDEX_NAME = "index.json"
DOCKER_MANIFEST_NAME = "manifest.json"

MAX_SIGNATURES = 64
MAX_SIGNATURE_SIZE = 64 * 1024
"""Bytes of one signature."""

BUNDLE_DIGEST_ANNOTATION = "io.airgap.bundle.digest"
"""On ``index.json``: the digest of ``bundle.json``, so that damage to it shows unsigned, too."""

_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_SIGNATURE = re.compile(r"airgap/signatures/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.sig", re.ASCII)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the tar, and where it stands.

    Attributes:
        name: its path.
        size: bytes of its content.
        start: where its header begins, in bytes from the start of the uncompressed bundle.
    """

    name: str
    size: int
    start: int

    @property
    def header(self) -> bytes:
        """Everything before the content."""
        return tar.header(self.name, self.size)

    @property
    def content_start(self) -> int:
        """Where its content begins, in bytes from the start of the uncompressed bundle."""
        return self.start + len(self.header)

    @property
    def end(self) -> int:
        """Where the next header begins."""
        return self.content_start + self.size + tar.padding(self.size)


@dataclass(frozen=True, slots=True)
class BlobMember:
    """A member that holds a piece of content."""

    member: Member
    item: PlannedItem


@dataclass(frozen=True, slots=True)
class Layout:
    """All of a bundle.

    Attributes:
        head: the members before the first blob.
        blobs: the others, in the order of ``bundle.json``.
        size: bytes of the whole tar, its end included.
    """

    head: tuple[Member, ...]
    blobs: Mapping[Digest, BlobMember]
    size: int

    @property
    def content_end(self) -> int:
        """Where the last member ends, padding included."""
        return self.size - len(tar.END)


def blob_name(digest: Digest) -> str:
    """Return the path of a blob."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def signature_name(key_id: str) -> str:
    """Return the path of a signature.

    Raises:
        ValueError: the key id has characters that a path may not have.
    """
    name = f"airgap/signatures/{key_id}.sig"
    if not _SIGNATURE.fullmatch(name):
        raise ValueError(key_id)
    return name


def signature_key_id(name: str) -> str | None:
    """Return whose signature a member is; None where it is no signature."""
    match = _SIGNATURE.fullmatch(name)
    return match[1] if match else None


def lay_out(head: Sequence[tuple[str, int]], blobs: Sequence[PlannedItem]) -> Layout:
    """Give every member its place.

    Args:
        head: names and sizes (bytes) of the members before the blobs.
        blobs: the content, in its order.
    """
    members = _placed(
        [*head, *((blob_name(i.descriptor.digest), i.descriptor.size) for i in blobs)]
    )
    head_members = tuple(next(members) for _ in head)
    placed = {
        item.descriptor.digest: BlobMember(member, item)
        for item, member in zip(blobs, members, strict=True)
    }
    last = next(reversed(placed.values())).member if placed else head_members[-1]
    return Layout(head_members, placed, last.end + len(tar.END))


def _placed(members: Iterable[tuple[str, int]]) -> Iterator[Member]:
    start = 0
    for name, size in members:
        member = Member(name, size, start)
        start = member.end
        yield member


def head_members(
    manifest: BundleManifest,
    bundle_json: bytes,
    docker_manifest: bytes,
    signatures: Mapping[str, bytes],
) -> list[tuple[str, bytes]]:
    """Return the members before the blobs with their content.

    Args:
        manifest: what ``bundle_json`` says.
        bundle_json: its exact bytes.
        docker_manifest: the bytes of ``manifest.json``.
        signatures: signatures over ``bundle_json`` by key id.
    """
    return [
        (OCI_LAYOUT_NAME, OCI_LAYOUT),
        (BUNDLE_JSON_NAME, bundle_json),
        *((signature_name(key_id), signatures[key_id]) for key_id in sorted(signatures)),
        (INDEX_NAME, encode_index(manifest, Digest.of(bundle_json))),
        (DOCKER_MANIFEST_NAME, docker_manifest),
    ]


def encode_index(manifest: BundleManifest, bundle_digest: Digest) -> bytes:
    """Write ``index.json`` (OCI image-spec, ``image-layout.md``): one descriptor a reference.

    Both names are the full reference: skopeo looks images up by the one, containerd by the other.
    """
    inside = {item.descriptor.digest for item in manifest.blobs}
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [
            _named(reference.descriptor, str(reference.reference))
            for reference in manifest.present
            if reference.descriptor.digest in inside
        ],
        "annotations": {BUNDLE_DIGEST_ANNOTATION: bundle_digest},
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _named(descriptor: Descriptor, name: str) -> dict[str, object]:
    plain = Descriptor(
        descriptor.media_type,
        descriptor.digest,
        descriptor.size,
        annotations={_CONTAINERD_NAME: name, _REF_NAME: name},
    )
    return plain.to_json()
