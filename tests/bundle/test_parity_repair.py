"""``repair`` rebuilds what is lost or damaged, exactly, and deletes nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from airgap.bundle.destination import Demand
from airgap.bundle.repair import RepairReport, repair_volumes
from airgap.bundle.volume_files import check_volumes, find_volumes
from airgap.bundle.volume_writer import VolumeFiles
from airgap.bundle.volumes import VolumeCut, data_volume, parity_volume
from airgap.errors import BundleDamaged, NotFound, Refused
from tests.bundle.samples import names_in
from tests.bundle.volume_samples import SIZE, content_of_length, flip, written_set

CONTENT = content_of_length(SIZE * 3 + 700)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A folder with a set of four volumes and two of parity."""
    folder = tmp_path / "stick"
    folder.mkdir()
    written_set(folder / "b", CONTENT, parity=2)
    return folder


def repaired(*paths: Path, folder: Path | None = None) -> RepairReport:
    """Repair the set that paths belong to."""
    volumes = find_volumes(paths)
    assert volumes is not None
    return repair_volumes(volumes, folder, sync=False)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("lost", [("b.001", "b.004"), ("b.002", "b.p01"), ("b.p01", "b.p02")])
def test_lost_volumes_are_rebuilt_where_they_were(stick: Path, lost: tuple[str, str]) -> None:
    """Afterwards every file is as it was written, and nothing else is there."""
    before = contents(stick)
    for name in lost:
        (stick / name).unlink()
    report = repaired(stick)
    assert [path.name for path in report.rebuilt.values()] == list(lost)
    assert contents(stick) == before


def test_a_damaged_volume_is_set_aside_and_rebuilt(stick: Path) -> None:
    """The damaged file is kept under another name, as often as that happens."""
    before = contents(stick)
    for name in ("b.002.damaged", "b.002.damaged-2"):
        flip(stick / "b.002")
        damaged = (stick / "b.002").read_bytes()
        report = repaired(stick / "b.001")
        assert [path.name for path in report.set_aside] == [name]
        assert (stick / name).read_bytes() == damaged
        assert (stick / "b.002").read_bytes() == before["b.002"]


def test_a_volume_that_is_cut_short_is_rebuilt(stick: Path) -> None:
    """What has the wrong size is as lost as what is not there."""
    before = contents(stick)
    (stick / "b.003").write_bytes(before["b.003"][:10])
    report = repaired(stick)
    assert list(report.rebuilt) == [data_volume(3)]
    assert (stick / "b.003").read_bytes() == before["b.003"]


def test_a_whole_set_is_left_alone(stick: Path) -> None:
    """Where nothing is lost, nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in stick.iterdir()}
    assert repaired(stick).rebuilt == {}
    assert {path: path.stat().st_mtime_ns for path in stick.iterdir()} == before


def test_rebuilt_volumes_may_go_elsewhere(stick: Path, tmp_path: Path) -> None:
    """From media that cannot be written, only the other folder gets files, index and checksums."""
    before = contents(stick)
    flip(stick / "b.004")
    (stick / "b.p02").unlink()
    damaged = contents(stick)
    other = tmp_path / "other"
    other.mkdir()
    repaired(stick, folder=other)
    assert contents(stick) == damaged
    assert names_in(other) == ["b.004", "b.p02", "b.sha256", "b.volumes.json"]
    assert contents(other).items() <= before.items()
    volumes = find_volumes([other, stick])
    assert volumes is not None
    subprocess.run(
        ["sha256sum", "-c", "--ignore-missing", "b.sha256"], cwd=other, check=True, stdout=-3
    )


def test_volumes_from_several_sticks_are_repaired_together(stick: Path, tmp_path: Path) -> None:
    """What one stick lacks another one gives to the computation."""
    before = contents(stick)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("b.003", "b.p01"):
        shutil.move(stick / name, other)
    (stick / "b.001").unlink()
    (stick / "b.p02").unlink()
    repaired(stick, other)
    assert contents(stick) | contents(other) == before


def test_too_much_loss_names_everything(stick: Path) -> None:
    """The error says what is lost and how much would be enough, and nothing is written."""
    flip(stick / "b.001")
    for name in ("b.003", "b.p01"):
        (stick / name).unlink()
    before = contents(stick)
    with pytest.raises(BundleDamaged) as caught:
        repaired(stick)
    assert "volume 1 is damaged" in caught.value.cause
    assert "volume 3 and parity volume 1 are not there" in caught.value.cause
    assert caught.value.hint == "bring 1 more of the lost volumes"
    assert contents(stick) == before


def test_parity_of_another_set_makes_no_volume(stick: Path, tmp_path: Path) -> None:
    """Parity that was swapped for another set's counts as damaged."""
    other = tmp_path / "other"
    other.mkdir()
    written_set(other / "b", content_of_length(len(CONTENT), seed=2), parity=2)
    for name in ("b.p01", "b.p02"):
        shutil.copy(other / name, stick)
    (stick / "b.001").unlink()
    with pytest.raises(BundleDamaged, match="parity volume 2 is damaged, or of another set"):
        repaired(stick)
    assert "b.001" not in names_in(stick)


def test_a_set_that_is_being_written_is_not_repaired(stick: Path) -> None:
    """Two writers of one set do not meet, whatever they do."""
    (stick / "b.001").unlink()
    writer = VolumeFiles(stick / "b", VolumeCut(SIZE), Demand(), replace=True, sync=False)
    writer.open(10, exact=True)
    with pytest.raises(Refused, match="another process"):
        repaired(stick)
    writer.abandon()


def test_a_lost_checksum_comes_back(stick: Path) -> None:
    """Where the ``.sha256`` is gone too, a repair of a volume writes it again."""
    before = contents(stick)
    (stick / "b.001").unlink()
    (stick / "b.sha256").unlink()
    repaired(stick)
    assert contents(stick) == before


def test_after_a_repair_the_set_is_whole(stick: Path) -> None:
    """A check of the repaired set has nothing to say."""
    (stick / "b.p01").unlink()
    flip(stick / "b.002")
    report = repaired(stick)
    assert set(report.rebuilt) == {parity_volume(1), data_volume(2)}
    volumes = find_volumes([stick])
    assert volumes is not None
    assert check_volumes(volumes).error() is None


def test_a_folder_that_is_not_there_is_named(stick: Path) -> None:
    """Where rebuilt volumes cannot be written, the folder is named and nothing has changed."""
    (stick / "b.001").unlink()
    with pytest.raises(NotFound, match="nowhere"):
        repaired(stick, folder=stick / "nowhere")
