"""A deflate stream inflated, with a model that follows it and corrections where it errs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airgap.deflate.comparing import Comparison
from airgap.deflate.corrections import Corrections
from airgap.deflate.faults import CannotOpen
from airgap.deflate.format import HEAD_WORDS, QUEUE
from airgap.deflate.inflating import Inflater
from airgap.deflate.model import Model
from airgap.deflate.running import compare, inflate
from airgap.deflate.signals import CROWDED, ENDED, FAULT, FULL, HUNGRY, WORDS
from airgap.deflate.tokens import TokenQueue


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the corrections to which one can go back."""

    sizes: tuple[int, ...]
    tokens_right: int
    blocks_right: int


class Following:
    """Follows one stream after another, each with a model, and keeps corrections over all.

    Attributes:
        corrections: where the models erred.
        cost: bytes of corrections so far, before they are packed.
        ended: whether the stream has ended.
        used: bytes of those last given to :meth:`pieces` that are of the stream.
    """

    def __init__(self) -> None:
        self.corrections = Corrections()
        self.cost = 0
        self.ended = False
        self.used = 0
        self._tokens = TokenQueue()
        self._inflater = Inflater(self._tokens)
        self._comparison: Comparison | None = None

    @property
    def plain_size(self) -> int:
        """Plain bytes of the stream so far."""
        return self._inflater.produced

    @property
    def padding(self) -> int:
        """After the end of a stream: the bits that end its last byte."""
        return self._inflater.padding

    def begin(self, model: Model) -> None:
        """Stand at the start of a stream, which ``model`` is to predict."""
        self._inflater.restart()
        if self._comparison is not None and self._comparison.model is model:
            self._comparison.restart()
        else:
            self._comparison = Comparison(self._tokens, model, self.corrections)
        self.ended = False
        self.used = 0

    def mark(self) -> Mark:
        """Give the place where the corrections are, between two streams."""
        self.cost = self.corrections.drain()
        return Mark(
            tuple(map(len, self.corrections.columns)),
            self.corrections.tokens_right,
            self.corrections.blocks_right,
        )

    def go_back(self, mark: Mark) -> None:
        """Forget the corrections since ``mark`` was given."""
        self.corrections.drain()
        for column, size in zip(self.corrections.columns, mark.sizes, strict=True):
            del column[size:]
        self.corrections.tokens_right = mark.tokens_right
        self.corrections.blocks_right = mark.blocks_right
        self.cost = sum(mark.sizes)

    def pieces(self, data: memoryview) -> Iterator[bytes]:
        """Go on with more bytes of the stream, and give the plain bytes that they make known.

        Raises:
            CannotOpen: the stream is damaged.
        """
        at = 0
        while not self.ended:
            at += self._inflater.give(data[at:])
            signal = inflate(self._inflater)
            if signal >= FAULT:
                raise CannotOpen(f"its deflate stream is damaged: {WORDS[signal]}")
            yield from self._move()
            if signal == ENDED:
                self._end()
            elif signal == HUNGRY and at == len(data):
                break
            elif signal == CROWDED and self._crowded():
                raise CannotOpen("it has too many blocks in too few bytes")
        # What a stream lacks to go on never ends before the bytes given now.
        self.used = at - self._inflater.unused() if self.ended else at
        self.cost = self.corrections.drain()

    def _move(self) -> Iterator[bytes]:
        """Move plain bytes from the inflater to the model and to the caller, and compare."""
        comparison = self._comparison
        assert comparison is not None  # noqa: S101 - begin() comes first
        while plain := self._inflater.take(comparison.model.room()):
            comparison.model.feed(plain)
            self._compare(comparison)
            yield plain
        self._compare(comparison)

    def _compare(self, comparison: Comparison) -> None:
        try:
            while compare(comparison) == FULL:
                self.cost = self.corrections.drain()
        except IndexError as error:
            # Every index is checked; no stream is known that gets so far.
            raise CannotOpen("it leads its model astray") from error

    def _end(self) -> None:
        comparison = self._comparison
        assert comparison is not None  # noqa: S101 - begin() comes first
        comparison.model.close()
        self._compare(comparison)
        self.ended = True

    def _crowded(self) -> bool:
        return QUEUE - (self._tokens.last - self._tokens.first) < HEAD_WORDS
