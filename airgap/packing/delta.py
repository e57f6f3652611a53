"""A file as what differs from files that the other side has: made, and applied. Blocking.

What is common to both is not carried, however far it has moved: the bases, or the windows of them
that have most in common with a piece of the target, become the prefix of a zstd frame. Memory is
bounded on both sides; see :mod:`airgap.packing.cutting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from airgap.errors import ContentMismatch, Refused
from airgap.packing.cutting import DEFAULT_MEMORY, Cut, cut_for
from airgap.packing.delta_format import (
    MAX_BASES,
    MIN_PREFIX,
    ByteQueue,
    DeltaHead,
    Extent,
    Segment,
    extents_of,
    needed,
    read_segment,
    window_log,
    write_segment,
)
from airgap.packing.scratch import (
    PIECE,
    OnBytes,
    file_size,
    region_pieces,
    telling,
    unheard,
)
from airgap.packing.windows import Anchors
from airgap.packing.zstd import (
    CompressionParameter,
    DecompressionParameter,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdDict,
    ZstdError,
    get_frame_info,
)

DEFAULT_LEVEL = 9
_WHAT = "delta"
_FRAME_MAGIC = b"\x28\xb5\x2f\xfd"
_FRAME_HEAD = 18
"""Bytes that the head of a frame has at most (RFC 8878, section 3.1.1.1)."""


@dataclass(frozen=True, slots=True)
class DeltaFacts:
    """What became of a delta.

    Attributes:
        size: bytes of the delta.
        needs: bytes of memory that it takes to apply it.
    """

    size: int
    needs: int


def delta_memory(bases: Sequence[int], target: int, memory: int = DEFAULT_MEMORY) -> int:
    """Return the bytes of memory that making a delta takes: ``memory`` at most.

    Args:
        bases: bytes of each base.
        target: bytes of the target.
        memory: the bound that the delta will be made with.

    Raises:
        UsageError: the bound is too low for any delta.
    """
    return cut_for(sum(bases), target, memory).making


def make_delta(
    bases: Sequence[Path],
    target: Path,
    delta: Path,
    *,
    memory: int = DEFAULT_MEMORY,
    level: int = DEFAULT_LEVEL,
    on_bytes: OnBytes = unheard,
) -> DeltaFacts:
    """Write what makes ``target`` out of ``bases``; the same files give the same delta.

    Args:
        bases: what the other side has, the likeliest first; 16 at most, none is allowed.
        target: what is to be made there.
        delta: the file to write; what it held is gone.
        memory: bytes that making and applying it may each take; 256 MiB at least.
        level: zstd's compression level.
        on_bytes: told of bytes of the target that are done; may raise to break off.

    Raises:
        UsageError: too little memory.
        ContentMismatch: a file changed meanwhile.
        NoSpace, NotPermitted, NotFound: a file cannot be read or written.
    """
    sizes = [file_size(base) for base in bases]
    cut = cut_for(sum(sizes), file_size(target), memory)
    return make_cut_delta(bases, target, delta, cut, level=level, on_bytes=on_bytes)


def make_cut_delta(
    bases: Sequence[Path],
    target: Path,
    delta: Path,
    cut: Cut,
    *,
    level: int = DEFAULT_LEVEL,
    on_bytes: OnBytes = unheard,
) -> DeltaFacts:
    """Do what :func:`make_delta` does, with pieces of given sizes."""
    if len(bases) > MAX_BASES:
        raise ValueError("more bases than a delta can have")
    with ExitStack() as stack:
        source = _opened(stack, target)
        size = file_size(target)
        maker = _Maker([_opened(stack, base) for base in bases], size, cut, level)
        with telling(delta):
            output = stack.enter_context(delta.open("wb"))
            output.write(bytes(len(DeltaHead(size, 0, maker.sizes).to_bytes())))
        needs = needed(0, 0)
        for offset in range(0, size, cut.segment):
            length = min(cut.segment, size - offset)
            window = maker.window_for(source, offset, length)
            needs = max(needs, needed(window, length))
            maker.write(source, offset, length, (output, delta), on_bytes)
        with telling(delta):
            total = output.tell()
            output.seek(0)
            output.write(DeltaHead(size, needs, maker.sizes).to_bytes())
            output.flush()
    return DeltaFacts(total, needs)


def apply_delta(
    bases: Sequence[Path], delta: Iterable[bytes], *, memory: int = DEFAULT_MEMORY
) -> Iterator[bytes]:
    """Yield the target, 1 MiB at most at a time; files are open until the iterator is closed.

    Nothing in a delta is trusted, nor is what it makes verified here: hold its digest against what
    was promised.

    Args:
        bases: the files that it was made against, in the same order.
        delta: its bytes, in pieces of any size, read as they are needed.
        memory: bytes that applying it may take.

    Raises:
        ContentMismatch: while iterating; the delta is damaged, or the bases are others.
        Refused: while iterating, before the first piece; it takes more memory than allowed.
        NotFound, NotPermitted: while iterating; a base cannot be read.
    """
    queue = ByteQueue(delta)
    head = DeltaHead.read(queue)
    if head.needs > memory:
        raise Refused(
            _WHAT,
            f"takes {head.needs:,} bytes of memory to apply, and {memory:,} are allowed",
            "raise --delta-memory",
        )
    if head.bases != tuple(file_size(base) for base in bases):
        raise ContentMismatch(_WHAT, "was made against other bases")
    with ExitStack() as stack:
        prefixes = _Prefixes([_opened(stack, base) for base in bases])
        left = head.target
        while left:
            segment = read_segment(queue, head, left)
            yield from _unpacked(segment, prefixes.of(segment.extents), queue)
            left -= segment.plain
    if queue.some(1):
        raise ContentMismatch(_WHAT, "goes on after its end")


@dataclass(frozen=True, slots=True)
class _File:
    """An open file and what it is called."""

    path: Path
    file: FileIO

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        return region_pieces(self.file, self.path, offset, length)

    def fill(self, buffer: memoryview, offset: int) -> None:
        """Read exactly as many bytes as there is room for.

        Raises:
            ContentMismatch: the file has become shorter.
        """
        with telling(self.path):
            self.file.seek(offset)
            while buffer:
                count = self.file.readinto(buffer)
                if not count:
                    raise ContentMismatch(str(self.path), "was changed meanwhile: it is shorter")
                buffer = buffer[count:]


def _opened(stack: ExitStack, path: Path) -> _File:
    with telling(path):
        return _File(path, stack.enter_context(path.open("rb", buffering=0)))


class _Prefixes:
    """Windows of the bases, as zstd wants them; the last one is kept, since it may serve again."""

    def __init__(self, bases: Sequence[_File]) -> None:
        self._bases = bases
        self._extents: tuple[Extent, ...] = ()
        self._prefix: ZstdDict | None = None

    def of(self, extents: tuple[Extent, ...]) -> ZstdDict | None:
        """Return the prefix that some extents are, or None where there is none of them.

        Raises:
            ContentMismatch: they are shorter than zstd's shortest prefix, or a base was changed.
        """
        if extents != self._extents:
            self._prefix = None  # before there is another one, for they are large
            self._extents = extents
            length = sum(extent.length for extent in extents)
            if length < MIN_PREFIX and extents:
                raise ContentMismatch(_WHAT, "refers to a piece that is too short")
            self._prefix = ZstdDict(self._read(extents, length), is_raw=True) if extents else None
        return self._prefix

    def _read(self, extents: tuple[Extent, ...], length: int) -> bytearray:
        window = bytearray(length)
        rest = memoryview(window)
        for extent in extents:
            self._bases[extent.base].fill(rest[: extent.length], extent.offset)
            rest = rest[extent.length :]
        return window


class _Maker:
    """Makes the segments of one delta, whose target has a size in bytes.

    Attributes:
        sizes: bytes of each base.
    """

    def __init__(self, bases: Sequence[_File], size: int, cut: Cut, level: int) -> None:
        self.sizes = tuple(file_size(base.path) for base in bases)
        self._cut = cut
        self._level = level
        self._prefixes = _Prefixes(bases)
        self._extents = extents_of(self.sizes) if sum(self.sizes) >= MIN_PREFIX else ()
        self._anchors: Anchors | None = None
        if self._extents and (sum(self.sizes) > cut.window or size > cut.segment):
            self._anchors = Anchors(
                self.sizes, window=cut.window, near=cut.segment, capacity=cut.anchors
            )
            for number, (base, length) in enumerate(zip(bases, self.sizes, strict=True)):
                self._anchors.remember(number, base.pieces(0, length))

    def window_for(self, source: _File, offset: int, length: int) -> int:
        """Choose what the next segment is made against; return how many bytes that is."""
        if self._anchors is not None:
            self._extents = self._anchors.windows_for(
                range(offset, offset + length), source.pieces(offset, length)
            )
        return sum(extent.length for extent in self._extents)

    def write(
        self,
        source: _File,
        offset: int,
        length: int,
        output: tuple[BinaryIO, Path],
        on_bytes: OnBytes,
    ) -> None:
        """Write the segment that was just chosen for."""
        file, path = output
        with telling(path):
            start = file.tell()
            file.write(write_segment(Segment(length, 0, self._extents)))
            begin = file.tell()
        compressor = self._compressor(length)
        for piece in source.pieces(offset, length):
            with telling(path):
                file.write(compressor.compress(piece))
            on_bytes(len(piece))
        with telling(path):
            file.write(compressor.flush())
            end = file.tell()
            file.seek(start)
            file.write(write_segment(Segment(length, end - begin, self._extents)))
            file.seek(end)

    def _compressor(self, length: int) -> ZstdCompressor:
        prefix = self._prefixes.of(self._extents)
        log = window_log(sum(extent.length for extent in self._extents), length)
        options: dict[int, int] = {
            CompressionParameter.compression_level: self._level,
            CompressionParameter.window_log: log,
            CompressionParameter.enable_long_distance_matching: 1,
            CompressionParameter.ldm_hash_log: self._cut.long_log,
            CompressionParameter.hash_log: self._cut.hash_log,
            CompressionParameter.chain_log: self._cut.hash_log,
        }
        compressor = ZstdCompressor(options=options, zstd_dict=prefix and prefix.as_prefix)
        compressor.set_pledged_input_size(length)
        return compressor


def _unpacked(segment: Segment, prefix: ZstdDict | None, queue: ByteQueue) -> Iterator[bytes]:
    left = segment.packed
    waiting = queue.take(min(_FRAME_HEAD, left))
    left -= len(waiting)
    try:
        _check_frame(waiting, segment)
        log = window_log(segment.window, segment.plain)
        options: dict[int, int] = {DecompressionParameter.window_log_max: log}
        decompressor = ZstdDecompressor(zstd_dict=prefix and prefix.as_prefix, options=options)
        made = 0
        while not decompressor.eof:
            if decompressor.needs_input and not waiting:
                waiting = queue.some(min(left, PIECE)) if left else b""
                left -= len(waiting)
                if not waiting:
                    raise ContentMismatch(_WHAT, "is truncated")
            piece = decompressor.decompress(waiting, PIECE)
            waiting = b""
            made += len(piece)
            if made > segment.plain:
                raise ContentMismatch(_WHAT, "makes more than it says")
            if piece:
                yield piece
    except ZstdError as error:
        raise ContentMismatch(_WHAT, f"is damaged ({error})") from None
    if left or decompressor.unused_data or made != segment.plain:
        raise ContentMismatch(_WHAT, "has a segment of another length than it says")


def _check_frame(head: bytes, segment: Segment) -> None:
    """Check that a frame says how much it makes, since its buffer is that large at most."""
    if not head.startswith(_FRAME_MAGIC):
        raise ContentMismatch(_WHAT, "has a segment that is not zstd's")
    if get_frame_info(head).decompressed_size != segment.plain:
        raise ContentMismatch(_WHAT, "makes something else than it says")
