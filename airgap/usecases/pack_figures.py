"""What packing came to: how many blobs and bytes took which way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airgap.bundle.pack import Pack
from airgap.content.plan import PlannedItem
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role


@dataclass(frozen=True, slots=True)
class Way:
    """Layers that travel in one way.

    Attributes:
        blobs: how many.
        bytes: theirs, as blobs.
        carried: what travels instead of them, in bytes, before the bundle's own compression.
    """

    blobs: int = 0
    bytes: int = 0
    carried: int = 0

    def and_also(self, blobs: int, size: int, carried: int) -> Way:
        """Return this with some more."""
        return Way(self.blobs + blobs, self.bytes + size, self.carried + carried)


@dataclass(frozen=True, slots=True)
class PackFigures:
    """What packing came to.

    Attributes:
        delta: layers that travel as what differs from others.
        small: layers that travel opened.
        original: layers that travel as they are.
        recipes: how many blobs each encoder model has recipes for, by its name.
        recipe_bytes: bytes of all recipes together.
        whole: how many layers travel as they are for each reason.
    """

    delta: Way = Way()
    small: Way = Way()
    original: Way = Way()
    recipes: Mapping[str, int] = field(default_factory=dict)
    recipe_bytes: int = 0
    whole: Mapping[str, int] = field(default_factory=dict)


def figures_of(
    items: Iterable[PlannedItem],
    pack: Pack | None,
    models: Mapping[Digest, str],
    whole: Mapping[Digest, str],
) -> PackFigures:
    """Count.

    Args:
        items: what a bundle brings.
        pack: how the packed ones of it travel.
        models: what the recipe of each packed blob speaks of.
        whole: why each of the other layers travels as it is.
    """
    sizes = {i.descriptor.digest: i.descriptor.size for i in items if i.role is Role.LAYER}
    delta = small = Way()
    recipe_bytes = 0
    for part in pack.parts if pack is not None else ():
        size = sum(sizes.pop(blob.digest) for blob in part.blobs)
        if part.is_delta:
            delta = delta.and_also(len(part.blobs), size, part.carried.size)
        else:
            small = small.and_also(len(part.blobs), size, part.carried.size)
        recipe_bytes += sum(blob.recipe.size for blob in part.blobs if blob.recipe is not None)
    left = sum(sizes.values())
    return PackFigures(
        delta,
        small,
        Way(len(sizes), left, left),
        dict(Counter(models.values()).most_common()),
        recipe_bytes,
        dict(Counter(whole[digest] for digest in sizes if digest in whole).most_common()),
    )
