"""Heads of blocks, from bits and to bits (RFC 1951, sections 3.2.3 to 3.2.7).

Compiled by ``heads.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.bits import BitReader, BitWriter
from airgap.deflate.codes import Decoder, Encoder
from airgap.deflate.format import (
    CODE_LENGTH_CODES,
    DYNAMIC,
    END_OF_BLOCK,
    MANY_ZEROS,
    MAX_DISTANCES,
    MAX_LITERALS,
    MAX_RUNS,
    REPEAT,
    STORED,
)
from airgap.deflate.header import Header
from airgap.deflate.signals import (
    BAD_CODE_LENGTHS,
    BAD_KIND,
    BAD_PADDING,
    BAD_RUN,
    HUNGRY,
    NO_CODE,
    NO_END_CODE,
    SOUND,
    TOO_MANY_CODES,
)

# The order of transmission of the lengths of the codes of code lengths.
_ORDER = bytes((16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15))


class Heads:
    """Reads and writes heads of blocks, and says what code lengths they describe.

    Attributes:
        lengths: after :meth:`expand`, the code lengths of the literals, then of the distances.
    """

    def __init__(self) -> None:
        self.lengths = bytearray(MAX_RUNS)
        self.order = bytearray(_ORDER)
        meanings = [symbol << 8 for symbol in range(CODE_LENGTH_CODES)]
        self.decoder = Decoder(7, meanings, 0)
        self.encoder = Encoder(CODE_LENGTH_CODES)

    def read(self, bits: BitReader, header: Header, spare: int) -> int:
        """Read a head.

        Args:
            bits: from where; when the bits do not suffice it stands anywhere afterwards.
            header: filled in.
            spare: how many padding bits a stored block has; -1: as many as end the byte.

        Returns:
            SOUND, HUNGRY, or a fault.
        """
        header.clear()
        value = bits.take(3)
        if value < 0:
            return HUNGRY
        header.final = value & 1
        header.kind = value >> 1
        if header.kind == STORED:
            header.padding = bits.take(bits.count & 7 if spare < 0 else spare)
            return HUNGRY if header.padding < 0 else SOUND
        if header.kind > DYNAMIC:
            return BAD_KIND
        if header.kind == DYNAMIC:
            return self._read_codes(bits, header)
        return SOUND

    def _read_codes(self, bits: BitReader, header: Header) -> int:
        """Read what a dynamic block says of its codes (RFC 1951, section 3.2.7)."""
        value = bits.take(14)
        if value < 0:
            return HUNGRY
        header.literals = (value & 31) + 257
        header.distances = (value >> 5 & 31) + 1
        header.codes = (value >> 10) + 4
        if header.literals > MAX_LITERALS or header.distances > MAX_DISTANCES:
            return TOO_MANY_CODES
        for place in range(CODE_LENGTH_CODES):
            value = bits.take(3) if place < header.codes else 0
            if value < 0:
                return HUNGRY
            header.code_lengths[self.order[place]] = value
        if not self.decoder.build(header.code_lengths, 0, CODE_LENGTH_CODES):
            return BAD_CODE_LENGTHS
        total = header.literals + header.distances
        described = 0
        while described < total:
            signal = self._read_run(bits, header)
            if signal != SOUND:
                return signal
            described += self.span(header, header.runs - 1)
        return self.expand(header)

    def _read_run(self, bits: BitReader, header: Header) -> int:
        """Read one more run symbol and its extra bits."""
        bits.load(14)
        entry = self.decoder.find(bits.bits)
        if entry & 15 > bits.count:
            return HUNGRY
        bits.take(entry & 15)
        symbol = entry >> 8
        extra = bits.take(self.extra_bits(symbol))
        if extra < 0:
            return HUNGRY
        header.run_symbols[header.runs] = symbol
        header.run_extras[header.runs] = extra
        header.runs += 1
        return SOUND

    def extra_bits(self, symbol: int) -> int:
        """How many extra bits a run symbol has."""
        if symbol < REPEAT:
            return 0
        return 7 if symbol == MANY_ZEROS else symbol - 14

    def span(self, header: Header, place: int) -> int:
        """How many code lengths the run symbol at ``place`` stands for."""
        symbol = header.run_symbols[place]
        if symbol < REPEAT:
            return 1
        return header.run_extras[place] + (11 if symbol == MANY_ZEROS else 3)

    def expand(self, header: Header) -> int:
        """Give ``lengths`` what the runs of a dynamic block describe.

        Returns:
            SOUND, or a fault where they do not describe what the head says.
        """
        total = header.literals + header.distances
        if header.literals > MAX_LITERALS or header.distances > MAX_DISTANCES:
            return TOO_MANY_CODES
        described = 0
        for place in range(header.runs):
            symbol = header.run_symbols[place]
            size = symbol
            if symbol == REPEAT:
                if described == 0:
                    return BAD_RUN
                size = self.lengths[described - 1]
            elif symbol > REPEAT:
                size = 0
            span = self.span(header, place)
            if described + span > total:
                return BAD_RUN
            for _ in range(span):
                self.lengths[described] = size
                described += 1
        if described != total:
            return BAD_RUN
        if self.lengths[END_OF_BLOCK] == 0:
            return NO_END_CODE
        return SOUND

    def write(self, bits: BitWriter, header: Header, spare: int) -> int:
        """Write a head, with ``spare`` bits of padding if it is a stored block's.

        Returns:
            SOUND, or a fault where there are no bits for what the head says.
        """
        bits.put(header.final | header.kind << 1, 3)
        if header.kind == STORED:
            if header.padding >> spare:
                return BAD_PADDING
            bits.put(header.padding, spare)
        if header.kind != DYNAMIC:
            return SOUND
        if not self.encoder.build(header.code_lengths, 0, CODE_LENGTH_CODES):
            return BAD_CODE_LENGTHS
        bits.put(header.literals - 257, 5)
        bits.put(header.distances - 1, 5)
        bits.put(header.codes - 4, 4)
        for place in range(header.codes):
            bits.put(header.code_lengths[self.order[place]], 3)
        for place in range(header.runs):
            symbol = header.run_symbols[place]
            size = self.encoder.sizes[symbol]
            if size == 0:
                return NO_CODE
            bits.put(self.encoder.codes[symbol], size)
            bits.put(header.run_extras[place], self.extra_bits(symbol))
        return SOUND
