"""The lengths of Go's Huffman codes.

Re-enacts the code builder of Go's ``compress/flate`` (``huffman_code.go``, Go 1.19 to 1.26): the
package-merge algorithm of Larmore and Hirschberg ("A fast algorithm for optimal length-limited
Huffman codes", 1990), with Go's way of breaking ties. Of equal counts the smaller symbol is the
rarer one; of a symbol and a package of equal weight the package comes first.

Compiled by ``go_huffman.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.format import MAX_LITERALS

MAX_BITS = 15
"""Bits of the longest code of a literal, length or distance (RFC 1951, section 3.2.7)."""

_SYMBOL_BITS = 9
_SYMBOL_MASK = (1 << _SYMBOL_BITS) - 1
_ROW = 2 * MAX_LITERALS
_FIRST_GAP = 132
_NOTHING = 0x7FFFFFFF


class GoHuffman:
    """Builds codes of up to 286 symbols; keeps its working memory from one to the next."""

    def __init__(self) -> None:
        # The symbols that occur, the rarest first: how often << 9 | symbol.
        self._order = array("i", bytes(4 * MAX_LITERALS))
        # What each item of each level weighs.
        self._weights = array("i", bytes(4 * _ROW * MAX_BITS))
        # For every level and number of items, how many of those first items are single symbols.
        self._singles = array("i", bytes(4 * _ROW * MAX_BITS))
        # How many items the last level made has.
        self._made = 0

    def build(self, counts: array[int], size: int, limit: int, lengths: bytearray) -> int:
        """Give each of ``size`` symbols the length of its code; 0 to those that do not occur.

        Args:
            counts: how often each symbol occurs, each below 2^22.
            size: how many symbols there are, at most 286.
            limit: bits of the longest code allowed, at most 15.
            lengths: where the lengths go.
        """
        used = 0
        for symbol in range(size):
            lengths[symbol] = 0
            if counts[symbol]:
                self._order[used] = counts[symbol] << _SYMBOL_BITS | symbol
                used += 1
        if used <= 2:  # noqa: PLR2004 - one bit tells two apart
            for place in range(used):
                lengths[self._order[place] & _SYMBOL_MASK] = 1
            return 0
        self._sort(used)
        levels = limit if limit < used else used - 1
        self._made = 0
        for level in range(levels):
            self._merge(level, used)
        # The code of the n rarest symbols of each level taken becomes one bit longer.
        items = 2 * used - 2
        for level in range(levels - 1, -1, -1):
            singles = self._singles[level * _ROW + items]
            for place in range(singles):
                lengths[self._order[place] & _SYMBOL_MASK] += 1
            items = 2 * (items - singles)
        return 0

    def _sort(self, used: int) -> int:
        """Put the first ``used`` keys in order (Shell's sort)."""
        gap = _FIRST_GAP
        while gap:
            for place in range(gap, used):
                key = self._order[place]
                hole = place
                while hole >= gap and self._order[hole - gap] > key:
                    self._order[hole] = self._order[hole - gap]
                    hole -= gap
                self._order[hole] = key
            gap = gap * 4 // 9
        return 0

    def _merge(self, level: int, used: int) -> int:
        """Make a level's first items: single symbols, and pairs of the items of the level below."""
        row = level * _ROW
        pair = row - _ROW  # the next two items of the level below
        below = pair + self._made
        singles = 0
        made = 0
        self._singles[row] = 0
        while made < 2 * used - 2:
            package = _NOTHING
            if pair + 1 < below:
                package = self._weights[pair] + self._weights[pair + 1]
            single = self._order[singles] >> _SYMBOL_BITS if singles < used else _NOTHING
            if single < package:
                self._weights[row + made] = single
                singles += 1
            elif package < _NOTHING:
                self._weights[row + made] = package
                pair += 2
            else:
                break
            made += 1
            self._singles[row + made] = singles
        self._made = made
        return 0
