"""Deltas from an enemy: bounded, and refused with an error."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import AirgapError, ContentMismatch, Unsupported
from airgap.packing.cutting import Cut
from airgap.packing.delta import apply_delta, make_cut_delta
from airgap.packing.delta_format import (
    MAX_BASES,
    MAX_EXTENTS,
    ByteQueue,
    DeltaHead,
    Extent,
    Segment,
    needed,
    read_segment,
    write_segment,
)
from airgap.packing.zstd import CompressionParameter, ZstdCompressor
from tests.packing.tars import noise

KIB = 1024
HEAD = DeltaHead(target=1000, needs=needed(5000, 1000), bases=(5000, 0))
SIZE = 150 * KIB


@pytest.fixture(name="base", scope="module")
def _base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "base"
    path.write_bytes(noise(SIZE))
    return path


@pytest.fixture(name="delta", scope="module")
def _delta(base: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a delta of several segments."""
    folder = tmp_path_factory.mktemp("delta")
    content = base.read_bytes()
    (folder / "target").write_bytes(content[SIZE // 2 :] + content[: SIZE // 2])
    cut = Cut(window=64 * KIB, segment=32 * KIB, hash_log=12, long_log=10, anchors=512)
    make_cut_delta([base], folder / "target", folder / "delta", cut)
    return (folder / "delta").read_bytes()


def _apply(base: Path, delta: bytes) -> int:
    return sum(map(len, apply_delta([base], iter([delta]))))


@given(data=st.data())
def test_damage_anywhere_ends_in_an_error_or_in_other_bytes(
    base: Path, delta: bytes, data: st.DataObject
) -> None:
    """Never in a crash, and never in more bytes than the head promises."""
    damaged = bytearray(delta)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(delta) - 1))
        damaged[place] ^= data.draw(st.integers(1, 255))
    made = 0
    try:
        for piece in apply_delta([base], iter([bytes(damaged)])):
            made += len(piece)
    except AirgapError:
        return
    finally:
        assert made <= struct.unpack_from("<Q", damaged, 8)[0]
    assert made == SIZE


@given(data=st.data())
def test_every_truncation_is_noticed(base: Path, delta: bytes, data: st.DataObject) -> None:
    """Wherever a delta is cut off."""
    length = data.draw(st.integers(0, len(delta) - 1))
    with pytest.raises(ContentMismatch):
        _apply(base, delta[:length])


def test_what_follows_the_end_is_noticed(base: Path, delta: bytes) -> None:
    """Nothing rides along."""
    with pytest.raises(ContentMismatch, match="goes on"):
        _apply(base, delta + b"\0")


@given(raw=st.binary(max_size=400))
def test_anything_can_be_read_as_a_delta(base: Path, raw: bytes) -> None:
    """Bytes that were never one are told so."""
    with pytest.raises(ContentMismatch):
        _apply(base, raw)


def test_a_later_version_is_told_from_damage(base: Path, delta: bytes) -> None:
    """A person can do something about it."""
    with pytest.raises(Unsupported, match="version 2"):
        _apply(base, delta[:7] + b"\2" + delta[8:])


@pytest.mark.parametrize(
    "segment",
    [
        Segment(0, 5, ()),
        Segment(1001, 5, ()),
        Segment(10, 1 << 60, ()),
        Segment(10, 5, (Extent(2, 0, 10),)),
        Segment(10, 5, (Extent(1, 0, 1),)),
        Segment(10, 5, (Extent(0, 4999, 2),)),
        Segment(10, 5, (Extent(0, 1 << 63, 1 << 63),)),
        Segment(10, 5, (Extent(0, 0, 0),)),
        Segment(1000, 5, (Extent(0, 0, 5000),) * MAX_EXTENTS),
        Segment(1, 5, (Extent(0, 0, 10),) * (MAX_EXTENTS + 1)),
    ],
    ids=[
        "makes nothing",
        "makes too much",
        "is too large",
        "no such base",
        "an empty base",
        "beyond the base",
        "beyond all numbers",
        "nothing of the base",
        "more memory than announced",
        "too many extents",
    ],
)
def test_a_segment_that_lies_is_refused_by_its_head(segment: Segment) -> None:
    """Before anything is read or allocated for it."""
    with pytest.raises(ContentMismatch):
        read_segment(ByteQueue([write_segment(segment)]), HEAD, left=1000)


@given(
    plain=st.integers(1, 1000),
    packed=st.integers(0, 1 << 50),
    places=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 100)), max_size=20),
)
def test_an_honest_segment_is_read_as_it_was_written(
    plain: int, packed: int, places: list[tuple[int, int]]
) -> None:
    """Head and extents, whatever the pieces they come in."""
    extents = tuple(Extent(0, offset, length) for offset, length in places)
    segment = Segment(plain, packed, extents)
    raw = write_segment(segment)
    queue = ByteQueue(raw[n : n + 1] for n in range(len(raw)))
    assert read_segment(queue, HEAD, left=1000) == segment


@given(
    target=st.integers(0, 1 << 50),
    needs=st.integers(0, 1 << 50),
    bases=st.lists(st.integers(0, 1 << 50), max_size=MAX_BASES),
)
def test_a_head_is_read_as_it_was_written(target: int, needs: int, bases: list[int]) -> None:
    """All of its numbers, up to their bounds."""
    head = DeltaHead(target, needs, tuple(bases))
    assert DeltaHead.read(ByteQueue([head.to_bytes()])) == head


def test_a_head_states_no_more_bases_than_there_can_be() -> None:
    """Nor sizes that nothing has."""
    for head in (
        DeltaHead(0, 0, (1,) * (MAX_BASES + 1)),
        DeltaHead(1 << 51, 0, ()),
        DeltaHead(0, 1 << 51, ()),
        DeltaHead(0, 0, (1 << 51,)),
    ):
        with pytest.raises(ContentMismatch):
            DeltaHead.read(ByteQueue([head.to_bytes()]))


def _hand_made(base: Path, frame: bytes, plain: int, extents: tuple[Extent, ...] = ()) -> bytes:
    size = base.stat().st_size
    head = DeltaHead(plain, needed(size, plain), (size,))
    return head.to_bytes() + write_segment(Segment(plain, len(frame), extents)) + frame


def _frame(content: bytes, **options: int) -> bytes:
    parameters = {CompressionParameter[name].value: value for name, value in options.items()}
    compressor = ZstdCompressor(options=parameters)
    return compressor.compress(content, ZstdCompressor.FLUSH_FRAME)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"not a frame at all",
        _frame(bytes(1001)),
        _frame(bytes(1000), content_size_flag=0),
        b"\x50\x2a\x4d\x18\xe8\x03\0\0" + bytes(1000),
        _frame(bytes(1000)) + _frame(b"more"),
        _frame(bytes(1000))[:-1],
        # A window of 2 GiB is stated where the content is small.
        b"\x28\xb5\x2f\xfd\x40\xa8\xe8\x02" + bytes(8),
    ],
    ids=[
        "empty",
        "no zstd",
        "another length",
        "no length",
        "a frame to be skipped",
        "two frames",
        "cut off",
        "a monstrous window",
    ],
)
def test_a_frame_must_be_what_its_segment_says(base: Path, frame: bytes) -> None:
    """Its length is known before it is unpacked, and nothing is around it."""
    with pytest.raises(ContentMismatch):
        _apply(base, _hand_made(base, frame, plain=1000))


def test_a_prefix_that_zstd_would_not_take_is_refused(base: Path) -> None:
    """A few bytes are no prefix."""
    delta = _hand_made(base, _frame(bytes(1000)), 1000, (Extent(0, 0, 7),))
    with pytest.raises(ContentMismatch, match="too short"):
        _apply(base, delta)
