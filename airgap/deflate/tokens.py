"""Tokens and heads of blocks on their way from the inflater to whoever compares them.

Compiled by ``tokens.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.format import BEGINS, CODE_LENGTH_CODES, DYNAMIC, QUEUE
from airgap.deflate.header import Header


class TokenQueue:
    """A ring of words: the tokens of blocks, between the marks of their beginnings and ends.

    Attributes:
        words: the ring.
        mask: what makes an ever-growing count an index into it.
        first: the count of words taken.
        last: the count of words put; at most ``len(words)`` more.
    """

    def __init__(self) -> None:
        self.words = array("i", [0]) * QUEUE
        self.mask = QUEUE - 1
        self.first = 0
        self.last = 0

    def clear(self) -> int:
        """Forget what is in it."""
        self.first = self.last
        return 0

    def room(self) -> int:
        """How many more words it takes."""
        return QUEUE - (self.last - self.first)

    def put(self, word: int) -> int:
        """Add a word, for which there must be room."""
        self.words[self.last & self.mask] = word
        self.last += 1
        return 0

    def get(self) -> int:
        """Take the first word; there must be one."""
        word = self.words[self.first & self.mask]
        self.first += 1
        return word

    def put_head(self, header: Header) -> int:
        """Add the mark of a beginning and the words of a head."""
        self.put(BEGINS)
        self.put(header.kind | header.final << 2 | header.padding << 3)
        if header.kind == DYNAMIC:
            self.put(header.literals | header.distances << 16)
            self.put(header.codes | header.runs << 16)
            for symbol in range(CODE_LENGTH_CODES):
                self.put(header.code_lengths[symbol])
            for place in range(header.runs):
                self.put(header.run_symbols[place] | header.run_extras[place] << 8)
        return 0

    def get_head(self, header: Header) -> int:
        """Take the words of a head, behind its mark."""
        header.clear()
        word = self.get()
        header.kind = word & 3
        header.final = word >> 2 & 1
        header.padding = word >> 3
        if header.kind == DYNAMIC:
            word = self.get()
            header.literals = word & 0xFFFF
            header.distances = word >> 16
            word = self.get()
            header.codes = word & 0xFFFF
            header.runs = word >> 16
            for symbol in range(CODE_LENGTH_CODES):
                header.code_lengths[symbol] = self.get()
            for place in range(header.runs):
                word = self.get()
                header.run_symbols[place] = word & 0xFF
                header.run_extras[place] = word >> 8
        return 0
