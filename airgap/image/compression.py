"""Compression around tars: told by its first bytes, undone in bounded memory.

The formats are those that ``docker load`` takes: gzip (RFC 1952), zstd (RFC 8878), xz and bzip2.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import zstandard

from airgap.errors import ArchiveDamaged, NotPermitted

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ByteStream(Protocol):
    """Anything that bytes can be read from, front to back."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        ...


class Compression(StrEnum):
    """How a tar is packed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    XZ = "xz"
    BZIP2 = "bzip2"


HEAD_SIZE = 6
"""Bytes that :func:`detect` wants to see."""

MAX_EXPANSION = 40_000
"""How many bytes one packed byte may become: zstd's own best is about 32,768, gzip's 1,032."""

_FREE_EXPANSION = 64 * 1024 * 1024
_MAX_WINDOW = 128 * 1024 * 1024
_MAX_XZ_MEMORY = 256 * 1024 * 1024
_PIECE = 256 * 1024
_MAGIC = {
    b"\x1f\x8b": Compression.GZIP,
    b"\x28\xb5\x2f\xfd": Compression.ZSTD,
    b"\xfd7zXZ\x00": Compression.XZ,
    b"BZh": Compression.BZIP2,
}


def detect(head: bytes) -> Compression:
    """Tell the compression from the first :data:`HEAD_SIZE` bytes."""
    for magic, compression in _MAGIC.items():
        if head.startswith(magic):
            return compression
    # zstd may begin with a skippable frame (RFC 8878, 3.1.2), as estargz-like tools write.
    if head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:  # noqa: PLR2004 - the RFC's magic
        return Compression.ZSTD
    return Compression.NONE


def read_exactly(stream: ByteStream, size: int) -> bytes:
    """Read ``size`` bytes, fewer only at the end of the stream."""
    pieces: list[bytes] = []
    while size > 0 and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def unpacked(stream: ByteStream, what: str) -> ByteStream:
    """Return the plain bytes of a stream that may be compressed, whichever way.

    Args:
        stream: read from where it stands; nothing has to be seekable.
        what: what the stream is, for errors.

    Raises:
        ArchiveDamaged: while reading, where the packing is broken or expands without measure.
    """
    head = read_exactly(stream, HEAD_SIZE)
    whole = _Prefixed(head, stream)
    compression = detect(head)
    if compression is Compression.NONE:
        return whole
    counted = _Counted(whole)
    packed = io.BufferedReader(counted, _PIECE)
    plain: ByteStream
    match compression:
        case Compression.GZIP:
            plain = gzip.GzipFile(fileobj=packed, mode="rb")
        case Compression.ZSTD:
            decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
            plain = decompressor.stream_reader(packed, read_across_frames=True, closefd=False)
        case Compression.XZ:
            plain = _XzReader(packed)
        case Compression.BZIP2:
            plain = bz2.BZ2File(packed)
    return _Guarded(plain, counted, what, compression)


class _Prefixed:
    """A stream with its first bytes put back."""

    def __init__(self, head: bytes, stream: ByteStream) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """Return the head first."""
        if not self._head:
            return self._stream.read(size)
        piece, self._head = self._head[:size], self._head[size:]
        return piece


class _Counted(io.RawIOBase):
    """A stream that knows how many bytes were taken from it, as the decompressors want one."""

    def __init__(self, stream: ByteStream) -> None:
        super().__init__()
        self._stream = stream
        self.taken = 0

    def readinto(self, buffer: Buffer, /) -> int:
        """Read and count."""
        target = memoryview(buffer)
        piece = self._stream.read(len(target))
        target[: len(piece)] = piece
        self.taken += len(piece)
        return len(piece)

    def readable(self) -> bool:
        """Say yes."""
        return True


class _XzReader:
    """xz with a bound on the memory that its dictionary takes; concatenated streams too."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._decompressor: lzma.LZMADecompressor | None = None
        self._input = b""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` plain bytes."""
        while size:
            if self._decompressor is None:
                # Streams may be padded with zero bytes (xz format, 2.2).
                self._input = (self._input or self._stream.read(_PIECE)).lstrip(b"\0")
                if not self._input:
                    if not (more := self._stream.read(_PIECE)):
                        return b""
                    self._input = more
                    continue
                self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)
            if self._decompressor.needs_input and not self._input:
                self._input = self._stream.read(_PIECE)
                if not self._input:
                    raise EOFError
            plain = self._decompressor.decompress(self._input, size)
            self._input = b""
            if self._decompressor.eof:
                self._input = self._decompressor.unused_data
                self._decompressor = None
            if plain:
                return plain
        return b""


class _Guarded:
    """A decompressing stream whose failures are ours, and whose expansion has a measure."""

    def __init__(
        self, plain: ByteStream, packed: _Counted, what: str, compression: Compression
    ) -> None:
        self._plain = plain
        self._packed = packed
        self._what = what
        self._compression = compression
        self._given = 0

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` plain bytes."""
        try:
            piece = self._plain.read(size)
        except (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            raise self._damaged(error) from None
        except OSError as error:
            # bz2 and gzip tell of broken data with an OSError that has no number.
            if error.errno is not None:
                raise NotPermitted(self._what, f"cannot be read: {error.strerror}") from None
            raise self._damaged(error) from None
        self._given += len(piece)
        if self._given > _FREE_EXPANSION + self._packed.taken * MAX_EXPANSION:
            raise ArchiveDamaged(
                self._what,
                f"expands to over {MAX_EXPANSION:,} times its size, as no real content does",
                "do not trust where it comes from",
            )
        return piece

    def _damaged(self, error: Exception) -> ArchiveDamaged:
        cause = "ends too early" if isinstance(error, EOFError) else "is damaged"
        return ArchiveDamaged(
            self._what, f"its {self._compression} compression {cause}", "bring the file again"
        )
