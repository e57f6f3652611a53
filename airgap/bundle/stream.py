"""The uncompressed bytes of a bundle from front to back, whatever is around them. Blocking.

Decompression is bounded: its window by what the format allows, its output by what is asked for.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO, ClassVar, Self, cast

import zstandard

from airgap.bundle.encryption import MAGIC, is_encrypted
from airgap.bundle.failures import BRING_AGAIN, telling
from airgap.bundle.medium import Medium
from airgap.errors import AccessDenied, BundleDamaged, Unsupported

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAX_WINDOW = 128 * 1024 * 1024
"""Bytes of memory that a compressed bundle may ask for (RFC 8878, section 3.1.1.1.2)."""

_PIECE = 1024 * 1024


class ByteStream(ABC):
    """Bytes in order.

    Attributes:
        path: the bundle, for error messages.
        position: how many bytes have been read or skipped.
        is_compressed: whether what is skipped has to be decompressed all the same.
    """

    is_compressed: ClassVar[bool]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def read_some(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes (1 MiB at most); fewer only at the end."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    @abstractmethod
    def expect_end(self) -> None:
        """Check that nothing comes after what was read.

        Raises:
            BundleDamaged: something does, or the compressed form is cut short.
        """

    def read(self, count: int, what: str) -> bytes:
        """Return exactly ``count`` bytes of a member.

        Raises:
            BundleDamaged: there are not so many.
        """
        start = self.position
        pieces: list[bytes] = []
        while count:
            piece = self.read_some(min(count, _PIECE))
            if not piece:
                raise self.damaged(what, f"the bundle ends at byte {self.position}", start)
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def skip_to(self, position: int, what: str) -> None:
        """Go on to a later position."""
        while self.position < position:
            self.read(min(position - self.position, _PIECE), what)

    def damaged(self, what: str, cause: str, position: int | None = None) -> BundleDamaged:
        """Return the error for damage in a member, at the position where it begins."""
        where = self.position if position is None else position
        return BundleDamaged(str(self.path), f"{what} at byte {where}: {cause}", BRING_AGAIN)


class PlainStream(ByteStream):
    """A bundle without compression."""

    is_compressed = False

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__(path)
        self._file = file

    def read_some(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes."""
        with telling(self.path):
            piece = self._file.read(limit)
        self.position += len(piece)
        return piece

    def skip_to(self, position: int, what: str) -> None:
        """Go on to a later position, without reading what is between where the file can seek."""
        if not self._file.seekable():
            super().skip_to(position, what)
        elif position != self.position:
            with telling(self.path):
                self.position = self._file.seek(position)

    def expect_end(self) -> None:
        """Check that the file ends here."""
        if self.read_some(1):
            raise self.damaged("the end", "there are more bytes", self.position - 1)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ZstdStream(ByteStream):
    """A bundle with zstd around it."""

    is_compressed = True

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__(path)
        self._file = file
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        self._reader = decompressor.stream_reader(
            cast("BinaryIO", _WithSentinel(path, file)), read_size=_PIECE, read_across_frames=True
        )

    def read_some(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes.

        Raises:
            BundleDamaged: the compressed form is damaged.
            Unsupported: it needs more memory than the format allows.
        """
        try:
            piece = self._reader.read(limit)
        except zstandard.ZstdError as error:
            if "requires too much memory" in str(error):
                raise Unsupported(
                    str(self.path),
                    f"is compressed with a window over {MAX_WINDOW // 1024 // 1024} MiB",
                    "unpack it with `zstd -d --long=31`, and take the plain file",
                ) from None
            raise self.damaged("the zstd stream", str(error)) from None
        self.position += len(piece)
        return piece

    def expect_end(self) -> None:
        """Check that the last frame is whole and that nothing comes after it."""
        # `read` may return fewer bytes at the border of a frame.
        rest = self.read_some(len(_SENTINEL)) + self.read_some(len(_SENTINEL))
        if rest != _SENTINEL:
            raise self.damaged("the end", "the zstd stream does not end here")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


_SENTINEL = b"the end of the file, and of its last frame"
_SENTINEL_FRAME = zstandard.ZstdCompressor(level=1).compress(_SENTINEL)


class _WithSentinel(io.RawIOBase):
    """The file with one more frame after it.

    The decompressor does not tell whether the input was cut off within a frame. Behind a whole
    frame, though, another one can be read, and within a frame it cannot.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__()
        self._path = path
        self._file = file
        self._sentinel = io.BytesIO(_SENTINEL_FRAME)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        with telling(self._path):
            return self._file.read(size) or self._sentinel.read(size)


def has_zstd_around_it(medium: Medium) -> bool:
    """Tell whether a bundle is compressed.

    Raises:
        BundleDamaged: it is a folder or something else that is no file, or empty.
        AccessDenied: it is encrypted.
        NotFound, NotPermitted: it cannot be opened.
    """
    with medium.open() as file, telling(medium.path):
        magic = file.read(len(MAGIC))
        while magic and len(magic) < len(MAGIC) and (more := file.read(len(MAGIC) - len(magic))):
            magic += more
    if not magic:
        raise BundleDamaged(str(medium.path), "is empty", BRING_AGAIN)
    if is_encrypted(magic):
        raise AccessDenied(
            str(medium.path),
            "is encrypted",
            "name the file of a private key of age with --identity, or in the config",
        )
    return magic.startswith(ZSTD_MAGIC)


def open_stream(medium: Medium, *, compressed: bool) -> ByteStream:
    """Open a bundle for reading from its first byte."""
    return stream_of(medium.path, medium.open(), compressed=compressed)


def stream_of(path: Path, file: BinaryIO, *, compressed: bool) -> ByteStream:
    """Read a bundle from a file that is open at its first byte, and becomes the stream's."""
    return ZstdStream(path, file) if compressed else PlainStream(path, file)
