"""Listings of a store that need no store."""

from __future__ import annotations

from airgap.oci import media_types
from airgap.oci.digest import Digest
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference
from airgap.store.listing import ListedImage, Variant


def digest(seed: str) -> Digest:
    """Return some digest, the same for the same seed."""
    return Digest.of(seed.encode())


def listed(
    name: str, *, seed: str = "", created: str | None = None, platforms: tuple[str, ...] = ()
) -> ListedImage:
    """Return an image; the seed stands for its content, and is the name where none is given."""
    seed = seed or name
    variants = [
        Variant(
            digest(f"{seed} {where} manifest"),
            digest(f"{seed} {where}"),
            Platform.parse(where),
            created,
        )
        for where in platforms or ("linux/amd64",)
    ]
    root = digest(seed) if len(variants) > 1 else variants[0].manifest
    kind = media_types.OCI_INDEX if len(variants) > 1 else media_types.OCI_MANIFEST
    reference = Reference.parse(name).tagged()
    return ListedImage(reference, root, kind, None, tuple(variants), 10, 0)
