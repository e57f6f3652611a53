"""A copy plan: the content of a set of images, each piece once, in the order it travels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airgap.content.ports import TagMove
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One piece of content to carry: a manifest, a config or a layer."""

    descriptor: Descriptor
    role: Role


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """What a set of images is made of.

    Attributes:
        roots: the names and the manifests they stand for, in the order they were asked for.
        items: every piece once: manifests, children before parents; then configs; then layers.
            Deterministic: the same roots over the same content give the same order.
        omitted: what manifests name and is left out on purpose (platforms, foreign layers).
    """

    roots: tuple[TagMove, ...]
    items: tuple[PlannedItem, ...]
    omitted: tuple[Descriptor, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all items together."""
        return sum(item.descriptor.size for item in self.items)

    def digests(self) -> Iterator[Digest]:
        """Yield the digest of every item."""
        return (item.descriptor.digest for item in self.items)


_TRAVEL_ORDER = {Role.MANIFEST: 0, Role.CONFIG: 1, Role.LAYER: 2}


def in_travel_order(items: Iterable[PlannedItem]) -> tuple[PlannedItem, ...]:
    """Return each piece once: manifests first, as they came, then configs, then layers.

    Manifests must come children before parents already; that order is kept. Everything that
    decides whether the content may be taken in so stands before the first layer.
    """
    unique: dict[Digest, PlannedItem] = {}
    for item in items:
        known = unique.get(item.descriptor.digest)
        # Bytes in two roles (an empty config that is a layer too) travel in the earlier one.
        if known is None or _TRAVEL_ORDER[item.role] < _TRAVEL_ORDER[known.role]:
            unique[item.descriptor.digest] = item
    return tuple(sorted(unique.values(), key=lambda item: _TRAVEL_ORDER[item.role]))
