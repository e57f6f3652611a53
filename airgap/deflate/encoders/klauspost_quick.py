"""The searches of klauspost/compress at levels 1 and 2: one table, looked at ever more seldom.

Re-enacts ``level1.go`` and ``level2.go`` of ``flate`` in klauspost/compress (version 1.15.11 and
later), as Go 1.27 has them; they descend from Snappy:

- A table has the last place of each hash of five bytes: 2^15 hashes at level 1, 2^17 at level 2.
- Two places next to each other are looked at, then a step is made that becomes a byte longer with
  every 32 literals in a row.
- A match grows as far as it can, forwards to the block's end and backwards over literals.
- Behind a match the next place is tried right away.
- Some places of a match are put into the table: its last, and at level 2 three of every seven.

Compiled by ``klauspost_quick.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.encoders.klauspost_search import KlauspostSearch
from airgap.deflate.format import WINDOW

_SHORTEST = 4
_STEP = 2
_SKIP_SHIFT = 5
_FACTOR = (889523592379 << 24) & 0xFFFFFFFFFFFFFFFF  # leaves out all but five bytes
_WORD = 0xFFFFFFFF
_TWO_WORDS = 0xFFFFFFFFFFFFFFFF
_FASTEST = 1


class QuickSearch(KlauspostSearch):
    """The search of level 1 or 2.

    Args:
        data: the buffer of the model.
        level: 1 or 2.
        generation: see :class:`~airgap.deflate.encoders.klauspost_stream.KlauspostStream`.
    """

    def __init__(self, data: bytearray, level: int, generation: int) -> None:
        super().__init__(data, generation)
        self._level = level
        bits = 15 if level == _FASTEST else 17
        self._shift = 64 - bits
        self._slots = 1 << bits
        self._table = array("i", bytes(4 * self._slots))
        self._kept = array("i", bytes(4 * self._slots))

    def renumber(self, less: int) -> int:
        """Make all marks smaller by ``less``, 0 at least."""
        return self._lessen(self._table, self._slots, less)

    def _lessen(self, table: array[int], slots: int, less: int) -> int:
        for slot in range(slots):
            table[slot] = max(table[slot] - less, 0)
        return 0

    def keep(self) -> int:
        """Keep what the table holds, to go back to it."""
        self._kept[:] = self._table
        return 0

    def go_back(self) -> int:
        """Have in the table again what was kept."""
        self._table[:] = self._kept
        return 0

    def search(self, once: int) -> int:
        """Add tokens up to the block's end, or up to the next match if ``once`` is 1."""
        return self._search(self.data, self._table, once)

    def _search(self, data: bytearray, table: array[int], once: int) -> int:
        origin = self.origin
        while self.place < self.limit:
            following = self.place
            if self.known < 0:
                following = self._find(data, table)
                if following < 0:
                    break
            length = self._take(data, self.place, self.known)
            self.known = -1
            place = max(self.emit, following + 1)
            self.place = place
            if place >= self.limit:
                if place + length + 8 < self.stop:
                    table[self._slot(self._load(data, place))] = place + origin
                break
            if self._level != _FASTEST:
                self._index(data, table, place - length + 2, place - 5)
            word = self._load(data, place - 2)
            table[self._slot(word)] = place - 2 + origin
            if self._level != _FASTEST:
                table[self._slot(word >> 8)] = place - 1 + origin
            slot = self._slot(word >> 16)
            other = table[slot] - origin
            table[slot] = place + origin
            # Here, and here alone, matches reach back a whole window.
            if 0 < place - other <= WINDOW and self._word(data, other) == (word >> 16) & _WORD:
                self.known = other
            else:
                self.place = place + 1
            if once:
                return 0
        return self.emit_rest()

    def _find(self, data: bytearray, table: array[int]) -> int:
        """Find the next match, and let ``place`` and ``known`` tell it.

        Returns:
            The place that would have been looked at next; -1 where there is no match.
        """
        place = self.place
        emit = self.emit
        limit = self.limit
        origin = self.origin
        word = self._load(data, place)
        while True:
            slot = self._slot(word)
            following = place + _STEP + ((place - emit) >> _SKIP_SHIFT)
            if following > limit:
                return -1
            other = table[slot] - origin
            table[slot] = place + origin
            coming = self._load(data, following)
            slot = self._slot(coming)
            if 0 < place - other < WINDOW and self._word(data, other) == word & _WORD:
                table[slot] = following + origin
                break
            place = following
            following += 1
            other = table[slot] - origin
            table[slot] = place + origin
            if 0 < place - other < WINDOW and self._word(data, other) == coming & _WORD:
                if self._level == _FASTEST:
                    # Meant for the hash of that place.
                    table[slot] = following + origin
                break
            word = coming >> 8
            place = following
        self.place = place
        self.known = other
        return following

    def _take(self, data: bytearray, place: int, other: int) -> int:
        """Take a match as far as that goes, and the literals before it.

        Returns:
            The bytes of the match.
        """
        length = _SHORTEST
        longest = self.stop - place
        while length < longest and data[other + length] == data[place + length]:
            length += 1
        emit = self.emit
        floor = self.floor
        while other > floor and place > emit and data[other - 1] == data[place - 1]:
            other -= 1
            place -= 1
            length += 1
        self.add(self.tokens, place - emit, length, place - other)
        return length

    def _index(self, data: bytearray, table: array[int], place: int, after: int) -> int:
        """Put three of every seven places of a match into the table (level 2)."""
        origin = self.origin
        while place < after:
            word = self._load(data, place)
            table[self._slot(word)] = place + origin
            table[self._slot(word >> 16)] = place + 2 + origin
            # Of five bytes only four are left.
            table[self._slot(word >> 32)] = place + 4 + origin
            place += 7
        return 0

    def _load(self, data: bytearray, place: int) -> int:
        """The eight bytes at ``place`` as a number, the first one lowest."""
        high = self._word(data, place + 4)
        return self._word(data, place) | high << 32

    def _word(self, data: bytearray, place: int) -> int:
        """The four bytes at ``place`` as a number, the first one lowest."""
        return data[place] | data[place + 1] << 8 | data[place + 2] << 16 | data[place + 3] << 24

    def _slot(self, word: int) -> int:
        return (word * _FACTOR & _TWO_WORDS) >> self._shift
