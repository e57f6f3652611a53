"""The head of one deflate block (RFC 1951, section 3.2.3), as it is written bit for bit.

Compiled by ``header.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.format import CODE_LENGTH_CODES, DYNAMIC, MAX_RUNS, STORED


class Header:
    """Everything that stands between the last block's end and this block's first token.

    Attributes:
        kind: STORED, FIXED, DYNAMIC or CONTINUED.
        final: 1 for the last block of the stream (BFINAL).
        padding: the bits between a stored block's type and its length; nearly always 0.
        literals: how many literal/length codes are described (HLIT + 257); DYNAMIC only, as below.
        distances: how many distance codes are described (HDIST + 1).
        codes: how many code length codes are described (HCLEN + 4).
        code_lengths: the length of the code of each of the 19 symbols below, by symbol
            (not in the order of transmission); 0 where it has none.
        runs: how many run symbols describe the lengths.
        run_symbols: the run symbols 0 to 18 in turn.
        run_extras: the extra bits of each: 2 bits for 16, 3 for 17, 7 for 18, otherwise 0.
    """

    def __init__(self) -> None:
        self.kind = STORED
        self.final = 0
        self.padding = 0
        self.literals = 0
        self.distances = 0
        self.codes = 0
        self.code_lengths = bytearray(CODE_LENGTH_CODES)
        self.runs = 0
        self.run_symbols = bytearray(MAX_RUNS)
        self.run_extras = bytearray(MAX_RUNS)

    def clear(self) -> int:
        """Make it an empty stored block that is not the last."""
        self.kind = STORED
        self.final = 0
        self.padding = 0
        self.literals = 0
        self.distances = 0
        self.codes = 0
        self.runs = 0
        return 0

    def equals(self, other: Header) -> int:  # noqa: PLR0911 - the first difference ends it
        """Tell (0 or 1) whether both are written with the same bits."""
        if self.kind != other.kind or self.final != other.final or self.padding != other.padding:
            return 0
        if self.kind != DYNAMIC:
            return 1
        if (
            self.literals != other.literals
            or self.distances != other.distances
            or self.codes != other.codes
            or self.runs != other.runs
        ):
            return 0
        for symbol in range(CODE_LENGTH_CODES):
            if self.code_lengths[symbol] != other.code_lengths[symbol]:
                return 0
        for place in range(self.runs):
            if self.run_symbols[place] != other.run_symbols[place]:
                return 0
            if self.run_extras[place] != other.run_extras[place]:
                return 0
        return 1
