"""What a bundle is and does, from its head alone. Blocking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airgap.bundle.checksum import checksum_path
from airgap.bundle.format import BundleManifest, Change
from airgap.bundle.head import Head, read_head
from airgap.bundle.medium import Medium, as_medium
from airgap.bundle.stream import has_zstd_around_it, open_stream
from airgap.oci.manifest import Role


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something there is.

    Attributes:
        count: how many pieces.
        size: bytes of all of them.
    """

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class BundleSummary:
    """What a person wants to know of a bundle before taking it in.

    Attributes:
        path: the file; of volumes, their folder and NAME.
        file_size: bytes of the file, or of all data volumes.
        compressed: whether zstd is around it.
        has_checksum: whether a ``.sha256`` stands beside it, so that the copy was completed.
        head: everything before the first blob.
        signed_by: key ids of the signatures, which are not verified here.
        content: manifests, configs and layers inside.
        changes: how many references are added, moved, unchanged, removed; none of them left out.
    """

    path: Path
    file_size: int
    compressed: bool
    has_checksum: bool
    head: Head
    signed_by: tuple[str, ...]
    content: Mapping[Role, Amount]
    changes: Mapping[Change, int]

    @property
    def manifest(self) -> BundleManifest:
        """What ``bundle.json`` says: id, channel, time, references, blobs."""
        return self.head.manifest


def inspect_bundle(place: Path | Medium) -> BundleSummary:
    """Read the head of a bundle.

    Raises:
        BundleDamaged: it is not a bundle, or its head is damaged.
        AccessDenied: it is encrypted.
        NotFound, NotPermitted: it cannot be opened.
    """
    medium = as_medium(place)
    compressed = has_zstd_around_it(medium)
    with open_stream(medium, compressed=compressed) as stream:
        head = read_head(stream)
    manifest = head.manifest
    return BundleSummary(
        path=medium.path,
        file_size=medium.size(),
        compressed=compressed,
        has_checksum=checksum_path(medium.path).exists(),
        head=head,
        signed_by=tuple(head.signatures),
        content={role: _amount(manifest, role) for role in Role},
        changes={
            change: sum(reference.change is change for reference in manifest.references)
            for change in Change
        },
    )


def _amount(manifest: BundleManifest, role: Role) -> Amount:
    sizes = [item.descriptor.size for item in manifest.blobs if item.role is role]
    return Amount(len(sizes), sum(sizes))
