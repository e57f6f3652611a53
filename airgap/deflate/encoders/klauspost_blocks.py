"""How klauspost/compress chooses a block's kind, and when it goes on under the codes of the last.

Re-enacts ``huffman_bit_writer.go`` and ``EstimatedBits`` of ``token.go`` of ``flate`` in
klauspost/compress, from which Go 1.27 has them. Differently from Go before:

- A block is not ended when its tokens are written. The next may follow under the same codes, if
  they have a code for all its symbols, and new ones are estimated not to gain enough.
- The estimate is the entropy of the block's symbols, in single precision, by a logarithm made of a
  parabola, plus the bits of the last head, plus a share of the sum.
- Blocks where matches save little are coded as literals, with no thought of distances.

Compiled by ``klauspost_blocks.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.encoders.go_blocks import GoBlocks
from airgap.deflate.format import (
    CODE_LENGTH_CODES,
    CONTINUED,
    DYNAMIC,
    END_OF_BLOCK,
    FIXED,
    MAX_DISTANCES,
    MAX_LITERALS,
    MAX_STORED,
    STORED,
)
from airgap.deflate.header import Header

_MAX_BITS = 15
_MAX_RUN_BITS = 7
_FEWEST_CODES = 4  # whose lengths are told, at least

_FEW_TOKENS = 250  # below which the fixed codes are considered
_HEAD_GUESS = 70 * 8  # bits
_MEASURED = 1024  # bytes, above which a block is looked at for being noise
_IMPOSSIBLE = 0x7FFFFFFF

# The parabola of the logarithm, and what is added for an end of block.
_SQUARE, _LINEAR, _CONSTANT, _END_BITS = -0.34484843, 2.02466578, 0.67487759, 15.0


class KlauspostBlocks(GoBlocks):
    """Counts the tokens of a block, then gives it a head.

    Args:
        penalty: a new table costs a share of ``1 / 2 ** penalty`` more than it is.
        exact: 1 where a head describes no more codes than are used, and the end of a block that is
            not the last of its stream is counted; 0 as it was before version 1.18.1.
    """

    def __init__(self, penalty: int, exact: int) -> None:
        super().__init__()
        self._penalty = penalty
        self._exact = exact
        # Bits of the head whose codes may be used again; 0 where there are none.
        self._reusable = 0
        self._literals_only = 0
        self._new_lengths = bytearray(MAX_LITERALS)
        # Numbers become single precision by being put here.
        self._single = array("f", [_SQUARE, _LINEAR, _CONSTANT, _END_BITS, 0, 0, 0, 0])

    def forget_codes(self) -> int:
        """Begin a new stream: there are no codes to go on with."""
        self._reusable = 0
        self._literals_only = 0
        return 0

    def choose_for_tokens(  # noqa: C901, PLR0912 - one decision, told in the encoder's order
        self, header: Header, last: int
    ) -> int:
        """Choose for a block of literals and matches (``writeBlockDynamic``).

        Args:
            header: where the head is written.
            last: 1 for the last block before a flush or the end, whose codes end with it.
        """
        header.clear()
        tokens = self.tokens + last
        if self._literals_only and self._reusable:
            self._reusable = 0
            self._literals_only = 0
        self._literal_counts[END_OF_BLOCK] = last
        if self._reusable and not self._codes_suffice():
            self._reusable = 0
        estimate = self._reusable + self._entropy(tokens) if self._reusable else 0
        literals = MAX_LITERALS
        distances = MAX_DISTANCES
        if self._exact or last:
            self._literal_counts[END_OF_BLOCK] = 1
            literals = self._used_literals()
            distances = self._used_distances()
        extra = self._extra_bits()
        stored = self._stored_bits()
        if self._reusable:
            estimate += self._literal_lengths[END_OF_BLOCK] + (estimate >> self._penalty)
            size = self._coded_bits() + extra
            if estimate < size:
                size = estimate
                self._reusable = 0
            if tokens < _FEW_TOKENS and self._fixed_bits() + extra + 7 < size:
                self._reusable = 0
                header.kind = STORED if stored <= size else FIXED
                return 0
            if stored <= size:
                self._reusable = 0
                return 0
        if self._reusable:
            header.kind = CONTINUED
        else:
            self._literal_counts[END_OF_BLOCK] = 1
            self._huffman.build(
                self._literal_counts, MAX_LITERALS, _MAX_BITS, self._literal_lengths
            )
            self._huffman.build(
                self._distance_counts, MAX_DISTANCES, _MAX_BITS, self._distance_lengths
            )
            head = self._write_head(header, literals, distances)
            size = head + self._coded_bits() + extra
            if tokens < _FEW_TOKENS:
                fixed = self._fixed_bits() + extra
                if fixed <= size:
                    header.kind = STORED if stored <= fixed else FIXED
                    return 0
            if stored <= size:
                header.kind = STORED
                return 0
            self._reusable = head
            self._literals_only = 0
        if last:
            self._reusable = 0
        return 0

    def choose_for_literals(self, header: Header, last: int) -> int:
        """Choose for a block of literals alone (``writeBlockHuff``); arguments as above."""
        header.clear()
        if self._is_noise():
            self._reusable = 0
            return 0
        self._literal_counts[END_OF_BLOCK] = 1
        self._huffman.build(self._literal_counts, END_OF_BLOCK + 1, _MAX_BITS, self._new_lengths)
        estimate = self._reusable or _HEAD_GUESS
        for symbol in range(END_OF_BLOCK + 1):
            estimate += self._literal_counts[symbol] * self._new_lengths[symbol]
        estimate += estimate >> self._penalty
        if self._stored_bits() <= estimate:
            self._reusable = 0
            return 0
        if self._reusable and estimate < self._literal_bits():
            self._reusable = 0
        if self._reusable:
            header.kind = CONTINUED
        else:
            for symbol in range(MAX_LITERALS):
                self._literal_lengths[symbol] = (
                    self._new_lengths[symbol] if symbol <= END_OF_BLOCK else 0
                )
            for symbol in range(MAX_DISTANCES):
                self._distance_lengths[symbol] = 0
            self._distance_lengths[0] = 1
            self._reusable = self._write_head(header, END_OF_BLOCK + 1, 1)
            self._literals_only = 1
        if last:
            self._reusable = 0
            self._literals_only = 0
        return 0

    def choose_stored(self, header: Header) -> int:
        """Store the block as it is, or mark a flush."""
        self._reusable = 0
        return header.clear()

    def choose_end(self, header: Header) -> int:
        """End the stream: by an empty block under the fixed codes."""
        self._reusable = 0
        header.clear()
        header.kind = FIXED
        header.final = 1
        return 0

    def storable(self) -> int:
        """Tell (0 or 1) whether the encoder still has the block's bytes."""
        return 1

    def _stored_bits(self) -> int:
        size = self.pos - self.block_start
        return (size + 5) * 8 if size <= MAX_STORED and self.storable() else _IMPOSSIBLE

    def _codes_suffice(self) -> int:
        """Tell whether the last codes have one for every symbol of this block."""
        for symbol in range(MAX_LITERALS):
            if self._literal_counts[symbol] and not self._literal_lengths[symbol]:
                return 0
        for symbol in range(MAX_DISTANCES):
            if self._distance_counts[symbol] and not self._distance_lengths[symbol]:
                return 0
        return 1

    def _used_literals(self) -> int:
        literals = MAX_LITERALS
        while self._literal_counts[literals - 1] == 0:
            literals -= 1
        return literals

    def _used_distances(self) -> int:
        """How many distance codes there are to describe: one at least, used or not."""
        distances = MAX_DISTANCES
        while distances > 0 and self._distance_counts[distances - 1] == 0:
            distances -= 1
        if distances == 0:
            self._distance_counts[0] = 1
            distances = 1
        return distances

    def _coded_bits(self) -> int:
        """The bits of the block's symbols under the codes at hand, without extra bits."""
        bits = 0
        for symbol in range(MAX_LITERALS):
            bits += self._literal_counts[symbol] * self._literal_lengths[symbol]
        for symbol in range(MAX_DISTANCES):
            bits += self._distance_counts[symbol] * self._distance_lengths[symbol]
        return bits

    def _literal_bits(self) -> int:
        """The bits of the block's literals under the last codes, if those have one for each."""
        bits = 0
        for symbol in range(END_OF_BLOCK):
            if self._literal_counts[symbol]:
                if not self._literal_lengths[symbol]:
                    return _IMPOSSIBLE
                bits += self._literal_counts[symbol] * self._literal_lengths[symbol]
        return bits

    def _is_noise(self) -> int:
        """Tell whether all byte values are about as frequent: the sum of squares says it."""
        size = self.pos - self.block_start
        if size <= _MEASURED or size > MAX_STORED:
            return 0
        total = 0
        for symbol in range(END_OF_BLOCK):
            away = (self._literal_counts[symbol] << 8) - size
            total += away * away
        limit = size
        limit <<= 17
        return 1 if total < limit else 0

    def _write_head(self, header: Header, literals: int, distances: int) -> int:
        """Write the head of a dynamic block for the codes at hand; return its bits."""
        for symbol in range(literals):
            self._lengths[symbol] = self._literal_lengths[symbol]
        for symbol in range(distances):
            self._lengths[literals + symbol] = self._distance_lengths[symbol]
        header.kind = DYNAMIC
        header.literals = literals
        header.distances = distances
        self._write_runs(header, literals + distances)
        self._huffman.build(self._run_counts, CODE_LENGTH_CODES, _MAX_RUN_BITS, header.code_lengths)
        codes = CODE_LENGTH_CODES
        while codes > _FEWEST_CODES and self._run_counts[self._transmission[codes - 1]] == 0:
            codes -= 1
        header.codes = codes
        bits = 3 + 5 + 5 + 4 + 3 * codes
        bits += 2 * self._run_counts[16] + 3 * self._run_counts[17] + 7 * self._run_counts[18]
        for symbol in range(CODE_LENGTH_CODES):
            bits += self._run_counts[symbol] * header.code_lengths[symbol]
        return bits

    def _entropy(self, tokens: int) -> int:
        """Estimate the bits of the block under codes of its own (``EstimatedBits``)."""
        single = self._single
        single[4] = 0
        extra = 0
        matches = 0
        single[5] = 1.0 / tokens if tokens else 0
        for symbol in range(END_OF_BLOCK):
            if self._literal_counts[symbol]:
                self._add_entropy(single, self._literal_counts[symbol])
        single[4] = single[4] + single[3]
        for symbol in range(END_OF_BLOCK + 1, MAX_LITERALS):
            count = self._literal_counts[symbol]
            if count:
                self._add_entropy(single, count)
                extra += count * self._extra_length_bits[symbol - END_OF_BLOCK - 1]
                matches += count
        if matches:
            single[5] = 1.0 / matches
            for symbol in range(MAX_DISTANCES):
                count = self._distance_counts[symbol]
                if count:
                    self._add_entropy(single, count)
                    extra += count * self._extra_distance_bits[symbol]
        bits = int(single[4])
        return bits + extra

    def _add_entropy(self, single: array[float], count: int) -> int:
        """Add the entropy of ``count`` equal symbols to the sum, which is ``single[4]``.

        Every result passes through ``single``, for the encoder computes in single precision. The
        logarithm is the exponent of the share plus a parabola of its mantissa (``mFastLog2``).
        """
        single[6] = count * single[5]
        mantissa = single[6]
        exponent = -1.0
        while mantissa < 1:
            mantissa *= 2
            exponent -= 1
        single[6] = single[0] * mantissa
        single[6] = single[6] + single[1]
        single[6] = single[6] * mantissa
        single[6] = single[6] - single[2]
        single[6] = single[6] + exponent
        bits = -single[6]
        if bits < 1:
            bits = 1.0
        bits = min(bits, _END_BITS)
        single[7] = bits * count
        single[4] = single[4] + single[7]
        return 0
