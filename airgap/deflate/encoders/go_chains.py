"""Go's levels 2 to 9: hash chains, and from level 4 on a look at the next byte's match first.

Re-enacts the matcher of Go's ``compress/flate`` (``deflate.go``, Go 1.19 to 1.26), which Docker,
BuildKit and go-containerregistry use at its default level, 6. What decides its tokens:

- Every position where four bytes are left is hashed by them and put before its chain; levels 2 and
  3 leave out the inside of a match that is longer than a few bytes.
- A match has four bytes at least. One of just four is not taken beyond a distance of 4096.
- The longest match among the first so many of the chain is taken, the nearest of the longest, and
  the search ends early at a length that is nice enough.
- From level 4 on a match is given up for a literal where the next position has a longer one, and
  not even tried where the match before is long enough. (The encoder also means to search less
  after a good match, but never comes to do so: it always searches as if there was none.)
- The window has 65,536 bytes and moves by half of it at a time, when the position comes within 262
  bytes of its end and more bytes are there than it holds. What has left it can't be matched, even
  if nearer than 32,768 bytes, and a block whose start has left it can't be stored.
- A block has 16,384 tokens.

The encoder is taken to be fed so that its window was full whenever it moved, as it is when fed in
one piece or in pieces of a size that divides 32,768. Otherwise the move can come one byte earlier,
which seldom changes a token; and ``Flush`` ends a block and hides the bytes behind it. Corrections
repair both.

Compiled by ``go_chains.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.encoders.go_blocks import GoBlocks
from airgap.deflate.format import MAX_MATCH, WINDOW
from airgap.deflate.header import Header
from airgap.deflate.model import Model

_BLOCK_TOKENS = 1 << 14
_SHORTEST = 4
_FAR_FOR_SHORTEST = 4096

_HASH_BITS = 17
_HASH_SHIFT = 32 - _HASH_BITS
_HASH_MASK = (1 << _HASH_BITS) - 1
_HASH_FACTOR = 0x1E35A7BD
_WINDOW_MASK = WINDOW - 1

# The window moves when the position is this far from its start.
_MOVE_AT = 2 * WINDOW - (_SHORTEST + MAX_MATCH) + 1

_MARK_LIMIT = 1 << 30

# How many places are looked at before hope is kept.
_HOPES = 4

# The last level that takes the first match it finds.
_GREEDY = 3

# Of each level: from what length on the next position is not tried, what length is nice enough to
# end a search, how many of a chain are looked at, and up to what length the inside of a match is
# hashed.
_LEVELS = {
    2: (_SHORTEST, 16, 8, 5),
    3: (_SHORTEST, 32, 32, 6),
    4: (4, 16, 16, MAX_MATCH),
    5: (16, 32, 32, MAX_MATCH),
    6: (16, 128, 128, MAX_MATCH),
    7: (32, 128, 256, MAX_MATCH),
    8: (128, 258, 1024, MAX_MATCH),
    9: (258, 258, 4096, MAX_MATCH),
}


class GoChains(GoBlocks):
    """Go's encoder at one of the levels 2 to 9.

    Positions are kept as *marks*, which neither a slide of the buffer nor a new stream changes: the
    position plus ``_origin``. 0 is a mark that no position has.
    """

    def __init__(self, level: int) -> None:
        super().__init__()
        self._greedy = 1 if level <= _GREEDY else 0
        self._lazy, self._nice, self._tries, self._hashed_match = _LEVELS[level]
        self._heads = array("i", bytes(4 << _HASH_BITS))
        self._links = array("i", bytes(4 * WINDOW))
        self._origin = 1
        self._window_mark = 1
        # The first position that is in no chain yet.
        self._fresh = 0
        # The match (a token) that starts at a position, once it was searched.
        self._found = 0
        self._found_at = -1

    def restart(self) -> int:
        """Stand at the start of a new stream, where no older mark lies in the window."""
        self._origin += self.end
        self._window_mark = self._origin
        self._fresh = 0
        self._found_at = -1
        self._renumber()
        return GoBlocks.restart(self)

    def slide(self, distance: int) -> int:
        """Follow the buffer."""
        self._origin += distance
        self._fresh -= distance
        self._found_at = self._found_at - distance if self._found_at >= distance else -1
        self._renumber()
        return GoBlocks.slide(self, distance)

    def _renumber(self) -> int:
        """Make all marks smaller once they are large, without changing their places in links."""
        if self._origin < _MARK_LIMIT:
            return 0
        less = (self._window_mark - 1) & ~_WINDOW_MASK
        self._origin -= less
        self._window_mark -= less
        for place in range(1 << _HASH_BITS):
            self._heads[place] = max(self._heads[place] - less, 0)
        for place in range(WINDOW):
            self._links[place] = max(self._links[place] - less, 0)
        return 0

    def ends_block(self) -> int:
        """Tell whether the block has all its tokens, or the bytes are at an end."""
        if self.tokens == _BLOCK_TOKENS:
            return 1
        return Model.ends_block(self)

    def choose(self, header: Header) -> int:
        """Choose the smallest kind; stored only if the window still has the block's start."""
        if self.tokens == 0:
            return self.choose_empty(header)
        return self.choose_smallest(
            header, 1 if self.block_start + self._origin >= self._window_mark else 0
        )

    def predict(self) -> int:
        """Give the match at ``pos``, unless the next position has a longer one."""
        return self._decide()

    def accept(self, token: int) -> int:
        """Put the token's bytes into the chains, and step over it."""
        self.count(token)
        if token == 0:
            self.pos += 1
            # What the next question begins with; begun here, it is there when it is needed.
            self._chain(self.pos + 2 if self._found_at == self.pos else self.pos + 1)
            return 0
        self.pos += token >> 16
        if token >> 16 <= self._hashed_match:
            self._chain(self.pos + 1)
        elif self._fresh < self.pos:
            self._fresh = self.pos
        return 0

    def _decide(self) -> int:
        if self._found_at != self.pos:
            self._found_at = self.pos
            self._found = self._visit(self.pos, _SHORTEST - 1)
        token = self._found
        if self._greedy:
            return token
        length = token >> 16
        better = self._visit(self.pos + 1, length or _SHORTEST - 1)
        if token and not better:
            return token
        self._found_at = self.pos + 1
        self._found = better
        return 0

    def _chain(self, stop: int) -> int:
        """Put the positions up to ``stop`` before their chains, where four bytes are left."""
        stop = min(stop, self.end - _SHORTEST + 1)
        place = self._fresh
        if place >= stop:
            return 0
        mark = place + self._origin
        key = self.data[place] << 16 | self.data[place + 1] << 8 | self.data[place + 2]
        while place < stop:
            key = (key & 0xFFFFFF) << 8 | self.data[place + 3]
            head = (key * _HASH_FACTOR) >> _HASH_SHIFT & _HASH_MASK
            self._links[mark & _WINDOW_MASK] = self._heads[head]
            self._heads[head] = mark
            mark += 1
            place += 1
        self._fresh = place
        return 0

    def _visit(self, place: int, beaten: int) -> int:
        """Come to ``place``: move the window, chain the place, and search a match there.

        Args:
            place: a position at which the encoder looks.
            beaten: only a longer match counts, and it is given up where this is long already.

        Returns:
            The token of the match, or 0.
        """
        mark = place + self._origin
        if (
            mark >= self._window_mark + _MOVE_AT
            and self.end + self._origin > self._window_mark + 2 * WINDOW
        ):
            self._window_mark += WINDOW
        longest = self.end - place
        if longest < _SHORTEST:
            return 0
        self._chain(place + 1)
        if longest <= beaten or beaten >= self._lazy:
            return 0
        if self._links[mark & _WINDOW_MASK] < max(mark - WINDOW, self._window_mark):
            return 0
        return self._search(place, mark, beaten, min(longest, MAX_MATCH))

    def _search(self, place: int, mark: int, beaten: int, longest: int) -> int:
        """Give the best match in the chain of ``place``, or 0.

        The encoder starts from nothing and ends here with a match that may be no longer than the
        one before, which then wins. To start from that one's length gives the same tokens.

        Args:
            place: where the match starts,
            mark: and its mark.
            beaten: only a longer match counts.
            longest: how long it can be.
        """
        oldest = max(mark - WINDOW, self._window_mark)
        nice = min(longest, self._nice)
        tries = self._tries
        origin = self._origin
        token = 0
        candidate = self._links[mark & _WINDOW_MASK]
        near = mark - _FAR_FOR_SHORTEST
        if beaten >= _SHORTEST:
            near = 0
            if self._hopeless(place, mark, candidate, beaten, oldest):
                return 0
        last = self.data[place + beaten]
        # A chain that goes back a whole window comes round to its start: nothing is longer there.
        while candidate >= oldest and tries:
            if candidate < near:
                # From here on four bytes are too few.
                near = 0
                beaten = _SHORTEST
                if longest == beaten or self._hopeless(place, mark, candidate, beaten, oldest):
                    break
                last = self.data[place + beaten]
            other = candidate - origin
            length = 0
            if self.data[other + beaten] == last:
                length = self._length(place, other, beaten, longest)
            if length:
                token = length << 16 | (mark - candidate)
                if length >= nice or self._hopeless(place, mark, candidate, length, oldest):
                    break
                near = 0
                beaten = length
                last = self.data[place + beaten]
            candidate = self._links[candidate & _WINDOW_MASK]
            tries -= 1
        return token

    def _length(self, place: int, other: int, beaten: int, longest: int) -> int:
        """Give how many bytes at two places are the same; 0 if not more than ``beaten``.

        The byte behind these is known to be the same. Mostly one of the last before it is not.
        """
        length = beaten
        while length and self.data[other + length - 1] == self.data[place + length - 1]:
            length -= 1
        if length:
            return 0
        length = beaten + 1
        while length < longest and self.data[other + length] == self.data[place + length]:
            length += 1
        return length

    def _hopeless(self, place: int, mark: int, candidate: int, beaten: int, oldest: int) -> int:
        """Tell (0 or 1) whether no match of more than ``beaten`` bytes is left in the window.

        It would bring the four bytes that end just behind these, so it is enough to look where
        they are. The encoder does not: it searches the same matches in vain.

        Args:
            place: where the match starts,
            mark: and its mark.
            candidate: the newest mark that is still to be looked at.
            beaten: four at least.
            oldest: the oldest mark that is looked at.
        """
        ahead = beaten - _SHORTEST + 1
        if mark - candidate < ahead or self._greedy:
            return 0  # the four bytes may be where nothing is chained (yet)
        first = self.data[place]
        second = self.data[place + 1]
        place += ahead
        key = (
            self.data[place] << 24
            | self.data[place + 1] << 16
            | self.data[place + 2] << 8
            | self.data[place + 3]
        )
        head = (key * _HASH_FACTOR) >> _HASH_SHIFT & _HASH_MASK
        start = self._heads[head] - ahead
        tries = _HOPES
        while start >= oldest:
            if tries == 0:
                return 0
            if start <= candidate:
                place = start - self._origin
                if self.data[place] == first and self.data[place + 1] == second:
                    return 0
            start = self._links[(start + ahead) & _WINDOW_MASK] - ahead
            tries -= 1
        return 1
