"""The streams that klauspost/compress writes, by itself or in the pieces of pgzip.

Re-enacts ``deflate.go`` of ``flate`` in klauspost/compress (and in Go 1.27) around the searches of
the fast levels, and ``gzip.go`` of klauspost/pgzip, which buildah, podman and skopeo push with:

- The bytes are cut into input blocks of 65,535. The whole block is searched before anything of it
  is written. If nothing was found it is stored; if matches save less than a sixteenth of the
  tokens, it is coded as literals alone; else as it was found.
- A last one of less than 128 bytes is coded as literals alone; of up to 32 bytes it is stored.
- The stream ends with an empty block under the fixed codes.
- pgzip cuts the bytes into pieces of 1 MiB that are written by encoders of their own, each of which
  knows the last 16 KiB of the piece before and ends with an empty stored block. A last piece that
  is full is followed by an empty one.

Whether there are pieces is learned at the end of the first, where the model was told wrong: the
heads of both kinds of streams are the same. Corrections repair that, and flushes elsewhere.

Compiled by ``klauspost_stream.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.encoders.klauspost_blocks import KlauspostBlocks
from airgap.deflate.encoders.klauspost_quick import QuickSearch
from airgap.deflate.encoders.klauspost_search import KlauspostSearch
from airgap.deflate.encoders.klauspost_tables import TwoTableSearch
from airgap.deflate.format import MAX_STORED
from airgap.deflate.header import Header

_PIECE = 1 << 20
_REST = _PIECE % MAX_STORED
_TAIL = 1 << 14
_PENALTY = 7
_LAST_QUICK = 2

_EXACT_HEADS = 5

_FEWEST_SEARCHED = 128
_MOST_STORED = 32

# What the block at hand is.
_STORED = 0
_LITERALS = 1
_TOKENS = 2
_MARK = 3
_END = 4


def _make_search(data: bytearray, level: int, generation: int) -> KlauspostSearch:
    if level <= _LAST_QUICK:
        return QuickSearch(data, level, generation)
    return TwoTableSearch(data, level, generation)


class KlauspostStream(KlauspostBlocks):
    """A fast level of klauspost/compress.

    Args:
        level: 1, 2, 5 or 6; the first two of generation 4 or 5.
        generation: which versions' behaviour it is: 2 for those from 1.14.1 on, 3 from 1.15.0 on,
            4 from 1.15.10 on (level 1 and 2: 1.15.11), 5 from 1.18.1 on and for Go 1.27; 1 for
            those from 1.10.2 on, whose heads differ, which corrections repair.
        pieces: 1 for pgzip, 0 for a stream of one piece; what is expected until it is known.
    """

    def __init__(self, level: int, generation: int, pieces: int) -> None:
        super().__init__(_PENALTY, 1 if generation >= _EXACT_HEADS else 0)
        self.continues = 1
        self._search = _make_search(self.data, level, generation)
        self._expected_pieces = pieces
        self._pieces = pieces
        self._piece_stop = _PIECE
        self._stop = 0
        self._last = 0
        self._kind = _STORED
        # The next of the tokens found.
        self._next = 0
        # 1 while the search has seen the whole block; 0 where it goes on from match to match.
        self._ahead = 0
        self._ended = 0

    def restart(self) -> int:
        """Stand at the start of a new stream."""
        KlauspostBlocks.restart(self)
        self.forget_codes()
        self._search.forget(0)
        self._pieces = self._expected_pieces
        self._piece_stop = _PIECE
        self._stop = 0
        self._ended = 0
        return 0

    def slide(self, distance: int) -> int:
        """Follow the buffer."""
        self._stop -= distance
        self._piece_stop -= distance
        self._search.slide(distance)
        return KlauspostBlocks.slide(self, distance)

    def begin_block(self) -> int:
        """Find the tokens of the input block that begins at ``pos``, and decide what it will be."""
        if self.pos < self._stop:
            self._cut_short()
        KlauspostBlocks.begin_block(self)
        size = self.end - self.pos
        size = min(size, MAX_STORED)
        if self._pieces and size > self._piece_stop - self.pos:
            size = self._piece_stop - self.pos
        self._stop = self.pos + size
        self._next = 0
        self._ahead = 0
        self._kind = _END if self._ended or not self._pieces else _MARK
        if size <= 0:
            self._stop = self.pos
            return 0
        self._last = 1 if self._stop == self.end and self.closed else 0
        if self._pieces and self._stop == self._piece_stop:
            self._last = 1
        self._kind = _STORED if size <= _MOST_STORED else _LITERALS
        self._search.begin(self.pos, self._stop)
        if size < _FEWEST_SEARCHED:
            return 0
        self._search.keep()
        self._search.run()
        self._ahead = 1
        if self._search.found == size:
            self._kind = _STORED
        elif self._search.found <= size - (size >> 4):
            self._kind = _TOKENS
        return 0

    def ends_block(self) -> int:
        """Tell whether the block has all its bytes."""
        return 1 if self.pos >= self._stop else 0

    def predict(self) -> int:
        """Give the next token found."""
        if self._kind != _TOKENS or self.pos >= self._stop:
            return 0
        if self._next >= self._search.found:
            self._search.go_on(self.pos)
            self._next = 0
        return self._search.tokens[self._next]

    def accept(self, token: int) -> int:
        """Count the token and step over it; search anew behind one that was not found."""
        self.count(token)
        self.pos += (token >> 16) or 1
        if self._kind == _MARK:
            self._join_pieces()
        elif self._kind != _TOKENS:
            if token:
                self._kind = _TOKENS
                self._lose_track()
        elif self._next < self._search.found and self._search.tokens[self._next] == token:
            self._next += 1
        else:
            self._lose_track()
        return 0

    def choose(self, header: Header) -> int:
        """Choose by what was found, or end the piece or the stream."""
        if self.tokens == 0:
            if self._kind == _END:
                return self.choose_end(header)
            self.choose_stored(header)
            if self.pos == self._piece_stop:
                self._pieces = 1
            if self._pieces:
                self._end_piece()
            return 0
        size = self.pos - self.block_start
        last = self._last
        if self.pos < self._stop:
            # Something flushed the encoder.
            last = 1
            self._kind = _TOKENS if self.tokens <= size - (size >> 4) else _LITERALS
            if size < _FEWEST_SEARCHED:
                self._kind = _STORED if size <= _MOST_STORED else _LITERALS
        if self._kind == _STORED:
            return self.choose_stored(header)
        if self._kind == _LITERALS:
            return self.choose_for_literals(header, last)
        return self.choose_for_tokens(header, last)

    def _end_piece(self) -> int:
        """Begin a new piece, with the tail of the last as history, or let the stream end."""
        if self.pos != self._piece_stop and self.closed and self.pos >= self.end:
            self._ended = 1
            return 0
        self._piece_stop = self.pos + _PIECE
        self._stop = self.pos
        self.forget_codes()
        start = self.pos - _TAIL
        start = max(start, 0)
        self._search.forget(start)
        self._search.begin(start, self.pos)
        self._search.run()
        return 0

    def _join_pieces(self) -> int:
        """Go on where a piece was thought to have ended, in the block that began at its rest."""
        self._pieces = 0
        self._kind = _TOKENS
        self._stop = min(self.block_start - _REST + MAX_STORED, self.end)
        self._last = 1 if self._stop == self.end and self.closed else 0
        self._search.begin(self.block_start - _REST, self._stop)
        self._search.catch_up(self.pos)
        self._search.found = 0
        return 0

    def _lose_track(self) -> int:
        """Have the tables as they were where ``pos`` was reached, or nearly so."""
        if self._ahead:
            self._search.go_back()
            self._search.begin(self.block_start, self._stop)
            self._search.catch_up(self.pos)
            self._ahead = 0
        self._search.found = 0
        return 0

    def _cut_short(self) -> int:
        """Have the tables as if the last block had ended where it was ended, by a flush."""
        if self.pos - self.block_start < _FEWEST_SEARCHED:
            if self.pos > self.block_start:
                self._search.forget(self.pos)
            elif self._ahead:
                self._search.go_back()
        elif self._ahead:
            self._search.go_back()
            self._search.begin(self.block_start, self.pos)
            self._search.run()
        return 0
