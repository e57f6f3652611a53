"""Byte counts, counts and times, as people read them."""

from __future__ import annotations

_STEP = 1000
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def human_size(byte_count: float) -> str:
    """Return a byte count with a decimal unit, as docker and df -H show it: ``12.3 MB``."""
    value = float(byte_count)
    for unit in _UNITS:
        if abs(value) < _STEP or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    raise AssertionError("the last unit takes everything")


def counted(number: int, noun: str) -> str:
    """Return ``1 image``, ``2 images``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
