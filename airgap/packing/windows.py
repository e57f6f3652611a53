"""Which parts of the bases a segment of a target is made against, where not all of them fit.

Tars align the files in them to 512 bytes. So what stands in both base and target is found again
block by block, wherever it has moved to; and a file that has changed altogether is found by the
name in its header. Blocks and headers are remembered as *anchors*, sampled by what is in them, so
that base and target sample the same ones. Deterministic: the same files give the same windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from airgap.packing.cutting import BLOCK
from airgap.packing.delta_format import Extent

_ZEROS = crc32(bytes(BLOCK))
_MAGIC = slice(257, 262)
_NAME = slice(0, 100)
_PREFIX = slice(345, 500)
_SIZE = slice(124, 136)
_TYPE = slice(156, 157)
_FILES = frozenset({b"0", b"\0"})
_CHUNKS_IN_WINDOW = 256
_SMALLEST_CHUNK = 8 * BLOCK
_SMALLEST_FILE = 32 * 1024


class Anchors:
    """Where what stands in some bases."""

    def __init__(self, sizes: Sequence[int], *, window: int, near: int, capacity: int) -> None:
        """Know nothing yet of bases of these sizes.

        Args:
            sizes: bytes of each base.
            window: bytes that a segment can be made against.
            near: bytes at the end of a window that hold what is most like the segment.
            capacity: how many anchors to remember; a fourth of it comes on top for names of files.
        """
        self._sizes = tuple(sizes)
        self._window = window
        self._near = near
        self._capacity = capacity
        self._chunk = max(window // _CHUNKS_IN_WINDOW // BLOCK * BLOCK, _SMALLEST_CHUNK)
        self._mask = 0
        self._blocks: dict[int, int] = {}
        self._least = _SMALLEST_FILE
        self._files: dict[int, tuple[int, int, int]] = {}
        self._file = (0, range(0))
        self._first_chunks = []
        total = 0
        for size in sizes:
            self._first_chunks.append(total)
            total += -(-size // self._chunk)
        self._chunks = total

    def remember(self, base: int, pieces: Iterable[bytes]) -> None:
        """Take in the bytes of one base, from its beginning to its end."""
        first = self._first_chunks[base]
        for offset, block in _blocks(pieces):
            self._remember_block(crc32(block), first + offset // self._chunk)
            if block[_MAGIC] == b"ustar" and (size := _file_size(block)) >= self._least:
                self._remember_file(_name_of(block), base, offset, size)

    def windows_for(self, segment: range, pieces: Iterable[bytes]) -> tuple[Extent, ...]:
        """Return what to make a segment against; segments come in the order of the target.

        A window is filled with the parts of the bases that have most in common with the segment,
        then with what surrounds them. The best of them stand at its end, where zstd looks hardest.

        Args:
            segment: where in the target it stands, in bytes.
            pieces: its bytes.
        """
        votes = self._votes(segment, pieces)
        near: list[int] = []
        rest: list[int] = []
        filled = 0
        for chunk in self._by_merit(votes):
            size = self._place_of(chunk).length
            if filled + size <= self._window:
                filled += size
                (near if filled <= self._near else rest).append(chunk)
        return (*self._joined(sorted(rest)), *self._joined(sorted(near)))

    def _remember_block(self, key: int, chunk: int) -> None:
        if key & self._mask or key == _ZEROS:
            return
        # What stands in several places counts for the first one, in the likeliest base.
        self._blocks.setdefault(key, chunk)
        while len(self._blocks) > self._capacity:
            self._mask = 2 * self._mask + 1
            self._blocks = {k: c for k, c in self._blocks.items() if not k & self._mask}

    def _remember_file(self, name: int, base: int, offset: int, size: int) -> None:
        self._files.setdefault(name, (base, offset, size))
        while len(self._files) > self._capacity // 4 + 1:
            self._least *= 2
            self._files = {n: place for n, place in self._files.items() if place[2] >= self._least}

    def _votes(self, segment: range, pieces: Iterable[bytes]) -> Counter[int]:
        votes: Counter[int] = Counter()
        weight = BLOCK * (self._mask + 1)
        # The last file of the segment before may go on in this one.
        self._vote_for_file(segment, votes)
        for offset, block in _blocks(pieces):
            key = crc32(block)
            if not key & self._mask and (chunk := self._blocks.get(key)) is not None:
                votes[chunk] += weight
            if block[_MAGIC] == b"ustar" and (size := _file_size(block)):
                start = segment.start + offset
                self._file = (_name_of(block), range(start, start + size))
                self._vote_for_file(segment, votes)
        return votes

    def _vote_for_file(self, segment: range, votes: Counter[int]) -> None:
        """Vote for the part of an old file that is where the segment is in the new one."""
        name, new = self._file
        place = self._files.get(name)
        begin, end = max(segment.start, new.start), min(segment.stop, new.stop)
        if place is None or begin >= end:
            return
        base, start, size = place
        stop = min(start + (end - new.start) * size // len(new), self._sizes[base])
        start += (begin - new.start) * size // len(new)
        first = self._first_chunks[base]
        for chunk in range(start // self._chunk, -(-stop // self._chunk)):
            edge = chunk * self._chunk
            votes[first + chunk] += min(stop, edge + self._chunk) - max(start, edge)

    def _by_merit(self, votes: Counter[int]) -> list[int]:
        far = self._chunks
        distance = [0 if chunk in votes else far for chunk in range(self._chunks)]
        for chunk in range(1, self._chunks):
            distance[chunk] = min(distance[chunk], distance[chunk - 1] + 1)
        for chunk in range(self._chunks - 2, -1, -1):
            distance[chunk] = min(distance[chunk], distance[chunk + 1] + 1)
        return sorted(range(self._chunks), key=lambda c: (-votes[c], distance[c], c))

    def _place_of(self, chunk: int) -> Extent:
        base = max(b for b, first in enumerate(self._first_chunks) if first <= chunk)
        offset = (chunk - self._first_chunks[base]) * self._chunk
        return Extent(base, offset, min(self._chunk, self._sizes[base] - offset))

    def _joined(self, chunks: Sequence[int]) -> Iterator[Extent]:
        joined: Extent | None = None
        for extent in map(self._place_of, chunks):
            if joined and joined.base == extent.base and _end(joined) == extent.offset:
                joined = Extent(joined.base, joined.offset, joined.length + extent.length)
                continue
            if joined:
                yield joined
            joined = extent
        if joined:
            yield joined


def _end(extent: Extent) -> int:
    return extent.offset + extent.length


def _blocks(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield whole blocks and where they stand; what is left at the end is no anchor."""
    offset = 0
    rest = b""
    for piece in pieces:
        joined = rest + piece if rest else piece
        whole = len(joined) // BLOCK * BLOCK
        for start in range(0, whole, BLOCK):
            yield offset + start, joined[start : start + BLOCK]
        offset += whole
        rest = joined[whole:]


def _name_of(header: bytes) -> int:
    return crc32(header[_PREFIX], crc32(header[_NAME]))


def _file_size(header: bytes) -> int:
    """Return the bytes of a file by its header, or 0 where it is none or says nothing sensible."""
    if header[_TYPE] not in _FILES:
        return 0
    try:
        return max(int(header[_SIZE].strip(b" \0") or b"0", 8), 0)
    except ValueError:
        return 0
