"""The searches of klauspost/compress at levels 5 and 6: two tables, and a second look at the end.

Re-enacts ``level5.go`` and ``level6.go`` of ``flate`` in klauspost/compress, as Go 1.27 has them:

- One table has the last place of each hash of four bytes, another the last two places of each hash
  of seven bytes.
- At each place the places of the seven bytes are tried, then that of the four. If only the latter
  is the same in its four bytes, the next place is tried as well (by seven bytes; at level 6 one
  byte on at the distance of the last match, too), and the longer match is taken.
- Every 64 literals in a row (128 at level 6) make the step to the next place a byte longer.
- A match found is held against those that the seven bytes behind its end would make it part of,
  leaving out its first bytes; then what is taken grows backwards over literals.
- Matches have any length up to the block's end, and are cut into tokens of up to 258 bytes.
- Some of the places in a match are put into the tables; which, depends on the level.

Compiled by ``klauspost_tables.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.encoders.klauspost_search import KlauspostSearch
from airgap.deflate.format import MAX_MATCH, MAX_STORED, WINDOW

_SHORTEST = 4
_SLOTS = 1 << 15
_SHORT_FACTOR = 2654435761
_SHORT_SHIFT = 17
_LONG_FACTOR = (58295818150454627 << 8) & 0xFFFFFFFFFFFFFFFF  # leaves the eighth byte out
_LONG_SHIFT = 49
_WORD = 0xFFFFFFFF
_TWO_WORDS = 0xFFFFFFFFFFFFFFFF
_GOOD = 30  # a match of so many bytes is taken as it is at level 5
_FAST = 5
_LOOKING_ON = 2  # the generation that took to it
_LACKING = 4  # likewise


class TwoTableSearch(KlauspostSearch):
    """The search of level 5 or 6.

    Args:
        data: the buffer of the model.
        level: 5 or 6.
        generation: 1 to 5; see :class:`~airgap.deflate.encoders.klauspost_stream.KlauspostStream`.
    """

    def __init__(self, data: bytearray, level: int, generation: int) -> None:
        super().__init__(data, generation)
        self._level = level
        self._skip_shift = level + 1
        self._looks_on = 1 if generation >= _LOOKING_ON else 0
        # How many of its first bytes a match may lack in its better.
        self._ignored = 2 if generation >= _LACKING else 0
        self._short = array("i", bytes(4 * _SLOTS))
        # The last place of a slot, then the one before.
        self._long = array("i", bytes(4 * 2 * _SLOTS))
        self._kept_short = array("i", bytes(4 * _SLOTS))
        self._kept_long = array("i", bytes(4 * 2 * _SLOTS))

    def renumber(self, less: int) -> int:
        """Make all marks smaller by ``less``, 0 at least."""
        self._lessen(self._short, _SLOTS, less)
        return self._lessen(self._long, 2 * _SLOTS, less)

    def _lessen(self, table: array[int], slots: int, less: int) -> int:
        for slot in range(slots):
            table[slot] = max(table[slot] - less, 0)
        return 0

    def keep(self) -> int:
        """Keep what the tables hold, to go back to it."""
        self._kept_short[:] = self._short
        self._kept_long[:] = self._long
        return 0

    def go_back(self) -> int:
        """Have in the tables again what was kept."""
        self._short[:] = self._kept_short
        self._long[:] = self._kept_long
        return 0

    def search(self, once: int) -> int:
        """Add tokens up to the block's end, or up to the next match if ``once`` is 1."""
        return self._search(self.data, self._short, self._long, once)

    def _search(  # noqa: C901, PLR0912, PLR0915 - a call for every place would cost too much
        self, data: bytearray, short: array[int], long: array[int], once: int
    ) -> int:
        place = self.place
        limit = self.limit
        origin = self.origin
        shift = self._skip_shift
        fast = self._level == _FAST
        while place < limit:
            emit = self.emit
            following = place
            word = self._load(data, place)
            short_slot = self._short_slot(word)
            long_slot = self._long_slot(word)
            length = 0
            while True:
                place = following
                following = place + 1 + ((place - emit) >> shift)
                if following > limit:
                    return self.emit_rest()
                four = word & _WORD
                nearest = short[short_slot] - origin
                other = long[long_slot] - origin
                older = long[long_slot + 1] - origin
                short[short_slot] = place + origin
                long[long_slot + 1] = long[long_slot]
                long[long_slot] = place + origin
                if following == place + 1:
                    coming = data[place + 8]
                    word = word >> 8 | coming << 56
                else:
                    word = self._load(data, following)
                short_slot = self._short_slot(word)
                long_slot = self._long_slot(word)
                if 0 < place - other < WINDOW:
                    if self._word(data, other) == four:
                        if 0 < place - older < WINDOW and self._word(data, older) == four:
                            length = self._length(data, place, other, _SHORTEST, MAX_MATCH)
                            longer = self._length(data, place, older, _SHORTEST, MAX_MATCH)
                            if longer > length:
                                other = older
                                length = longer
                        break
                    other = older
                    if 0 < place - other < WINDOW and self._word(data, other) == four:
                        break
                other = nearest
                if 0 < place - other < WINDOW and self._word(data, other) == four:
                    length = self._length(data, place, other, _SHORTEST, MAX_MATCH)
                    if not fast and self._word(data, place + 1) == self._word(
                        data, place + 1 - self.repeat
                    ):
                        older = place + 1 - self.repeat
                        longer = self._length(data, place + 1, older, _SHORTEST, MAX_MATCH)
                        if longer > length:
                            other = older
                            place += 1
                            length = longer
                            break
                    four = word & _WORD
                    nearest = long[long_slot] - origin
                    older = long[long_slot + 1] - origin
                    if 0 < following - nearest < WINDOW:
                        if self._word(data, nearest) == four:
                            longer = self._length(data, following, nearest, _SHORTEST, MAX_MATCH)
                            if longer > length:
                                other = nearest
                                place = following
                                length = longer
                                if fast:
                                    break
                        if 0 < following - older < WINDOW and self._word(data, older) == four:
                            longer = self._length(data, following, older, _SHORTEST, MAX_MATCH)
                            if longer > length:
                                other = older
                                place = following
                                length = longer
                    break
            short[short_slot] = following + origin
            long[long_slot + 1] = long[long_slot]
            long[long_slot] = following + origin
            length = self._take(data, long, place, other, length)
            place = self.emit
            if following >= place:
                place = following + 1
            if not fast:
                self._index_densely(data, short, long, following + 1, place)
            elif place < limit:
                self._index_sparsely(data, short, long, place - length + 1, place - 1)
            self.place = place
            if once:
                return 0
        return self.emit_rest()

    def _take(self, data: bytearray, long: array[int], place: int, other: int, length: int) -> int:
        """Better a match as far as that goes, add its tokens and the literals before it.

        Returns:
            The bytes of the match.
        """
        if length in (0, MAX_MATCH):
            length = self._length(data, place, other, length or _SHORTEST, MAX_STORED)
        after = place + length
        if self._looks_on and after < self.limit and (self._level != _FAST or length < _GOOD):
            slot = self._long_slot(self._load(data, after))
            start = place + self._ignored
            candidate = long[slot] - self.origin + self._ignored - length
            if start - candidate < WINDOW:
                if start > candidate >= self.floor:
                    longer = self._length(data, start, candidate, 0, MAX_STORED)
                    if longer > length:
                        other = candidate
                        length = longer
                        place = start
                if self._level != _FAST:
                    candidate = long[slot + 1] - self.origin + self._ignored - length
                    if 0 < start - candidate < WINDOW and candidate >= self.floor:
                        longer = self._length(data, start, candidate, 0, MAX_STORED)
                        if longer > length:
                            other = candidate
                            length = longer
                            place = start
        emit = self.emit
        floor = self.floor
        while other > floor and place > emit and data[other - 1] == data[place - 1]:
            other -= 1
            place -= 1
            length += 1
        self.add(self.tokens, place - emit, length, place - other)
        return length

    def _index_sparsely(
        self, data: bytearray, short: array[int], long: array[int], place: int, last: int
    ) -> int:
        """Put about every third place of a match, and the ``last``, into the tables (level 5)."""
        origin = self.origin
        if place < last:
            word = self._load(data, place)
            short[self._short_slot(word)] = place + origin
            self._put_long(long, word, place + origin)
            self._put_long(long, word >> 8, place + 1 + origin)
            short[self._short_slot(word >> 16)] = place + 2 + origin
            place += 4
            while place < last:
                word = self._load(data, place)
                self._put_long(long, word, place + origin)
                short[self._short_slot(word >> 8)] = place + 1 + origin
                place += 3
        word = self._load(data, last)
        short[self._short_slot(word)] = last + origin
        self._put_long(long, word, last + origin)
        return 0

    def _index_densely(
        self, data: bytearray, short: array[int], long: array[int], place: int, after: int
    ) -> int:
        """Put the places of a match from ``place`` on into the tables (level 6).

        That is every one by seven bytes and every other by four; only the latter, but up to the end
        of the block, where the search ends with this match.
        """
        origin = self.origin
        if after >= self.limit:
            after = self.stop - 8
            while place < after:
                word = self._load(data, place)
                short[self._short_slot(word)] = place + origin
                self._put_long(long, word, place + origin)
                place += 2
            return 0
        while place < after - 1:
            word = self._load(data, place)
            short[self._short_slot(word)] = place + origin
            self._put_long(long, word, place + origin)
            self._put_long(long, word >> 8, place + 1 + origin)
            place += 2
        return 0

    def _put_long(self, long: array[int], word: int, mark: int) -> int:
        """Put a place into the table of seven bytes, which ``word`` begins with."""
        slot = self._long_slot(word)
        long[slot + 1] = long[slot]
        long[slot] = mark
        return 0

    def _length(self, data: bytearray, place: int, other: int, length: int, longest: int) -> int:
        """How many bytes are the same, ``length`` of which are known to be, within the block."""
        longest = min(longest, self.stop - place)
        while length < longest and data[other + length] == data[place + length]:
            length += 1
        return length

    def _load(self, data: bytearray, place: int) -> int:
        """The eight bytes at ``place`` as a number, the first one lowest."""
        high = self._word(data, place + 4)
        return self._word(data, place) | high << 32

    def _word(self, data: bytearray, place: int) -> int:
        """The four bytes at ``place`` as a number, the first one lowest."""
        return data[place] | data[place + 1] << 8 | data[place + 2] << 16 | data[place + 3] << 24

    def _short_slot(self, word: int) -> int:
        return ((word & _WORD) * _SHORT_FACTOR & _WORD) >> _SHORT_SHIFT

    def _long_slot(self, word: int) -> int:
        return (word * _LONG_FACTOR & _TWO_WORDS) >> _LONG_SHIFT << 1
