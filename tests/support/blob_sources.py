"""Sources of one blob, as targets are given them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airgap.content.ports import BlobReader, FileRegion


@dataclass
class Reader:
    """An open blob in memory, or one that is a piece of a file."""

    pieces: list[bytes]
    offset: int = 0
    region: FileRegion | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces."""
        for piece in self.pieces:
            yield piece


@dataclass
class BlobSource:
    """Opens one blob as often as it is asked, and writes down from where.

    Attributes:
        content: the blob.
        piece: bytes of a piece.
        path: a file that holds the blob after ``lead`` other bytes; None streams it.
        lead: how many they are.
        seeks: whether it can start in the middle.
        breaks: an error to raise after the first piece, once.
    """

    content: bytes
    piece: int = 100_000
    path: Path | None = None
    lead: int = 0
    seeks: bool = True
    breaks: Exception | None = None
    opened: list[int] = field(default_factory=list)

    @classmethod
    def in_file(cls, content: bytes, folder: Path, lead: int = 1000) -> BlobSource:
        """Write a blob into the middle of a file."""
        path = folder / f"blob-{len(content)}"
        path.write_bytes(b"\xff" * lead + content + b"\xff" * 77)
        return cls(content, path=path, lead=lead)

    def __call__(self, offset: int) -> AbstractAsyncContextManager[BlobReader]:
        """Open the blob."""
        return self._open(offset)

    @asynccontextmanager
    async def _open(self, offset: int) -> AsyncIterator[BlobReader]:
        self.opened.append(offset)
        start = offset if self.seeks else 0
        if self.path is not None:
            length = len(self.content) - start
            yield Reader([], start, FileRegion(self.path, self.lead + start, length))
            return
        reader = Reader(
            [
                self.content[at : at + self.piece]
                for at in range(start, len(self.content), self.piece)
            ],
            start,
        )
        if self.breaks is not None:
            yield _Breaking(reader.pieces, start, error=self.breaks)
            self.breaks = None
        else:
            yield reader


@dataclass
class _Breaking(Reader):
    error: Exception = field(default_factory=OSError)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the first piece, and break."""
        yield self.pieces[0]
        raise self.error
