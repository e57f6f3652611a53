"""A bundle is cut while it streams, and its volumes appear all together or not at all."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.bundle.destination import Demand
from airgap.bundle.read_back import digest_on_medium, expect_on_medium
from airgap.bundle.volume_files import read_index
from airgap.bundle.volume_writer import VolumeFiles
from airgap.bundle.volumes import VolumeCut, data_volume, parity_volume
from airgap.errors import AirgapError, ContentMismatch, NoSpace, Refused, UsageError
from airgap.oci.digest import Digest
from tests.bundle.samples import names_in
from tests.bundle.volume_samples import (
    SIZE,
    content_of_length,
    flip,
    write_volumes,
    written_set,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12_000), st.integers(1024, 4000), st.integers(1, 5000))
def test_joined_volumes_are_the_bundle(
    tmp_path_factory: pytest.TempPathFactory, size: int, volume_size: int, piece: int
) -> None:
    """Whatever the sizes, the volumes in order are the bytes that were written."""
    folder = tmp_path_factory.mktemp("set")
    content = content_of_length(size)
    written = write_volumes(folder / "b", content, VolumeCut(volume_size), piece=piece)
    assert written.volumes is not None
    names = [volume.id.file_name("b") for volume in written.volumes.data]
    assert b"".join((folder / name).read_bytes() for name in names) == content
    assert {len((folder / name).read_bytes()) for name in names[:-1]} <= {volume_size}


def test_cat_and_sha256sum_are_enough(tmp_path: Path) -> None:
    """A person with standard tools can join the volumes and check all of them."""
    content = content_of_length(5000)
    written_set(tmp_path / "b.tar", content, parity=1)
    joined = subprocess.run(
        ["sh", "-c", "cat b.tar.[0-9]*"], cwd=tmp_path, check=True, capture_output=True
    )
    assert joined.stdout == content
    checked = subprocess.run(
        ["sha256sum", "-c", "b.tar.sha256"], cwd=tmp_path, check=True, capture_output=True
    )
    assert checked.stdout.decode().splitlines() == [
        f"b.tar.{end}: OK" for end in ("001", "002", "003", "p01", "volumes.json")
    ]


def test_the_index_names_every_volume(tmp_path: Path) -> None:
    """What NAME.volumes.json says is what the writer reports, and what is there."""
    index = written_set(tmp_path / "b", content_of_length(5000), parity=2)
    assert read_index(tmp_path / "b.volumes.json") == index
    for volume in index.volumes:
        content = (tmp_path / volume.id.file_name("b")).read_bytes()
        assert (len(content), Digest.of(content)) == (volume.size, volume.digest)


def test_the_same_bytes_give_the_same_files(tmp_path: Path) -> None:
    """Volumes, parity, index and checksums are reproducible."""
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
        written_set(tmp_path / folder / "b", content_of_length(9000), parity=2)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("1", "2")
    )
    assert first == second


def test_nothing_has_its_name_before_it_is_published(tmp_path: Path) -> None:
    """While it is written, and when it is given up, there is nothing that looks like a bundle."""
    target = VolumeFiles(tmp_path / "b", VolumeCut(SIZE, 1), Demand(), replace=False, sync=True)
    target.open(5000, exact=True)
    target.write(bytes(5000))
    target.finish()
    assert all(name.endswith(".partial") for name in names_in(tmp_path))
    target.abandon()
    assert names_in(tmp_path) == []


def test_a_set_that_is_there_is_not_replaced_by_itself(tmp_path: Path) -> None:
    """One volume of the name is enough to be refused, and everything stays as it was."""
    (tmp_path / "b.007").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"b\.007: is already there"):
        written_set(tmp_path / "b", content_of_length(5000))
    assert names_in(tmp_path) == ["b.007"]


def test_a_smaller_set_leaves_none_of_the_larger_one(tmp_path: Path) -> None:
    """Where a set is replaced, ``cat NAME.[0-9]*`` finds only volumes of the new one."""
    written_set(tmp_path / "b", content_of_length(9000), parity=2)
    write_volumes(tmp_path / "b", content_of_length(3000), VolumeCut(SIZE), replace=True)
    assert names_in(tmp_path) == ["b.001", "b.002", "b.sha256", "b.volumes.json"]


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    """The second one is refused, and does not disturb the first."""
    first = VolumeFiles(tmp_path / "b", VolumeCut(SIZE), Demand(), replace=True, sync=False)
    second = VolumeFiles(tmp_path / "b", VolumeCut(SIZE), Demand(), replace=True, sync=False)
    first.open(10, exact=True)
    first.write(b"first")
    with pytest.raises(Refused, match="another process"):
        second.open(10, exact=True)
    second.abandon()
    assert (tmp_path / "b.001.partial").exists()
    first.abandon()


def test_too_many_volumes_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The refusal says how large volumes must be at least."""
    target = VolumeFiles(tmp_path / "b", VolumeCut(1024), Demand(), replace=False, sync=False)
    with pytest.raises(UsageError) as caught:
        target.open(1024 * 1000, exact=True)
    assert "at least 1,026 bytes" in caught.value.hint
    assert names_in(tmp_path) == []


def test_too_many_volumes_are_noticed_while_compressing(tmp_path: Path) -> None:
    """Where the size is not known before, the limit holds all the same."""
    target = VolumeFiles(tmp_path / "b", VolumeCut(1024, 60), Demand(), replace=False, sync=False)
    target.open(1, exact=False)
    with pytest.raises(UsageError):
        target.write(bytes(1024 * 197))
    target.abandon()
    assert names_in(tmp_path) == []


def test_a_disk_that_is_too_small_is_told_before(tmp_path: Path) -> None:
    """The space for volumes and parity is checked before the first byte."""
    target = VolumeFiles(tmp_path / "b", VolumeCut(1 << 60, 1), Demand(), replace=False, sync=False)
    with pytest.raises(NoSpace):
        target.open(1 << 59, exact=True)
    target.abandon()
    assert names_in(tmp_path) == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a medium's file system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_volume_that_the_medium_does_not_take_leaves_nothing(tmp_path: Path) -> None:
    """The error speaks of the file system, and no part of the set stays."""
    target = VolumeFiles(tmp_path / "b", VolumeCut(10_000), Demand(), replace=False, sync=False)
    target.open(20_000, exact=True)
    with largest_file(4096), pytest.raises(NoSpace, match="takes no file of this size"):
        target.write(bytes(20_000))
    target.abandon()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", [".hidden", "x" * 250])
def test_a_name_must_have_room_for_a_number(tmp_path: Path, name: str) -> None:
    """Names that would make no volume names are refused."""
    with pytest.raises(UsageError):
        written_set(tmp_path / name, b"x")


def test_what_is_read_back_is_what_was_written(tmp_path: Path) -> None:
    """With read-back every volume, parity too, is read again from the medium before it counts."""
    content = content_of_length(300_000)
    cut = VolumeCut(100_000, 1, read_back=True)
    written = write_volumes(tmp_path / "b", content, cut, sync=True)
    assert written.volumes is not None
    for volume in written.volumes.volumes:
        assert digest_on_medium(tmp_path / volume.id.file_name("b")) == volume.digest


def test_a_medium_that_forgets_is_found_out(tmp_path: Path) -> None:
    """A volume that reads differently from what was written keeps the set from appearing."""
    target = VolumeFiles(
        tmp_path / "b", VolumeCut(SIZE, read_back=True), Demand(), replace=False, sync=True
    )
    target.open(5000, exact=True)
    target.write(content_of_length(5000))
    flip(tmp_path / "b.002.partial")
    with pytest.raises(ContentMismatch, match=r"volume 2: .* the medium gives"):
        target.finish()
    target.abandon()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("size", [0, 1, 511, 4096, 5 * 1024 * 1024 + 1])
def test_reading_back_takes_files_of_any_size(tmp_path: Path, size: int) -> None:
    """Direct reading wants whole sectors, and files need not have them."""
    content = content_of_length(size)
    (tmp_path / "f").write_bytes(content)
    os.sync()
    expect_on_medium(tmp_path / "f", Digest.of(content), "the bundle")


@pytest.mark.parametrize("cut", [VolumeCut(SIZE, 1), VolumeCut(SIZE, read_back=True)])
def test_who_gives_up_does_not_wait_for_the_end(tmp_path: Path, cut: VolumeCut) -> None:
    """Computing parity and reading back end soon when nobody waits for the bundle any more."""
    demand = Demand()
    target = VolumeFiles(tmp_path / "b", cut, demand, replace=False, sync=True)
    target.open(5000, exact=True)
    target.write(bytes(5000))
    demand.end()
    with pytest.raises(AirgapError, match="was given up"):
        target.finish()
    target.abandon()
    assert names_in(tmp_path) == []


def test_one_volume_can_be_made_again(tmp_path: Path) -> None:
    """The volume that was lost comes out byte for byte, and no other is written."""
    content = content_of_length(9000)
    index = written_set(tmp_path / "b", content, parity=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("b.003", "b.001"):
        (tmp_path / name).unlink()
    write_volumes(tmp_path / "b", content, VolumeCut.remake(index, frozenset({data_volume(3)})))
    missing = before.pop("b.001")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert Digest.of(missing) == index.data[0].digest


def test_a_parity_volume_can_be_made_again(tmp_path: Path) -> None:
    """It takes all of the content, and nothing but the volumes that were asked for stays."""
    content = content_of_length(9000)
    index = written_set(tmp_path / "b", content, parity=3)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    lost = ("b.001", "b.002", "b.004", "b.p02", "b.p03")
    for name in lost:
        (tmp_path / name).unlink()
    only = frozenset({data_volume(4), parity_volume(2)})
    write_volumes(tmp_path / "b", content, VolumeCut.remake(index, only))
    for name in {*lost} - {"b.004", "b.p02"}:
        before.pop(name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_volume_made_again_must_be_the_same(tmp_path: Path) -> None:
    """Where the content has changed meanwhile, the numbers are named and nothing is replaced."""
    index = written_set(tmp_path / "b", content_of_length(9000))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    changed = bytearray(content_of_length(9000))
    changed[5000] ^= 1
    cut = VolumeCut.remake(index, frozenset({data_volume(3)}))
    with pytest.raises(Refused, match="volume 3 would be other"):
        write_volumes(tmp_path / "b", bytes(changed), cut, replace=True)
    with pytest.raises(Refused, match="volume 5 would be other"):
        write_volumes(tmp_path / "b", content_of_length(9000)[:8192], cut, replace=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_volume_is_replaced_only_on_request(tmp_path: Path) -> None:
    """A file that is there stays, unless replacing was asked for."""
    content = content_of_length(9000)
    index = written_set(tmp_path / "b", content)
    flip(tmp_path / "b.002")
    cut = VolumeCut.remake(index, frozenset({data_volume(2)}))
    with pytest.raises(UsageError, match=r"b\.002: is already there"):
        write_volumes(tmp_path / "b", content, cut)
    write_volumes(tmp_path / "b", content, cut, replace=True)
    assert Digest.of((tmp_path / "b.002").read_bytes()) == index.data[1].digest


def test_the_lock_is_let_go(tmp_path: Path) -> None:
    """After writing, nothing of the set is locked or open."""
    written_set(tmp_path / "b", content_of_length(100))
    with (tmp_path / "b.volumes.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    handles = Path("/proc/self/fd").iterdir()
    assert not [h for h in handles if h.exists() and str(h.resolve()).startswith(str(tmp_path))]


def test_a_copy_of_the_index_makes_the_same_volume_elsewhere(tmp_path: Path) -> None:
    """A volume can be made again in an empty folder, from the index alone."""
    content = content_of_length(9000)
    index = written_set(tmp_path / "b", content, parity=1)
    (tmp_path / "new").mkdir()
    cut = VolumeCut.remake(index, frozenset({data_volume(2)}))
    write_volumes(tmp_path / "new" / "b", content, cut)
    assert names_in(tmp_path / "new") == ["b.002", "b.sha256", "b.volumes.json"]
    for name in names_in(tmp_path / "new"):
        assert (tmp_path / "new" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_set_may_be_renamed(tmp_path: Path) -> None:
    """The set's id does not depend on what it is called."""
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    one = written_set(tmp_path / "x" / "one", content_of_length(3000))
    two = written_set(tmp_path / "y" / "two", content_of_length(3000))
    assert one == replace(two, name="one")
    assert one.set_id == two.set_id
    assert one.by_digest(two.data[1].digest) == one.data[1]
    assert one.data[0].id == data_volume(1)
    shutil.rmtree(tmp_path / "x")
