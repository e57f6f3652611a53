"""What zlib, GNU gzip and pigz make of a block's tokens: its codes, its kind, its size in bits.

Re-enacts ``trees.c`` (its ``_tr_flush_block``), which has decided alike since zlib 1.2.3 at least
and in every GNU gzip: dynamic codes unless the fixed ones take no more bytes, and a stored block
where that takes no more bytes than either and its plain bytes are still in the window.

Compiled by ``zlib_blocks.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.encoders.zlib_codes import Codes
from airgap.deflate.format import (
    CODE_LENGTH_CODES,
    DYNAMIC,
    END_OF_BLOCK,
    FIXED,
    MAX_DISTANCES,
    MAX_LITERALS,
    MAX_MATCH,
    STORED,
    WINDOW,
)
from airgap.deflate.header import Header

_EXTRA_LENGTH_BITS = bytes((0,) * 8 + (1,) * 4 + (2,) * 4 + (3,) * 4 + (4,) * 4 + (5,) * 4 + (0,))
_EXTRA_DISTANCE_BITS = bytes(max(0, code // 2 - 1) for code in range(MAX_DISTANCES))
_ORDER = bytes((16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15))
_LONGEST = 15
_LONGEST_OF_LENGTHS = 7
_REPEAT = 16
_ZEROS = 17
_MANY_ZEROS = 18


def _length_symbols() -> bytearray:
    """The literal/length symbol of each match length, less 257 (RFC 1951, section 3.2.5)."""
    symbols = bytearray(MAX_MATCH + 1)
    length = 3
    for code, bits in enumerate(_EXTRA_LENGTH_BITS):
        # The longest could be said in two ways; the last symbol is the one for it.
        for _ in range(1 << bits):
            symbols[min(length, MAX_MATCH)] = code
            length += 1
    return symbols


def _distance_symbols() -> bytearray:
    """The distance symbol of each distance (RFC 1951, section 3.2.5)."""
    symbols = bytearray(WINDOW + 1)
    distance = 1
    for code, bits in enumerate(_EXTRA_DISTANCE_BITS):
        for _ in range(1 << bits):
            symbols[distance] = code
            distance += 1
    return symbols


class Blocks:
    """Counts the tokens of a block, and writes the head it gets.

    Attributes:
        tokens: how many tokens the block has so far.
        matches: how many of them are matches.
        bits: how many bits the last chosen block takes, head and end of block included; -1 where
            it is stored.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self.matches = 0
        self.bits = 0
        self.literals = array("i", bytes(4 * MAX_LITERALS))
        self.distances = array("i", bytes(4 * MAX_DISTANCES))
        self.length_symbols = _length_symbols()
        self.distance_symbols = _distance_symbols()
        self.length_bits = bytearray(_EXTRA_LENGTH_BITS)
        self.distance_bits = bytearray(_EXTRA_DISTANCE_BITS)
        self.order = bytearray(_ORDER)
        self.codes = Codes()
        self.run_counts = array("i", bytes(4 * CODE_LENGTH_CODES))
        self.optimal = 0
        self.static = 0

    def clear(self) -> int:
        """Begin a block."""
        for symbol in range(MAX_LITERALS):
            self.literals[symbol] = 0
        for symbol in range(MAX_DISTANCES):
            self.distances[symbol] = 0
        self.tokens = 0
        self.matches = 0
        return 0

    def count_literal(self, byte: int) -> int:
        """Add a literal."""
        self.literals[byte] += 1
        self.tokens += 1
        return 0

    def count_match(self, length: int, distance: int) -> int:
        """Add a match."""
        self.literals[END_OF_BLOCK + 1 + self.length_symbols[length]] += 1
        self.distances[self.distance_symbols[distance]] += 1
        self.matches += 1
        self.tokens += 1
        return 0

    def choose(self, header: Header, stored: int, final: int) -> int:
        """Write the head of the block of the tokens counted.

        Args:
            header: where it is written.
            stored: how many plain bytes a stored block would hold; -1 where it is not possible.
            final: 1 for the last block.
        """
        header.clear()
        header.final = final
        header.kind = DYNAMIC
        self.optimal = 3 + 14
        self.static = 3
        self.literals[END_OF_BLOCK] = 1
        for symbol in range(CODE_LENGTH_CODES):
            self.run_counts[symbol] = 0
        header.literals = self._describe_literals(header)
        header.distances = self._describe_distances(header)
        header.codes = self._describe_lengths(header)
        self.literals[END_OF_BLOCK] = 0
        size = (self.optimal + 7) >> 3
        fixed = (self.static + 7) >> 3
        self.bits = self.optimal
        if fixed <= size:
            size = fixed
            header.kind = FIXED
            self.bits = self.static
        if stored >= 0 and stored + 4 <= size:
            header.kind = STORED
            self.bits = -1
        return 0

    def _describe_literals(self, header: Header) -> int:
        """Build the code of literals and lengths; give how many of its symbols are described."""
        for symbol in range(MAX_LITERALS):
            self.codes.weights[symbol] = self.literals[symbol]
        used = self.codes.build(MAX_LITERALS, _LONGEST) + 1
        for symbol in range(MAX_LITERALS):
            extra = 0
            fixed = 8
            if symbol > END_OF_BLOCK:
                extra = self.length_bits[symbol - END_OF_BLOCK - 1]
            if 144 <= symbol < 256:  # noqa: PLR2004 - RFC 1951, section 3.2.6
                fixed = 9
            elif 256 <= symbol < 280:  # noqa: PLR2004 - the same table
                fixed = 7
            self.optimal += self.literals[symbol] * (self.codes.lengths[symbol] + extra)
            self.static += self.literals[symbol] * (fixed + extra)
        self._run(header, used)
        return used

    def _describe_distances(self, header: Header) -> int:
        """Build the code of distances; give how many of its symbols are described."""
        for symbol in range(MAX_DISTANCES):
            self.codes.weights[symbol] = self.distances[symbol]
        used = self.codes.build(MAX_DISTANCES, _LONGEST) + 1
        for symbol in range(MAX_DISTANCES):
            extra = self.distance_bits[symbol]
            self.optimal += self.distances[symbol] * (self.codes.lengths[symbol] + extra)
            self.static += self.distances[symbol] * (5 + extra)
        self._run(header, used)
        return used

    def _describe_lengths(self, header: Header) -> int:
        """Build the code of the run symbols; give how many of its lengths are described."""
        for symbol in range(CODE_LENGTH_CODES):
            self.codes.weights[symbol] = self.run_counts[symbol]
        self.codes.build(CODE_LENGTH_CODES, _LONGEST_OF_LENGTHS)
        for symbol in range(CODE_LENGTH_CODES):
            size = self.codes.lengths[symbol]
            header.code_lengths[symbol] = size
            if symbol == _REPEAT:
                size += 2
            elif symbol == _ZEROS:
                size += 3
            elif symbol == _MANY_ZEROS:
                size += 7
            self.optimal += self.run_counts[symbol] * size
        used = CODE_LENGTH_CODES
        while used > 4 and header.code_lengths[self.order[used - 1]] == 0:  # noqa: PLR2004 - HCLEN
            used -= 1
        self.optimal += 3 * used
        return used

    def _run(self, header: Header, used: int) -> int:
        """Describe the first ``used`` lengths of the code just built by run symbols.

        Runs never reach from literals to distances. A run takes as many as its symbol holds (138
        zeros, 6 repeats), and what is left begins anew.
        """
        place = 0
        last = -1
        while place < used:
            size = self.codes.lengths[place]
            most = 138 if size == 0 else 6 if size == last else 7
            count = 1
            while count < most and place + count < used:
                if self.codes.lengths[place + count] != size:
                    break
                count += 1
            place += count
            if size == 0 and count > 10:  # noqa: PLR2004 - RFC 1951, section 3.2.7
                self._say(header, _MANY_ZEROS, count - 11)
            elif size == 0 and count > 2:  # noqa: PLR2004 - the same table
                self._say(header, _ZEROS, count - 3)
            elif size == 0 or count < (3 if size == last else 4):
                while count > 0:
                    self._say(header, size, 0)
                    count -= 1
            else:
                if size != last:
                    self._say(header, size, 0)
                    count -= 1
                self._say(header, _REPEAT, count - 3)
            last = size
        return 0

    def _say(self, header: Header, symbol: int, extra: int) -> int:
        """Add a run symbol."""
        header.run_symbols[header.runs] = symbol
        header.run_extras[header.runs] = extra
        header.runs += 1
        self.run_counts[symbol] += 1
        return 0
