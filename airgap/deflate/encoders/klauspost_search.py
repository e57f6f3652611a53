"""What the fast encoders of klauspost/compress have in common: input blocks, and what was found.

Re-enacts ``fast_encoder.go``, ``token.go`` and ``deflate.go`` of ``flate`` in klauspost/compress:
the input is cut into blocks of 65,535 bytes, and each is searched at once, with matches that reach
back less than 32,768 bytes but never over the block's end. How the levels search is theirs.

Places in the tables are *marks*: the position plus ``origin``, so that neither a slide of the
buffer nor the start of a new stream touches the tables.

Compiled by ``klauspost_search.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.format import CAPACITY, MAX_MATCH, MAX_STORED, MIN_MATCH, WINDOW

_MARGIN = 11  # the last bytes of a block, where no match begins
_FEWEST = 13  # bytes, below which nothing is searched
_WHOLE_MATCHES = 3  # the generation that took to them
_FIRST_ORIGIN = 2 * WINDOW
_LAST_ORIGIN = 1 << 30
_EVERY_MARK = 0x7FFFFFFF


class KlauspostSearch:
    """Finds the tokens of one input block after another.

    Attributes:
        data: the buffer of the model, which says what positions are.
        tokens: the tokens found.
        found: how many those are.
        place: where the search goes on.
        emit: the first byte that no token stands for yet.
        stop: where the block ends.
        limit: where the search ends.
        floor: the first byte that matches may reach; history begins here.
        origin: what makes a mark of a position.
        repeat: the distance of the last match; 1 at the start of a block.
        known: what the match that begins at ``place`` is a copy of, where that is known; else -1.
    """

    def __init__(self, data: bytearray, generation: int) -> None:
        self.data = data
        # The longest token where it takes more than one.
        self._longest = MAX_MATCH if generation >= _WHOLE_MATCHES else MAX_MATCH - MIN_MATCH
        self.tokens = array("i", bytes(4 * (MAX_STORED + MAX_MATCH)))
        self.found = 0
        self.place = 0
        self.emit = 0
        self.stop = 0
        self.limit = 0
        self.floor = 0
        self.origin = _FIRST_ORIGIN
        self.repeat = 1
        self.known = -1

    def slide(self, distance: int) -> int:
        """Follow the buffer."""
        self.place -= distance
        self.emit -= distance
        self.stop -= distance
        self.limit -= distance
        self.floor = max(self.floor - distance, 0)
        self.known = max(self.known - distance, -1)
        self.origin += distance
        if self.origin > _LAST_ORIGIN:
            self.renumber(self.origin - _FIRST_ORIGIN)
            self.origin = _FIRST_ORIGIN
        return 0

    def forget(self, place: int) -> int:
        """Let history begin at ``place``: what the tables hold is out of reach from now on."""
        self.floor = place
        self.origin += CAPACITY + _FIRST_ORIGIN
        if self.origin > _LAST_ORIGIN:
            self.renumber(_EVERY_MARK)
            self.origin = _FIRST_ORIGIN
        return 0

    def begin(self, start: int, stop: int) -> int:
        """Stand at the start of a block; its bytes are in the buffer."""
        self.place = start
        self.emit = start
        self.stop = stop
        self.limit = stop - _MARGIN
        self.repeat = 1
        self.known = -1
        self.found = 0
        return 0

    def run(self) -> int:
        """Find all the tokens of the block."""
        if self.stop - self.emit < _FEWEST:
            return self.emit_rest()
        return self.search(0)

    def go_on(self, place: int) -> int:
        """Find the next tokens, from ``place`` on, wherever the search stood before."""
        self.found = 0
        if self.emit != place:
            self.emit = place
            self.place = place
            self.known = -1
        return self.search(1)

    def catch_up(self, place: int) -> int:
        """Search from the start of the block to ``place`` or a little further, for the tables."""
        while self.emit < place:
            self.found = 0
            self.search(1)
        return 0

    def add(self, tokens: array[int], literals: int, length: int, distance: int) -> int:
        """Add so many literals and a match, in as many tokens as that takes."""
        found = self.found
        self.emit += literals + length
        while literals > 0:
            tokens[found] = 0
            found += 1
            literals -= 1
        while length > 0:
            part = length
            if part > MAX_MATCH:
                # What is left must make a match as well.
                part = self._longest if length > MAX_MATCH + MIN_MATCH else MAX_MATCH - MIN_MATCH
            tokens[found] = part << 16 | distance
            found += 1
            length -= part
        self.found = found
        self.repeat = distance
        return 0

    def emit_rest(self) -> int:
        """Make literals of what is left of the block."""
        while self.emit < self.stop:
            self.tokens[self.found] = 0
            self.found += 1
            self.emit += 1
        return 0

    # What a level fills in.

    def search(self, once: int) -> int:
        """Add tokens up to the block's end, or up to the next match if ``once`` is 1."""
        return 0

    def renumber(self, less: int) -> int:
        """Make all marks smaller by ``less``, 0 at least."""
        return 0

    def keep(self) -> int:
        """Keep what the tables hold, to go back to it."""
        return 0

    def go_back(self) -> int:
        """Have in the tables again what was kept."""
        return 0
