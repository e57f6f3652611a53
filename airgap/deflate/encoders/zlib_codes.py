"""The Huffman codes that zlib, GNU gzip and pigz build: one heap, one repair, one rule for ties.

All three descend from the same ``trees.c``, and a code is only right when its ties are broken as
there: a heap that starts in the order of the symbols, in which of two equal weights the shallower
subtree is the smaller; then, where a code gets too long, leaves are moved until the lengths fit.

Compiled by ``zlib_codes.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

_LARGEST = 286
_LONGEST = 15


class Codes:
    """Builds the lengths of one Huffman code from how often each of its symbols occurs.

    Attributes:
        weights: how often each symbol occurs. Filled in by the caller, symbols first; a code has at
            least two symbols, so :meth:`build` gives a weight of 1 to one or two that do not occur.
        lengths: the length of each symbol's code, in bits; 0 where it has none.
    """

    def __init__(self) -> None:
        nodes = 2 * _LARGEST + 1
        self.weights = array("i", bytes(4 * nodes))
        self.lengths = bytearray(nodes)
        self.depths = bytearray(nodes)
        self.parents = array("i", bytes(4 * nodes))
        self.heap = array("i", bytes(4 * (nodes + 1)))
        self.taken = array("i", bytes(4 * nodes))
        self.numbers = array("i", bytes(4 * (_LONGEST + 2)))

    def build(self, symbols: int, longest: int) -> int:
        """Fill ``lengths``, none over ``longest`` bits; give the last of the ``symbols`` in use."""
        last = -1
        size = 0
        for symbol in range(symbols):
            self.lengths[symbol] = 0
            if self.weights[symbol] != 0:
                size += 1
                self.heap[size] = symbol
                self.depths[symbol] = 0
                last = symbol
        while size < 2:  # noqa: PLR2004 - RFC 1951 knows no code of fewer symbols
            symbol = 0
            if last < 2:  # noqa: PLR2004 - one of the first two symbols is added, else the first
                last += 1
                symbol = last
            size += 1
            self.heap[size] = symbol
            self.weights[symbol] = 1
            self.depths[symbol] = 0
        place = size // 2
        while place >= 1:
            self._sink(place, size)
            place -= 1
        self._measure(self._join(symbols, size), symbols, longest)
        return last

    def _lighter(self, one: int, other: int) -> int:
        """Tell (0 or 1) whether ``one`` leaves the heap before ``other``, even where they tie."""
        if self.weights[one] != self.weights[other]:
            return 1 if self.weights[one] < self.weights[other] else 0
        return 1 if self.depths[one] <= self.depths[other] else 0

    def _sink(self, place: int, size: int) -> int:
        """Move the node at ``place`` down until both of its sons are heavier."""
        node = self.heap[place]
        son = 2 * place
        while son <= size:
            if son < size and self._lighter(self.heap[son + 1], self.heap[son]):
                son += 1
            if self._lighter(node, self.heap[son]):
                break
            self.heap[place] = self.heap[son]
            place = son
            son = 2 * place
        self.heap[place] = node
        return 0

    def _join(self, symbols: int, size: int) -> int:
        """Join the two lightest nodes until one is left; give how many nodes ``taken`` lists."""
        node = symbols
        taken = 0
        while size >= 2:  # noqa: PLR2004 - two are joined into one
            first = self.heap[1]
            self.heap[1] = self.heap[size]
            size -= 1
            self._sink(1, size)
            second = self.heap[1]
            self.taken[taken] = first
            self.taken[taken + 1] = second
            taken += 2
            self.weights[node] = self.weights[first] + self.weights[second]
            deeper = self.depths[first]
            deeper = max(deeper, self.depths[second])
            self.depths[node] = deeper + 1
            self.parents[first] = node
            self.parents[second] = node
            self.heap[1] = node
            node += 1
            self._sink(1, size)
        self.taken[taken] = self.heap[1]
        return taken + 1

    def _measure(self, taken: int, symbols: int, longest: int) -> int:
        """Give every node its depth in the tree, and repair where that is over ``longest``."""
        for size in range(longest + 1):
            self.numbers[size] = 0
        self.lengths[self.taken[taken - 1]] = 0
        over = 0
        place = taken - 2
        while place >= 0:
            node = self.taken[place]
            size = self.lengths[self.parents[node]] + 1
            if size > longest:
                size = longest
                over += 1
            self.lengths[node] = size
            if node < symbols:
                self.numbers[size] += 1
            place -= 1
        if over > 0:
            self._repair(over, symbols, longest)
        return 0

    def _repair(self, over: int, symbols: int, longest: int) -> int:
        """Move leaves down until ``over`` nodes too deep have room; the lightest lie deepest."""
        while over > 0:
            size = longest - 1
            while self.numbers[size] == 0:
                size -= 1
            self.numbers[size] -= 1
            self.numbers[size + 1] += 2
            self.numbers[longest] -= 1
            over -= 2
        place = 0
        size = longest
        while size > 0:
            left = self.numbers[size]
            while left > 0:
                node = self.taken[place]
                place += 1
                if node < symbols:
                    self.lengths[node] = size
                    left -= 1
            size -= 1
        return 0
