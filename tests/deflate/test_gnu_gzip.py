"""Streams that GNU gzip really writes need no corrections."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.deflate.plain_kinds import ALL, mixed, noise, records, runs, skewed, text
from tests.deflate.test_zlib import EDGES, LEVELS, NO_CORRECTIONS, files_of, parts
from tests.deflate.trips import opened, there_and_back


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A file to compress."""
    return tmp_path / "plain"


def compressed(path: Path, data: bytes, level: int) -> bytes:
    """What gzip makes of a file with these bytes."""
    path.write_bytes(data)
    command = ["/usr/bin/gzip", f"-{level}", "-c", str(path)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("level", LEVELS)
def test_a_stream_of_gzip_needs_no_corrections(plain: Path, level: int, kind: str) -> None:
    """Every kind of bytes at every level."""
    got = there_and_back(compressed(plain, ALL[kind], level), [f"gzip:{level}"])
    assert got.plain == ALL[kind]
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("size", [*EDGES, 65_400, 65_500, 65_530, 65_535, 98_042, 98_304])
@pytest.mark.parametrize("level", [1, 3, 4, 6, 9])
def test_a_stream_that_ends_at_an_edge_needs_no_corrections(
    plain: Path, level: int, size: int
) -> None:
    """Near its window's end the encoder finds no matches; behind its input it sees old bytes."""
    kinds = (text, mixed, noise, skewed, records, runs)
    for data in (*(kind(size, size) for kind in kinds), bytes(size)):
        got = there_and_back(compressed(plain, data, level), [f"gzip:{level}"])
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("level", [1, 6])
def test_matches_that_old_bytes_prolong_need_no_corrections(plain: Path, level: int) -> None:
    """What the window holds behind the end of the input makes one match the longer one."""
    for rest in range(40):
        old = text(32_768, 3)
        data = text(32_768, 2) + old + noise(200) + old[: 20_000 + rest] + old[7 : 7 + rest]
        got = there_and_back(compressed(plain, data, level), [f"gzip:{level}"])
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("folder", ["stdlib", "platlib", "scripts"])
def test_files_in_a_tar_need_no_corrections(plain: Path, level: int, folder: str) -> None:
    """Real files, as layers hold them, a few megabytes of them."""
    data = files_of(folder, 2_500_000)
    got = there_and_back(compressed(plain, data, level), [f"gzip:{level}"])
    assert got.plain == data
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("level", [1, 6])
def test_what_gzip_reads_from_a_pipe_needs_hardly_a_correction(level: int) -> None:
    """Reads that come short move the window a byte earlier, if anything."""
    data = files_of("stdlib", 3_000_000)
    command = ["/usr/bin/gzip", f"-{level}"]
    made = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    got = there_and_back(made, [f"gzip:{level}"])
    assert len(got.recipe) <= 2 * NO_CORRECTIONS


@pytest.mark.parametrize("level", [1, 6, 9])
def test_the_model_is_found_by_trial(plain: Path, level: int) -> None:
    """Its header is zlib's, but its blocks are not."""
    data = files_of("stdlib", 1_500_000)
    assert opened(compressed(plain, data, level)).models == (f"gzip:{level}",)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=st.lists(parts, max_size=6), again=st.integers(0, 3), level=st.sampled_from(LEVELS))
def test_any_bytes_need_no_corrections(
    plain: Path, made: list[bytes], again: int, level: int
) -> None:
    """Runs, noise, text, and all of it again at any distance."""
    data = b"".join(made) * (again + 1)
    got = there_and_back(compressed(plain, data, level), [f"gzip:{level}"], piece=50_021)
    assert got.plain == data
    assert len(got.recipe) <= NO_CORRECTIONS
