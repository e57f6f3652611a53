"""Go's levels without matches: Huffman codes alone (-2), and stored (0).

Re-enacts ``storeHuff`` and ``store`` of Go's ``compress/flate`` (``deflate.go``, Go 1.19 to 1.26):
both cut their input into blocks of 65,535 bytes. ``Flush`` ends one early; corrections repair that.

Compiled by ``go_plain.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.encoders.go_blocks import GoBlocks
from airgap.deflate.format import MAX_STORED, STORED
from airgap.deflate.header import Header
from airgap.deflate.model import Model


class GoPlain(GoBlocks):
    """Go's encoder at level 0, and at level -2 if it is told to code."""

    def __init__(self, codes: int) -> None:
        super().__init__()
        self._codes = codes

    def ends_block(self) -> int:
        """Tell whether the block has all its bytes, or there are no more."""
        if self.pos - self.block_start >= MAX_STORED:
            return 1
        return Model.ends_block(self)

    def choose(self, header: Header) -> int:
        """Choose codes of the block's own where they are allowed and gain something."""
        if self.tokens == 0:
            return self.choose_empty(header)
        if self._codes:
            return self.choose_dynamic(header)
        header.clear()
        header.kind = STORED
        return 0
