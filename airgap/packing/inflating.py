"""The plain bytes of a gzip file, as every reader sees them: by zlib, without making a recipe."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from airgap.errors import ContentMismatch
from airgap.packing.scratch import PIECE

GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
_BROKEN = "its gzip stream is damaged"


def inflated(pieces: Iterable[bytes], what: str, *, limit: int) -> Iterator[bytes]:
    """Yield the plain bytes of all members of a gzip file, 1 MiB at most at a time.

    What follows the last member and is not another one is left out, as gzip itself does. Nothing
    after the last of the wanted bytes is looked at.

    Args:
        pieces: the bytes of the file (RFC 1952).
        what: what the file is, for errors.
        limit: how many plain bytes are wanted at most.

    Raises:
        ContentMismatch: while iterating; the file is damaged or truncated.
    """
    source = iter(pieces)
    left = limit
    data = _longer(b"", source)
    while left and data.startswith(GZIP_MAGIC):
        member = zlib.decompressobj(_GZIP)
        while left and not member.eof:
            try:
                plain = member.decompress(data, min(left, PIECE))
            except zlib.error as error:
                raise ContentMismatch(what, f"{_BROKEN} ({error})") from None
            left -= len(plain)
            if plain:
                yield plain
            data = member.unconsumed_tail
            if data or plain or member.eof:
                continue
            data = next(source, b"")
            if not data:
                raise ContentMismatch(what, f"{_BROKEN} (it ends too early)")
        data = _longer(member.unused_data, source)


def _longer(data: bytes, source: Iterator[bytes]) -> bytes:
    """Return the bytes with as many after them as the magic needs, where there are so many."""
    while len(data) < len(GZIP_MAGIC) and (piece := next(source, b"")):
        data += piece
    return data
