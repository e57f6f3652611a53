"""In which order layers travel in one compressed stream: like beside like. Pure.

A stream finds again what it has within its window. So each layer is followed by the one that has
most in common with what is in the window then; and where none has, by the next in the given order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airgap.oci.digest import Digest
from airgap.packing.signature import Signature

DEFAULT_WINDOW = 1 << 27
"""Bytes; the largest window that zstd's own tools unpack without being told to (``--long=27``)."""

_MAX_ALIKE = 64
"""Layers of one path that are compared with each other: what all have tells none apart."""


@dataclass(frozen=True, slots=True)
class PlainLayer:
    """A layer that is to travel as plain bytes.

    Attributes:
        digest: what it is called; any name that tells it from others.
        size: plain bytes.
        signature: of the tar that it is; None where it is none.
    """

    digest: Digest
    size: int
    signature: Signature | None = None


def in_stream_order(
    layers: Iterable[PlainLayer], *, window: int = DEFAULT_WINDOW
) -> tuple[PlainLayer, ...]:
    """Return the layers in the order in which they compress best; deterministic.

    Args:
        layers: in the order in which they would travel otherwise.
        window: bytes that the stream's compression reaches back.
    """
    waiting = dict(enumerate(layers))
    shared = _shared(waiting)
    ordered: list[PlainLayer] = []
    recent: list[int] = []
    while waiting:
        number = _next(waiting, recent, shared)
        layer = waiting.pop(number)
        ordered.append(layer)
        recent = _within([*recent, number], ordered, window)
    return tuple(ordered)


def _next(
    waiting: dict[int, PlainLayer], recent: Sequence[int], shared: dict[int, dict[int, int]]
) -> int:
    gains: dict[int, int] = defaultdict(int)
    for number in recent:
        for other, size in shared[number].items():
            if other in waiting:
                gains[other] += size
    if gains:
        return max(gains, key=lambda number: (gains[number], -number))
    return next(iter(waiting))


def _within(recent: list[int], ordered: Sequence[PlainLayer], window: int) -> list[int]:
    """Return the last of the layers, as far back as the window reaches."""
    reached = 0
    for count, layer in enumerate(reversed(ordered), start=1):
        reached += layer.size
        if reached >= window or count == len(recent):
            return recent[-count:]
    return recent


def _shared(layers: dict[int, PlainLayer]) -> dict[int, dict[int, int]]:
    """Return what each layer has in common with each that it has anything in common with."""
    having: dict[int, list[int]] = defaultdict(list)
    for number, layer in layers.items():
        for name in layer.signature.files if layer.signature is not None else ():
            having[name].append(number)
    pairs = {
        (one, other)
        for numbers in having.values()
        for place, one in enumerate(numbers[:_MAX_ALIKE])
        for other in numbers[place + 1 : _MAX_ALIKE]
    }
    shared: dict[int, dict[int, int]] = defaultdict(dict)
    for one, other in sorted(pairs):
        first, second = layers[one].signature, layers[other].signature
        if first is not None and second is not None and (size := first.shared_bytes(second)):
            shared[one][other] = shared[other][one] = size
    return shared
