"""Streams that zlib really writes need no corrections."""

from __future__ import annotations

import gzip
import io
import sysconfig
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgap.deflate.encoders.zlib_plain import Zlib
from tests.deflate.plain_kinds import ALL, KINDS, mixed, noise, runs, text
from tests.deflate.trips import opened, pieces, there_and_back

LEVELS = range(1, 10)
MEMORIES = {8: "zlib:{}", 9: "zlib:{}:9"}
"""The names of the models, by zlib's memLevel."""

NO_CORRECTIONS = 60
"""Bytes of a recipe at most, where there are none."""

EDGES = [0, 1, 2, 3, 4, 5, 258, 261, 262, 263, 16_383, 16_384, 32_767, 65_274, 65_275, 65_536]
"""Sizes at which the encoder does something else."""


def compressed(parts: Iterable[bytes], level: int, memory: int = 8) -> bytes:
    """A gzip file by the zlib of this Python."""
    encoder = zlib.compressobj(level, zlib.DEFLATED, 31, memory)
    return b"".join([*map(encoder.compress, parts), encoder.flush()])


def files_of(folder: str, size: int) -> bytes:
    """The first bytes of a tar of what is in a folder of this Python's."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path in sorted(Path(sysconfig.get_path(folder)).rglob("*")):
            if path.is_file() and not path.is_symlink():
                tar.add(path)
            if made.tell() > size:
                break
    return made.getvalue()[:size]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "memory, level", [*((8, level) for level in LEVELS), *((9, level) for level in (1, 3, 6, 9))]
)
def test_a_stream_of_zlib_needs_no_corrections(level: int, memory: int, kind: str) -> None:
    """Every kind of bytes at every level, with the memory that programs give zlib."""
    file = compressed([ALL[kind]], level, memory)
    got = there_and_back(file, [MEMORIES[memory].format(level)])
    assert got.plain == ALL[kind]
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("level", [1, 3, 4, 6, 9])
def test_a_stream_that_ends_at_an_edge_needs_no_corrections(level: int, size: int) -> None:
    """Sizes at which a window moves, a block is full, or three bytes are not left."""
    for data in (text(size), mixed(size, 3), noise(size), bytes(size)):
        got = there_and_back(compressed([data], level), [f"zlib:{level}"])
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("level", [1, 6])
def test_a_last_block_that_is_full_needs_no_corrections(level: int) -> None:
    """Behind it, an empty block is the last; but a lazy encoder's last literal fills its own."""
    noisy = noise(16_383, 8)
    for data in (
        noisy[:-1],
        noisy,
        noisy[:-1] + noisy[:3],
        noisy[:-1] + noisy[:200],
        noise(16_384),
    ):
        got = there_and_back(compressed([data], level), [f"zlib:{level}"])
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("memory", MEMORIES)
def test_a_block_that_has_left_the_window_is_not_stored(memory: int) -> None:
    """Noise behind noise, with a few matches, so that blocks begin and end anywhere."""
    for seed in range(6):
        data = b"".join(noise(29_000 + 7 * seed, place) + bytes(40) for place in range(9))
        got = there_and_back(compressed([data], 6, memory), [MEMORIES[memory].format(6)])
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("folder", ["stdlib", "platlib", "scripts"])
def test_files_in_a_tar_need_no_corrections(level: int, folder: str) -> None:
    """Real files, as layers hold them, a few megabytes of them."""
    data = files_of(folder, 2_500_000)
    got = there_and_back(compressed([data], level), [f"zlib:{level}"])
    assert got.plain == data
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("size", [1, 100, 512, 10_240, 16_384, 65_536])
def test_pieces_that_zlib_is_fed_make_no_difference(size: int) -> None:
    """Blocks of a tar, the buffers that bytes are copied by, and bytes one by one."""
    data = mixed(300_000, 4)
    for level in (1, 6):
        got = there_and_back(compressed(pieces(data, size), level), [f"zlib:{level}"])
        assert len(got.recipe) <= NO_CORRECTIONS


def test_odd_pieces_need_hardly_a_correction() -> None:
    """A window that is filled just short of its end moves a byte earlier."""
    for size in (65_529, 32_763, 8191):
        data = runs(2_000_000, size)
        got = there_and_back(compressed(pieces(data, size), 6), ["zlib:6"])
        assert len(got.recipe) <= 2 * NO_CORRECTIONS


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH])
def test_a_flushed_stream_is_rebuilt_with_few_corrections(flush: int) -> None:
    """A flush every 20 KB ends blocks where the model does not."""
    data = mixed(1_000_000, 6)
    encoder = zlib.compressobj(6, zlib.DEFLATED, 31)
    made = [encoder.compress(part) + encoder.flush(flush) for part in pieces(data, 20_000)]
    file = b"".join([*made, encoder.flush()])
    got = there_and_back(file, ["zlib:6"])
    assert got.plain == data
    assert len(got.recipe) < len(file) // 20


def test_what_python_writes_is_recognised_by_trial() -> None:
    """Its gzip and tarfile modules say of themselves what no other encoder does, or too little."""
    data = files_of("stdlib", 1_500_000)
    for level in (1, 6, 9):
        assert opened(gzip.compress(data, level)).models == (f"zlib:{level}",)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w|gz") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    assert opened(made.getvalue()).models == ("zlib:9",)


def test_many_members_need_no_corrections() -> None:
    """Each member begins anew, whatever the one before it left behind."""
    members = [mixed(size * 997 % 70_000, size) for size in range(40)]
    for level in (1, 6):
        file = b"".join(compressed([member], level) for member in members)
        got = there_and_back(file, [f"zlib:{level}"])
        assert got.plain == b"".join(members)
        alone = len(opened(compressed([members[0]], level), [f"zlib:{level}"]).recipe)
        assert len(got.recipe) <= alone + 10 * len(members)


def test_another_level_is_rebuilt_all_the_same() -> None:
    """A wrong model costs corrections, not exactness."""
    data = mixed(400_000, 2)
    for level in (1, 4, 9):
        file = compressed([data], level)
        for name in ("zlib:1", "zlib:6", "zlib:6:9", "gzip:6", "pigz:3", "pigz-single:2"):
            assert there_and_back(file, [name]).plain == data


parts = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.integers(0, 70_000)),
    st.builds(
        lambda kind, size, seed: kind(size, seed),
        st.sampled_from(KINDS),
        st.integers(0, 40_000),
        st.integers(0, 5),
    ),
)
"""Bytes of every kind, short and long."""


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=st.lists(parts, max_size=6),
    again=st.integers(0, 3),
    level=st.sampled_from(LEVELS),
    memory=st.sampled_from(sorted(MEMORIES)),
)
def test_any_bytes_need_no_corrections(
    made: list[bytes], again: int, level: int, memory: int
) -> None:
    """Runs, noise, text, and all of it again at any distance."""
    data = b"".join(made) * (again + 1)
    file = compressed([data], level, memory)
    got = there_and_back(file, [MEMORIES[memory].format(level)], piece=50_021)
    assert got.plain == data
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("level", [-1, 0, 10])
def test_there_is_no_level_but_those_of_zlib(level: int) -> None:
    """A model is not made for a level that has no settings."""
    with pytest.raises(ValueError, match="no level"):
        Zlib(level)
