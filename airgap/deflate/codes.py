"""Prefix codes of deflate (RFC 1951, section 3.2.2), for reading and for writing.

What is a valid set of code lengths is judged as zlib does it: a complete one, but a code of one
symbol may have a length of one bit, and there may be no distance code at all.

Compiled by ``codes.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from airgap.deflate.format import MAX_CODE_LENGTH

# Private: what compiles this module takes them for C variables.
_LINK = 3 << 24
_NOTHING = 4 << 24
_KIND = 7 << 24


class Decoder:
    """A table that finds the symbol of a code among the next bits.

    An entry is ``kind << 24 | base << 8 | extra << 4 | length``: ``length`` bits of code, and what
    the symbol means, which the owner says: 0 to 2 are kinds of its own; 4 is nothing at all. Codes
    longer than ``root`` bits are found in two steps, by way of a link to a further table.

    Attributes:
        table: the entries; the first ``1 << root`` are found by the next ``root`` bits.
        root: how many bits are looked at first.
        lenient: 1 where a code of one symbol or of none is a code as well.
    """

    def __init__(self, root: int, meanings: Sequence[int], lenient: int) -> None:
        self.root = root
        self.lenient = lenient
        self.meanings = array("i", meanings)
        self.table = array("i", [0] * (1 << (root + 2)))
        self.counts = array("i", [0] * (MAX_CODE_LENGTH + 1))
        self.next = array("i", [0] * (MAX_CODE_LENGTH + 1))
        self.turned = array("i", [0] * len(meanings))
        self.deepest = bytearray(1 << root)

    def build(self, lengths: bytearray, first: int, count: int) -> int:
        """Fill the table from ``count`` code lengths of the symbols 0, 1, ... from ``first`` on.

        Returns:
            1, or 0 where the lengths make no code.
        """
        for size in range(MAX_CODE_LENGTH + 1):
            self.counts[size] = 0
        for symbol in range(count):
            self.counts[lengths[first + symbol]] += 1
        left = 1
        longest = 0
        code = 0
        self.counts[0] = 0
        for size in range(1, MAX_CODE_LENGTH + 1):
            left = 2 * left - self.counts[size]
            if left < 0:
                return 0
            if self.counts[size]:
                longest = size
            code = (code + self.counts[size - 1]) << 1
            self.next[size] = code
        if left > 0:
            if not self.lenient or longest > 1:
                return 0
            for place in range(1 << self.root):
                self.table[place] = _NOTHING | 1
        self._turn(lengths, first, count)
        if longest > self.root:
            self._link(lengths, first, count)
        self._fill(lengths, first, count)
        return 1

    def _turn(self, lengths: bytearray, first: int, count: int) -> int:
        """Give every symbol its code, the first bit lowest."""
        for symbol in range(count):
            size = lengths[first + symbol]
            if size:
                code = self.next[size]
                self.next[size] = code + 1
                turned = 0
                for _bit in range(size):
                    turned = turned << 1 | (code & 1)
                    code >>= 1
                self.turned[symbol] = turned
        return 0

    def _link(self, lengths: bytearray, first: int, count: int) -> int:
        """Lay out a further table for every first ``root`` bits of longer codes."""
        for place in range(1 << self.root):
            self.deepest[place] = 0
        for symbol in range(count):
            size = lengths[first + symbol]
            if size > self.root:
                place = self.turned[symbol] & ((1 << self.root) - 1)
                self.deepest[place] = max(self.deepest[place], size)
        free = 1 << self.root
        for place in range(1 << self.root):
            if self.deepest[place]:
                size = self.deepest[place] - self.root
                self.table[place] = _LINK | free << 8 | size
                free += 1 << size
        return 0

    def _fill(self, lengths: bytearray, first: int, count: int) -> int:
        """Write every symbol wherever its code leads."""
        for symbol in range(count):
            size = lengths[first + symbol]
            if not size:
                continue
            entry = self.meanings[symbol] | size
            if size <= self.root:
                place = self.turned[symbol]
                limit = 1 << self.root
                step = 1 << size
            else:
                link = self.table[self.turned[symbol] & ((1 << self.root) - 1)]
                free = (link >> 8) & 0xFFFF
                place = free + (self.turned[symbol] >> self.root)
                limit = free + (1 << (link & 15))
                step = 1 << (size - self.root)
            while place < limit:
                self.table[place] = entry
                place += step
        return 0

    def find(self, bits: int) -> int:
        """Give the entry that the lowest of ``bits`` lead to."""
        entry = self.table[bits & ((1 << self.root) - 1)]
        if entry & _KIND == _LINK:
            bits >>= self.root
            entry = self.table[((entry >> 8) & 0xFFFF) + (bits & ((1 << (entry & 15)) - 1))]
        return entry


class Encoder:
    """The codes of the symbols 0, 1, ..., the first bit lowest, and their lengths.

    Attributes:
        codes: the code of each symbol.
        sizes: how many bits that has; 0 where the symbol has none.
    """

    def __init__(self, symbols: int) -> None:
        self.codes = array("i", [0] * symbols)
        self.sizes = bytearray(symbols)
        self.counts = array("i", [0] * (MAX_CODE_LENGTH + 1))
        self.next = array("i", [0] * (MAX_CODE_LENGTH + 1))

    def build(self, lengths: bytearray, first: int, count: int) -> int:
        """Give codes to the symbols by ``count`` lengths from ``first`` on, none to the others.

        Returns:
            1, or 0 where the lengths are oversubscribed.
        """
        for size in range(MAX_CODE_LENGTH + 1):
            self.counts[size] = 0
        for symbol in range(count):
            self.counts[lengths[first + symbol]] += 1
        self.counts[0] = 0
        code = 0
        for size in range(1, MAX_CODE_LENGTH + 1):
            code = (code + self.counts[size - 1]) << 1
            if code + self.counts[size] > 1 << size:
                return 0
            self.next[size] = code
        for symbol in range(count):
            size = lengths[first + symbol]
            self.sizes[symbol] = size
            if size:
                code = self.next[size]
                self.next[size] = code + 1
                turned = 0
                for _bit in range(size):
                    turned = turned << 1 | (code & 1)
                    code >>= 1
                self.codes[symbol] = turned
        for symbol in range(count, len(self.sizes)):
            self.sizes[symbol] = 0
        return 1
