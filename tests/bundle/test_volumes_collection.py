"""Volumes come on several sticks, one after the other, and none has to come twice."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.bundle.opening import find_bundle
from airgap.bundle.volume_collection import VolumeCollection
from airgap.errors import BundleDamaged, NotFound
from tests.bundle.samples import names_in
from tests.bundle.volume_samples import SIZE, content_of_length, flip, written_set

CONTENT = content_of_length(SIZE * 3 + 700)


@pytest.fixture
def stick() -> Iterator[Path]:
    """A folder on another file system than the tests' own: in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def collection(tmp_path: Path) -> VolumeCollection:
    """An empty collection on the tests' file system."""
    return VolumeCollection(tmp_path / "incoming", sync=False)


def offer(source: Path, stick: Path, *names: str) -> None:
    """Put other files on the stick in place of those that are there."""
    for path in stick.iterdir():
        path.unlink()
    for name in names:
        shutil.copy(source / name, stick)


def read(collection: VolumeCollection, *paths: Path) -> bytes:
    """Return the bundle that paths and the collection make up."""
    found = find_bundle(paths, collection)
    with found.medium.open() as file:
        return b"".join(iter(lambda: file.read(1000), b""))


def test_sticks_come_in_turn(tmp_path: Path, stick: Path, collection: VolumeCollection) -> None:
    """Each import says what is still wanted; with the last stick all of it is there."""
    source = tmp_path / "source"
    source.mkdir()
    index = written_set(source / "b", CONTENT)
    offer(source, stick, "b.003", "b.volumes.json")
    with pytest.raises(NotFound, match=r"volumes 1-2, 4 are still wanted \(1 of 4") as caught:
        read(collection, stick)
    assert "what came is kept" in caught.value.hint
    offer(source, stick, "b.001", "b.004")
    with pytest.raises(NotFound, match="volume 2 is still wanted"):
        read(VolumeCollection(collection.folder), stick / "b.001")
    offer(source, stick, "b.002")
    assert read(VolumeCollection(collection.folder), stick) == CONTENT
    assert names_in(stick) == ["b.002"]
    collection.discard(index.set_id)
    assert not collection.waiting(index.set_id)
    assert names_in(collection.folder) == []


def test_volumes_on_the_same_disk_are_not_copied(
    tmp_path: Path, collection: VolumeCollection
) -> None:
    """What cannot be pulled out is only remembered, and discarding leaves it alone."""
    source, other = tmp_path / "source", tmp_path / "other"
    source.mkdir()
    other.mkdir()
    index = written_set(source / "b", CONTENT)
    shutil.move(source / "b.002", other)
    with pytest.raises(NotFound, match="volume 2 is still wanted"):
        read(collection, source)
    assert (collection.folder / index.set_id / "b.001").is_symlink()
    assert read(collection, other / "b.002") == CONTENT
    collection.discard(index.set_id)
    assert (source / "b.001").exists()


def test_a_damaged_volume_is_not_kept(
    tmp_path: Path, stick: Path, collection: VolumeCollection
) -> None:
    """While volumes are copied they are checked; the bad one is named, the good ones stay."""
    source = tmp_path / "source"
    source.mkdir()
    written_set(source / "b", CONTENT)
    offer(source, stick, "b.001", "b.002", "b.volumes.json")
    flip(stick / "b.002")
    with pytest.raises(BundleDamaged, match="volume 2 is damaged"):
        read(collection, stick)
    offer(source, stick, "b.003", "b.004", "b.volumes.json")
    with pytest.raises(NotFound, match="volume 2 is still wanted"):
        read(collection, stick)
    offer(source, stick, "b.002")
    assert read(collection, stick) == CONTENT


def test_another_set_of_the_name_does_not_join(
    tmp_path: Path, stick: Path, collection: VolumeCollection
) -> None:
    """A set that never came complete neither mixes with the next one nor stands in its way."""
    content = {folder: content_of_length(len(CONTENT), seed) for seed, folder in enumerate("ab")}
    for folder, bundle in content.items():
        (tmp_path / folder).mkdir()
        written_set(tmp_path / folder / "b", bundle)
    offer(tmp_path / "a", stick, "b.001", "b.volumes.json")
    with pytest.raises(NotFound, match="volumes 2-4 are"):
        read(collection, stick)
    offer(tmp_path / "b", stick, "b.002", "b.volumes.json")
    with pytest.raises(NotFound, match="volumes 1, 3-4 are"):
        read(collection, stick)
    offer(tmp_path / "b", stick, "b.001")
    with pytest.raises(BundleDamaged, match="different sets of the same name"):
        read(collection, stick)
    offer(tmp_path / "b", stick, "b.001", "b.003", "b.004", "b.volumes.json")
    assert read(collection, stick) == content["b"]


def test_a_whole_set_is_read_where_it_is(tmp_path: Path, collection: VolumeCollection) -> None:
    """Where nothing is wanted, nothing is kept."""
    source = tmp_path / "source"
    source.mkdir()
    written_set(source / "b", CONTENT)
    assert read(collection, source) == CONTENT
    assert not collection.folder.exists()


def test_a_bundle_in_one_file_is_none_of_its_business(
    tmp_path: Path, collection: VolumeCollection
) -> None:
    """A single file is found as without a collection."""
    (tmp_path / "b.tar").write_bytes(b"content")
    assert read(collection, tmp_path / "b.tar") == b"content"
