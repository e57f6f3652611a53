"""What an encoder would do next: the port that every re-enacted encoder fills.

A model stands at one place of the plain bytes and is asked, token by token, what its encoder would
write there (:meth:`Model.predict`). It is then told what was really written (:meth:`Model.accept`),
which may be something else, and goes on from there. Opening a stream and rebuilding it ask the same
questions in the same order, so a model needs to be deterministic and nothing more: where it errs, a
correction is kept, and the stream comes out bit for bit all the same.

The order of the calls, the same on both sides::

    restart()
    for each block:
        begin_block()
        until ends_block(), or a correction says how many tokens it has, or the bytes are at an end:
            predict(), then accept(token)
        choose(header)

Compiled by ``model.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.format import CAPACITY, HISTORY, LOOKAHEAD
from airgap.deflate.header import Header


class Model:
    """An encoder, re-enacted over a buffer that slides over the plain bytes.

    A *token* is a number: 0 for a literal (the byte at ``pos``), or ``length << 16 | distance``
    for a match of 3 to 258 bytes at a distance of 1 to 32,768.

    Attributes:
        data: the buffer of ``CAPACITY`` bytes. Positions are indexes into it.
        pos: where the model stands.
        end: one past the last plain byte in the buffer.
        closed: 1 when ``end`` is the end of the stream's plain bytes.
        offset: how many plain bytes have left the buffer: ``offset + pos`` counts from the start.
        continues: 1 for an encoder that may go on under the codes of the block before (CONTINUED).
            Where it ends a block and the stream goes on with tokens, that is taken for such a
            continuation, and its ``choose`` is expected to say so at the end of the next block;
            with 0 it is taken for an error of the model, and corrected.

    How far the buffer reaches beyond ``pos + LOOKAHEAD`` depends on how the bytes were fed, so
    nothing there may change an answer, and ``closed`` may only where ``end`` is nearer than that.
    """

    def __init__(self) -> None:
        self.data = bytearray(CAPACITY)
        self.pos = 0
        self.end = 0
        self.closed = 0
        self.offset = 0
        self.continues = 0

    # What the driver does with the buffer.

    def restart(self) -> int:
        """Forget everything, and stand at the start of a new stream."""
        self.pos = 0
        self.end = 0
        self.closed = 0
        self.offset = 0
        return 0

    def room(self) -> int:
        """Bytes that :meth:`feed` takes now; never 0 while :meth:`ready` is 0."""
        return CAPACITY - self.end + (self.pos - HISTORY if self.pos > HISTORY else 0)

    def feed(self, piece: bytes | bytearray | memoryview) -> None:
        """Add plain bytes behind the last ones, at most :meth:`room` of them.

        Raises:
            ValueError: more than there is room for.
        """
        size = len(piece)
        if size > self.room():
            raise ValueError("more plain bytes than the buffer takes")
        if self.end + size > CAPACITY:
            away = self.pos - HISTORY
            kept = self.end - away
            memoryview(self.data)[:kept] = bytes(memoryview(self.data)[away : self.end])
            self.pos -= away
            self.end = kept
            self.offset += away
            self.slide(away)
        memoryview(self.data)[self.end : self.end + size] = piece
        self.end += size

    def close(self) -> None:
        """Say that no plain bytes come any more."""
        self.closed = 1

    def ready(self) -> int:
        """Tell (0 or 1) whether enough lies ahead for a question."""
        return 1 if self.closed or self.end - self.pos >= LOOKAHEAD else 0

    # What an encoder fills in.

    def slide(self, distance: int) -> int:
        """Every position has become smaller by ``distance``; tables of positions must follow."""
        return 0

    def begin_block(self) -> int:
        """A block begins at ``pos``: forget what was counted for the last one."""
        return 0

    def ends_block(self) -> int:
        """Tell (0 or 1) whether the encoder would now end the block, before any further token.

        A block may be empty: 1 right after :meth:`begin_block` says so. At the end of the bytes it
        is 1 always.
        """
        return 1 if self.closed and self.pos >= self.end else 0

    def predict(self) -> int:
        """Give the token that the encoder would write at ``pos``; ``pos`` is before ``end``."""
        return 0

    def accept(self, token: int) -> int:
        """Step over ``token``, which was written at ``pos``, whatever was predicted.

        Its length is never beyond ``end``.
        """
        self.pos += (token >> 16) or 1
        return 0

    def choose(self, header: Header) -> int:
        """Write into ``header`` the head that the encoder would give the block that ends here.

        Called once a block, after its last token.
        """
        return header.clear()
