"""Sizes, rates and spans as people write them: ``700MB``, ``20MiB/s``, ``dvd``, ``30d``. Pure."""

from __future__ import annotations

import re

from airgap.errors import UsageError

_FILE_SYSTEM = 16 * 1024 * 1024
"""Bytes left free on a disc for its file system (ISO 9660 or UDF) and the checksums."""

MEDIA_SIZES = {
    "cd": 360_000 * 2048 - _FILE_SYSTEM,
    "dvd": 2_295_104 * 2048 - _FILE_SYSTEM,
    "dvd-dl": 4_171_712 * 2048 - _FILE_SYSTEM,
    "bd": 12_219_392 * 2048 - _FILE_SYSTEM,
    "bd-dl": 24_438_784 * 2048 - _FILE_SYSTEM,
    "fat32": 4 * 1024**3 - 1,
}
"""Bytes of a file that fits on a medium: its sectors of 2,048 bytes, a file system taken off.

Of the two kinds of DVD the smaller one counts (DVD+R; of two layers, DVD-R DL). ``fat32`` is the
longest file that FAT32 holds.
"""

MAX_BYTES = 2**63 - 1
"""What a signed 64-bit file offset can say."""

_DECIMAL = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}
_SIZE = re.compile(
    r"(?P<number>\d{1,19}(?:\.\d{1,9})?)\s*(?P<unit>[kmgtp]?)(?P<binary>i?)(?P<bytes>b?)"
    r"(?:\s*-\s*(?P<less>\d{1,9}))?",
    re.ASCII | re.IGNORECASE,
)
_RATE = re.compile(r"(?P<size>.*?)\s*/\s*(?P<time>s|sec|second|min|minute|h|hour)", re.DOTALL)
_SPAN = re.compile(r"(?P<number>\d{1,6})\s*(?P<unit>[hdw])", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(r"(?P<number>\d{1,6})\s*(?P<unit>s|sec|min|h|d|w)", re.ASCII)
_SPANS = {"h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


def parse_size(text: str) -> int:
    """Return a number of bytes, at least 1.

    ``MB`` and ``M`` are a million, ``MiB`` is 1,048,576; capitals do not matter; ``-1`` after a
    size takes bytes off it; a medium's name (see ``MEDIA_SIZES``) stands for what fits on it.

    Raises:
        UsageError: the text is no size, not a whole number of bytes, 0, or over 8 EiB.
    """
    medium = MEDIA_SIZES.get(text.strip().lower())
    if medium is not None:
        return medium
    match = _SIZE.fullmatch(text.strip())
    if match is None or (match["binary"] and not match["unit"]):
        raise UsageError(
            repr(text),
            "is not a size",
            f"write a number and a unit (700MB, 4GiB, 4GiB-1), or one of {', '.join(MEDIA_SIZES)}",
        )
    unit = match["unit"].lower()
    factor = _BINARY[unit] if match["binary"] else _DECIMAL[unit]
    whole, _, fraction = match["number"].partition(".")
    scaled, remainder = divmod(int(whole + fraction) * factor, 10 ** len(fraction))
    if remainder:
        raise UsageError(repr(text), "is not a whole number of bytes")
    size: int = scaled - int(match["less"] or 0)
    if not 0 < size <= MAX_BYTES:
        raise UsageError(repr(text), "is not a size between 1 byte and 8 EiB")
    return size


def parse_rate(text: str) -> int:
    """Return bytes per second, at least 1: ``20MiB/s``, ``300MB/min``; always bytes, never bits.

    Raises:
        UsageError: the text is no rate, or is less than a byte per second.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            repr(text), "is not a rate", "write bytes and a time, such as 20MiB/s or 300MB/min"
        )
    rate = parse_size(match["size"]) // _SECONDS[match["time"]]
    if rate < 1:
        raise UsageError(repr(text), "is less than a byte per second")
    return rate


def parse_span(text: str) -> int:
    """Return seconds of a span of hours, days or weeks: ``12h``, ``30d``, ``8w``.

    Raises:
        UsageError: the text is no span, or is none at all.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None or not int(match["number"]):
        raise UsageError(repr(text), "is not a span of time", "write hours, days or weeks: 30d")
    return int(match["number"]) * _SPANS[match["unit"].lower()]


def parse_duration(text: str) -> float:
    """Return seconds of a length of time: ``10s``, ``5min``, ``6h``, ``2d``, ``1w``.

    Raises:
        UsageError: the text is no length of time, or none at all.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not int(match["number"]):
        raise UsageError(
            repr(text), "is not a length of time", "write a number and s, min, h, d or w: 90s, 6h"
        )
    return float(int(match["number"]) * ({**_SECONDS, **_SPANS}[match["unit"]]))
