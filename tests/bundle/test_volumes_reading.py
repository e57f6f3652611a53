"""Volumes are found wherever they are, and what is wrong with one is said by its number."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.bundle.medium import JoinedFiles, OneFile, Piece
from airgap.bundle.volume_files import VolumeSet, check_volumes, find_volumes
from airgap.bundle.volumes import VolumeCut, data_volume, parity_volume
from airgap.content.ports import FileRegion
from airgap.errors import BundleDamaged, NotFound, UsageError
from tests.bundle.volume_samples import SIZE, content_of_length, flip, write_volumes, written_set

CONTENT = content_of_length(SIZE * 3 + 700)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A folder with a set of four volumes and one of parity."""
    folder = tmp_path / "stick"
    folder.mkdir()
    written_set(folder / "b", CONTENT, parity=1)
    return folder


def found(*paths: Path) -> VolumeSet:
    """Return the set that paths belong to."""
    volumes = find_volumes(paths)
    assert volumes is not None
    return volumes


def read(volumes: VolumeSet) -> bytes:
    """Return the bundle in a set."""
    with volumes.joined().open() as file:
        return b"".join(iter(lambda: file.read(1000), b""))


@pytest.mark.parametrize("name", ["", "b.001", "b.003", "b.p01", "b.volumes.json"])
def test_one_file_or_the_folder_is_enough(stick: Path, name: str) -> None:
    """Whichever part of a set a person names, the rest beside it is found."""
    assert read(found(stick / name if name else stick)) == CONTENT


def test_volumes_come_in_any_order_from_several_folders(stick: Path, tmp_path: Path) -> None:
    """The index says where each belongs; where it lies does not matter."""
    other, third = tmp_path / "other", tmp_path / "third"
    other.mkdir()
    third.mkdir()
    shutil.move(stick / "b.002", other)
    shutil.move(stick / "b.004", third)
    assert read(found(third, stick, other)) == CONTENT
    assert read(found(third / "b.004", other / "b.002", stick / "b.001")) == CONTENT


def test_what_is_still_wanted_is_named(stick: Path) -> None:
    """A set that is not complete names the numbers to look for."""
    for name in ("b.001", "b.003", "b.004"):
        (stick / name).unlink()
    volumes = found(stick)
    assert volumes.wanted == tuple(map(data_volume, (1, 3, 4)))
    with pytest.raises(NotFound, match=r"volumes 1, 3-4 are still wanted \(1 of 4 are here\)"):
        volumes.joined()


def test_a_volume_that_is_cut_short_is_named(stick: Path) -> None:
    """Its number, its size and what it should be are said, and what else is missing."""
    (stick / "b.002").write_bytes(CONTENT[SIZE : SIZE + 5])
    (stick / "b.003").unlink()
    with pytest.raises(BundleDamaged, match=r"volume 2 is cut short: 5 bytes.*volume 3 still"):
        found(stick).joined()


def test_a_whole_copy_makes_up_for_a_broken_one(stick: Path, tmp_path: Path) -> None:
    """Where two sticks have the same volume and one of them cut it, the other one is taken."""
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(stick / "b.002", other)
    (stick / "b.002").write_bytes(b"short")
    assert read(found(stick, other)) == CONTENT


def test_volumes_without_their_index_are_told_apart_from_a_bundle(stick: Path) -> None:
    """The file that is missing is named."""
    (stick / "b.volumes.json").unlink()
    for path in (stick, stick / "b.001"):
        with pytest.raises(NotFound, match=r"b\.volumes\.json: is not beside the volumes"):
            find_volumes([path])


def test_other_files_and_folders_are_no_volumes(tmp_path: Path) -> None:
    """A bundle in one file, or a folder without volumes, is none of ours."""
    (tmp_path / "b.tar").write_bytes(b"x")
    assert find_volumes([tmp_path / "b.tar"]) is None
    assert find_volumes([tmp_path]) is None
    assert find_volumes([]) is None


def test_two_bundles_in_one_folder_want_a_choice(stick: Path) -> None:
    """Which of them is meant can be said by any of its files."""
    written_set(stick / "other", content_of_length(3000, seed=2))
    with pytest.raises(UsageError, match="are different bundles"):
        find_volumes([stick])
    assert read(found(stick / "b.002")) == CONTENT


def test_sets_of_one_name_are_not_mixed(stick: Path, tmp_path: Path) -> None:
    """Last month's volumes under the same name are noticed by their index."""
    other = tmp_path / "other"
    other.mkdir()
    written_set(other / "b", content_of_length(len(CONTENT), seed=2))
    with pytest.raises(BundleDamaged, match="different sets of the same name"):
        find_volumes([stick, other])


def test_a_damaged_index_is_damage(stick: Path) -> None:
    """A changed digit in the index is found, and the file named."""
    path = stick / "b.volumes.json"
    path.write_bytes(path.read_bytes().replace(b'"size": 700', b'"size": 701'))
    with pytest.raises(BundleDamaged, match=r"b\.volumes\.json"):
        find_volumes([stick])


def test_another_copy_of_the_index_makes_up_for_a_damaged_one(stick: Path, tmp_path: Path) -> None:
    """The index stands on every stick, and one whole copy is enough."""
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(stick / "b.volumes.json", other)
    (stick / "b.volumes.json").write_bytes(b"{")
    assert read(found(stick, other)) == CONTENT


def test_a_whole_set_has_no_problems(stick: Path) -> None:
    """Every volume, parity too, is good."""
    seen: list[int] = []
    check = check_volumes(found(stick), seen.append)
    assert not list(check.problems())
    assert check.error() is None
    assert len(check.good) == 5
    assert sum(seen) == len(CONTENT) + SIZE


def test_a_changed_bit_names_its_volume(stick: Path) -> None:
    """Bit rot inside a volume counts as that volume damaged, and can be repaired."""
    flip(stick / "b.003")
    check = check_volumes(found(stick))
    assert check.lost == (data_volume(3),)
    assert check.is_repairable
    error = check.error()
    assert error is not None
    assert "volume 3 is damaged, or of another set" in error.cause
    assert "airgap repair" in error.hint


def test_swapped_volumes_are_named_with_what_they_hold(stick: Path) -> None:
    """Two volumes under each other's name are told from damage."""
    (stick / "b.002").rename(stick / "x")
    (stick / "b.003").rename(stick / "b.002")
    (stick / "x").rename(stick / "b.003")
    problems = list(check_volumes(found(stick)).problems())
    assert problems[0].startswith("volume 2 was swapped: the file holds volume 3")
    assert problems[1].startswith("volume 3 was swapped: the file holds volume 2")


def test_a_volume_of_another_set_is_named(stick: Path, tmp_path: Path) -> None:
    """One volume that came from another delivery is found by its digest."""
    other = tmp_path / "other"
    other.mkdir()
    written_set(other / "b", content_of_length(len(CONTENT), seed=2))
    shutil.copy(other / "b.002", stick)
    check = check_volumes(found(stick))
    assert check.lost == (data_volume(2),)


def test_more_damage_than_parity_says_what_to_bring(stick: Path) -> None:
    """Where nothing can be rebuilt, the error lists every number."""
    flip(stick / "b.001")
    flip(stick / "b.p01")
    (stick / "b.004").unlink()
    check = check_volumes(found(stick))
    assert check.lost == (data_volume(1), data_volume(4), parity_volume(1))
    assert check.absent == (data_volume(4),)
    error = check.error()
    assert error is not None
    assert "volume 4 is not there" in error.cause
    assert error.hint == "bring volumes 1, 4 and parity volume 1 again"


def test_reading_never_changes_a_volume(stick: Path) -> None:
    """Finding, reading and checking leave every file as it was, also a read-only one."""
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in stick.iterdir()}
    for path in stick.iterdir():
        path.chmod(0o444)
    read(found(stick))
    check_volumes(found(stick))
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in stick.iterdir()} == before


def test_the_name_of_the_set_may_change_with_its_files(stick: Path) -> None:
    """A person who renames all files of a set can still import it."""
    for path in list(stick.iterdir()):
        path.rename(stick / path.name.replace("b.", "renamed.", 1))
    assert read(found(stick)) == CONTENT


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.data())
def test_joined_files_read_like_one(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    """Reading and seeking anywhere gives what one file would give."""
    folder = tmp_path_factory.mktemp("joined")
    content = content_of_length(sum(sizes))
    pieces: list[Piece] = []
    for number, size in enumerate(sizes):
        path = folder / str(number)
        start = sum(sizes[:number])
        path.write_bytes(content[start : start + size])
        pieces.append(Piece(path, size, f"volume {number + 1}"))
    medium = JoinedFiles(folder / "b", tuple(pieces))
    reference = io.BytesIO(content)
    with medium.open() as file:
        for _ in range(data.draw(st.integers(1, 8))):
            if data.draw(st.booleans()):
                position = data.draw(st.integers(0, len(content) + 3))
                assert file.seek(position) == reference.seek(position)
            piece = file.read(data.draw(st.integers(1, 60)))
            assert piece == reference.read(len(piece))
            assert bool(piece) == (file.tell() - len(piece) < len(content))
    start = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(1, len(content) - start))
    region = medium.region(start, length)
    if region is not None:
        raw = region.path.read_bytes()[region.offset : region.offset + region.length]
        assert raw == content[start : start + length]
    assert medium.size() == OneFile(folder / "0").size() + sum(sizes[1:])


def test_a_piece_across_volumes_is_no_region(stick: Path) -> None:
    """Only what lies within one file can be handed out as a piece of a file."""
    medium = found(stick).joined()
    assert medium.region(SIZE - 10, 10) == FileRegion(stick / "b.001", SIZE - 10, 10)
    assert medium.region(SIZE - 10, 11) is None
    assert medium.region(SIZE, 10) == FileRegion(stick / "b.002", 0, 10)


def test_a_volume_that_shrinks_while_it_is_read_is_named(stick: Path) -> None:
    """What was whole when it was found may not be so any more."""
    volumes = found(stick)
    with volumes.joined().open() as file:
        (stick / "b.002").write_bytes(b"short")
        with pytest.raises(BundleDamaged, match=r"b\.002: volume 2 ends at byte 5 of 2048"):
            list(iter(lambda: file.read(10_000), b""))


def test_a_set_in_one_volume_is_a_set(tmp_path: Path) -> None:
    """A bundle smaller than one volume has one volume and an index."""
    write_volumes(tmp_path / "b", b"small", VolumeCut(SIZE))
    assert read(found(tmp_path)) == b"small"
