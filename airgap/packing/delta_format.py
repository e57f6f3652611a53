"""How a delta is written: what it is made against, then segment by segment. Pure.

All numbers are little-endian. A delta is a head, segments until the target is complete, and
nothing after them::

    head:     magic (7 bytes), version (1), target size (8), needs (8), number of bases (4),
              then the size of each base (8)
    segment:  plain length (8), packed length (8), number of extents (4),
              then for each extent: which base (4), offset (8), length (8);
              then one zstd frame of the packed length (RFC 8878)

The frame of a segment is decompressed with the extents, one after the other, as its prefix, and
states the segment's plain length as its content size. So what a segment takes in memory is known
from its own head, before anything is read or allocated for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from airgap.errors import ContentMismatch, Unsupported

MAX_BASES = 16
MAX_EXTENTS = 4096
MAX_SIZE = 1 << 50
"""Bytes; anything larger than a pebibyte is a lie."""

MIN_PREFIX = 8
"""Bytes; zstd takes no shorter prefix."""

ALLOWANCE = 96 * 1024 * 1024
"""Bytes for the program itself and its pieces in flight, on either side."""

_MAGIC = b"agdelta"
_VERSION = 1
_HEAD = struct.Struct("<7sBQQI")
_BASE_SIZE = struct.Struct("<Q")
_SEGMENT = struct.Struct("<QQI")
_EXTENT = struct.Struct("<IQQ")
_WHAT = "delta"


@dataclass(frozen=True, slots=True)
class Extent:
    """A piece of a base.

    Attributes:
        base: which of the bases, counted from 0.
        offset: where it begins, in bytes.
        length: bytes, at least 1.
    """

    base: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Segment:
    """The head of a segment.

    Attributes:
        plain: bytes of the target that it makes, at least 1.
        packed: bytes of its frame.
        extents: what its frame is decompressed with, in this order.
    """

    plain: int
    packed: int
    extents: tuple[Extent, ...]

    @property
    def window(self) -> int:
        """Bytes of all extents together."""
        return sum(extent.length for extent in self.extents)


@dataclass(frozen=True, slots=True)
class DeltaHead:
    """What a delta says of itself.

    Attributes:
        target: bytes of what it makes.
        needs: bytes of memory to apply it, of the hungriest segment.
        bases: bytes of each base.
    """

    target: int
    needs: int
    bases: tuple[int, ...]

    def to_bytes(self) -> bytes:
        """Write it."""
        head = _HEAD.pack(_MAGIC, _VERSION, self.target, self.needs, len(self.bases))
        return head + b"".join(map(_BASE_SIZE.pack, self.bases))

    @classmethod
    def read(cls, source: ByteQueue) -> Self:
        """Read it from the beginning of a delta.

        Raises:
            ContentMismatch: it is not the head of a delta.
            Unsupported: it is of a later version.
        """
        magic, version, target, needs, count = _HEAD.unpack(source.take(_HEAD.size))
        if magic != _MAGIC:
            raise ContentMismatch(_WHAT, "is not a delta")
        if version != _VERSION:
            raise Unsupported(
                _WHAT, f"is of version {version}, and this one reads {_VERSION}", "upgrade airgap"
            )
        if count > MAX_BASES:
            raise ContentMismatch(_WHAT, f"has {count} bases where {MAX_BASES} are allowed")
        sizes = source.take(_BASE_SIZE.size * count)
        bases = tuple(size for (size,) in _BASE_SIZE.iter_unpack(sizes))
        if max(target, needs, *bases) > MAX_SIZE:
            raise ContentMismatch(_WHAT, "states a size that nothing has")
        return cls(target, needs, bases)


def write_segment(segment: Segment) -> bytes:
    """Write the head of a segment."""
    head = _SEGMENT.pack(segment.plain, segment.packed, len(segment.extents))
    return head + b"".join(_EXTENT.pack(e.base, e.offset, e.length) for e in segment.extents)


def read_segment(source: ByteQueue, head: DeltaHead, left: int) -> Segment:
    """Read the head of the next segment.

    Args:
        source: stands there.
        head: that of the delta.
        left: how many bytes of the target are still to come.

    Raises:
        ContentMismatch: it makes nothing or too much, reaches out of its bases, or takes more
            memory than the delta's head says.
    """
    plain, packed, count = _SEGMENT.unpack(source.take(_SEGMENT.size))
    if not 0 < plain <= left or packed > MAX_SIZE:
        raise ContentMismatch(_WHAT, "has a segment that does not fit its target")
    if count > MAX_EXTENTS:
        raise ContentMismatch(_WHAT, f"has {count} extents where {MAX_EXTENTS} are allowed")
    fields = _EXTENT.iter_unpack(source.take(_EXTENT.size * count))
    extents = tuple(Extent(*each) for each in fields)
    for extent in extents:
        if extent.base >= len(head.bases):
            raise ContentMismatch(_WHAT, "refers to a base that it does not have")
        end = extent.offset + extent.length
        if not extent.length or end > head.bases[extent.base]:
            raise ContentMismatch(_WHAT, "refers to a piece that its base does not have")
    segment = Segment(plain, packed, extents)
    if needed(segment.window, plain) > head.needs:
        raise ContentMismatch(_WHAT, "needs more memory than it says")
    return segment


def needed(window: int, plain: int) -> int:
    """Return the bytes of memory that it takes to apply a segment.

    The window is held twice while it is handed to zstd, and once while the segment is unpacked
    into a buffer of its own.
    """
    return max(2 * window, window + plain) + ALLOWANCE


def window_log(window: int, plain: int) -> int:
    """Return the power of two that a frame's window needs to reach back over all of its prefix."""
    return min(max((window + plain - 1).bit_length(), 10), 31)


class ByteQueue:
    """Bytes that come in pieces, taken in lengths of one's own choosing."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._held = memoryview(b"")

    def some(self, limit: int) -> bytes:
        """Return at least one byte and at most ``limit``; none at the end."""
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._held = memoryview(piece)
        taken, self._held = self._held[:limit], self._held[limit:]
        return bytes(taken)

    def take(self, count: int) -> bytes:
        """Return exactly ``count`` bytes.

        Raises:
            ContentMismatch: there are not so many.
        """
        taken: list[bytes] = []
        while count:
            piece = self.some(count)
            if not piece:
                raise ContentMismatch(_WHAT, "is truncated")
            taken.append(piece)
            count -= len(piece)
        return b"".join(taken)


def extents_of(sizes: Sequence[int]) -> tuple[Extent, ...]:
    """Return the extents that are all of the bases of these sizes in bytes, empty ones left out."""
    return tuple(Extent(base, 0, size) for base, size in enumerate(sizes) if size)
