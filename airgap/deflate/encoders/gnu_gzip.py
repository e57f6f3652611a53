"""GNU gzip's own deflate, levels 1 to 9.

Re-enacts ``deflate.c`` and ``trees.c`` of gzip 1.12. zlib descends from them: the same
search, the same codes, but blocks of up to 32,767 tokens that end early where the encoder guesses
that it pays (``ct_tally``), and an end of the input of its own. There it does not cut a search
short, moves its window no more, and compares what stands in the window behind the last byte.

Its header tells it from zlib's only by the file's name and time, where it had a file. Not meant
here: ``--rsyncable``, and a machine whose processor compresses (IBM Z).

Compiled by ``gnu_gzip.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.encoders.zlib_plain import DEFAULT_MEMORY, Zlib
from airgap.deflate.format import MAX_DISTANCES, MAX_MATCH, MIN_MATCH, WINDOW

_LOOKAHEAD = MAX_MATCH + MIN_MATCH + 1
_MAX_DISTANCE = WINDOW - _LOOKAHEAD
_MOST_TOKENS = (1 << 15) - 1
_FIRST_GUESSING_LEVEL = 3
_TOKENS_A_GUESS = 1 << 12
_FAR = 0xFFFF
_TOO_FAR = 4096


class GnuGzip(Zlib):
    """One deflate stream of GNU gzip.

    Attributes:
        guesses: 1 at levels that may end a block early.
        sealed: 1 when the encoder has met the end of its input, and its window stays where it is.
        first: where the window begins once it is sealed.
    """

    def __init__(self, level: int) -> None:
        """Write at ``level`` (1 to 9).

        Raises:
            ValueError: there is no such level.
        """
        super().__init__(level, DEFAULT_MEMORY)
        self.most = _MOST_TOKENS
        self.guesses = 1 if level >= _FIRST_GUESSING_LEVEL else 0
        self.sealed = 0
        self.first = 0

    def restart(self) -> int:
        """Forget everything, and stand at the start of a new stream."""
        Zlib.restart(self)
        self.sealed = 0
        return 0

    def slide(self, distance: int) -> int:
        """Every position has become smaller by ``distance``."""
        Zlib.slide(self, distance)
        self.first -= distance
        return 0

    def accept(self, token: int) -> int:
        """Step over ``token``."""
        Zlib.accept(self, token)
        if self.closed:
            self.seal(self.last + self.every)
        if self.guesses and self.blocks.tokens % _TOKENS_A_GUESS == 0 and self.pays():
            self.full = 1
        return 0

    def pays(self) -> int:
        """Guess (0 or 1) whether the block has shrunk to less than half, with few matches."""
        bits = 8 * self.blocks.tokens
        for symbol in range(MAX_DISTANCES):
            bits += self.blocks.distances[symbol] * (5 + self.blocks.distance_bits[symbol])
        read = self.last + self.every - self.block
        few = self.blocks.matches < self.blocks.tokens // 2
        return 1 if few and bits // 8 < read // 2 else 0

    def seal(self, stands: int) -> int:
        """Let the window be as it is when the encoder, at ``stands``, finds no more to read."""
        if not self.sealed and self.end - stands < _LOOKAHEAD:
            self.first = Zlib.window(self, stands)
            self.sealed = 1
        return 0

    def window(self, stands: int) -> int:
        """Where the encoder's window begins when it stands at ``stands``."""
        return self.first if self.sealed else Zlib.window(self, stands)

    def find(self, position: int, least: int) -> int:
        """Give the token of the match that the encoder finds, longer than ``least``; 0 for none."""
        if self.closed:
            self.seal(position)
            if self.sealed:
                return self.find_late(position, least)
        return Zlib.find(self, position, least)

    def find_late(self, position: int, least: int) -> int:
        """Find as the encoder does when it knows how few bytes are left."""
        room = self.end - position
        if room < MIN_MATCH or least >= room or position - self.first > 2 * WINDOW - _LOOKAHEAD:
            return 0
        self.insert(position)
        depth = self.depth >> 2 if least >= self.good else self.depth
        limit = max(position - _MAX_DISTANCE, self.origin)
        best = least
        found = -1
        place = position - (self.links[position & (WINDOW - 1)] & _FAR)
        if place == position - _MAX_DISTANCE and place > self.origin:
            limit = place - 1
            depth = 1
        while place > limit and depth > 0:
            length = 0
            while length < MAX_MATCH:
                if self.byte_at(place + length) != self.byte_at(position + length):
                    break
                length += 1
            if length > best:
                best = length
                found = place
                if length >= self.nice:
                    break
            place -= self.links[place & (WINDOW - 1)] & _FAR
            depth -= 1
        best = min(best, room)
        if best == MIN_MATCH and self.every and position - found > _TOO_FAR:
            return 0
        return (best << 16) | (position - found) if found >= 0 and best > least else 0

    def byte_at(self, position: int) -> int:
        """The byte in the encoder's window, even behind the last one of the input.

        The first two there have been cleared; then comes what the upper half of the window held
        before it was moved down, or nothing yet.
        """
        if position < self.end:
            return self.data[position]
        if position < self.end + MIN_MATCH - 1 or self.first == self.origin:
            return 0
        return self.data[position - WINDOW]
