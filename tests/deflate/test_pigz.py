"""Streams that pigz really writes need no corrections."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.deflate.plain_kinds import ALL, mixed, noise, text
from tests.deflate.test_zlib import LEVELS, NO_CORRECTIONS, files_of, parts
from tests.deflate.trips import opened, there_and_back

MODES = {
    "pigz": ("-p", "2"),
    "pigz-single": ("-p", "1"),
    "pigz-independent": ("-p", "2", "-i"),
}
"""What pigz is told, by the names of the models."""

PIECE = 1 << 17


def model(mode: str, level: int) -> str:
    """The name of the model; one thread differs from many only where not all is inserted."""
    return f"pigz:{level}" if mode == "pigz-single" and level > 3 else f"{mode}:{level}"


def compressed(data: bytes, level: int, *arguments: str) -> bytes:
    """What pigz makes of these bytes."""
    command = ["/usr/bin/pigz", f"-{level}", *arguments]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "mode, level",
    [
        *(("pigz", level) for level in LEVELS),
        *(("pigz-single", level) for level in (1, 3, 6)),
        *(("pigz-independent", level) for level in (2, 6)),
    ],
)
def test_a_stream_of_pigz_needs_no_corrections(level: int, mode: str, kind: str) -> None:
    """Every kind of bytes at every level, with many threads or one."""
    got = there_and_back(compressed(ALL[kind], level, *MODES[mode]), [model(mode, level)])
    assert got.plain == ALL[kind]
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("beyond", [-3, -2, -1, 0, 1, 2, 3, 262])
@pytest.mark.parametrize("mode", MODES)
def test_a_stream_that_ends_at_a_piece_s_edge_needs_no_corrections(mode: str, beyond: int) -> None:
    """A piece has blocks of its own, a history of its own, and an end at the edge of a byte."""
    for level in (1, 3, 4, 6):
        for pieces in (1, 2):
            size = pieces * PIECE + beyond
            for data in (text(size, 4), mixed(size, 5), noise(size), bytes(size)):
                got = there_and_back(compressed(data, level, *MODES[mode]), [model(mode, level)])
                assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("mode", MODES)
def test_every_way_to_end_a_piece_needs_no_corrections(mode: str) -> None:
    """Pieces end with any number of bits over: none, even or odd."""
    for seed in range(12):
        data = text(6 * PIECE, seed)
        got = there_and_back(compressed(data, 6, *MODES[mode]), [model(mode, 6)])
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("folder", ["stdlib", "platlib", "scripts"])
def test_files_in_a_tar_need_no_corrections(level: int, folder: str) -> None:
    """Real files, as layers hold them, a few megabytes of them."""
    data = files_of(folder, 2_000_000)
    for mode, arguments in MODES.items():
        got = there_and_back(compressed(data, level, *arguments), [model(mode, level)])
        assert got.plain == data
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("mode", MODES)
def test_the_model_is_found_by_trial(mode: str) -> None:
    """Its header is gzip's, but its pieces are not."""
    data = files_of("stdlib", 1_500_000)
    for level in (1, 6, 9):
        assert opened(compressed(data, level, *MODES[mode])).models == (model(mode, level),)


def test_pieces_of_another_size_are_rebuilt_with_few_corrections() -> None:
    """A model that expects the usual size goes on through an end it does not expect."""
    data = files_of("stdlib", 3_000_000)
    for arguments in (("-b", "512"), ("-b", "100"), ("-R",)):
        file = compressed(data, 6, *arguments)
        got = there_and_back(file, ["pigz:6"])
        assert got.plain == data
        assert len(got.recipe) < len(file) // 50


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=st.lists(parts, max_size=8),
    again=st.integers(0, 4),
    level=st.sampled_from(LEVELS),
    mode=st.sampled_from(sorted(MODES)),
)
def test_any_bytes_need_no_corrections(
    made: list[bytes], again: int, level: int, mode: str
) -> None:
    """Runs, noise, text, and all of it again at any distance."""
    data = b"".join(made) * (again + 1)
    file = compressed(data, level, *MODES[mode])
    got = there_and_back(file, [model(mode, level)], piece=50_021)
    assert got.plain == data
    assert len(got.recipe) <= NO_CORRECTIONS
