"""A stream's tokens beside those that a model predicts: what differs becomes a correction.

Compiled by ``comparing.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.corrections import Corrections
from airgap.deflate.format import (
    CONTINUED,
    ENDS,
    LOOKAHEAD,
    MAX_ALIAS,
    MAX_BLOCK_TOKENS,
    MAX_EMPTY_BLOCKS,
    MAX_MATCH,
    MIN_MATCH,
    STORED,
)
from airgap.deflate.header import Header
from airgap.deflate.model import Model
from airgap.deflate.signals import FULL, HUNGRY
from airgap.deflate.tokens import TokenQueue


class Comparison:
    """Asks a model about one stream after another, in the order in which a rebuilder will.

    Blocks are the model's: where a stream's block goes on and the model's ends, or has as many
    tokens as a block may have here, what follows is a block that is CONTINUED.

    Attributes:
        tokens: what is in the stream.
        model: is asked.
        corrections: what is kept.

    A part of a block that was cut has ``part`` above 0. ``full`` is 1 where the part or block last
    seen has as many tokens as may be: both sides expect a continuation. ``counted`` is 1 once
    the model would have ended the block elsewhere.
    """

    def __init__(self, tokens: TokenQueue, model: Model, corrections: Corrections) -> None:
        self.tokens = tokens
        self.model = model
        self.corrections = corrections
        self.header = Header()
        self.predicted = Header()
        self.restart()

    def restart(self) -> None:
        """Stand at the start of a new stream. The model is restarted too."""
        self.inside = 0
        self.count = 0
        self.counted = 0
        self.part = 0
        self.full = 0
        self.stored_left = 0
        self.empty_blocks = 0
        self.model.restart()

    def run(self) -> int:
        """Go on as far as the model has bytes ahead of it and the stream has tokens.

        Returns:
            HUNGRY, or FULL where the corrections must be drained.
        """
        while True:
            if not self.model.closed and self.model.end - self.model.pos < LOOKAHEAD:
                return HUNGRY
            if self.corrections.crowded:
                return FULL
            if self.stored_left:
                self._step_stored()
            elif self.tokens.first == self.tokens.last:
                return HUNGRY
            elif self.inside == 0:
                self._begin()
            elif self.header.kind == STORED:
                self._step_stored()
            else:
                self._step()

    def _begin(self) -> int:
        """Take the head of the next block."""
        self.tokens.get()
        self.tokens.get_head(self.header)
        if self.header.kind == STORED:
            self.stored_left = self.tokens.get()
        self.inside = 1
        self.part = 0
        return self._begin_part()

    def _begin_part(self) -> int:
        self.count = 0
        self.counted = 0
        return self.model.begin_block()

    def _ends(self) -> int:
        """Tell whether the model ends the block, asking it in any case."""
        ends = self.model.ends_block()
        return ends or (self.model.closed and self.model.pos >= self.model.end)

    def _step(self) -> int:
        """Go over one token of a coded block, or over its end."""
        word = self.tokens.get()
        ends = self._ends()
        if word == ENDS:
            if not ends and self.count < MAX_BLOCK_TOKENS:
                self.counted = 1
            self.inside = 0
            return self._finish_part()
        if self.count == MAX_BLOCK_TOKENS or (
            ends and self.model.continues and self.count and not self.counted
        ):
            self._finish_part()
            self.part += 1
            self._begin_part()
            ends = self._ends()
        if ends:
            self.counted = 1
        predicted = self.model.predict()
        if word == predicted:
            self.corrections.tokens_right += 1
        else:
            self.corrections.token(word, predicted)
            if word >> 16 == MAX_ALIAS:
                word = MAX_MATCH << 16 | (word & 0xFFFF)
        self.count += 1
        return self.model.accept(word)

    def _step_stored(self) -> int:
        """Go over one of the tokens that the model would write in place of a stored block."""
        ends = self._ends()
        if self.stored_left == 0:
            self.tokens.get()
            if not ends:
                self.counted = 1
            self.inside = 0
            return self._finish_part()
        if ends:
            self.counted = 1
        predicted = self.model.predict()
        distance = predicted & 0xFFFF
        word = predicted
        if distance > self.model.offset + self.model.pos:
            word = 0
        elif predicted >> 16 > self.stored_left:
            word = self.stored_left << 16 | distance if self.stored_left >= MIN_MATCH else 0
        if word == predicted:
            self.corrections.tokens_right += 1
        else:
            self.corrections.token(word, predicted)
        self.stored_left -= (word >> 16) or 1
        self.count += 1
        return self.model.accept(word)

    def _finish_part(self) -> int:
        """Compare the head of a block, or of a part of one, that has ended."""
        self.model.choose(self.predicted)
        if self.full:
            self.predicted.kind = CONTINUED
        self.full = self.count == MAX_BLOCK_TOKENS
        if self.count:
            self.empty_blocks = 0
        else:
            self.empty_blocks += 1
            if self.empty_blocks > MAX_EMPTY_BLOCKS:
                self.counted = 1
        if self.part:
            self.header.kind = CONTINUED
        return self.corrections.block(self.counted, self.count, self.header, self.predicted)
