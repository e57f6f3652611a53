"""Blocks back into bits (RFC 1951): a head and tokens, or a head and stored bytes.

Compiled by ``writing.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from airgap.deflate.bits import BitWriter
from airgap.deflate.codes import Encoder
from airgap.deflate.format import (
    CONTINUED,
    DYNAMIC,
    END_OF_BLOCK,
    MAX_ALIAS,
    MAX_BLOCK_TOKENS,
    MAX_STORED,
    MIN_MATCH,
    OUTPUT,
    STORED,
)
from airgap.deflate.header import Header
from airgap.deflate.heads import Heads
from airgap.deflate.meanings import (
    DISTANCE_RANGES,
    FIXED_DISTANCES,
    FIXED_LITERALS,
    LENGTH_RANGES,
    NEAR,
    distance_symbols,
    length_symbols,
)
from airgap.deflate.signals import (
    BAD_DISTANCE_CODE,
    BAD_LITERAL_CODE,
    NO_CODE,
    NOTHING_TO_CONTINUE,
    SOUND,
    STORED_TOO_LONG,
)

_FIRST_LENGTH = 257
_BYTE = 8


class BlockWriter:
    """Writes the blocks of one deflate stream after another.

    A token is written with its byte where it is a literal: 0 to 255, or
    ``length << 16 | distance``. Tokens are added by :meth:`add`, a head and all of them written by
    :meth:`write`.

    Attributes:
        bits: where the bits go; there must be room for BLOCK_OUTPUT before :meth:`write`.
        count: how many tokens were added for the block.
        last: 1 once a block was written that is the last of its stream.
    """

    def __init__(self) -> None:
        self.bits = BitWriter(OUTPUT)
        self.heads = Heads()
        self.tokens = array("i", [0]) * MAX_BLOCK_TOKENS
        self.count = 0
        self.open = 0
        self.last = 0
        self.literals = Encoder(len(FIXED_LITERALS))
        self.distances = Encoder(len(FIXED_DISTANCES))
        self.fixed_literals = bytearray(FIXED_LITERALS)
        self.fixed_distances = bytearray(FIXED_DISTANCES)
        self.length_symbols = bytearray(length_symbols())
        self.length_bases = array("i", [base for base, _ in LENGTH_RANGES])
        self.length_extras = bytearray(extra for _, extra in LENGTH_RANGES)
        self.length_codes = array("i", [0]) * (MAX_ALIAS + 1)
        self.length_sizes = bytearray(MAX_ALIAS + 1)
        self.distance_symbols = bytearray(distance_symbols())
        self.distance_bases = array("i", [base for base, _ in DISTANCE_RANGES])
        self.distance_extras = bytearray(extra for _, extra in DISTANCE_RANGES)

    def block(self, header: Header, tokens: Sequence[int], data: bytes) -> int:
        """Write a whole block: its head and its tokens, or its bytes if it is a stored one.

        Returns:
            SOUND, or a fault.
        """
        for token in tokens:
            self.add(token)
        return self.write(header, bytearray(data), 0, len(data))

    def end(self, padding: int = 0) -> bytes:
        """End the stream, and its last byte by the bits of ``padding``; give what was written."""
        self.finish(padding)
        self.restart()
        return self.bits.take()

    def restart(self) -> int:
        """Begin a new stream, at a whole byte."""
        self.count = 0
        self.open = 0
        self.last = 0
        return 0

    def add(self, token: int) -> int:
        """Add a token to the block."""
        self.tokens[self.count] = token
        self.count += 1
        return 0

    def write(self, header: Header, data: bytearray, start: int, end: int) -> int:
        """Write a head and the tokens added, and forget these.

        Args:
            header: CONTINUED goes on with the codes of the block before.
            data: holds the plain bytes of a stored block,
            start: from here
            end: to here.

        Returns:
            SOUND, or a fault.
        """
        count = self.count
        self.count = 0
        if header.kind == CONTINUED:
            return self._write_tokens(count) if self.open else NOTHING_TO_CONTINUE
        self.finish_block()
        self.last = header.final
        if header.kind == STORED:
            if end - start > MAX_STORED:
                return STORED_TOO_LONG
            return self._write_stored(header, data, start, end)
        signal = self._build(header)
        if signal == SOUND:
            signal = self.heads.write(self.bits, header, 0)
        if signal == SOUND:
            self.open = 1
            signal = self._write_tokens(count)
        return signal

    def finish_block(self) -> int:
        """Write the end of the block that is open, if one is."""
        if self.open:
            self.open = 0
            size = self.literals.sizes[END_OF_BLOCK]
            self.bits.put(self.literals.codes[END_OF_BLOCK], size)
        return 0

    def finish(self, padding: int) -> int:
        """End the stream, and its last byte by the bits of ``padding``."""
        self.finish_block()
        if self.bits.count:
            spare = 8 - self.bits.count
            self.bits.put(padding & ((1 << spare) - 1), spare)
        return 0

    def _write_stored(self, header: Header, data: bytearray, start: int, end: int) -> int:
        size = end - start
        signal = self.heads.write(self.bits, header, (5 - self.bits.count) & 7)
        if signal != SOUND:
            return signal
        self.bits.put(size, 16)
        self.bits.put(size ^ 0xFFFF, 16)
        at = self.bits.at
        for place in range(size):
            self.bits.data[at + place] = data[start + place]
        self.bits.at = at + size
        return SOUND

    def _build(self, header: Header) -> int:
        """Have the codes of a coded block."""
        if header.kind == DYNAMIC:
            signal = self.heads.expand(header)
            if signal != SOUND:
                return signal
            literals = header.literals
            if not self.literals.build(self.heads.lengths, 0, literals):
                return BAD_LITERAL_CODE
            if not self.distances.build(self.heads.lengths, literals, header.distances):
                return BAD_DISTANCE_CODE
        else:
            self.literals.build(self.fixed_literals, 0, len(self.fixed_literals))
            self.distances.build(self.fixed_distances, 0, len(self.fixed_distances))
        for length in range(MIN_MATCH, MAX_ALIAS + 1):
            symbol = self.length_symbols[length]
            size = self.literals.sizes[symbol + _FIRST_LENGTH]
            self.length_sizes[length] = 0
            if size:
                extra = length - self.length_bases[symbol]
                if length == MAX_ALIAS:
                    extra = 31
                self.length_codes[length] = (
                    self.literals.codes[symbol + _FIRST_LENGTH] | extra << size
                )
                self.length_sizes[length] = size + self.length_extras[symbol]
        return SOUND

    def _write_tokens(self, tokens: int) -> int:
        """Write the first tokens added with the codes there are."""
        words, data, at = self.tokens, self.bits.data, self.bits.at
        bits, count = self.bits.bits, self.bits.count
        literal_codes, literal_sizes = self.literals.codes, self.literals.sizes
        length_codes, length_sizes = self.length_codes, self.length_sizes
        distance_codes, distance_sizes = self.distances.codes, self.distances.sizes
        for place in range(tokens):
            word = words[place]
            if word < END_OF_BLOCK:
                size = literal_sizes[word]
                value = literal_codes[word]
                if size == 0:
                    return NO_CODE
                bits |= value << count
                count += size
            else:
                length = word >> 16
                distance = (word & 0xFFFF) - 1
                size = length_sizes[length]
                value = length_codes[length]
                bits |= value << count
                count += size
                symbol = self.distance_symbols[
                    distance if distance < NEAR else NEAR + (distance >> 7)
                ]
                step = distance_sizes[symbol]
                if size == 0 or step == 0:
                    return NO_CODE
                value = distance_codes[symbol]
                bits |= value << count
                count += step
                value = distance + 1 - self.distance_bases[symbol]
                bits |= value << count
                count += self.distance_extras[symbol]
            while count >= _BYTE:
                data[at] = bits & 0xFF
                at += 1
                bits >>= 8
                count -= _BYTE
        self.bits.at, self.bits.bits, self.bits.count = at, bits, count
        return SOUND
