"""The search of zlib, GNU gzip and pigz for matches: hash chains, walked for a limited while.

An encoder of this family hashes the three bytes at every position it inserts, chains positions of
one hash, latest first, and looks at no more than so many of them (``longest_match`` in
``deflate.c``); other strings of the same hash count as well. The match found is the longest, of
equal ones the nearest. Where an encoder inserts every position, the same match is found here with
fewer steps: a longer match than the best so far must also have the three bytes that end where it
gets longer, so the chain of those is walked if it leads farther away; each position's *rank* in its
chain tells whether the encoder's own walk would have come that far.

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


class Chains(Model):
    """Hash chains over the plain bytes.

    Attributes:
        stop: one past the last byte that the encoder sees; ``end`` where that comes first.
        origin: a position that is never matched, nor is any before it: the first of the window at
            first, whose index is what ends a chain.
        depth: how many positions of a chain are looked at.
        good: matches of this length and more make the search for a better one a quarter as deep.
        nice: a match of this length ends the search.
        every: 1 where every position is inserted.
        inserted: every position before it has been inserted, or never will be.
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
        # By hash: the latest position (plus _AWAY; 0 for none) and, in the upper half, its rank.
        self.heads = array("q", bytes(8 * (self.mask + 1)))
        # By position: the distance to the one before in its chain, and in the upper half its rank.
        self.links = array("I", bytes(4 * WINDOW))

    def restart(self) -> int:
        """Empty the chains, and stand at the start of a new stream."""
        Model.restart(self)
        self.stop = _NEVER
        self.origin = 0
        return self.forget(0)

    def slide(self, distance: int) -> int:
        """Every position has become smaller by ``distance``."""
        for place in range(self.mask + 1):
            entry = self.heads[place]
            if (entry & _LOW) > distance:
                self.heads[place] = entry - distance
            else:
                self.heads[place] = 0
        self.inserted -= distance
        if self.stop != _NEVER:
            self.stop -= distance
        self.origin -= distance
        # The windows that the encoder has left count no more, but where they began does.
        while self.origin < -_AWAY:
            self.origin += WINDOW
        return 0

    def forget(self, position: int) -> int:
        """Empty the chains; the next position to be inserted is ``position``."""
        for place in range(self.mask + 1):
            self.heads[place] = 0
        self.inserted = position
        return 0

    def insert(self, last: int) -> int:
        """Insert every position up to ``last`` at which the encoder sees three bytes."""
        position = self.inserted
        last = min(last, self.end - MIN_MATCH)
        last = min(last, self.stop - MIN_MATCH)
        if position > last:
            return 0
        sum_of_three = (self.data[position] << self.shift) ^ self.data[position + 1]
        while position <= last:
            sum_of_three = ((sum_of_three << self.shift) ^ self.data[position + 2]) & self.mask
            entry = self.heads[sum_of_three]
            distance = position + _AWAY - (entry & _LOW)
            distance = min(distance, _FAR)
            rank = ((entry >> 32) + 1) & 0xFFFF
            self.heads[sum_of_three] = (rank << 32) | (position + _AWAY)
            self.links[position & (WINDOW - 1)] = (rank << 16) | distance
            position += 1
        self.inserted = position
        return 0

    def find(self, position: int, least: int) -> int:  # noqa: C901, PLR0912, PLR0915 - hot
        """Give the token of the match that the encoder finds, longer than ``least``; 0 for none.

        ``least`` is 2, or the length of the match that this one must beat.
        """
        most = (min(self.end, self.stop)) - position
        # With no more room than the match to beat has, there is nothing to look for.
        if most < MIN_MATCH or least >= most:
            return 0
        most = min(most, MAX_MATCH)
        if self.inserted <= position:
            self.insert(position)
        link = self.links[position & (WINDOW - 1)]
        rank = link >> 16
        place = position - (link & _FAR)
        if place < position - _MAX_DISTANCE or place <= self.origin:
            return 0
        depth = self.depth
        if least >= self.good:
            depth >>= 2
        nice = self.nice
        nice = min(nice, most)
        limit = position - _MAX_DISTANCE
        limit = max(limit, self.origin)
        best = least
        found = -1
        ahead = 0
        left = depth
        if place <= limit:
            left = 1  # Only the first of a chain may lie as far away as this.
        elif self.every and best > MIN_MATCH:
            # Walk the chain of the three bytes that end where a match gets longer than the best?
            if self.inserted <= position + best - 2:
                self.insert(position + best - 2)
            other = position - (self.links[(position + best - 2) & (WINDOW - 1)] & _FAR)
            if other < place:
                if other <= limit:
                    return 0
                place = other
                ahead = best - 2
        first = self.data[position]
        second = self.data[position + 1]
        tail = self.data[position + best]
        before = self.data[position + best - 1]
        while True:
            if (
                self.data[place + best] == tail
                and self.data[place + best - 1] == before
                and self.data[place] == first
                and self.data[place + 1] == second
            ):
                length = 2
                while length < most and self.data[place + length] == self.data[position + length]:
                    length += 1
                if length > best:
                    # How many positions the encoder has looked at when it comes to this one.
                    walked = (rank - (self.links[place & (WINDOW - 1)] >> 16)) & 0xFFFF
                    if walked > depth:
                        break
                    best = length
                    found = place
                    if length >= nice or walked == depth:
                        break
                    tail = self.data[position + best]
                    before = self.data[position + best - 1]
                    if ahead or self.every:
                        ahead = 0
                        left = depth - walked
                        place -= self.links[place & (WINDOW - 1)] & _FAR
                        if place <= limit:
                            break
                        if self.inserted <= position + best - 2:
                            self.insert(position + best - 2)
                        other = position - (self.links[(position + best - 2) & (WINDOW - 1)] & _FAR)
                        if other < place:
                            if other <= limit:
                                break
                            place = other
                            ahead = best - 2
                            left = depth
                        continue
            place -= self.links[(place + ahead) & (WINDOW - 1)] & _FAR
            if place <= limit:
                break
            left -= 1
            if left <= 0:
                if not ahead:
                    break
                # The other chain is the longer one: back to the encoder's own.
                ahead = 0
                left = depth
                place = position
                if found >= 0:
                    left = depth - ((rank - (self.links[found & (WINDOW - 1)] >> 16)) & 0xFFFF)
                    place = found
                place -= self.links[place & (WINDOW - 1)] & _FAR
                if place <= limit:
                    break
        if found < 0:
            return 0
        return (best << 16) | (position - found)
