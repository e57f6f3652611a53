"""Bits as deflate packs them (RFC 1951, section 3.1.1): the first into the lowest place of a byte.

Compiled by ``bits.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

_BYTE = 8


class BitReader:
    """Bits out of a buffer that its owner fills.

    Attributes:
        data: the buffer.
        at: the next byte that is not among ``bits`` yet.
        end: one past the last byte that may be read.
        bits: what was loaded and not taken yet, the next bit lowest.
        count: how many those are.
    """

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.at = 0
        self.end = 0
        self.bits = 0
        self.count = 0

    def load(self, size: int) -> int:
        """Have at least ``size`` bits loaded, at most 32, or all that are left."""
        while self.count < size and self.at < self.end:
            byte = self.data[self.at]
            self.bits |= byte << self.count
            self.at += 1
            self.count += 8
        return 0

    def take(self, size: int) -> int:
        """Take ``size`` bits, at most 16; -1, and none taken, when fewer are left."""
        self.load(size)
        if self.count < size:
            return -1
        value = self.bits & ((1 << size) - 1)
        self.bits >>= size
        self.count -= size
        return value

    def unload(self) -> int:
        """Give whole bytes that were loaded and not taken back to the buffer."""
        self.at -= self.count >> 3
        self.count &= 7
        self.bits &= (1 << self.count) - 1
        return 0


class BitWriter:
    """Bits into a buffer that its owner empties in time.

    Attributes:
        data: the buffer.
        at: where the next whole byte goes.
        bits: what makes no whole byte yet, the first bit lowest.
        count: how many those are, fewer than 8 after :meth:`put`.
    """

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self.at = 0
        self.bits = 0
        self.count = 0

    def put(self, value: int, size: int) -> int:
        """Write the lowest ``size`` bits of ``value``, which has no others; at most 32."""
        wide = value
        self.bits |= wide << self.count
        self.count += size
        while self.count >= _BYTE:
            self.data[self.at] = self.bits & 0xFF
            self.at += 1
            self.bits >>= 8
            self.count -= 8
        return 0

    def take(self) -> bytes:
        """Take the whole bytes out of the buffer."""
        taken = bytes(memoryview(self.data)[: self.at])
        self.at = 0
        return taken
