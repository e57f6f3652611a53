"""The levels 7 to 9 of klauspost/compress: chains of places, and a second look at a match's end.

Re-enacts ``deflateLazy`` of ``flate`` in klauspost/compress (``deflate.go``, version 1.15.15 and
later), as Go 1.27 has it:

- Every place goes into a chain of those with the same hash of four bytes. Level 9 takes a match for
  better where it saves more bits, by a Huffman code of the bytes that follow; 7 and 8 where it is
  longer.
- A match is written once the next place has no longer one. Before that, what the four bytes behind
  its end would make it part of is looked at, leaving out up to two of its first bytes.
- After as many literals in a row as the chain is long, some places are not looked at at all.
- Blocks have 32,768 tokens. The last 64 KiB or less are gone over in one go, and the codes of
  blocks that end there are not used again.
- The window of 64 KiB slides by half of it, and nothing before its start is reached.

Compiled by ``klauspost_chains.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

from array import array

from airgap.deflate.encoders.klauspost_blocks import KlauspostBlocks
from airgap.deflate.format import CAPACITY, MAX_MATCH, MIN_MATCH, WINDOW
from airgap.deflate.header import Header
from airgap.deflate.model import Model

_PENALTY = 8
_SHORTEST = 4
_BLOCK_TOKENS = 1 << 15
_MARGIN = _SHORTEST + MAX_MATCH  # bytes ahead, unless the stream ends
_LEFT_OUT = 2
_SLOTS = 1 << 17
_SHIFT = 15
_FACTOR = 2654435761
_WORD = 0xFFFFFFFF
_RING_MASK = WINDOW - 1
_FIRST_ORIGIN = 2 * WINDOW
_LAST_ORIGIN = 1 << 30
_BYTES = 256
_MAX_BITS = 15
_QUEUE = 1 << 12  # tokens that a place may give: a skip goes over a thousand at most
_LEAST_GAIN = 4  # bits
_MATCH_COST = 3
_FARTHEST_BITS = 6
_WEIGHED = 100  # the chain from which on bits are weighed
_COUNTER_MASK = 0xFFFF
_EXACT_HEADS = 5  # the generation that took to them

# By level less 7: a match is good enough not to look at the next place, or not to look for a longer
# one; how long chains are.
_LAZY = (12, 30, 258)
_NICE = (16, 40, 258)
_CHAIN = (24, 64, 1024)


class KlauspostChains(KlauspostBlocks):
    """A slow level of klauspost/compress, not flushed but by its end.

    Args:
        level: 7 to 9.
        generation: 4 for version 1.15.15 and later, 5 for 1.18.4 and later, and for Go 1.27.
    """

    def __init__(self, level: int, generation: int) -> None:
        super().__init__(_PENALTY, 1 if generation >= _EXACT_HEADS else 0)
        self.continues = 1
        # How many of the bytes that come are weighed.
        self._weighed = _BLOCK_TOKENS if generation >= _EXACT_HEADS else 2 * WINDOW
        self._lazy = _LAZY[level - 7]
        self._nice = _NICE[level - 7]
        self._chain = _CHAIN[level - 7]
        self._heads = array("i", bytes(4 * _SLOTS))
        self._ring = array("i", bytes(4 * WINDOW))
        self._origin = _FIRST_ORIGIN
        self._byte_counts = array("i", bytes(4 * _BYTES))
        self._byte_lengths = bytearray(_BYTES)
        self._queue = array("i", bytes(4 * _QUEUE))
        self._queued = 0
        self._next = 0
        self._start_over()

    def restart(self) -> int:
        """Stand at the start of a new stream, from which no older mark can be reached."""
        KlauspostBlocks.restart(self)
        self.forget_codes()
        self._origin += CAPACITY + _FIRST_ORIGIN
        self._origin &= ~_RING_MASK
        if self._origin > _LAST_ORIGIN:
            self._renumber(self._origin - _FIRST_ORIGIN)
        return self._start_over()

    def _start_over(self) -> int:
        self._base = 0  # where the window begins,
        self._window_end = 0  # and ends, once it is filled
        self._flushing = 0
        self._place = 0
        self._inserted = -1  # the last place of a chain that was begun, or what it held
        self._length = _SHORTEST - 1
        self._distance = 0
        self._pending = 0
        self._literals = 0
        self._queued = 0
        self._next = 0
        return 0

    def slide(self, distance: int) -> int:
        """Follow the buffer."""
        self._base -= distance
        self._window_end -= distance
        self._place -= distance
        self._inserted -= distance
        self._origin += distance
        if self._origin > _LAST_ORIGIN:
            self._renumber((self._origin - _FIRST_ORIGIN) & ~_RING_MASK)
        return KlauspostBlocks.slide(self, distance)

    def _renumber(self, less: int) -> int:
        """Make all marks smaller; ``less`` is a multiple of a window, for the ring's sake."""
        self._origin -= less
        for slot in range(_SLOTS):
            self._heads[slot] = max(self._heads[slot] - less, 0)
        for slot in range(WINDOW):
            self._ring[slot] = max(self._ring[slot] - less, 0)
        return 0

    def ends_block(self) -> int:
        """Tell whether the block has all its tokens, or the bytes are at an end."""
        return 1 if self.tokens >= _BLOCK_TOKENS or Model.ends_block(self) else 0

    def predict(self) -> int:
        """Give the next token."""
        while self._next >= self._queued:
            self._queued = 0
            self._next = 0
            self._step()
        return self._queue[self._next]

    def accept(self, token: int) -> int:
        """Count the token and step over it; go on behind it if it was not expected."""
        self.count(token)
        self.pos += (token >> 16) or 1
        if self._next < self._queued and self._queue[self._next] == token:
            self._next += 1
            return 0
        self._queued = 0
        self._next = 0
        while self._place < self.pos - 1:
            self._place += 1
            self._insert(self._place)
        self._place = self.pos
        self._length = _SHORTEST - 1
        self._pending = 0
        return 0

    def choose(self, header: Header) -> int:
        """Choose by the tokens, or end the stream."""
        if self.tokens == 0:
            if self.closed and self.pos >= self.end:
                return self.choose_end(header)
            return self.choose_stored(header)
        last = self._flushing
        if self.closed and self.pos >= self.end:
            last = 1
        return self.choose_for_tokens(header, last)

    def storable(self) -> int:
        """Tell whether the encoder still has the block's bytes: not if they left its window."""
        return 1 if self.block_start >= self._base else 0

    # The encoder's loop.

    def _step(self) -> int:
        """Go on to the next place, which may give tokens."""
        if self._window_end - self._place < _MARGIN and not self._flushing:
            self._fill()
        if self._place >= self._window_end:
            return self._put_pending()
        ahead = self._window_end - self._place
        self._insert(self._place)
        before = self._length
        distance = self._distance
        self._length = _SHORTEST - 1
        self._distance = 0
        least = max(self._place - WINDOW, self._base)
        if least <= self._inserted < self._place and before < min(self._lazy, ahead):
            self._find(self.data, self._ring, self._inserted, ahead, least)
        if before >= _SHORTEST and self._length <= before:
            return self._put_match(before, distance, ahead, least)
        if self._length >= _SHORTEST:
            self._literals = 0
        if not self._pending:
            self._place += 1
            self._pending = 1
            return 0
        self._literals = (self._literals + 1) & _COUNTER_MASK
        self._put(0)
        self._place += 1
        skipped = self._literals - self._chain
        if skipped > 0:
            self._skip(1 + (skipped >> 6))
        return 0

    def _fill(self) -> int:
        """Fill the window, which slides if there was one; weigh the bytes that came."""
        if self._window_end > self._base:
            self._base += WINDOW
        self._window_end = min(self._base + 2 * WINDOW, self.end)
        # What ends with the window is known to be the end when it is flushed.
        self._flushing = 1 if self._window_end == self.end and self.closed else 0
        if self._chain < _WEIGHED or self._window_end == self._place:
            return 0
        for symbol in range(_BYTES):
            self._byte_counts[symbol] = 0
        for place in range(self._place, min(self._window_end, self._place + self._weighed)):
            self._byte_counts[self.data[place]] += 1
        self._huffman.build(self._byte_counts, _BYTES, _MAX_BITS, self._byte_lengths)
        return 0

    def _insert(self, place: int) -> int:
        """Let ``place`` begin its chain, unless too few bytes follow in the window."""
        if place >= self._window_end - (_SHORTEST - 1):
            return 0
        slot = self._slot(place)
        head = self._heads[slot]
        self._inserted = head - self._origin
        if self._inserted >= place:
            return 0  # it was gone over before, in vain
        self._ring[(place + self._origin) & _RING_MASK] = head
        self._heads[slot] = place + self._origin
        return 0

    def _put(self, token: int) -> int:
        self._queue[self._queued] = token
        self._queued += 1
        return 0

    def _put_pending(self) -> int:
        """At the end of the bytes, write the last one, if it waits."""
        self._pending = 0
        return self._put(0)

    def _skip(self, places: int) -> int:
        """Go over places without looking at them."""
        for _ in range(places):
            if self._place >= self._window_end - 1:
                break
            self._put(0)
            self._insert(self._place)
            self._place += 1
        self._put(0)
        self._pending = 0
        return 0

    def _put_match(self, length: int, distance: int, ahead: int, least: int) -> int:
        """Write the match of the place before, or a better one, and insert its places."""
        start = self._place - 1
        limit = self._window_end - (_SHORTEST - 1)
        if length < MAX_MATCH - _LEFT_OUT and start + length < limit:
            other = self._heads[self._slot(start + length)] - self._origin - length
            if start - other != distance and start > other > least + _LEFT_OUT:
                stop = start + min(ahead, MAX_MATCH + _LEFT_OUT)
                longer = 0
                first = start + _LEFT_OUT
                while first + longer < stop and (
                    self.data[first + longer] == self.data[other + _LEFT_OUT + longer]
                ):
                    longer += 1
                if longer > length:
                    length = longer
                    distance = start - other
                    while (
                        first > start
                        and length < MAX_MATCH
                        and self.data[first - 1] == self.data[first - 1 - distance]
                    ):
                        first -= 1
                        length += 1
                    while start < first:
                        self._put(0)
                        start += 1
                        self._place += 1
                        self._insert(self._place)
        self._put(length << 16 | distance)
        after = self._place + length - 1
        inserted = self._inserted
        while self._place + 1 < after:
            self._place += 1
            self._insert(self._place)
        self._inserted = inserted
        self._place = after
        self._pending = 0
        self._length = _SHORTEST - 1
        self._literals = 0
        return 0

    def _find(self, data: bytearray, ring: array[int], other: int, ahead: int, least: int) -> int:
        """Look for a match along a chain, and let ``_length`` and ``_distance`` tell it."""
        place = self._place
        origin = self._origin
        longest = min(ahead, MAX_MATCH)
        nice = min(self._nice, longest)
        length = _SHORTEST - 1
        gain = _LEAST_GAIN
        last = data[place + length]
        tries = self._chain
        while tries > 0:
            tries -= 1
            if data[other + length] == last:
                same = 0
                while same < longest and data[other + same] == data[place + same]:
                    same += 1
                if same > length:
                    better = 1
                    if self._chain >= _WEIGHED:
                        saved = self._gain(place, place - other, same)
                        better = 1 if saved > gain else 0
                        gain = max(gain, saved)
                    if better:
                        length = same
                        self._length = same
                        self._distance = place - other
                        if same >= nice:
                            break
                        last = data[place + same]
            if other <= least:
                break
            other = ring[(other + origin) & _RING_MASK] - origin
            if not least <= other < place:
                break
        return 0

    def _gain(self, place: int, distance: int, length: int) -> int:
        """The bits that a match saves, by a code of the bytes alone."""
        bits = -_MATCH_COST
        for at in range(place, place + length):
            bits += max(self._byte_lengths[self.data[at]], 1)
        symbol = self._length_symbols[length] - self._length_symbols[MIN_MATCH]
        bits -= self._extra_length_bits[symbol]
        # The encoder's table is of distances less one, and a byte tells the place in it.
        if distance == WINDOW:
            return bits - _FARTHEST_BITS
        far = distance if distance < _BYTES else _BYTES + (distance >> 7)
        return bits - self._extra_distance_bits[self._distance_symbols[far]]

    def _slot(self, place: int) -> int:
        word = (
            self.data[place]
            | self.data[place + 1] << 8
            | self.data[place + 2] << 16
            | self.data[place + 3] << 24
        )
        return (word * _FACTOR & _WORD) >> _SHIFT
