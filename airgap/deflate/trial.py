"""Which model predicts a stream best: tried on its head."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from airgap.deflate.following import Following
from airgap.deflate.format import LOOKAHEAD
from airgap.deflate.models import make

STEP = 4096
"""Bytes of a stream after which a trial looks at what it costs."""

_HEAD = 1 << 18  # bytes of gzip that a trial has at most,
_PLAIN = 1 << 20  # and plain bytes that it goes over at most, but for those of a last step
_GLIMPSE = LOOKAHEAD + (1 << 16)  # plain bytes for a first glimpse; what lies ahead is not compared
_FINALISTS = 4  # models that are tried on more, if not even one was right at the glimpse


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

    All are tried on a little of it, and only the best on the rest, so that a stream that none of
    them predicts does not cost the time of all.

    Args:
        sample: the head of a stream.
        names: the models to try, the likeliest first.
        known: the name of one of them that was tried,
        cost: and what its corrections weigh, in bytes.
    """
    trial = _Trial(sample)
    best = known
    glimpses = []
    for name in names:
        if cost == 0:
            return best
        if name == known:
            continue
        weight = trial.weigh(name, cost, _GLIMPSE)
        if weight == 0:
            weight = trial.weigh(name, cost, _PLAIN)
            if weight < cost:
                best, cost = name, weight
        else:
            glimpses.append((weight, name))
    for weight, name in sorted(glimpses, key=lambda glimpse: glimpse[0])[:_FINALISTS]:
        if weight < cost:
            full = trial.weigh(name, cost, _PLAIN)
            if full < cost:
                best, cost = name, full
    return best


class _Trial:
    """Weighs the corrections of one model after another."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._following = Following()
        self._start = self._following.mark()

    def weigh(self, name: str, limit: int, plain_size: int) -> int:
        """Bytes of corrections over so many plain bytes of the sample, or over all it has.

        It ends as soon as they reach ``limit``.
        """
        following = self._following
        following.go_back(self._start)
        following.begin(make(name))
        data = memoryview(self._sample.data)
        for at in range(0, len(data), STEP):
            for _ in following.pieces(data[at : at + STEP]):
                pass
            if following.cost >= limit or following.plain_size >= plain_size:
                break
        return following.cost
