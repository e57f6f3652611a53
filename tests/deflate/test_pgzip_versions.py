"""Streams recorded from versions of klauspost/compress, pgzip and Go that Debian 12 does not have.

Each file in ``recorded/`` holds the bytes that ``plain_kinds.recorded`` makes. It is named for the
model that must know it, and for the program that wrote it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deflate.plain_kinds import recorded
from tests.deflate.trips import there_and_back

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.gz"))

NO_CORRECTIONS = 60
"""Bytes of a recipe at most, where there are none."""


def model_of(path: Path) -> str:
    """The name of the model that must know a recorded stream."""
    return path.name.partition(".by-")[0].replace("_", ":")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_stream_needs_no_corrections(path: Path) -> None:
    """The model of its version, and of its level, predicts all of it."""
    for piece in (1 << 20, 4_099):
        got = there_and_back(path.read_bytes(), [model_of(path)], piece)
        assert got.plain == recorded()
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_stream_is_found_among_all(path: Path) -> None:
    """By its header and its head the model is chosen, or one that does as well."""
    got = there_and_back(path.read_bytes())
    assert len(got.recipe) <= NO_CORRECTIONS


def test_an_older_stream_needs_few_corrections() -> None:
    """Of the versions before 1.14, blocks' heads are not re-enacted, but their tokens are."""
    [path] = (Path(__file__).parent / "recorded" / "older").glob("*.gz")
    file = path.read_bytes()
    got = there_and_back(file)
    assert got.plain == recorded()
    assert got.models == (model_of(path),)
    assert len(got.recipe) < len(file) // 50


def test_what_go_1_27_writes_is_known() -> None:
    """Its default level is the sixth of klauspost/compress, without pieces."""
    [path] = (path for path in RECORDED if model_of(path) == "klauspost-1.18.1:6")
    assert there_and_back(path.read_bytes()).models == ("klauspost-1.18.1:6",)
