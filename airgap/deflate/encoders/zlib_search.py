"""The search of zlib, GNU gzip and pigz for matches, in fewer steps than theirs.

Where every position is inserted, a match of four bytes and more is found along the chain of four
bytes: it meets the same matches as the encoder's chain of three, in the same order, and little
else. A longer match than the best so far is also found along the chain of the four bytes that end
where it gets longer, if that leads farther away. A position's rank in the chain of three tells
whether the encoder's own walk, which is limited, would have come that far.

Compiled by ``zlib_search.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from airgap.deflate.encoders.zlib_chains import Chains
from airgap.deflate.format import MAX_MATCH, MIN_MATCH, WINDOW

_MAX_DISTANCE = WINDOW - (MAX_MATCH + MIN_MATCH + 1)
_TOO_FAR = 4096
_FAR = 0xFFFF

# Positions that are inserted at once, ahead of where they are needed: as many as leave untouched
# what is known of the positions that a match may reach.
_AHEAD = MAX_MATCH


class Search(Chains):
    """Finds matches."""

    def find(self, position: int, least: int) -> int:
        """Give the token of the match that the encoder takes, longer than ``least``; 0 for none.

        ``least`` is 2, or the length of the match that this one must beat. Where every position
        is inserted, a match of three bytes is not taken from too far away.
        """
        if not self.every:
            return self.walk(position, least)
        token = self.leap(position, least)
        if token >> 16 == MIN_MATCH and token & _FAR > _TOO_FAR:
            return 0
        return token

    def leap(self, position: int, least: int) -> int:  # noqa: C901, PLR0911, PLR0912, PLR0915 - hot
        """Find what :meth:`walk` would, but maybe not a match of three bytes from too far away."""
        most = min(self.end, self.stop) - position
        if most <= MIN_MATCH or least >= most:
            return self.walk(position, least)
        most = min(most, MAX_MATCH)
        nice = min(self.nice, most)
        if self.inserted <= position + 1:
            self.insert(position + _AHEAD)
        link = self.links[position & (WINDOW - 1)]
        rank = link >> 16
        nearest = position - (link & _FAR)
        limit = max(position - _MAX_DISTANCE, self.origin)
        if nearest <= limit:
            return self.walk(position, least)
        depth = self.depth >> 2 if least >= self.good else self.depth
        best = max(least, MIN_MATCH)
        found = -1
        left = depth
        ahead = 0
        place = position - self.four_links[position & (WINDOW - 1)]
        if best > MIN_MATCH and place > limit:
            if self.inserted <= position + best - 2:
                self.insert(position + _AHEAD)
            other = position - self.four_links[(position + best - 3) & (WINDOW - 1)]
            if other < place:
                place = other
                ahead = best - 3
        first = self.data[position]
        second = self.data[position + 1]
        last = self.data[position + best]
        before = self.data[position + best - 1]
        while place > limit:
            if (
                self.data[place + best] == last
                and self.data[place + best - 1] == before
                and self.data[place] == first
                and self.data[place + 1] == second
            ):
                length = 2
                while length < most and self.data[place + length] == self.data[position + length]:
                    length += 1
                if length > best:
                    # How many positions the encoder has looked at when it comes to this one.
                    walked = (rank - (self.links[place & (WINDOW - 1)] >> 16)) & _FAR
                    if walked > depth:
                        break
                    best = length
                    found = place
                    if length >= nice or walked == depth:
                        break
                    last = self.data[position + best]
                    before = self.data[position + best - 1]
                    if self.inserted <= position + best - 2:
                        self.insert(position + _AHEAD)
                    place -= self.four_links[(place + ahead) & (WINDOW - 1)]
                    other = position - self.four_links[(position + best - 3) & (WINDOW - 1)]
                    if other < place:
                        place = other
                        ahead = best - 3
                    left = depth
                    continue
            place -= self.four_links[(place + ahead) & (WINDOW - 1)]
            left -= 1
            if left <= 0:
                # This chain is no shorter than the encoder's own.
                return self.walk(position, least)
        if found >= 0:
            return (best << 16) | (position - found)
        if least >= MIN_MATCH:
            return 0
        limit = max(limit, position - _TOO_FAR - 1)
        third = self.data[position + 2]
        left = depth
        place = nearest
        while place > limit and left > 0:
            if (
                self.data[place + 2] == third
                and self.data[place + 1] == second
                and self.data[place] == first
            ):
                return (MIN_MATCH << 16) | (position - place)
            place -= self.links[place & (WINDOW - 1)] & _FAR
            left -= 1
        return 0
