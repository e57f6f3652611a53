"""The choice of tokens of zlib, GNU gzip and pigz: greedy at levels 1 to 3, lazy at 4 to 9.

Re-enacts ``deflate_fast`` and ``deflate_slow`` of zlib's ``deflate.c`` (GNU gzip's are alike). The
greedy one takes any match and inserts the positions inside short ones only. The lazy one puts a
match off by a byte and drops it if a longer one begins there.

Compiled by ``zlib_matcher.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.encoders.zlib_blocks import Blocks
from airgap.deflate.encoders.zlib_search import Search
from airgap.deflate.format import MIN_MATCH

_FIRST_LAZY_LEVEL = 4

# By level: good, lazy, nice and depth (deflate.c, configuration_table). At levels 1 to 3, "lazy" is
# the length of the longest match whose inner positions are inserted.
_LEVELS = (
    (4, 4, 8, 4),
    (4, 5, 16, 8),
    (4, 6, 32, 32),
    (4, 4, 16, 16),
    (8, 16, 32, 32),
    (8, 16, 128, 128),
    (8, 32, 128, 256),
    (32, 128, 258, 1024),
    (32, 258, 258, 4096),
)


class Matcher(Search):
    """Chooses tokens as the family does, and counts them; what ends a block is not known here.

    Attributes:
        lazy: see the levels' table.
        block: where the block begins, as a position; far below 0 where that is long gone.
        last: where the last token begins.
        blocks: the tokens of the block so far.
        known_at: for which position ``known`` is the match already found, or -1.
    """

    def __init__(self, level: int, memory: int) -> None:
        """Choose as at ``level`` (1 to 9) with zlib's ``memLevel``.

        Raises:
            ValueError: there is no such level.
        """
        if not 1 <= level <= len(_LEVELS):
            raise ValueError(f"no level {level}")
        super().__init__(memory)
        self.good, self.lazy, self.nice, self.depth = _LEVELS[level - 1]
        self.every = 1 if level >= _FIRST_LAZY_LEVEL else 0
        self.block = 0
        self.last = 0
        self.blocks = Blocks()
        self.known_at = -1
        self.known = 0

    def restart(self) -> int:
        """Forget everything, and stand at the start of a new stream."""
        Search.restart(self)
        self.block = 0
        self.last = 0
        self.known_at = -1
        return 0

    def slide(self, distance: int) -> int:
        """Every position has become smaller by ``distance``."""
        Search.slide(self, distance)
        self.block -= distance
        self.last -= distance
        self.known_at -= distance
        return 0

    def begin_block(self) -> int:
        """A block begins at ``pos``."""
        self.block = self.pos
        return self.blocks.clear()

    def predict(self) -> int:
        """Give the token that the encoder would write at ``pos``."""
        if not self.every:
            return self.find(self.pos, MIN_MATCH - 1)
        token = self.known
        if self.known_at != self.pos:
            token = self.find(self.pos, MIN_MATCH - 1)
        length = token >> 16
        if length == 0 or length >= self.lazy:
            return token
        better = self.find(self.pos + 1, length)
        if better == 0:
            return token
        self.known = better
        self.known_at = self.pos + 1
        return 0

    def accept(self, token: int) -> int:
        """Step over ``token``."""
        length = token >> 16
        self.last = self.pos
        if length == 0:
            self.blocks.count_literal(self.data[self.pos])
            self.pos += 1
            return 0
        self.blocks.count_match(length, token & 0xFFFF)
        after = self.pos + length
        if not self.every:
            # Those inside a match that nearly reaches the end are left out.
            room = (min(self.end, self.stop)) - after
            if length <= self.lazy and room >= MIN_MATCH:
                self.insert(after - 1)
            self.inserted = after
        self.pos = after
        return 0
