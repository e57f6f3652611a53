"""The hash chains of zlib, GNU gzip and pigz.

An encoder of this family hashes the three bytes at every position it inserts, chains positions of
one hash, latest first, and looks at no more than so many of them (``longest_match`` in zlib's
``deflate.c``); other strings of the same hash count as well. The match found is the longest, of
equal ones the nearest.

Besides, where every position is inserted, there are chains of four bytes, which no encoder has;
with a position's *rank* in its chain of three they find the same match in fewer steps: see
:mod:`airgap.deflate.encoders.zlib_search`.

Compiled by ``zlib_chains.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.format import MAX_MATCH, MIN_MATCH, WINDOW
from airgap.deflate.model import Model

# How far back a match reaches, which leaves room for the bytes that an encoder wants ahead of it.
_MAX_DISTANCE = WINDOW - (MAX_MATCH + MIN_MATCH + 1)
_NEVER = 1 << 30
_AWAY = 1 << 17
_FAR = 0xFFFF
_LOW = 0xFFFFFFFF
_FOUR_BITS = 16
_FOURS = 1 << _FOUR_BITS
_MULTIPLIER = 506_832_829


class Chains(Model):
    """Hash chains over the plain bytes.

    Attributes:
        stop: one past the last byte that the encoder sees; ``end`` where that comes first.
        origin: a position that is never matched, nor is any before it: the first of the window at
            first, whose index is what ends a chain.
        depth: how many positions of a chain are looked at.
        good: matches of this length and more make the search for a better one a quarter as deep.
        nice: a match of this length ends the search.
        every: 1 where every position is inserted, and there are chains of four bytes, too.
        inserted: every position before it has been inserted, or never will be; chains of four
            bytes lack the last of them.
        heads: by hash of three bytes, the latest position (plus _AWAY; 0 for none).
        links: by position, the distance to the one before in its chain of three bytes, and in the
            upper half its rank.
        four_heads: by hash of four bytes, the latest position (plus _AWAY; 0 for none).
        four_links: by position, the distance to the one before in its chain of four bytes.
    """

    def __init__(self, memory: int) -> None:
        """Make empty chains, with a hash as wide as zlib's at this ``memLevel``."""
        super().__init__()
        self.stop = _NEVER
        self.origin = 0
        self.depth = 0
        self.good = 0
        self.nice = 0
        self.every = 0
        self.inserted = 0
        self.shift = (memory + 7 + MIN_MATCH - 1) // MIN_MATCH
        self.mask = (1 << (memory + 7)) - 1
        self.heads = array("i", bytes(4 * (self.mask + 1)))
        self.links = array("I", bytes(4 * WINDOW))
        self.four_heads = array("i", bytes(4 * _FOURS))
        self.four_links = array("H", bytes(2 * WINDOW))
        self.spare = array("I", bytes(4 * WINDOW))

    def restart(self) -> int:
        """Empty the chains, and stand at the start of a new stream."""
        Model.restart(self)
        self.stop = _NEVER
        self.origin = 0
        return self.forget(0)

    def slide(self, distance: int) -> int:
        """Every position has become smaller by ``distance``."""
        for place in range(self.mask + 1):
            self.heads[place] = max(self.heads[place] - distance, 0)
        if self.every:
            for place in range(_FOURS):
                self.four_heads[place] = max(self.four_heads[place] - distance, 0)
        self.turn(distance & (WINDOW - 1))
        self.inserted -= distance
        if self.stop != _NEVER:
            self.stop -= distance
        self.origin -= distance
        # The windows that the encoder has left count no more, but where they began does.
        while self.origin < -_AWAY:
            self.origin += WINDOW
        return 0

    def turn(self, distance: int) -> int:
        """Move what is kept by position, modulo the window's size, back by ``distance``."""
        for place in range(WINDOW):
            self.spare[place] = self.links[(place + distance) & (WINDOW - 1)]
        for place in range(WINDOW):
            self.links[place] = self.spare[place]
        if self.every:
            for place in range(WINDOW):
                self.spare[place] = self.four_links[(place + distance) & (WINDOW - 1)]
            for place in range(WINDOW):
                self.four_links[place] = self.spare[place]
        return 0

    def forget(self, position: int) -> int:
        """Empty the chains; the next position to be inserted is ``position``."""
        for place in range(self.mask + 1):
            self.heads[place] = 0
        if self.every:
            for place in range(_FOURS):
                self.four_heads[place] = 0
        self.inserted = position
        return 0

    def insert(self, last: int) -> int:
        """Insert every position up to ``last`` at which the encoder sees three bytes."""
        last = min(last, min(self.end, self.stop) - MIN_MATCH)
        if self.every:
            return self.insert_twice(last)
        position = self.inserted
        while position <= last:
            value = (self.data[position] << 2 * self.shift) ^ (
                self.data[position + 1] << self.shift
            )
            self.link(position, (value ^ self.data[position + 2]) & self.mask)
            position += 1
        self.inserted = max(self.inserted, position)
        return 0

    def link(self, position: int, place: int) -> int:
        """Put a position before the others of the same hash of three bytes, which is ``place``."""
        distance = position + _AWAY - self.heads[place]
        self.heads[place] = position + _AWAY
        rank = 0
        if distance < WINDOW:
            rank = ((self.links[(position - distance) & (WINDOW - 1)] >> 16) + 1) & _FAR
        else:
            distance = _FAR
        self.links[position & (WINDOW - 1)] = (rank << 16) | distance
        return 0

    def insert_twice(self, last: int) -> int:
        """Insert every position up to ``last``, and all but the last one by four bytes as well."""
        position = self.inserted
        if position > last:
            return 0
        four = self.data[position - 1] if position > 0 else 0
        four = (four << 16) | (self.data[position] << 8) | self.data[position + 1]
        shift = self.shift
        mask = self.mask
        three = (self.data[position] << shift) ^ self.data[position + 1]
        while position <= last:
            byte = self.data[position + 2]
            three = ((three << shift) ^ byte) & mask
            four = ((four << 8) | byte) & _LOW
            self.link(position, three)
            if position > 0:
                place = ((four * _MULTIPLIER) & _LOW) >> (32 - _FOUR_BITS)
                distance = position - 1 + _AWAY - self.four_heads[place]
                self.four_heads[place] = position - 1 + _AWAY
                self.four_links[(position - 1) & (WINDOW - 1)] = min(distance, _FAR)
            position += 1
        self.inserted = position
        return 0

    def walk(self, position: int, least: int) -> int:
        """Give the token of the match that the encoder finds, longer than ``least``; 0 for none.

        ``least`` is 2, or the length of the match that this one must beat.
        """
        most = min(self.end, self.stop) - position
        # With no more room than the match to beat has, there is nothing to look for.
        if most < MIN_MATCH or least >= most:
            return 0
        most = min(most, MAX_MATCH)
        nice = min(self.nice, most)
        self.insert(position)
        place = position - (self.links[position & (WINDOW - 1)] & _FAR)
        left = self.depth >> 2 if least >= self.good else self.depth
        limit = max(position - _MAX_DISTANCE, self.origin)
        if place == position - _MAX_DISTANCE and place > self.origin:
            # The first of a chain may lie a byte farther away than the others.
            limit -= 1
            left = 1
        best = least
        found = -1
        while place > limit and left > 0:
            if (
                self.data[place + best] == self.data[position + best]
                and self.data[place + best - 1] == self.data[position + best - 1]
                and self.data[place] == self.data[position]
            ):
                length = 1
                while length < most and self.data[place + length] == self.data[position + length]:
                    length += 1
                if length > best:
                    best = length
                    found = place
                    if length >= nice:
                        break
            place -= self.links[place & (WINDOW - 1)] & _FAR
            left -= 1
        return (best << 16) | (position - found) if found >= 0 else 0
