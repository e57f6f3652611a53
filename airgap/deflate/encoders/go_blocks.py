"""How Go chooses a block's kind and writes its head.

Re-enacts what ``huffman_bit_writer.go`` of Go's ``compress/flate`` (Go 1.19 to 1.26) decides
between the tokens of a block and its bits. The models of Go's levels build on it.

Compiled by ``go_blocks.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.encoders.go_huffman import GoHuffman
from airgap.deflate.format import (
    CODE_LENGTH_CODES,
    DYNAMIC,
    END_OF_BLOCK,
    FIXED,
    MAX_DISTANCES,
    MAX_LITERALS,
    MAX_MATCH,
    MAX_RUNS,
    MAX_STORED,
    MIN_MATCH,
    STORED,
)
from airgap.deflate.header import Header
from airgap.deflate.model import Model

_MAX_BITS = 15
_MAX_RUN_BITS = 7  # of a code length's code: three bits tell its length

# Run symbols and their extra bits (RFC 1951, section 3.2.7).
_REPEAT = 16
_FEW_ZEROS = 17
_MANY_ZEROS = 18

_EXTRA_LENGTH_BITS = bytes([0] * 8 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4 + [0])
_EXTRA_DISTANCE_BITS = bytes([0, 0] + [bits for bits in range(14) for _ in range(2)])
_TRANSMISSION = bytes([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])


def _length_symbols() -> array[int]:
    """The literal/length symbol of each length of a match (RFC 1951, section 3.2.5)."""
    symbols = array("i", [END_OF_BLOCK] * MIN_MATCH)
    for code in range(MAX_LITERALS - END_OF_BLOCK - 1):
        symbols.extend([END_OF_BLOCK + 1 + code] * (1 << _EXTRA_LENGTH_BITS[code]))
    # The longest has a symbol of its own.
    del symbols[MAX_MATCH : MAX_MATCH + 1]
    return symbols


def _distance_symbols() -> array[int]:
    """The symbol of each distance: of ``n`` at n - 1 up to 256, beyond at 256 + (n - 1 >> 7)."""
    symbols = array("i")
    for code in range(MAX_DISTANCES):
        symbols.extend([code] * (1 << _EXTRA_DISTANCE_BITS[code]))
    return symbols[:256] + symbols[::128]


class GoBlocks(Model):
    """Counts the tokens of a block, then gives it Go's head.

    Attributes:
        tokens: how many tokens the block has so far.
        block_start: where its bytes begin.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 0
        self.block_start = 0
        self._length_symbols = _length_symbols()
        self._distance_symbols = _distance_symbols()
        self._extra_length_bits = bytearray(_EXTRA_LENGTH_BITS)
        self._extra_distance_bits = bytearray(_EXTRA_DISTANCE_BITS)
        self._transmission = bytearray(_TRANSMISSION)
        self._literal_counts = array("i", bytes(4 * MAX_LITERALS))
        self._distance_counts = array("i", bytes(4 * MAX_DISTANCES))
        self._run_counts = array("i", bytes(4 * CODE_LENGTH_CODES))
        self._literal_lengths = bytearray(MAX_LITERALS)
        self._distance_lengths = bytearray(MAX_DISTANCES)
        self._lengths = bytearray(MAX_RUNS)
        self._huffman = GoHuffman()

    def restart(self) -> int:
        """Stand at the start of a new stream."""
        self.tokens = 0
        self.block_start = 0
        return Model.restart(self)

    def slide(self, distance: int) -> int:
        """Follow the buffer with the start of the block, which may have left it."""
        self.block_start -= distance
        return 0

    def begin_block(self) -> int:
        """Count anew."""
        self.tokens = 0
        self.block_start = self.pos
        for symbol in range(MAX_LITERALS):
            self._literal_counts[symbol] = 0
        for symbol in range(MAX_DISTANCES):
            self._distance_counts[symbol] = 0
        return 0

    def count(self, token: int) -> int:
        """Count a token at ``pos``."""
        self.tokens += 1
        if token == 0:
            self._literal_counts[self.data[self.pos]] += 1
            return 0
        self._literal_counts[self._length_symbols[token >> 16]] += 1
        reach = (token & 0xFFFF) - 1
        place = reach if reach < 256 else 256 + (reach >> 7)  # noqa: PLR2004 - the table's halves
        self._distance_counts[self._distance_symbols[place]] += 1
        return 0

    def accept(self, token: int) -> int:
        """Count the token and step over it."""
        self.count(token)
        self.pos += (token >> 16) or 1
        return 0

    def choose_empty(self, header: Header) -> int:
        """Give a block without tokens its head: the mark of a flush, or the end of the stream."""
        header.clear()
        header.final = 1 if self.closed and self.pos >= self.end else 0
        return 0

    def choose_smallest(self, header: Header, storable: int) -> int:
        """Choose the smallest of the three kinds (``writeBlock``).

        Args:
            header: where the head is written.
            storable: 1 where the encoder still has the block's bytes.
        """
        dynamic = self._write_dynamic(header)
        extra = self._extra_bits()
        smallest = dynamic
        fixed = self._fixed_bits()
        if fixed <= dynamic:
            smallest = fixed
            header.kind = FIXED
        size = self.pos - self.block_start
        if storable and size <= MAX_STORED and (size + 5) * 8 < smallest + extra:
            header.kind = STORED
        return 0

    def choose_dynamic(self, header: Header) -> int:
        """Choose codes of its own for the block, unless they gain less than a sixteenth.

        That is ``writeBlockDynamic``, and ``writeBlockHuff`` where all tokens are literals. Both
        leave extra bits out of account.
        """
        dynamic = self._write_dynamic(header)
        size = self.pos - self.block_start
        if size <= MAX_STORED and (size + 5) * 8 < dynamic + (dynamic >> 4):
            header.kind = STORED
        return 0

    def _write_dynamic(self, header: Header) -> int:
        """Write the head of a dynamic block; return the block's bits without extra bits."""
        self._literal_counts[END_OF_BLOCK] = 1
        literals = MAX_LITERALS
        while self._literal_counts[literals - 1] == 0:
            literals -= 1
        distances = MAX_DISTANCES
        while distances > 0 and self._distance_counts[distances - 1] == 0:
            distances -= 1
        if distances == 0:
            # A code of one bit that nothing uses; it is paid for in every sum of sizes.
            self._distance_counts[0] = 1
            distances = 1
        self._huffman.build(self._literal_counts, MAX_LITERALS, _MAX_BITS, self._literal_lengths)
        self._huffman.build(self._distance_counts, MAX_DISTANCES, _MAX_BITS, self._distance_lengths)
        for symbol in range(literals):
            self._lengths[symbol] = self._literal_lengths[symbol]
        for symbol in range(distances):
            self._lengths[literals + symbol] = self._distance_lengths[symbol]
        header.kind = DYNAMIC
        header.final = 0
        header.padding = 0
        header.literals = literals
        header.distances = distances
        self._write_runs(header, literals + distances)
        self._huffman.build(self._run_counts, CODE_LENGTH_CODES, _MAX_RUN_BITS, header.code_lengths)
        codes = CODE_LENGTH_CODES
        while codes > 4 and self._run_counts[self._transmission[codes - 1]] == 0:  # noqa: PLR2004
            codes -= 1
        header.codes = codes

        bits = 3 + 5 + 5 + 4 + 3 * codes
        bits += 2 * self._run_counts[_REPEAT]
        bits += 3 * self._run_counts[_FEW_ZEROS] + 7 * self._run_counts[_MANY_ZEROS]
        for symbol in range(CODE_LENGTH_CODES):
            bits += self._run_counts[symbol] * header.code_lengths[symbol]
        for symbol in range(literals):
            bits += self._literal_counts[symbol] * self._literal_lengths[symbol]
        for symbol in range(distances):
            bits += self._distance_counts[symbol] * self._distance_lengths[symbol]
        return bits

    def _write_runs(self, header: Header, total: int) -> int:
        """Write the run symbols of the ``total`` lengths, and count them.

        A run may go on from the literals into the distances. Go takes as much of it as a symbol
        holds, each time, and what is left one by one.
        """
        for symbol in range(CODE_LENGTH_CODES):
            self._run_counts[symbol] = 0
        header.runs = 0
        place = 0
        while place < total:
            size = self._lengths[place]
            left = 0
            while place < total and self._lengths[place] == size:
                left += 1
                place += 1
            if size:
                self._write_run(header, size, 0)
                left -= 1
                while left >= 3:  # noqa: PLR2004 - three at least make a run
                    taken = min(left, 6)
                    self._write_run(header, _REPEAT, taken - 3)
                    left -= taken
            else:
                while left >= 11:  # noqa: PLR2004 - symbol 18 begins there
                    taken = min(left, 138)
                    self._write_run(header, _MANY_ZEROS, taken - 11)
                    left -= taken
                if left >= 3:  # noqa: PLR2004 - three at least make a run
                    self._write_run(header, _FEW_ZEROS, left - 3)
                    left = 0
            while left:
                self._write_run(header, size, 0)
                left -= 1
        return 0

    def _write_run(self, header: Header, symbol: int, extra: int) -> int:
        header.run_symbols[header.runs] = symbol
        header.run_extras[header.runs] = extra
        header.runs += 1
        self._run_counts[symbol] += 1
        return 0

    def _fixed_bits(self) -> int:
        """The block's bits under the fixed codes (RFC 1951, section 3.2.6), without extra bits."""
        bits = 3
        for symbol in range(MAX_LITERALS):
            length = 8
            if 144 <= symbol < END_OF_BLOCK:  # noqa: PLR2004 - the RFC's table
                length = 9
            elif END_OF_BLOCK <= symbol < 280:  # noqa: PLR2004 - likewise
                length = 7
            bits += self._literal_counts[symbol] * length
        for symbol in range(MAX_DISTANCES):
            bits += self._distance_counts[symbol] * 5
        return bits

    def _extra_bits(self) -> int:
        """The extra bits of the block's lengths and distances, the same under all codes."""
        bits = 0
        for symbol in range(END_OF_BLOCK + 1, MAX_LITERALS):
            bits += (
                self._literal_counts[symbol] * self._extra_length_bits[symbol - END_OF_BLOCK - 1]
            )
        for symbol in range(MAX_DISTANCES):
            bits += self._distance_counts[symbol] * self._extra_distance_bits[symbol]
        return bits
