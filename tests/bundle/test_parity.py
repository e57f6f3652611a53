"""Lost volumes come back from the others, whichever they are."""

from __future__ import annotations

import shutil
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.bundle import parity
from airgap.bundle.parity import MEMORY, VolumeFile, block_size, make_parity, rebuild
from airgap.bundle.volume_files import find_volumes
from airgap.bundle.volumes import VolumeId, data_volume
from airgap.errors import BundleDamaged
from tests.bundle.volume_samples import content_of_length, written_set


def rebuilt(folder: Path, name: str, lost: list[VolumeId]) -> dict[VolumeId, bytes]:
    """Return what becomes of lost volumes."""
    found = find_volumes([folder / f"{name}.volumes.json"])
    assert found is not None
    good = {volume: path for volume, path in found.files.items() if volume not in lost}
    pieces: dict[VolumeId, list[bytes]] = {volume: [] for volume in lost}
    rebuild(found.index, good, {volume: pieces[volume].append for volume in lost})
    return {volume: b"".join(parts) for volume, parts in pieces.items()}


@pytest.mark.parametrize("size", [2048 * 4, 2048 * 3 + 1, 2048 * 4 - 1])
def test_any_two_lost_volumes_come_back(tmp_path: Path, size: int) -> None:
    """With two parity volumes, every pair of data and parity volumes can be rebuilt."""
    index = written_set(tmp_path / "b", content_of_length(size), parity=2)
    places = [volume.id for volume in index.volumes]
    for lost in combinations(places, 2):
        found = rebuilt(tmp_path, "b", list(lost))
        for place in lost:
            assert found[place] == (tmp_path / place.file_name("b")).read_bytes()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.data())
def test_as_many_as_there_is_parity_come_back(
    tmp_path_factory: pytest.TempPathFactory, count: int, extra: int, data: st.DataObject
) -> None:
    """Any numbers of volumes, any sizes of the last one, any choice of what is lost."""
    folder = tmp_path_factory.mktemp("set")
    last = data.draw(st.integers(1, 1024))
    content = content_of_length(1024 * (count - 1) + last)
    index = written_set(folder / "b", content, size=1024, parity=extra)
    places = [volume.id for volume in index.volumes]
    lost = data.draw(
        st.lists(st.sampled_from(places), min_size=1, max_size=extra, unique=True), "lost"
    )
    for place, found in rebuilt(folder, "b", lost).items():
        assert found == (folder / place.file_name("b")).read_bytes()


def test_more_than_there_is_parity_is_refused(tmp_path: Path) -> None:
    """The refusal says how many whole volumes are needed and how many there are."""
    index = written_set(tmp_path / "b", content_of_length(2048 * 4), parity=1)
    lost = [index.data[0].id, index.data[2].id]
    with pytest.raises(BundleDamaged, match=r"4 whole volumes are needed.*3 are there"):
        rebuilt(tmp_path, "b", lost)


def test_stripes_are_joined_seamlessly(tmp_path: Path) -> None:
    """Volumes of several stripes and a rest are coded as one."""
    size = 2 * parity.block_size(3) + 777
    index = written_set(tmp_path / "b", content_of_length(3 * size - 5), size=size, parity=1)
    lost = index.data[1].id
    assert rebuilt(tmp_path, "b", [lost])[lost] == (tmp_path / "b.002").read_bytes()


@given(st.integers(1, 255))
def test_memory_is_bounded(count: int) -> None:
    """However many volumes there are, a stripe of all of them stays within the bound."""
    block = block_size(count)
    assert block % 4096 == 0
    assert block * count <= max(MEMORY, 4096 * count)


def test_a_volume_that_ends_early_is_named(tmp_path: Path) -> None:
    """A file that shrinks while it is read is damage of that file."""
    for name, size in (("1", 5000), ("2", 4000)):
        (tmp_path / name).write_bytes(bytes(size))
    files = [VolumeFile(tmp_path / "1", 5000), VolumeFile(tmp_path / "2", 5000)]
    with pytest.raises(BundleDamaged, match="2: ends at byte 4000 of 5000"):
        make_parity(files, [lambda _: None])


def test_parity_of_one_volume_is_its_copy(tmp_path: Path) -> None:
    """A small bundle in one volume can have parity too."""
    written_set(tmp_path / "b", content_of_length(700), parity=1)
    shutil.move(tmp_path / "b.001", tmp_path / "gone")
    lost = data_volume(1)
    assert rebuilt(tmp_path, "b", [lost])[lost] == (tmp_path / "gone").read_bytes()
