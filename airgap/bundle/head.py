"""Reading what stands before the first blob; everything in it is hostile until compared. Blocking.

A reader tolerates nothing: headers are made anew and compared, ``index.json`` follows from
``bundle.json`` and is compared, ``manifest.json`` has the digest that ``bundle.json`` gives. Damage
in ``bundle.json`` itself shows in ``index.json``, which has its digest, and in its signatures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airgap.bundle import foreign, tar
from airgap.bundle.failures import BRING_AGAIN
from airgap.bundle.format import MAX_BUNDLE_JSON_SIZE, BundleManifest, decode_bundle_json
from airgap.bundle.layout import (
    BUNDLE_DIGEST_NAME,
    BUNDLE_JSON_NAME,
    DOCKER_MANIFEST_NAME,
    INDEX_NAME,
    MAX_SIGNATURE_SIZE,
    MAX_SIGNATURES,
    OCI_LAYOUT,
    OCI_LAYOUT_NAME,
    Layout,
    Member,
    encode_bundle_digest,
    encode_index,
    lay_out,
    signature_key_id,
)
from airgap.bundle.members import leave, wrong_header
from airgap.bundle.stream import ByteStream
from airgap.errors import BundleDamaged, ContentMismatch
from airgap.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Head:
    """Everything before the first blob.

    Attributes:
        manifest: what ``bundle.json`` says.
        bundle_json: its exact bytes, over which signatures are made.
        signatures: detached signatures by key id, unverified.
        docker_manifest: the bytes of ``manifest.json``.
        layout: where everything stands.
    """

    manifest: BundleManifest
    bundle_json: bytes
    signatures: Mapping[str, bytes]
    docker_manifest: bytes
    layout: Layout


def read_head(stream: ByteStream) -> Head:
    """Read a bundle up to its first blob.

    Raises:
        BundleDamaged: it is not a bundle, is cut short, or does not agree with itself.
    """
    reader = _HeadReader(stream)
    packed = reader.begins_packed()
    if not packed:
        reader.expect(OCI_LAYOUT_NAME, OCI_LAYOUT)
    bundle_json = reader.read_bundle_json()
    manifest = reader.decode(bundle_json)
    if packed != (manifest.pack is not None):
        raise stream.damaged(BUNDLE_JSON_NAME, "is not of the format that the bundle begins with")
    digest = Digest.of(bundle_json)
    if packed:
        signatures = reader.read_signatures(BUNDLE_DIGEST_NAME)
        reader.expect(BUNDLE_DIGEST_NAME, encode_bundle_digest(digest))
    else:
        signatures = reader.read_signatures(INDEX_NAME)
        reader.expect(INDEX_NAME, encode_index(manifest, digest))
    docker = manifest.docker_manifest
    docker_manifest = reader.read(DOCKER_MANIFEST_NAME, docker.size)
    if Digest.of(docker_manifest, docker.digest.algorithm) != docker.digest:
        raise stream.damaged(DOCKER_MANIFEST_NAME, "has other bytes than bundle.json says")
    layout = lay_out(reader.members, manifest)
    return Head(manifest, bundle_json, signatures, docker_manifest, layout)


class _HeadReader:
    """Reads one member after the other, with the next header in hand."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.members: list[tuple[str, int]] = []
        self._block: bytes | None = None

    def begins_packed(self) -> bool:
        """Tell by the first header whether the bundle is packed."""
        block = self._block = self.stream.read_some(tar.BLOCK)
        if block == tar.header(OCI_LAYOUT_NAME, len(OCI_LAYOUT)):
            return False
        found = tar.read_foreign(block) if len(block) == tar.BLOCK else None
        if found is None or block != tar.header(BUNDLE_JSON_NAME, found.size):
            raise foreign.explain(self.stream, block)
        return True

    def read_bundle_json(self) -> bytes:
        """Read ``bundle.json``, whose size only its header says."""
        block = self._next_header(BUNDLE_JSON_NAME)
        found = tar.read_foreign(block)
        if found is not None and found.name != BUNDLE_JSON_NAME:
            raise foreign.explain(self.stream, block)
        size = found.size if found is not None else 0
        if size > MAX_BUNDLE_JSON_SIZE:
            raise self.stream.damaged(
                BUNDLE_JSON_NAME, f"has {size} bytes where {MAX_BUNDLE_JSON_SIZE} are allowed"
            )
        return self.read(BUNDLE_JSON_NAME, size)

    def decode(self, bundle_json: bytes) -> BundleManifest:
        """Parse ``bundle.json``."""
        try:
            return decode_bundle_json(bundle_json)
        except ContentMismatch as error:
            hint = error.hint or BRING_AGAIN
            raise BundleDamaged(str(self.stream.path), str(error), hint) from None

    def read_signatures(self, next_name: str) -> dict[str, bytes]:
        """Read the signatures, of which there may be none, up to the member that comes next."""
        signatures: dict[str, bytes] = {}
        while True:
            found = tar.read_foreign(self._next_header(next_name))
            key_id = signature_key_id(found.name) if found is not None else None
            if found is None or key_id is None:
                return signatures
            if len(signatures) == MAX_SIGNATURES or found.size > MAX_SIGNATURE_SIZE:
                raise self.stream.damaged(found.name, "there are too many or too long signatures")
            if signatures and key_id <= next(reversed(signatures)):
                raise self.stream.damaged(found.name, "is there twice, or out of order")
            signatures[key_id] = self.read(found.name, found.size)

    def expect(self, name: str, content: bytes) -> None:
        """Read the member that must come now, with the only content that it can have."""
        if self.read(name, len(content)) != content:
            raise self.stream.damaged(
                name, f"does not agree with {BUNDLE_JSON_NAME}; one of them was changed"
            )

    def read(self, name: str, size: int) -> bytes:
        """Read the member that must come now."""
        block = self._next_header(name)
        member = Member(name, size, self.stream.position - tar.BLOCK)
        if block != member.header:
            raise wrong_header(self.stream, member, block)
        content = self.stream.read(size, name)
        leave(self.stream, member)
        self.members.append((name, size))
        self._block = None
        return content

    def _next_header(self, name: str) -> bytes:
        if self._block is None:
            self._block = self.stream.read(tar.BLOCK, name)
        return self._block
