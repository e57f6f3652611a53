"""What our own writers promise: order, sameness, all or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest

from airgap.archive.folder_target import DirTarget, LayoutTarget
from airgap.archive.opening import open_archive, open_layout
from airgap.archive.sinks import Packing, StreamSink
from airgap.archive.tar_target import ArchiveFormat, TarTarget, archive_file
from airgap.errors import (
    ArchiveDamaged,
    ContentMismatch,
    NoSpace,
    NotPermitted,
    Refused,
    UsageError,
)
from airgap.oci.platform import Platform
from airgap.oci.platform_filter import ALL_PLATFORMS
from airgap.oci.reference import Reference
from tests.archive.moving import carry, copy_one, named, write_archive
from tests.support import images
from tests.support.memory import MemorySource

ONE, MANY = "docker.io/library/one:1", "quay.io/team/many:2"
AMD, ARM = images.image([images.random_layer(1)]), images.image([images.random_layer(2)])
INDEX = images.index({"linux/amd64": AMD, "linux/arm64": ARM})
SPARSE = images.index({"linux/amd64": AMD, "linux/arm64": ARM}, absent=["linux/amd64"])


def source() -> MemorySource:
    """Offer an image and an index."""
    return MemorySource({ONE: AMD, MANY: INDEX})


@pytest.mark.parametrize("packing", list(Packing))
@pytest.mark.parametrize("form", list(ArchiveFormat))
async def test_the_same_images_make_the_same_archive(
    form: ArchiveFormat, packing: Packing, tmp_path: Path, scratch: Path
) -> None:
    """Bytes are a function of the content; and what is read back is what was written."""
    for name in ("a", "b"):
        await write_archive(source(), [ONE, MANY], tmp_path / name, form, packing=packing)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    async with open_archive(tmp_path / "a", scratch=scratch) as opened:
        assert named(opened) == {"one:1": AMD.digest, "quay.io/team/many:2": INDEX.digest}
        layout = LayoutTarget(tmp_path / "layout")
        await carry(opened, layout, [ONE, MANY])
    assert await layout.holds(
        Reference.parse(MANY).repository, INDEX.root.descriptor, ALL_PLATFORMS
    )


async def test_everything_that_says_what_is_inside_stands_before_the_layers(
    tmp_path: Path,
) -> None:
    """Layout, index, manifests, manifest.json; then configs; then layers; each once."""
    await write_archive(source(), [ONE, MANY], tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        names = tar.getnames()
        listed = tar.extractfile("manifest.json")
        assert listed is not None
        entries = json.load(listed)
    assert names[:2] == ["oci-layout", "index.json"]
    assert len(names) == len(set(names))
    layers = {f"blobs/sha256/{la.digest.hex}" for b in (AMD, ARM) for la in b.root.layers}
    assert set(names[-len(layers) :]) == layers
    # The index and the image are the same for amd64: one entry with two names.
    assert [entry["RepoTags"] for entry in entries] == [[ONE, MANY]]


async def test_an_index_is_loadable_as_the_wanted_platform(tmp_path: Path) -> None:
    """A manifest.json has one platform: the one asked for, else the first that is inside."""
    for wanted, given, expected in (
        ("linux/arm64", INDEX, ARM),
        ("linux/s390x", INDEX, AMD),
        ("linux/amd64", SPARSE, ARM),
    ):
        path = tmp_path / "a.tar"
        async with archive_file(path, platform=Platform.parse(wanted)) as target:
            await carry(MemorySource({MANY: given}), target, [MANY])
        with tarfile.open(path) as tar:
            listed = tar.extractfile("manifest.json")
            assert listed is not None
            (entry,) = json.load(listed)
        assert expected.root.config is not None
        assert entry["Config"].endswith(expected.root.config.digest.hex)


async def test_a_sparse_archive_is_read_as_far_as_it_goes(tmp_path: Path, scratch: Path) -> None:
    """Entries of an index that were left out are left out again."""
    await write_archive(MemorySource({MANY: SPARSE}), [MANY], tmp_path / "a.tar")
    async with open_archive(tmp_path / "a.tar", scratch=scratch) as opened:
        await write_archive(opened, [MANY], tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


async def test_a_failed_archive_leaves_the_old_file(tmp_path: Path) -> None:
    """A blob that lies ends the writing; what was there before stays, and nothing beside it."""
    path = tmp_path / "a.tar"
    path.write_text("old")
    lie = AMD.root.layers[0]
    for content in (bytes(lie.size), bytes(lie.size + 1), bytes(lie.size - 1)):
        liar = MemorySource({ONE: AMD}, lies={lie.digest: content})
        with pytest.raises(ContentMismatch):
            await write_archive(liar, [ONE], path)
        folder = LayoutTarget(tmp_path / "layout")
        with pytest.raises(ContentMismatch):
            await copy_one(liar, folder, ONE, ONE)
        assert await folder.find(Reference.parse(ONE)) is None
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir() if item.is_file()] == ["a.tar"]
    assert not list(tmp_path.rglob("*.part"))


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Nothing is made on the way to an archive's file."""
    with pytest.raises(NotPermitted):
        await write_archive(source(), [ONE], tmp_path / "absent" / "a.tar")


async def test_an_archive_goes_to_a_stream(scratch: Path) -> None:
    """Standard output gets the archive as it is written, and stays open."""
    stream = io.BytesIO()
    await carry(source(), TarTarget(StreamSink(stream, Packing.ZSTD)), [ONE])
    stream.seek(0)
    async with open_archive(stream, scratch=scratch) as opened:
        assert named(opened) == {"one:1": AMD.digest}


async def test_a_target_that_needs_a_plan_says_so() -> None:
    """Without a plan there is no archive."""
    target = TarTarget(StreamSink(io.BytesIO()))
    with pytest.raises(UsageError):
        await target.move_tags([])


async def test_a_second_copy_into_a_layout_moves_nothing(tmp_path: Path) -> None:
    """What is there is held; what is damaged there is not."""
    target = LayoutTarget(tmp_path)
    await copy_one(source(), target, MANY, MANY)
    again = source()
    await copy_one(again, target, MANY, MANY)
    assert again.opened == []
    layer = tmp_path / "blobs" / "sha256" / ARM.root.layers[0].digest.hex
    layer.write_bytes(layer.read_bytes()[:-1])
    await copy_one(again, target, MANY, MANY)
    assert again.opened == [ARM.root.layers[0].digest]


async def test_a_layout_that_misses_a_layer_is_refused_before_anything_moves(
    tmp_path: Path,
) -> None:
    """Resolving a name looks whether all below it is inside."""
    await copy_one(source(), LayoutTarget(tmp_path / "a"), ONE, ONE)
    (tmp_path / "a" / "blobs" / "sha256" / AMD.root.layers[0].digest.hex).unlink()
    opened = await open_layout(tmp_path / "a")
    for _ in range(2):
        with pytest.raises(ArchiveDamaged, match="does not hold the layer"):
            await opened.resolve(Reference.parse(ONE))


async def test_an_untagged_image_stays_untagged(tmp_path: Path, scratch: Path) -> None:
    """A digest alone keeps the content and gives no name."""
    name = f"docker.io/library/one@{AMD.digest}"
    await write_archive(source(), [name], tmp_path / "a.tar")
    await copy_one(source(), LayoutTarget(tmp_path / "layout"), ONE, name)
    layout = await open_layout(tmp_path / "layout")
    async with open_archive(tmp_path / "a.tar", scratch=scratch) as opened:
        for place in (opened, layout):
            assert place.select(None).names == ()
            assert place.select(None).descriptor.digest == AMD.digest


async def test_one_label_is_for_one_image(tmp_path: Path) -> None:
    """A dir and a labelled layout take one image, and a dir no folder of other things."""
    wrong: list[LayoutTarget | DirTarget] = [
        LayoutTarget(tmp_path / "a", label="v1"),
        DirTarget(tmp_path / "b"),
    ]
    for target in wrong:
        with pytest.raises(UsageError):
            await carry(source(), target, [ONE, MANY])
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "file").write_text("mine")
    with pytest.raises(Refused):
        DirTarget(tmp_path / "c")


async def test_a_full_disk_is_no_space() -> None:
    """The operating system's word for a full disk becomes ours."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(await asyncio.to_thread(_open_full_disk))
        with pytest.raises(NoSpace):
            await carry(source(), TarTarget(StreamSink(full)), [ONE])


def _open_full_disk() -> BinaryIO:
    return Path("/dev/full").open("wb", buffering=0)
