"""What the symbols of deflate mean (RFC 1951, section 3.2.5), as tables.

They stand in a module that is never compiled: compiled ones take copies of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from airgap.deflate.format import (
    END_OF_BLOCK,
    MAX_ALIAS,
    MAX_DISTANCES,
    MAX_LITERALS,
    MAX_MATCH,
)

LITERAL = 0
LENGTH = 1
END = 2
NOTHING = 4
"""Kinds of the entries of decoders."""


def _ranges(first: int, symbols: int, alike: int) -> Iterator[tuple[int, int]]:
    """Give the base and the extra bits of each symbol, ``alike`` of them to a number of bits."""
    base = first
    for symbol in range(symbols):
        extra = max(symbol // alike - 1, 0)
        yield base, extra
        base += 1 << extra


LENGTH_RANGES = (*list(_ranges(3, 28, 4)), (MAX_MATCH, 0))
"""The least length and the extra bits of the symbols 257 to 285."""

DISTANCE_RANGES = tuple(_ranges(1, MAX_DISTANCES, 2))
"""The least distance and the extra bits of the symbols 0 to 29."""

FIXED_LITERALS = bytes((8,) * 144 + (9,) * 112 + (7,) * 24 + (8,) * 8)
FIXED_DISTANCES = bytes((5,) * 32)
"""The code lengths of section 3.2.6; the last two symbols of each have codes and no meaning."""


def _entry(kind: int, base: int = 0, extra: int = 0) -> int:
    return kind << 24 | base << 8 | extra << 4


LITERAL_ENTRIES = (
    *(_entry(LITERAL, byte) for byte in range(END_OF_BLOCK)),
    _entry(END),
    *(_entry(LENGTH, base, extra) for base, extra in LENGTH_RANGES),
    *(_entry(NOTHING) for _ in range(MAX_LITERALS, len(FIXED_LITERALS))),
)
DISTANCE_ENTRIES = (
    *(_entry(LENGTH, base, extra) for base, extra in DISTANCE_RANGES),
    *(_entry(NOTHING) for _ in range(MAX_DISTANCES, len(FIXED_DISTANCES))),
)

NEAR = 256
"""Distances of which each has a place in the table of symbols."""


def length_symbols() -> bytes:
    """For each length, which symbol writes it, less 257; MAX_ALIAS is the one that could be 258."""
    symbols = bytearray(MAX_ALIAS + 1)
    for symbol, (base, extra) in enumerate(LENGTH_RANGES):
        for length in range(base, base + (1 << extra)):
            symbols[length] = symbol
    symbols[MAX_ALIAS] = len(LENGTH_RANGES) - 2
    return bytes(symbols)


def distance_symbols() -> bytes:
    """Which symbol writes each distance less 1, up to 255; then each 128 of the others."""
    symbols = bytearray(2 * NEAR)
    for symbol, (base, extra) in enumerate(DISTANCE_RANGES):
        for distance in range(base - 1, base - 1 + (1 << extra)):
            symbols[distance if distance < NEAR else NEAR + (distance >> 7)] = symbol
    return bytes(symbols)
