"""A stream written again from its plain bytes, a model, and corrections.

Compiled by ``repeating.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.corrections import CorrectionReader
from airgap.deflate.format import (
    BLOCK_OUTPUT,
    CONTINUED,
    CONTINUES,
    COUNTED,
    FLIPPED,
    HEADED,
    LOOKAHEAD,
    MAX_ALIAS,
    MAX_BLOCK_TOKENS,
    MAX_EMPTY_BLOCKS,
    MAX_MATCH,
    OUTPUT,
)
from airgap.deflate.header import Header
from airgap.deflate.model import Model
from airgap.deflate.signals import (
    BAD_CORRECTIONS,
    ENDED,
    ENDS_EARLY,
    FULL,
    HUNGRY,
    SOUND,
    TOKEN_TOO_LONG,
    TOO_FAR_BACK,
    TOO_MANY_EMPTY_BLOCKS,
)
from airgap.deflate.writing import BlockWriter


class Repetition:
    """Asks a model about one stream after another, as :class:`Comparison` did, and writes it.

    Attributes:
        model: is asked.
        corrections: what it is told in place of what it says.
        writer: where the bits go.
    """

    def __init__(self, model: Model, corrections: CorrectionReader, writer: BlockWriter) -> None:
        self.model = model
        self.corrections = corrections
        self.writer = writer
        self.predicted = Header()
        self.restart()

    def restart(self) -> None:
        """Stand at the start of a new stream. Model and writer are restarted too."""
        self.inside = 0
        self.count = 0
        self.marks = 0
        self.full = 0
        self.bytes = 0
        self.empty_blocks = 0
        self.model.restart()
        self.writer.restart()

    def run(self) -> int:
        """Go on as far as the model has bytes ahead of it.

        Returns:
            HUNGRY, FULL where the writer's bytes must be taken, ENDED, or a fault.
        """
        signal = SOUND
        while signal == SOUND:
            if not self.model.closed and self.model.end - self.model.pos < LOOKAHEAD:
                return HUNGRY
            signal = self._step() if self.inside else self._begin()
        return signal

    def _begin(self) -> int:
        """Begin the next block, or end the stream."""
        if self.writer.last and self.model.closed and self.model.pos >= self.model.end:
            return ENDED
        if self.writer.bits.at > OUTPUT - BLOCK_OUTPUT:
            return FULL
        self.inside = 1
        self.count = 0
        self.bytes = 0
        self.marks = 0
        if self.corrections.blocks_right == 0:
            self.corrections.block()
            self.marks = self.corrections.marks
        else:
            self.corrections.blocks_right -= 1
        self.model.begin_block()
        return SOUND

    def _step(self) -> int:
        """Write one token, or end the block."""
        ends = self.model.ends_block()
        at_end = self.model.closed and self.model.pos >= self.model.end
        if self.marks & COUNTED:
            if self.count == self.corrections.count:
                return self._finish_block()
            if at_end:
                return BAD_CORRECTIONS
        elif ends or at_end or self.count == MAX_BLOCK_TOKENS:
            return self._finish_block()
        token = self.model.predict()
        if self.corrections.tokens_right == 0:
            token = self.corrections.token(token)
        else:
            self.corrections.tokens_right -= 1
        length = token >> 16
        distance = token & 0xFFFF
        written = token
        if length == 0:
            written = self.model.data[self.model.pos]
            length = 1
        elif distance > self.model.offset + self.model.pos:
            return TOO_FAR_BACK
        elif length == MAX_ALIAS:
            length = MAX_MATCH
            token = MAX_MATCH << 16 | distance
        if length > self.model.end - self.model.pos:
            return TOKEN_TOO_LONG
        self.writer.add(written)
        self.count += 1
        self.bytes += length
        self.model.accept(token)
        return SOUND

    def _finish_block(self) -> int:
        """Write the block that has ended."""
        self.inside = 0
        self.model.choose(self.predicted)
        if self.full:
            self.predicted.kind = CONTINUED
        self.full = self.count == MAX_BLOCK_TOKENS
        if self.count:
            self.empty_blocks = 0
        else:
            self.empty_blocks += 1
            if self.empty_blocks > MAX_EMPTY_BLOCKS and not self.marks & COUNTED:
                return TOO_MANY_EMPTY_BLOCKS
        if self.marks & CONTINUES:
            self.predicted.kind = CONTINUED
        if self.marks & FLIPPED:
            self.predicted.final ^= 1
        if self.corrections.broken:
            return BAD_CORRECTIONS
        if self.marks & HEADED:
            return self._write(self.corrections.header)
        return self._write(self.predicted)

    def _write(self, header: Header) -> int:
        if self.writer.last and header.kind != CONTINUED:
            return ENDS_EARLY
        pos = self.model.pos
        return self.writer.write(header, self.model.data, pos - self.bytes, pos)
