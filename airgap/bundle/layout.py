"""Which members a bundle has, in which order, of which bytes, and where. Pure.

Everything but the content of the blobs follows from ``bundle.json``: a writer lays a bundle out
before the first byte is written, and a reader knows every header and every offset after the head.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airgap.bundle import tar
from airgap.bundle.format import BundleManifest
from airgap.bundle.pack import Part
from airgap.content.plan import PlannedItem
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role

OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
"""The content of ``oci-layout`` (OCI image-spec, ``image-layout.md``)."""

OCI_LAYOUT_NAME = "oci-layout"
BUNDLE_JSON_NAME = "airgap/bundle.json"
INDEX_NAME = "index.json"
DOCKER_MANIFEST_NAME = "manifest.json"

BUNDLE_DIGEST_NAME = "airgap/bundle.digest"
"""In a packed bundle, in place of ``index.json``: the digest of ``bundle.json``, a line feed."""

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
class PartMembers:
    """The members that a part of a packed bundle is made of.

    Attributes:
        part: what they are.
        recipes: one a blob that has a recipe, in the part's order, by the blob's digest; they come
            before the content.
        content: the plain bytes, or the delta.
    """

    part: Part
    recipes: Mapping[Digest, Member]
    content: Member

    @property
    def start(self) -> int:
        """Where the first of them begins."""
        return next(iter(self.recipes.values()), self.content).start


@dataclass(frozen=True, slots=True)
class Layout:
    """All of a bundle.

    Attributes:
        head: the members before the first blob.
        blobs: the blobs that travel as they are, in the order of ``bundle.json``.
        size: bytes of the whole tar, its end included.
        parts: after the blobs, what is packed.
    """

    head: tuple[Member, ...]
    blobs: Mapping[Digest, BlobMember]
    size: int
    parts: tuple[PartMembers, ...] = ()

    @property
    def content_end(self) -> int:
        """Where the last member ends, padding included."""
        return self.size - len(tar.END)


def blob_name(digest: Digest) -> str:
    """Return the path of a blob."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def member_name(item: PlannedItem, *, packed: bool) -> str:
    """Return the path of a blob that travels as it is.

    Manifests of a packed bundle stand aside, as they name layers by digests that are not inside:
    nothing but ``manifest.json`` shall lead a loader of images to what is.
    """
    digest = item.descriptor.digest
    if packed and item.role is Role.MANIFEST:
        return f"airgap/manifests/{digest.algorithm}/{digest.hex}"
    return blob_name(digest)


def part_name(part: Part) -> str:
    """Return the path of a part: among the blobs where it is plain, so that loaders find it."""
    digest = part.plain.digest
    if part.is_delta:
        return f"airgap/deltas/{digest.algorithm}/{digest.hex}"
    return blob_name(digest)


def recipe_name(blob: Digest) -> str:
    """Return the path of a recipe."""
    return f"airgap/recipes/{blob.algorithm}/{blob.hex}"


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


def lay_out(head: Sequence[tuple[str, int]], manifest: BundleManifest) -> Layout:
    """Give every member its place.

    Args:
        head: names and sizes (bytes) of the members before the blobs.
        manifest: what comes after them.
    """
    pack = manifest.pack
    packed = pack.digests() if pack is not None else frozenset()
    place = _Placing()
    head_members = tuple(place.next(name, size) for name, size in head)
    blobs = {
        item.descriptor.digest: BlobMember(
            place.next(member_name(item, packed=pack is not None), item.descriptor.size), item
        )
        for item in manifest.blobs
        if item.descriptor.digest not in packed
    }
    parts = tuple(place.part(part) for part in pack.parts) if pack is not None else ()
    return Layout(head_members, blobs, place.end + len(tar.END), parts)


class _Placing:
    def __init__(self) -> None:
        self.end = 0

    def next(self, name: str, size: int) -> Member:
        member = Member(name, size, self.end)
        self.end = member.end
        return member

    def part(self, part: Part) -> PartMembers:
        recipes = {
            blob.digest: self.next(recipe_name(blob.digest), blob.recipe.size)
            for blob in part.blobs
            if blob.recipe is not None
        }
        return PartMembers(part, recipes, self.next(part_name(part), part.carried.size))


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
    own = [
        (BUNDLE_JSON_NAME, bundle_json),
        *((signature_name(key_id), signatures[key_id]) for key_id in sorted(signatures)),
    ]
    digest = Digest.of(bundle_json)
    docker = (DOCKER_MANIFEST_NAME, docker_manifest)
    if manifest.pack is not None:
        return [*own, (BUNDLE_DIGEST_NAME, encode_bundle_digest(digest)), docker]
    return [
        (OCI_LAYOUT_NAME, OCI_LAYOUT),
        *own,
        (INDEX_NAME, encode_index(manifest, digest)),
        docker,
    ]


def encode_bundle_digest(digest: Digest) -> bytes:
    """Write the member that a packed bundle has in place of ``index.json``."""
    return f"{digest}\n".encode("ascii")


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
