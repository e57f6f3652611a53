"""Deflate streams into tokens, heads of blocks and plain bytes (RFC 1951).

Nothing that the bits say is lost on the way but how many there were: the tokens and the heads
write the same bits again. What is a stream is judged as zlib does it.

Compiled by ``inflating.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.bits import BitReader
from airgap.deflate.codes import Decoder
from airgap.deflate.format import (
    ENDS,
    FIXED,
    HEAD_WORDS,
    MAX_ALIAS,
    MAX_MATCH,
    STORED,
    WINDOW,
)
from airgap.deflate.header import Header
from airgap.deflate.heads import Heads
from airgap.deflate.meanings import (
    DISTANCE_ENTRIES,
    FIXED_DISTANCES,
    FIXED_LITERALS,
    LITERAL_ENTRIES,
)
from airgap.deflate.signals import (
    BAD_DISTANCE_CODE,
    BAD_LITERAL_CODE,
    BAD_STORED_SIZE,
    BAD_SYMBOL,
    CROWDED,
    ENDED,
    FULL,
    HUNGRY,
    SOUND,
    TOO_FAR_BACK,
)
from airgap.deflate.tokens import TokenQueue

_INPUT = 1 << 16
_OUTPUT = 1 << 18
_LITERAL_ROOT = 10
_DISTANCE_ROOT = 9
_LITERAL_MASK = (1 << _LITERAL_ROOT) - 1
_DISTANCE_MASK = (1 << _DISTANCE_ROOT) - 1
_TOKEN_BITS = 48  # of a literal or length, a distance, and the extra bits of both
_LOADABLE = 56  # bits, to which another byte can be added
# Entries of decoders: see codes.py and meanings.py.
_KIND = 7 << 24
_LINK = 3 << 24
_LITERAL = 0
_LENGTH = 1
_END = 2


class Inflater:
    """Reads one deflate stream after another.

    Attributes:
        tokens: where tokens and heads go.
        bits: what was given and not read yet.
        padding: after the end of a stream, the bits that end its last byte; nearly always 0.
        produced: how many plain bytes the stream has had so far.
    """

    def __init__(self, tokens: TokenQueue) -> None:
        self.tokens = tokens
        self.bits = BitReader(bytearray(_INPUT))
        self.heads = Heads()
        self.header = Header()
        self.literals = Decoder(_LITERAL_ROOT, LITERAL_ENTRIES, 1)
        self.distances = Decoder(_DISTANCE_ROOT, DISTANCE_ENTRIES, 1)
        self.fixed_literals = bytearray(FIXED_LITERALS)
        self.fixed_distances = bytearray(FIXED_DISTANCES)
        self.out = bytearray(_OUTPUT)
        self.restart()

    def restart(self) -> None:
        """Stand at the start of a new stream, with nothing given and nothing to take."""
        self.bits.at = self.bits.end = self.bits.count = 0
        self.bits.bits = 0
        self.tokens.clear()
        self.end = 0
        self.taken = 0
        self.produced = 0
        self.padding = 0
        self.stored_left = 0
        self.inside = 0
        self.ended = 0

    def give(self, piece: memoryview) -> int:
        """Add as many bytes of the stream as there is room for, and tell how many those are."""
        bits = self.bits
        if bits.at:
            left = bits.end - bits.at
            buffer = memoryview(bits.data)
            buffer[:left] = bytes(buffer[bits.at : bits.end])
            bits.at = 0
            bits.end = left
        size = min(len(piece), _INPUT - bits.end)
        memoryview(bits.data)[bits.end : bits.end + size] = piece[:size]
        bits.end += size
        return size

    def unused(self) -> int:
        """How many of the bytes given were not read."""
        return self.bits.end - self.bits.at

    def take(self, limit: int) -> bytes:
        """Take plain bytes that were not taken yet, at most ``limit`` of them."""
        size = min(self.end - self.taken, limit)
        out = memoryview(self.out)
        plain = bytes(out[self.taken : self.taken + size])
        self.taken += size
        if self.taken == self.end > _OUTPUT // 2:
            out[:WINDOW] = bytes(out[self.end - WINDOW : self.end])
            self.taken = self.end = WINDOW
        return plain

    def run(self) -> int:
        """Read on.

        Returns:
            HUNGRY, FULL (:meth:`take`), CROWDED (the queue), ENDED, or a fault.
        """
        signal = SOUND
        while signal == SOUND:
            if self.inside == 0:
                signal = self._begin()
            elif self.header.kind == STORED:
                signal = self._copy()
            else:
                signal = self._decode()
        self.bits.unload()
        return signal

    def _begin(self) -> int:
        """Read the head of the next block, or the end of the stream's last byte."""
        self.bits.unload()
        if self.ended:
            self.padding = self.bits.bits
            self.bits.count = 0
            self.bits.bits = 0
            return ENDED
        if self.tokens.room() < HEAD_WORDS:
            return CROWDED
        at, count, kept = self.bits.at, self.bits.count, self.bits.bits
        signal = self.heads.read(self.bits, self.header, -1)
        if signal == SOUND and self.header.kind == STORED:
            signal = self._read_size()
        if signal == HUNGRY:
            self.bits.at, self.bits.count, self.bits.bits = at, count, kept
            return signal
        if signal == SOUND and self.header.kind != STORED:
            signal = self._build()
        if signal == SOUND:
            self.tokens.put_head(self.header)
            if self.header.kind == STORED:
                self.tokens.put(self.stored_left)
            self.inside = 1
        return signal

    def _read_size(self) -> int:
        """Read the size of a stored block (RFC 1951, section 3.2.4)."""
        size = self.bits.take(16)
        complement = self.bits.take(16)
        if complement < 0:
            return HUNGRY
        if size != complement ^ 0xFFFF:
            return BAD_STORED_SIZE
        self.stored_left = size
        return SOUND

    def _build(self) -> int:
        """Have the decoders of a coded block."""
        if self.header.kind == FIXED:
            self.literals.build(self.fixed_literals, 0, len(self.fixed_literals))
            self.distances.build(self.fixed_distances, 0, len(self.fixed_distances))
            return SOUND
        literals = self.header.literals
        if not self.literals.build(self.heads.lengths, 0, literals):
            return BAD_LITERAL_CODE
        if not self.distances.build(self.heads.lengths, literals, self.header.distances):
            return BAD_DISTANCE_CODE
        return SOUND

    def _copy(self) -> int:
        """Pass on the bytes of a stored block."""
        if self.tokens.room() < 1:
            return CROWDED
        self.bits.unload()
        size = min(self.stored_left, self.bits.end - self.bits.at, _OUTPUT - self.end)
        for place in range(size):
            self.out[self.end + place] = self.bits.data[self.bits.at + place]
        self.end += size
        self.bits.at += size
        self.produced += size
        self.stored_left -= size
        if self.stored_left:
            return HUNGRY if self.bits.at == self.bits.end else FULL
        self.tokens.put(ENDS)
        self.inside = 0
        self.ended = self.header.final
        return SOUND

    def _decode(self) -> int:  # noqa: C901, PLR0912, PLR0915 - the loop that all speed hangs on
        """Read tokens of a coded block, as many as there is room for."""
        data = self.bits.data
        bits, count, at, last = self.bits.bits, self.bits.count, self.bits.at, self.bits.end
        words, mask, put = self.tokens.words, self.tokens.mask, self.tokens.last
        limit = put + self.tokens.room()
        literals, distances = self.literals.table, self.distances.table
        out, end = self.out, self.end
        before = self.produced - end
        signal = SOUND
        while True:
            if put >= limit:
                signal = CROWDED
                break
            if end > _OUTPUT - MAX_MATCH:
                signal = FULL
                break
            if count < _TOKEN_BITS:
                while count <= _LOADABLE and at < last:
                    byte = data[at]
                    bits |= byte << count
                    at += 1
                    count += 8
            entry = literals[bits & _LITERAL_MASK]
            if entry & _KIND == _LINK:
                index = (bits >> _LITERAL_ROOT) & ((1 << (entry & 15)) - 1)
                entry = literals[((entry >> 8) & 0xFFFF) + index]
            used = entry & 15
            if used > count:
                signal = HUNGRY
                break
            kind = entry >> 24
            if kind == _LITERAL:
                out[end] = entry >> 8
                end += 1
                word = 0
            elif kind == _LENGTH:
                extra = (entry >> 4) & 15
                index = (bits >> used) & ((1 << extra) - 1)
                length = ((entry >> 8) & 0xFFFF) + index
                used += extra
                entry = distances[(bits >> used) & _DISTANCE_MASK]
                if entry & _KIND == _LINK:
                    index = (bits >> (used + _DISTANCE_ROOT)) & ((1 << (entry & 15)) - 1)
                    entry = distances[((entry >> 8) & 0xFFFF) + index]
                used += entry & 15
                if used > count:
                    signal = HUNGRY
                    break
                if entry >> 24 != _LENGTH:
                    signal = BAD_SYMBOL
                    break
                step = (entry >> 4) & 15
                index = (bits >> used) & ((1 << step) - 1)
                distance = ((entry >> 8) & 0xFFFF) + index
                used += step
                if used > count:
                    signal = HUNGRY
                    break
                if distance > before + end:
                    signal = TOO_FAR_BACK
                    break
                word = length << 16 | distance
                if length == MAX_MATCH and extra:
                    word = MAX_ALIAS << 16 | distance
                source = end - distance
                for place in range(length):
                    out[end + place] = out[source + place]
                end += length
            elif kind == _END:
                bits >>= used
                count -= used
                words[put & mask] = ENDS
                put += 1
                self.inside = 0
                self.ended = self.header.final
                break
            else:
                signal = BAD_SYMBOL
                break
            bits >>= used
            count -= used
            words[put & mask] = word
            put += 1
        self.bits.bits, self.bits.count, self.bits.at = bits, count, at
        self.tokens.last = put
        self.produced = before + end
        self.end = end
        return signal
