"""Byte counts, counts and times, as people read them."""

from __future__ import annotations

from datetime import timedelta

_STEP = 1000
_LONGEST_SECONDS = 120
_AGES = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def human_size(byte_count: float) -> str:
    """Return a byte count with a decimal unit, as docker and df -H show it: ``12.3 MB``."""
    value = float(byte_count)
    for unit in _UNITS:
        if abs(value) < _STEP or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    raise AssertionError("the last unit takes everything")


def human_age(age: timedelta) -> str:
    """Return how long ago something was: ``3 days ago``, in its largest whole unit."""
    seconds = age.total_seconds()
    for unit, length in _AGES:
        if seconds >= length:
            return f"{counted(int(seconds // length), unit)} ago"
    return "just now"


def human_ahead(ahead: timedelta) -> str:
    """Return how far off something is: ``in 3 days``, in its largest whole unit."""
    seconds = ahead.total_seconds()
    for unit, length in _AGES:
        if seconds >= length:
            return f"in {counted(int(seconds // length), unit)}"
    return "now"


def human_span(seconds: float) -> str:
    """Return how long something takes: ``2 days``, ``90 seconds``, ``1.4 s``, ``3 min 20 s``.

    A whole number of minutes, hours or days is told in that unit.
    """
    whole = int(seconds)
    for unit, length in _AGES[3:]:
        if seconds == whole and whole >= length and whole % length == 0:
            return counted(whole // length, unit)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _LONGEST_SECONDS:
        return f"{seconds:.1f} s"
    return f"{whole // 60} min {whole % 60} s"


def counted(number: int, noun: str) -> str:
    """Return ``1 image``, ``2 images``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
