"""Go's level 1, "best speed": a table of the last places, looked at ever more seldom in noise.

Re-enacts the matcher of Go's ``compress/flate`` (``deflatefast.go``, Go 1.19 to 1.26), which
descends from Snappy's:

- The input is cut into blocks of 65,535 bytes, each encoded on its own, with matches reaching back
  into the block before but never over the block's end.
- A table holds, for each hash of four bytes, the last place looked at. What it holds is taken if
  its four bytes are the same and it is at most 32,768 bytes away, and grows up to 258 bytes.
- Every 32 places without a match make the step to the next one a byte longer, until one is found.
- After a match its last byte and the next are put into the table, and the next place is tried
  right away.
- The last 15 bytes of a block are literals, unless a match reaches into them.
- A block in which matches saved less than a sixteenth of the tokens is coded as literals alone; so
  is a last one of less than 128 bytes, which up to 16 bytes is stored.

The encoder is taken to be never flushed but by its end. ``Flush`` ends an input block early;
corrections repair that.

Compiled by ``go_speed.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.encoders.go_blocks import GoBlocks
from airgap.deflate.format import MAX_MATCH, MAX_STORED, STORED, WINDOW
from airgap.deflate.header import Header
from airgap.deflate.model import Model

_SHORTEST = 4
_FEWEST_SEARCHED = 128
_MOST_STORED = 16
_MARGIN = 15

_HASH_BITS = 14
_HASH_SHIFT = 32 - _HASH_BITS
_HASH_MASK = (1 << _HASH_BITS) - 1
_HASH_FACTOR = 0x1E35A7BD

_FIRST_SKIP = 32
_SKIP_SHIFT = 5
_MARK_LIMIT = 1 << 30


class GoSpeed(GoBlocks):
    """Go's encoder at level 1.

    It decides over a whole block at once, so the block's matches are found when its first token is
    asked for. Places in the table are *marks*, which neither a slide of the buffer nor a new stream
    changes: the position plus ``_origin``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._marks = array("i", bytes(4 << _HASH_BITS))
        self._words = array("I", bytes(4 << _HASH_BITS))
        self._origin = WINDOW + 1
        # The matches of the block: where each starts, from the block's start, and its token.
        self._starts = array("i", bytes(4 * (MAX_STORED // _SHORTEST + 1)))
        self._matches = array("i", bytes(4 * (MAX_STORED // _SHORTEST + 1)))
        self._found = 0
        self._next = 0
        # The bytes of the block; 0 while it was not searched.
        self._size = 0

    def restart(self) -> int:
        """Stand at the start of a new stream, which older marks are too far away to match."""
        self._origin += self.end + WINDOW + 1
        self._renumber()
        return GoBlocks.restart(self)

    def slide(self, distance: int) -> int:
        """Follow the buffer."""
        self._origin += distance
        self._renumber()
        return GoBlocks.slide(self, distance)

    def _renumber(self) -> int:
        """Make all marks smaller once they are large."""
        if self._origin < _MARK_LIMIT:
            return 0
        less = self._origin - (WINDOW + 1)
        self._origin -= less
        for place in range(1 << _HASH_BITS):
            self._marks[place] = max(self._marks[place] - less, 0)
        return 0

    def begin_block(self) -> int:
        """Count anew."""
        self._size = 0
        return GoBlocks.begin_block(self)

    def ends_block(self) -> int:
        """Tell whether the block has all its bytes, or there are no more."""
        if self.pos >= self.end:
            return Model.ends_block(self)
        if self._size == 0:
            self._search_block()
        return 1 if self.pos - self.block_start >= self._size else 0

    def predict(self) -> int:
        """Give the match that was found at ``pos``, or a literal."""
        if self._size == 0:
            self._search_block()
        return self._match_at(self.pos - self.block_start)

    def choose(self, header: Header) -> int:
        """Choose codes of the block's own, or to store it."""
        if self.tokens == 0:
            return self.choose_empty(header)
        self.choose_dynamic(header)
        if self.pos - self.block_start <= _MOST_STORED:
            header.kind = STORED
        return 0

    def _match_at(self, place: int) -> int:
        """Give the match that starts at ``place`` of the block, or 0; places only go up."""
        while self._next < self._found and self._starts[self._next] < place:
            self._next += 1
        if self._next < self._found and self._starts[self._next] == place:
            return self._matches[self._next]
        return 0

    def _search_block(self) -> int:
        """Find the matches of the block that starts at ``pos``."""
        self._size = self.end - self.block_start
        self._size = min(self._size, MAX_STORED)
        self._found = 0
        self._next = 0
        if self._size < _FEWEST_SEARCHED:
            return 0
        saved = self._search()
        if saved < self._size >> 4:
            self._found = 0
        return 0

    def _search(self) -> int:
        """Find the matches, and return how many tokens they save."""
        saved = 0
        stop = self.block_start + self._size
        limit = stop - _MARGIN
        place = self.block_start
        word = self._word(place)
        head = self._hash(word)
        while True:
            skip = _FIRST_SKIP
            following = place
            while True:
                place = following
                following = place + (skip >> _SKIP_SHIFT)
                skip += skip >> _SKIP_SHIFT
                if following > limit:
                    return saved
                mark = place + self._origin
                candidate = self._marks[head]
                same = self._words[head] == word
                self._marks[head] = mark
                self._words[head] = word
                if same and 0 < mark - candidate <= WINDOW:
                    break
                word = self._word(following)
                head = self._hash(word)
            while True:
                length = self._length(place, candidate - self._origin, stop)
                self._starts[self._found] = place - self.block_start
                self._matches[self._found] = length << 16 | (mark - candidate)
                self._found += 1
                saved += length - 1
                place += length
                if place >= limit:
                    return saved
                word = self._word(place - 1)
                head = self._hash(word)
                mark = place + self._origin
                self._marks[head] = mark - 1
                self._words[head] = word
                word = self._word(place)
                head = self._hash(word)
                candidate = self._marks[head]
                same = self._words[head] == word
                self._marks[head] = mark
                self._words[head] = word
                if not (same and 0 < mark - candidate <= WINDOW):
                    break
            place += 1
            word = self._word(place)
            head = self._hash(word)

    def _length(self, place: int, other: int, stop: int) -> int:
        """How many bytes at ``place`` and ``other`` are the same, four of which are known to be."""
        longest = stop - place
        longest = min(longest, MAX_MATCH)
        length = _SHORTEST
        while length < longest and self.data[other + length] == self.data[place + length]:
            length += 1
        return length

    def _word(self, place: int) -> int:
        """The four bytes at ``place`` as a number, the first one lowest."""
        return (
            self.data[place]
            | self.data[place + 1] << 8
            | self.data[place + 2] << 16
            | self.data[place + 3] << 24
        )

    def _hash(self, word: int) -> int:
        return (word * _HASH_FACTOR) >> _HASH_SHIFT & _HASH_MASK
