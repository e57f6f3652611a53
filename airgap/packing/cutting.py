"""How large the pieces of a delta may be within a bound of memory. Pure.

zstd holds, while it compresses: the prefix (twice while it is handed over), as much of the input as
its window spans, its match finder's tables, and the table of its long-distance matcher. While it
decompresses: the prefix (likewise), and a buffer for the output, as large as the frame's content at
most. The figures were measured, and tests hold them against real processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from airgap.errors import UsageError
from airgap.packing.delta_format import ALLOWANCE, MIN_PREFIX, needed, window_log

DEFAULT_MEMORY = 1024 * 1024 * 1024
"""Bytes that a delta may take where nobody says otherwise."""

MIN_MEMORY = 256 * 1024 * 1024
"""Bytes below which nothing worth the work would be left for windows."""

MAX_WINDOW = 128 * 1024 * 1024
"""Bytes of bases that a segment is made against at most.

Not for lack of memory: the match finder, which knows short matches, remembers the last few dozen
megabytes of its prefix only. A small segment against what is most like it comes out a tenth smaller
than a whole layer against a whole layer, in twice the time."""

MAX_SEGMENT = 32 * 1024 * 1024
"""Bytes of a target that are made at once at most."""

BLOCK = 512
"""Bytes; tars align everything to it."""

_LONG_ENTRY = 8
_SHORT_ENTRIES = 9
"""Bytes for one entry of each table of the match finder: hash, chain, and a tag."""

_MAX_HASH_LOG = 23
_LONG_RATE = 6
"""The long-distance matcher remembers one position in ``1 << 6``, which is zstd's own choice."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What a delta is cut into.

    Attributes:
        window: bytes of bases that one segment is made against, at most.
        segment: bytes of the target that are made at once, at most; where there are several, a
            multiple of what tars align to.
        hash_log: size of the match finder's tables, as a power of two of entries.
        long_log: size of the long-distance matcher's table, likewise.
        anchors: how many places of the bases are remembered to choose windows by.
    """

    window: int
    segment: int
    hash_log: int
    long_log: int
    anchors: int

    @property
    def window_log(self) -> int:
        """The power of two that zstd's window has."""
        return window_log(self.window, self.segment)

    @property
    def applying(self) -> int:
        """Bytes that it takes at most to apply the delta."""
        return needed(self.window, self.segment)

    @property
    def making(self) -> int:
        """Bytes that it takes at most to make the delta."""
        tables = (_SHORT_ENTRIES << self.hash_log) + (_LONG_ENTRY << self.long_log)
        # A prefix is handed over before there are any.
        return max(self.applying, self.window + self.segment + tables + ALLOWANCE)


def cut_for(bases: int, target: int, memory: int) -> Cut:
    """Return the best cut that fits.

    Args:
        bases: bytes of all bases together.
        target: bytes of the target.
        memory: bytes that making and applying may each take; at least ``MIN_MEMORY``.

    Raises:
        UsageError: too little memory.
    """
    if memory < MIN_MEMORY:
        raise UsageError(
            f"{memory:,} bytes of memory",
            f"are too few for deltas; they take {MIN_MEMORY:,} at least",
            "raise --delta-memory",
        )
    bases = bases if bases >= MIN_PREFIX else 0
    target = max(target, 1)
    tables = memory // 8
    room = memory - ALLOWANCE - tables
    handed_over = (memory - ALLOWANCE) // 2
    # A target that leaves more room than its usual share leaves it to the window.
    window = min(bases, MAX_WINDOW, handed_over, max(room - target, room * 5 // 8))
    segment = min(target, MAX_SEGMENT, room - window)
    if (count := ceil(target / segment)) > 1:
        # All of one size, which is a multiple of what a tar aligns its entries to.
        segment = ceil(target / count / BLOCK) * BLOCK
    log = window_log(window, segment)
    long_log = min(max(log - _LONG_RATE, 6), (tables // 2 // _LONG_ENTRY).bit_length() - 1)
    hash_log = ((tables - (_LONG_ENTRY << long_log)) // _SHORT_ENTRIES).bit_length() - 1
    return Cut(window, segment, min(hash_log, _MAX_HASH_LOG), long_log, memory // 4096)
