"""Which entries of an index a choice of platforms takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from airgap.oci.descriptor import Descriptor
from airgap.oci.manifest import Manifest
from airgap.oci.platform import Platform

Platforms: TypeAlias = frozenset[Platform]
"""The platforms to take; empty means all of them."""

ALL_PLATFORMS: Platforms = frozenset()

_REFERS_TO = "vnd.docker.reference.digest"
"""BuildKit's annotation on an attestation entry: the digest of the image that it attests."""


@dataclass(frozen=True, slots=True)
class IndexSelection:
    """The entries of an index, split by a choice of platforms.

    Attributes:
        taken: what to carry, in the index's order.
        left_out: what the index goes on naming without its content travelling.
    """

    taken: tuple[Descriptor, ...]
    left_out: tuple[Descriptor, ...]


def select_entries(index: Manifest, platforms: Platforms) -> IndexSelection:
    """Split the entries of an index.

    An entry without platform is always taken: nothing says that it is not wanted. BuildKit's
    attestations (platform ``unknown/unknown``) go with the image that they attest.
    """
    if not platforms:
        return IndexSelection(index.manifests, ())
    images = {
        entry.digest
        for entry in index.manifests
        if _REFERS_TO not in entry.annotations and _is_wanted(entry, platforms)
    }
    taken: list[Descriptor] = []
    left_out: list[Descriptor] = []
    for entry in index.manifests:
        attested = entry.annotations.get(_REFERS_TO)
        wanted = entry.digest in images if attested is None else attested in images
        (taken if wanted else left_out).append(entry)
    return IndexSelection(tuple(taken), tuple(left_out))


def _is_wanted(entry: Descriptor, platforms: Platforms) -> bool:
    if entry.platform is None:
        return True
    return any(entry.platform.matches(wanted) for wanted in platforms)
