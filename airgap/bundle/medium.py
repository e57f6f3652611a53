"""What a bundle's bytes lie in: a file, or volumes that are read as if they were one. Blocking."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from airgap.bundle.failures import BRING_AGAIN, telling
from airgap.content.ports import FileRegion
from airgap.errors import BundleDamaged


class Medium(Protocol):
    """Bytes that can be read again and again from the front.

    Attributes:
        path: what a person calls it, and what errors name.
        is_seekable: whether reading can begin anywhere at once.
    """

    @property
    def path(self) -> Path:
        """What a person calls it."""
        ...

    @property
    def is_seekable(self) -> bool:
        """Whether reading can begin anywhere at once."""
        ...

    def open(self) -> BinaryIO:
        """Open it for reading, unbuffered: large reads go straight to their destination."""
        ...

    def size(self) -> int:
        """Return its size in bytes, as it is stored."""
        ...

    def region(self, offset: int, length: int) -> FileRegion | None:
        """Return bytes as a piece of a local file, or None where they are not one."""
        ...


@dataclass(frozen=True, slots=True)
class OneFile:
    """A bundle in one file; a ``Medium``."""

    path: Path

    @property
    def is_seekable(self) -> bool:
        """True: it is a regular file."""
        return True

    def open(self) -> BinaryIO:
        """Open the file.

        Raises:
            BundleDamaged: it is a folder, or something else that is no file.
            NotFound, NotPermitted: it cannot be opened.
        """
        if self.path.is_dir():
            raise BundleDamaged(str(self.path), "is a folder, not a bundle", "name the file in it")
        with telling(self.path):
            if self.path.exists() and not self.path.is_file():
                raise BundleDamaged(str(self.path), "is not a regular file")
            file = self.path.open("rb", buffering=0)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return cast("BinaryIO", file)

    def size(self) -> int:
        """Return the size of the file."""
        with telling(self.path):
            return self.path.stat().st_size

    def region(self, offset: int, length: int) -> FileRegion | None:
        """Return a piece of the file."""
        return FileRegion(self.path, offset, length)


def as_medium(place: Path | Medium) -> Medium:
    """Return a path as the file that it names."""
    return OneFile(place) if isinstance(place, Path) else place


@dataclass(frozen=True, slots=True)
class Piece:
    """One of the files that are joined.

    Attributes:
        path: the file.
        size: how many bytes it must have.
        what: which part of the bundle it is (``volume 2``).
    """

    path: Path
    size: int
    what: str


@dataclass(frozen=True, slots=True)
class JoinedFiles:
    """Files that make up a bundle one after the other, wherever each is; a ``Medium``."""

    path: Path
    pieces: tuple[Piece, ...]

    @property
    def is_seekable(self) -> bool:
        """True: every file has a known size."""
        return True

    def open(self) -> BinaryIO:
        """Open them as one file; each is opened when its bytes are wanted."""
        return cast("BinaryIO", _JoinedReader(self.pieces))

    def size(self) -> int:
        """Return the size of all files together."""
        return sum(piece.size for piece in self.pieces)

    def region(self, offset: int, length: int) -> FileRegion | None:
        """Return a piece of the file that all of the bytes are in, where there is one."""
        for piece in self.pieces:
            if offset < piece.size:
                inside = offset + length <= piece.size
                return FileRegion(piece.path, offset, length) if inside else None
            offset -= piece.size
        return None


class _JoinedReader(io.RawIOBase):
    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__()
        self._pieces = pieces
        self._place = 0
        self._position = 0
        self._before = 0
        self._file: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._before + self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET:
            raise io.UnsupportedOperation("only positions from the start")
        self._let_go()
        self._place, self._before = 0, 0
        while self._place < len(self._pieces):
            size = self._pieces[self._place].size
            if offset - self._before < size:
                break
            self._before += size
            self._place += 1
        self._position = offset - self._before
        return offset

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes of one file; empty only at the end of all."""
        while self._place < len(self._pieces):
            piece = self._pieces[self._place]
            left = piece.size - self._position
            if left:
                return self._read_from(piece, left if size < 0 else min(size, left))
            self._next()
        return b""

    def _read_from(self, piece: Piece, limit: int) -> bytes:
        with telling(piece.path):
            if self._file is None:
                self._file = piece.path.open("rb", buffering=0)
                os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
                self._file.seek(self._position)
            data = self._file.read(limit)
        if limit and not data:
            raise BundleDamaged(
                str(piece.path),
                f"{piece.what} ends at byte {self._position} of {piece.size}",
                BRING_AGAIN,
            )
        self._position += len(data)
        return data

    def _next(self) -> None:
        self._let_go()
        self._before += self._pieces[self._place].size
        self._place += 1
        self._position = 0

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Close the file that is open."""
        self._let_go()
        with suppress(ValueError):
            super().close()
