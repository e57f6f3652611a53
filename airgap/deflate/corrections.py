"""Where a model erred and what is true instead: kept when a stream is opened, read to rebuild it.

Corrections are numbers in seven columns, each a little-endian base-128 varint; the heads of blocks
are kept as they are written in a stream, each from a whole byte on. A gap counts what was predicted
rightly since the last correction, over all members of the gzip file.

=================  ==============================================================================
token gaps         tokens that were right
token lengths      0 for a literal, otherwise the length less 2
token distances    of each match; 0: the one that was predicted
block gaps         blocks that were right
block marks        what is corrected: a sum of COUNTED, HEADED, CONTINUES, FLIPPED
block counts       tokens of the block, where COUNTED
heads              the head of the block, where HEADED
=================  ==============================================================================

Compiled by ``corrections.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from airgap.deflate.bits import BitReader, BitWriter
from airgap.deflate.format import (
    CONTINUED,
    CONTINUES,
    COUNTED,
    FLIPPED,
    HEADED,
    MAX_ALIAS,
    MAX_BLOCK_TOKENS,
    MIN_MATCH,
    WINDOW,
)
from airgap.deflate.header import Header
from airgap.deflate.heads import Heads
from airgap.deflate.signals import SOUND

COLUMNS = 7

_BUFFER = 1 << 16
_HEAVY = _BUFFER - 1024  # bytes: one more correction fits certainly
_PADDING = 7  # bits that a stored block's padding has at most
_VARINT_BITS = 56
_LOW = 0x7F
_MORE = 0x80


class Column:
    """Numbers to be kept, until they are taken.

    Attributes:
        data: the varints, of which there may be ``size`` bytes before :meth:`take`.
        size: how many there are.
    """

    def __init__(self) -> None:
        self.data = bytearray(_BUFFER)
        self.size = 0

    def put(self, value: int) -> int:
        """Add a number, 0 or more."""
        while value > _LOW:
            self.data[self.size] = value & _LOW | _MORE
            self.size += 1
            value >>= 7
        self.data[self.size] = value
        self.size += 1
        return self.size

    def take(self) -> bytes:
        """Take the bytes out."""
        taken = bytes(memoryview(self.data)[: self.size])
        self.size = 0
        return taken


class Corrections:
    """Keeps corrections, in the order they are found.

    Attributes:
        tokens_right: tokens that were right since the last one that was not.
        blocks_right: blocks that were right since the last one that was not.
        crowded: 1 when :meth:`drain` must be called before any further correction.
        columns: what was drained.
    """

    def __init__(self) -> None:
        self.token_gaps = Column()
        self.token_lengths = Column()
        self.token_distances = Column()
        self.block_gaps = Column()
        self.block_marks = Column()
        self.block_counts = Column()
        self.heads = BitWriter(_BUFFER)
        self.writer = Heads()
        self.tokens_right = 0
        self.blocks_right = 0
        self.crowded = 0
        self.columns = [bytearray() for _ in range(COLUMNS)]

    def token(self, token: int, predicted: int) -> int:
        """Keep that the next token is ``token``, not ``predicted``."""
        length = token >> 16
        distance = token & 0xFFFF
        self.token_gaps.put(self.tokens_right)
        self.tokens_right = 0
        if length:
            self.token_lengths.put(length - MIN_MATCH + 1)
            self.token_distances.put(0 if distance == predicted & 0xFFFF else distance)
        else:
            self.token_lengths.put(0)
        if self.token_gaps.size > _HEAVY or self.token_distances.size > _HEAVY:
            self.crowded = 1
        return 0

    def block(self, counted: int, tokens: int, header: Header, predicted: Header) -> int:
        """Keep what is wrong with a block that has ended, if anything is.

        Args:
            counted: 1 where the model would not have ended it here.
            tokens: how many it has.
            header: its head,
            predicted: and the one that was predicted, which may be changed.
        """
        marks = COUNTED if counted else 0
        if header.kind == CONTINUED:
            if predicted.kind != CONTINUED:
                marks |= CONTINUES
        elif not header.equals(predicted):
            predicted.final ^= 1
            marks |= FLIPPED if header.equals(predicted) else HEADED
        if not marks:
            self.blocks_right += 1
            return 0
        self.block_gaps.put(self.blocks_right)
        self.blocks_right = 0
        self.block_marks.put(marks)
        if marks & COUNTED:
            self.block_counts.put(tokens)
        if marks & HEADED:
            self.writer.write(self.heads, header, _PADDING)
            self.heads.put(0, -self.heads.count & 7)
        if self.block_gaps.size > _HEAVY or self.heads.at > _HEAVY:
            self.crowded = 1
        return 0

    def drain(self) -> int:
        """Move what was kept into ``columns``, and tell how many bytes those have now."""
        taken = (
            self.token_gaps.take(),
            self.token_lengths.take(),
            self.token_distances.take(),
            self.block_gaps.take(),
            self.block_marks.take(),
            self.block_counts.take(),
            self.heads.take(),
        )
        total = 0
        for column, piece in zip(self.columns, taken, strict=True):
            column.extend(piece)
            total += len(column)
        self.crowded = 0
        return total


class ColumnReader:
    """Numbers that were kept.

    Attributes:
        at: the next byte to be read.
    """

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.size = len(data)
        self.at = 0

    def get(self) -> int:
        """Give the next number; -1 where there is none, or it is longer than any that is kept."""
        value = 0
        shift = 0
        while self.at < self.size and shift < _VARINT_BITS:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & _LOW) << shift
            shift += 7
            if byte < _MORE:
                return value
        return -1


class CorrectionReader:
    """Corrections in the order they were kept; hostile until the stream has its digest.

    Attributes:
        tokens_right: tokens that are right before the next correction; negative: there is none.
        blocks_right: blocks that are right before the next correction; negative: there is none.
        marks: what is corrected of the block: see :meth:`block`.
        count: how many tokens it has, where COUNTED.
        header: its head, where HEADED.
        broken: 1 where a number is missing or impossible.
    """

    def __init__(self, columns: Sequence[bytes]) -> None:
        gaps, lengths, distances, block_gaps, marks, counts, heads = columns
        self.token_gaps = ColumnReader(gaps)
        self.token_lengths = ColumnReader(lengths)
        self.token_distances = ColumnReader(distances)
        self.block_gaps = ColumnReader(block_gaps)
        self.block_marks = ColumnReader(marks)
        self.block_counts = ColumnReader(counts)
        self.heads = BitReader(bytearray(heads))
        self.heads.end = len(heads)
        self.reader = Heads()
        self.header = Header()
        self.marks = 0
        self.count = 0
        self.broken = 0
        self.tokens_right = self.token_gaps.get()
        self.blocks_right = self.block_gaps.get()

    def token(self, predicted: int) -> int:
        """Give the token to write in place of ``predicted``, and step on to the next correction."""
        self.tokens_right = self.token_gaps.get()
        length = self.token_lengths.get()
        if length == 0:
            return 0
        distance = self.token_distances.get()
        if distance == 0:
            distance = predicted & 0xFFFF
        if length < 0 or length > MAX_ALIAS - MIN_MATCH + 1 or distance <= 0 or distance > WINDOW:
            self.broken = 1
            return 0
        return (length + MIN_MATCH - 1) << 16 | distance

    def block(self) -> int:
        """Read what is corrected of the next block, and step on to the next correction."""
        self.blocks_right = self.block_gaps.get()
        marks = self.block_marks.get()
        if marks <= 0 or marks >= 2 * FLIPPED:
            marks = 0
            self.broken = 1
        self.marks = marks
        if self.marks & COUNTED:
            count = self.block_counts.get()
            if count < 0 or count > MAX_BLOCK_TOKENS:
                count = 0
                self.broken = 1
            self.count = count
        if self.marks & HEADED:
            if self.reader.read(self.heads, self.header, _PADDING) != SOUND:
                self.broken = 1
            self.heads.take(self.heads.count & 7)
        return 0

    def exhausted(self) -> bool:
        """Tell whether every correction was used, and none broken."""
        columns = (
            self.token_gaps,
            self.token_lengths,
            self.token_distances,
            self.block_gaps,
            self.block_marks,
            self.block_counts,
        )
        self.heads.unload()
        return (
            not self.broken
            and self.tokens_right < 0
            and self.blocks_right < 0
            and all(column.at == column.size for column in columns)
            and self.heads.at == self.heads.end
        )
