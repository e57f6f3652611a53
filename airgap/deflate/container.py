"""The gzip container around deflate streams (RFC 1952)."""

from __future__ import annotations

from airgap.deflate.faults import CannotOpen

TRAILER = 8
"""Bytes behind a stream: the CRC-32 and the size modulo 2^32 of its plain bytes."""

MAX_HEADER = 1 << 17
"""Bytes of a header that are read at most; names and comments have no limit of their own."""

_MAGIC = b"\x1f\x8b\x08"
_FIXED = 10
_FLAGS = 3
_CHECKED = 2
_EXTRA = 4
_NAMED = 8
_COMMENTED = 16
_RESERVED = 0xE0


def begins_member(data: bytes | bytearray) -> bool | None:
    """Tell whether ``data`` begins with a gzip header; None while it is too short to tell."""
    if not _MAGIC.startswith(data[: len(_MAGIC)]):
        return False
    if len(data) <= _FLAGS:
        return None
    return not data[_FLAGS] & _RESERVED


def header_size(data: bytes | bytearray) -> int | None:
    """Give the size of the header that ``data`` begins with; None while that is incomplete.

    Raises:
        CannotOpen: it is longer than MAX_HEADER.
    """
    size = _header_end(data)
    if len(data) > MAX_HEADER and (size is None or size > MAX_HEADER):
        raise CannotOpen("its gzip header is longer than any that is read")
    return size


def _header_end(data: bytes | bytearray) -> int | None:
    if len(data) < _FIXED:
        return None
    flags = data[_FLAGS]
    at = _FIXED
    if flags & _EXTRA:
        if len(data) < at + 2:
            return None
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (_NAMED, _COMMENTED):
        if flags & flag:
            end = data.find(0, at)
            if end < 0:
                return None
            at = end + 1
    if flags & _CHECKED:
        at += 2
    return at if len(data) >= at else None


def trailer(checksum: int, size: int) -> bytes:
    """The trailer of plain bytes with this CRC-32 and this size."""
    return checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
