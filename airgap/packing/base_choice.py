"""Which of the layers that the other side has each new layer is most like. Pure.

Where tars are known (by their signatures) they decide, whatever images they are in: a layer that
moved, a Dockerfile in another order, a new repository with old content. Where they are not, an
image of the same name does, likeliest at the same place. Where a layer's files come from several
old ones, each that adds something is a base.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from airgap.oci.digest import Digest
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference
from airgap.packing.signature import Signature

DEFAULT_BASES = 4
"""Bases of one layer at most."""

MIN_SHARE = 0.02
"""How much of a layer's files a base must add, as a share of their bytes."""

_SAME_PLACE, _SAME_PLACE_FROM_TOP, _ANY_PLACE = 1.0, 0.8, 0.4
_SAME_REFERENCE, _SAME_REPOSITORY, _OTHER_PLATFORM = 1.0, 0.9, 0.3
_UNKNOWN = 0.5
"""What an image of the same name promises of a tar that is not known, as a share of its bytes."""

_HINT = 0.001
"""What the same promises of one that is known: enough to tell equals apart."""


@dataclass(frozen=True, slots=True)
class LayeredImage:
    """An image as its layers.

    Attributes:
        reference: what it is called; of an index, that of the index.
        layers: digests of its layers, lowest first.
        platform: where it runs, where that is known.
    """

    reference: Reference
    layers: tuple[Digest, ...]
    platform: Platform | None = field(default=None)


def choose_bases(
    images: Iterable[LayeredImage],
    held: Sequence[LayeredImage],
    signatures: Mapping[Digest, Signature],
    *,
    limit: int = DEFAULT_BASES,
    min_share: float = MIN_SHARE,
) -> dict[Digest, tuple[Digest, ...]]:
    """Return the bases of each layer of ``images``, the best first; of held layers there are none.

    Args:
        images: what is to travel.
        held: what the other side has, the images that were sent last before older ones.
        signatures: of as many layers on either side as are known to be tars.
        limit: how many bases a layer may have.
        min_share: how much of a layer a base must add to those before it, where that is known; the
            first one may do with less where an image of the same name has it.
    """
    there = {layer for image in held for layer in image.layers}
    promises: dict[Digest, dict[Digest, float]] = {}
    for image in images:
        for place, layer in enumerate(image.layers):
            if layer not in there:
                _collect(promises.setdefault(layer, {}), image, place, held)
    known_there = {layer: signatures[layer] for layer in sorted(there) if layer in signatures}
    index = _index(known_there, (signatures[layer] for layer in promises if layer in signatures))
    return {
        layer: _best(
            promises[layer], _Likeness(signatures.get(layer), known_there, index), limit, min_share
        )
        for layer in promises
    }


def likely_bases(
    images: Iterable[LayeredImage], held: Sequence[LayeredImage]
) -> dict[Digest, tuple[Digest, ...]]:
    """Return for each layer the held ones that an image's name speaks for, the likeliest first.

    These are the ones whose signatures are worth the work of reading them first.
    """
    return choose_bases(images, held, {}, limit=len(held) + 1)


def _collect(
    promises: dict[Digest, float], image: LayeredImage, place: int, held: Sequence[LayeredImage]
) -> None:
    for old in held:
        kinship = _kinship(image, old)
        if not kinship:
            continue
        for old_place, candidate in enumerate(old.layers):
            promise = kinship * _closeness(image, place, old, old_place)
            promises[candidate] = max(promise, promises.get(candidate, 0.0))


def _kinship(image: LayeredImage, old: LayeredImage) -> float:
    if image.reference.repository != old.reference.repository:
        return 0.0
    name = _SAME_REFERENCE if image.reference == old.reference else _SAME_REPOSITORY
    return name if image.platform == old.platform else name * _OTHER_PLATFORM


def _closeness(image: LayeredImage, place: int, old: LayeredImage, old_place: int) -> float:
    if place == old_place:
        return _SAME_PLACE
    if len(image.layers) - place == len(old.layers) - old_place:
        return _SAME_PLACE_FROM_TOP
    return _ANY_PLACE


def _index(
    known: Mapping[Digest, Signature], wanted: Iterable[Signature]
) -> dict[int, list[Digest]]:
    """Return which held layers have each path that any of the wanted signatures has."""
    names = {name for signature in wanted for name in signature.files}
    index: dict[int, list[Digest]] = defaultdict(list)
    for layer, signature in known.items():
        for name in signature.files:
            if name in names:
                index[name].append(layer)
    return index


class _Likeness:
    """What a layer has in common with held ones, file by file."""

    def __init__(
        self,
        signature: Signature | None,
        known: Mapping[Digest, Signature],
        index: Mapping[int, Sequence[Digest]],
    ) -> None:
        self.known = known
        self.total = max(signature.total, 1) if signature is not None else 0
        self.shared: dict[Digest, dict[int, float]] = {}
        if signature is not None:
            alike = {layer for name in signature.files for layer in index.get(name, ())}
            self.shared = {
                layer: dict(signature.shared_files(known[layer])) for layer in sorted(alike)
            }


def _best(
    promises: Mapping[Digest, float], likeness: _Likeness, limit: int, min_share: float
) -> tuple[Digest, ...]:
    """Take what adds most, again and again; files that a base before has count no more."""
    covered: dict[int, float] = {}

    def adds(candidate: Digest) -> float:
        promise = promises.get(candidate, 0.0)
        if not likeness.total or candidate not in likeness.known:
            return promise * _UNKNOWN
        gain = sum(
            max(weight - covered.get(name, 0.0), 0.0)
            for name, weight in likeness.shared.get(candidate, {}).items()
        )
        return gain / likeness.total + promise * _HINT

    chosen: list[Digest] = []
    left = set(promises) | set(likeness.shared)
    while left and len(chosen) < limit:
        best = max(left, key=lambda candidate: (adds(candidate), candidate))
        share = adds(best)
        if share < min_share and (chosen or best not in promises):
            break
        left.discard(best)
        chosen.append(best)
        for name, weight in likeness.shared.get(best, {}).items():
            covered[name] = max(weight, covered.get(name, 0.0))
    return tuple(chosen)
