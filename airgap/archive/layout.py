"""The names of an OCI image layout and of skopeo's ``dir``, and reading ``index.json``.

OCI image-spec, ``image-layout.md``; ``containers-transports(5)``, section "dir".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from airgap.archive.members import Members
from airgap.archive.names import ArchiveImage, names_in
from airgap.archive.source import FindRegion
from airgap.content.ports import FileRegion
from airgap.errors import ArchiveDamaged, ContentMismatch
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject

MARKER = "oci-layout"
MARKER_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
MAX_MARKER_SIZE = 64 * 1024
INDEX = "index.json"
MAX_INDEX_SIZE = 16 * 1024 * 1024
DIR_MANIFEST = "manifest.json"
DIR_VERSION = "version"
DIR_VERSION_CONTENT = b"Directory Transport Version: 1.1\n"


def blob_name(digest: Digest) -> str:
    """Return where a layout keeps content."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def images_of(raw: bytes, members: Members) -> tuple[ArchiveImage, ...]:
    """Return the entries of an ``index.json``, in its own order.

    Raises:
        ArchiveDamaged: it is none.
    """
    what = f"{members.what}: {INDEX}"
    try:
        document = JsonObject.parse(raw, what, limit=MAX_INDEX_SIZE)
        entries = [Descriptor.from_json(entry) for entry in document.objects("manifests")]
    except ContentMismatch as error:
        raise ArchiveDamaged(error.thing, error.cause, error.hint) from None
    images: list[ArchiveImage] = []
    for entry in entries:
        name, label = names_in(entry.annotations)
        images.append(ArchiveImage(entry, (name,) if name else (), (label,) if label else ()))
    return tuple(images)


def index_bytes(entries: Iterable[dict[str, Any]]) -> bytes:
    """Return an ``index.json`` with these descriptors."""
    fields = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": list(entries),
    }
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def index_entry(descriptor: Descriptor, annotations: dict[str, str]) -> dict[str, Any]:
    """Return one entry of an ``index.json``; the descriptor's own annotations stay behind."""
    bare = Descriptor(
        descriptor.media_type,
        descriptor.digest,
        descriptor.size,
        platform=descriptor.platform,
        artifact_type=descriptor.artifact_type,
        annotations=annotations,
    )
    return bare.to_json()


def dir_names(members: Members, root: Digest) -> FindRegion:
    """Return how a ``dir:`` folder names content: the root, other manifests, blobs."""

    def find(digest: Digest) -> FileRegion | None:
        candidates: Sequence[str] = (
            [DIR_MANIFEST] if digest == root else [f"{digest.hex}.manifest.json", digest.hex]
        )
        for name in candidates:
            if (region := members.find(name)) is not None:
                return region
        return None

    return find
