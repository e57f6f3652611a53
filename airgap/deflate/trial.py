"""Which model predicts a stream best: tried on its head."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from airgap.deflate.following import Following
from airgap.deflate.models import make

STEP = 4096
"""Bytes of a stream after which a trial looks at what it costs."""

_HEAD = 1 << 18  # bytes of gzip that a trial has at most,
_PLAIN = 1 << 20  # and plain bytes that it goes over at most, but for those of a last step


@dataclass(slots=True)
class Sample:
    """The head of a stream, in steps, so that where it ends does not depend on how it was fed.

    Attributes:
        data: the bytes so far.
        plain_size: plain bytes that they made known.
        complete: whether the stream ended.
    """

    data: bytearray = field(default_factory=bytearray)
    plain_size: int = 0
    complete: bool = False

    def room(self) -> int:
        """How many bytes it takes before it looks at what it costs; 0 when it has enough."""
        if self.complete or len(self.data) >= _HEAD or self.plain_size >= _PLAIN:
            return 0
        return STEP - len(self.data) % STEP

    def add(self, piece: memoryview, plain_size: int, *, complete: bool) -> None:
        """Add bytes, with what is known of the stream after them."""
        self.data += piece
        self.complete = complete
        if complete or len(self.data) % STEP == 0:
            self.plain_size = plain_size


def best_model(sample: Sample, names: Iterable[str], known: str, cost: int) -> str:
    """Find the model that predicts a sample with the fewest bytes of corrections.

    Args:
        sample: the head of a stream.
        names: the models to try, the likeliest first.
        known: the name of one of them that was tried,
        cost: and what its corrections weigh, in bytes.
    """
    best = known
    for name in names:
        if cost == 0:
            break
        if name == known:
            continue
        tried = _cost(sample, name, cost)
        if tried < cost:
            best, cost = name, tried
    return best


def _cost(sample: Sample, name: str, limit: int) -> int:
    """Bytes of corrections of a model on the sample, or of its head once they reach ``limit``."""
    following = Following()
    following.begin(make(name))
    data = memoryview(sample.data)
    for at in range(0, len(data), STEP):
        for _ in following.pieces(data[at : at + STEP]):
            pass
        if following.cost >= limit:
            break
    return following.cost
