"""zlib's deflate, as every program writes with it that gives it bytes and, at last, an end.

Re-enacts ``deflate.c`` and ``trees.c`` of zlib 1.2.3 to 1.3.1, which write alike, with the default
strategy and window: levels 1 to 9, ``memLevel`` 8 (what most programs use, Python's ``zlib``,
``gzip`` and ``tarfile`` among them) or 9. How the bytes are cut into calls makes no difference but
where the window moves a byte earlier, which costs a correction once in a great while.

Not meant here: zlib-ng and the forks of Cloudflare, Intel and Chromium, whose searches differ
(their streams begin with the same gzip header); a flush in mid-stream; level 0.

Compiled by ``zlib_plain.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.encoders.zlib_matcher import Matcher
from airgap.deflate.format import MAX_MATCH, MIN_MATCH, WINDOW
from airgap.deflate.header import Header

DEFAULT_MEMORY = 8
"""zlib's ``memLevel`` unless a program asks for another."""

_LOOKAHEAD = MAX_MATCH + MIN_MATCH + 1


class Zlib(Matcher):
    """One deflate stream of zlib.

    Attributes:
        most: how many tokens a block has at most.
        full: 1 when the last token was the one that ends the block.
    """

    def __init__(self, level: int, memory: int = DEFAULT_MEMORY) -> None:
        """Write at ``level`` (1 to 9) with zlib's ``memLevel`` (1 to 9).

        Raises:
            ValueError: there is no such level.
        """
        super().__init__(level, memory)
        self.most = (1 << (memory + 6)) - 1
        self.full = 0

    def begin_block(self) -> int:
        """A block begins at ``pos``."""
        self.full = 0
        return Matcher.begin_block(self)

    def accept(self, token: int) -> int:
        """Step over ``token``."""
        Matcher.accept(self, token)
        if self.blocks.tokens >= self.most:
            self.full = 1
        return 0

    def ends_block(self) -> int:
        """Tell (0 or 1) whether the encoder would now end the block."""
        return 1 if self.full or (self.closed and self.pos >= self.end) else 0

    def choose(self, header: Header) -> int:
        """Write the head of the block that ends here."""
        return self.blocks.choose(header, self.storable(), self.finishes())

    def finishes(self) -> int:
        """Tell (0 or 1) whether the block that ends here is the last.

        One that ends with the bytes because it is full has an empty one behind it; but the lazy
        encoder writes a last literal after it has seen the end, and then heeds nothing else.
        """
        if not self.closed or self.pos < self.end:
            return 0
        return 0 if self.full and not self.ends_late() else 1

    def ends_late(self) -> int:
        """Tell (0 or 1) whether the last token is a literal that waited for the encoder's end."""
        if not self.every or self.pos - self.last != 1:
            return 0
        return 1 if self.pos >= self.end or self.pos >= self.stop else 0

    def storable(self) -> int:
        """How many bytes a stored block would hold, or -1 where the window has lost its first."""
        # Where the encoder stands when it writes the block: there it has looked for more to read.
        stands = self.last + self.every
        if not self.full:
            stands = self.pos
        return self.pos - self.block if self.block >= self.window(stands) else -1

    def window(self, stands: int) -> int:
        """Where the encoder's window begins when it stands at ``stands``."""
        moves = 2 * WINDOW - _LOOKAHEAD + 1
        if min(self.stop, self.end) - stands < _LOOKAHEAD:
            moves -= 1
        into = stands - self.origin - moves
        return self.origin if into < 0 else self.origin + (into // WINDOW + 1) * WINDOW
