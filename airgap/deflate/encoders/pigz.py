"""pigz, levels 1 to 9: zlib's deflate over pieces of 128 KiB, each ended at a byte's edge.

Re-enacts ``pigz.c`` 2.6 to 2.8 over zlib 1.2.6 and later. With more than one thread, each piece
is deflated anew with the 32 KiB before it as a dictionary. With one thread (``-p 1``) the stream
goes on, and only its blocks end, which from level 4 on comes to the same. With ``-i`` a piece knows
nothing of those before it. What brings a piece's end to the edge of a byte depends on how many bits
are over: nothing, a few empty fixed blocks of ten bits, or an empty stored one.

Its gzip header is that of GNU gzip. Not meant here: ``-11`` (zopfli), ``-R``, other sizes than
``-b 128``.

Compiled by ``pigz.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.encoders.zlib_plain import DEFAULT_MEMORY, Zlib
from airgap.deflate.format import FIXED, STORED, WINDOW
from airgap.deflate.header import Header

PARALLEL = 0
"""Pieces with the bytes before them as a dictionary."""

SINGLE = 1
"""Pieces of one stream, as with ``-p 1``."""

INDEPENDENT = 2
"""Pieces that know nothing of each other, as with ``-i``."""

_PIECE = 1 << 17
_EMPTY_FIXED_BITS = 10


class Pigz(Zlib):
    """One deflate stream of pigz.

    Attributes:
        mode: PARALLEL, SINGLE or INDEPENDENT.
        over: bits behind the last whole byte, at the end of the last block.
        fixed: empty fixed blocks that come next.
        stored: empty stored blocks that come then.
    """

    def __init__(self, level: int, mode: int = PARALLEL) -> None:
        """Write at ``level`` (1 to 9) in this ``mode``.

        Raises:
            ValueError: there is no such level.
        """
        super().__init__(level, DEFAULT_MEMORY)
        self.mode = mode
        self.over = 0
        self.fixed = 0
        self.stored = 0

    def restart(self) -> int:
        """Forget everything, and stand at the start of a new stream."""
        Zlib.restart(self)
        self.over = 0
        self.fixed = 0
        self.stored = 0
        self.stop = _PIECE
        return 0

    def begin_block(self) -> int:
        """A block begins at ``pos``, and maybe a piece."""
        if self.pos >= self.stop and self.fixed == 0 and self.stored == 0:
            self.begin_piece()
        return Zlib.begin_block(self)

    def predict(self) -> int:
        """Give the token that the encoder would write at ``pos``."""
        while self.pos >= self.stop:
            # The block goes on, so no piece ended there.
            self.stop += _PIECE
        return Zlib.predict(self)

    def begin_piece(self) -> int:
        """Set up what the encoder knows of the bytes before ``pos``."""
        self.stop = self.pos + _PIECE
        self.known_at = -1
        if self.mode == SINGLE:
            # The last two positions are inserted when there is a third byte.
            if not self.every:
                self.inserted = self.pos - 2
            return 0
        self.origin = self.pos - WINDOW if self.mode == PARALLEL else self.pos
        return self.forget(self.origin)

    def ends_block(self) -> int:
        """Tell (0 or 1) whether the encoder would now end the block."""
        if self.fixed or self.stored or self.pos >= self.stop:
            return 1
        return Zlib.ends_block(self)

    def choose(self, header: Header) -> int:
        """Write the head of the block that ends here."""
        if self.fixed:
            self.fixed -= 1
            header.clear()
            header.kind = FIXED
            return 0
        if self.stored:
            self.stored -= 1
            return header.clear()
        Zlib.choose(self, header)
        self.over = 0 if header.kind == STORED else (self.over + self.blocks.bits) % 8
        if self.pos >= self.stop and not (self.closed and self.pos >= self.end):
            self.end_piece()
        return 0

    def end_piece(self) -> int:
        """Say which empty blocks follow, to end at the edge of a byte."""
        if self.mode == INDEPENDENT:
            self.stored = 2
        elif self.over % 2:
            self.stored = 1
        else:
            while self.over % 8:
                self.over += _EMPTY_FIXED_BITS
                self.fixed += 1
        self.over = 0
        return 0
