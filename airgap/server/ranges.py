"""Byte ranges: ``Range`` of a pull (RFC 9110, section 14) and ``Content-Range`` of a push; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?([0-9]+)-([0-9]+)(?:/(?:[0-9]+|\*))?", re.ASCII)
_MAX_DIGITS = 19
"""More digits than any size has; a longer number is no position."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a blob: where it starts and how many bytes it has."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """Return the value of ``Content-Range`` for this piece of a blob of ``size`` bytes."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


class UnsatisfiableRangeError(ValueError):
    """No byte of the blob is in the range."""


def requested_span(header: str | None, size: int) -> Span | None:
    """Return the piece that a ``Range`` header asks for, clamped to the blob; None means all of it.

    A header that is not one byte range (other units, several ranges) is ignored, as RFC 9110 lets a
    server do. ``500-0`` is no range by its grammar; the conformance suite wants it refused.

    Raises:
        UnsatisfiableRangeError: the range lies outside the blob, or ends before it begins.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return None
    if len(match[1]) > _MAX_DIGITS:
        raise UnsatisfiableRangeError(header)
    if not match[1]:
        length = min(int(match[2][:_MAX_DIGITS]), size)
        start = size - length
    else:
        start = int(match[1])
        last = int(match[2]) if match[2] and len(match[2]) <= _MAX_DIGITS else size - 1
        length = min(last, size - 1) - start + 1
    if length <= 0:
        raise UnsatisfiableRangeError(header)
    return Span(start, length)


def announced_span(header: str) -> Span | None:
    """Return the piece that a chunk of an upload says it is; None where the header is malformed.

    The specification writes ``0-1023``; the forms of RFC 9110 are understood besides.
    """
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or max(len(match[1]), len(match[2])) > _MAX_DIGITS:
        return None
    start, last = int(match[1]), int(match[2])
    return Span(start, last - start + 1) if last >= start else None


def received_range(size: int) -> str:
    """Return the value of ``Range`` for an upload that has taken ``size`` bytes.

    Nothing taken yet is written ``0-0``, as every registry has it and no grammar could say better.
    """
    return f"0-{max(size - 1, 0)}"
