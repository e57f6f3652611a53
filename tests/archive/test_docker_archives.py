"""Docker archives of every age, packed in every way, from files and from pipes."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from airgap.archive.folder_target import LayoutTarget
from airgap.archive.opening import open_archive
from airgap.errors import NotFound, NotPermitted
from airgap.oci.descriptor import Descriptor
from airgap.oci.manifest import parse_manifest
from airgap.oci.reference import Reference
from tests.archive.moving import carry, named, write_archive
from tests.archive.peers import busybox_image, busybox_layer, run
from tests.archive.test_hostile_archives import NAME, plain_layer, saved
from tests.support import images
from tests.support.engines import docker_engine
from tests.support.images import BuiltImage
from tests.support.memory import MemorySource


def config_of(image: BuiltImage) -> str:
    """Return the image id."""
    assert image.root.config is not None
    return image.root.config.digest


@pytest.mark.xdist_group("engines")
async def test_what_an_old_docker_saves_is_read(tmp_path: Path, scratch: Path) -> None:
    """Debian's Docker 20.10 saves v1 folders and linked layers; images keep their ids."""
    # A layer that is an image's last here and another's first there is saved as a link.
    one, two, base = (
        busybox_image(1),
        busybox_image(2, docker=True),
        images.image([busybox_layer()]),
    )
    names = ["one:1", "quay.io/team/two:2", "base:1"]
    source = MemorySource(dict(zip(names, (one, two, base), strict=True)))
    await write_archive(source, names, tmp_path / "in.tar")
    with tempfile.TemporaryDirectory(prefix="ag-", ignore_cleanup_errors=True) as folder:
        async with docker_engine(Path(folder)) as address:
            docker = ("docker", "-H", address)
            run(*docker, "load", "-i", tmp_path / "in.tar")
            run(*docker, "save", "-o", tmp_path / "old.tar", *names)
    with tarfile.open(tmp_path / "old.tar") as tar:
        assert any(member.issym() for member in tar)
    async with open_archive(tmp_path / "old.tar", scratch=scratch) as opened:
        layout = LayoutTarget(tmp_path / "layout")
        await carry(opened, layout, names)
        await write_archive(opened, names, tmp_path / "again.tar")
        await write_archive(opened, names, tmp_path / "more.tar")
    assert (tmp_path / "again.tar").read_bytes() == (tmp_path / "more.tar").read_bytes()
    for name, image in zip(names, (one, two, base), strict=True):
        descriptor = await layout.find(Reference.parse(name))
        assert descriptor is not None
        blob = tmp_path / "layout" / "blobs" / "sha256" / descriptor.digest.hex
        config = parse_manifest(blob.read_bytes()).config
        assert config is not None
        assert config.digest == config_of(image)


async def test_a_made_manifest_is_the_one_that_newer_dockers_write(
    tmp_path: Path, scratch: Path
) -> None:
    """Docker 25 and newer save this manifest, byte for byte, for an image of plain layers."""
    path = tmp_path / "old.tar"
    layer = plain_layer()
    path.write_bytes(saved(layers=(layer,)))
    async with open_archive(path, scratch=scratch) as source:
        (image,) = source.images
        raw = await source.read_manifest(Reference.parse(NAME).repository, image.descriptor)
    with tarfile.open(path) as tar:
        config = tar.extractfile("config.json")
        assert config is not None
        described = Descriptor.of(config.read(), "")
    assert raw.decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        '"config":{"mediaType":"application/vnd.oci.image.config.v1+json",'
        f'"digest":"{described.digest}","size":{described.size}}},'
        '"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar",'
        f'"digest":"{layer.diff_id}","size":{len(layer.content)}}}]}}'
    )


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstandard.compress, lzma.compress, bz2.compress]
)
async def test_every_packing_is_undone(
    pack: Callable[[bytes], bytes], tmp_path: Path, scratch: Path
) -> None:
    """Plain, gzip, zstd, xz and bzip2 archives hold the same image; the spool goes away."""
    path = tmp_path / "packed"
    path.write_bytes(pack(saved(layers=(plain_layer(1), plain_layer(2)))))
    async with open_archive(path, scratch=scratch) as source:
        assert bool(list(scratch.iterdir())) is (pack is not bytes)
        await carry(source, LayoutTarget(tmp_path / "layout"), [NAME])


async def test_packings_in_several_parts_are_undone(tmp_path: Path, scratch: Path) -> None:
    """Parallel packers write several gzip members, zstd frames or xz streams, one after another."""
    content = saved()
    half = len(content) // 2
    for pack in (gzip.compress, zstandard.compress, lzma.compress, bz2.compress):
        path = tmp_path / "parts"
        path.write_bytes(pack(content[:half]) + pack(content[half:]))
        async with open_archive(path, scratch=scratch) as source:
            assert list(named(source)) == ["one:1"]


async def test_an_archive_comes_through_a_pipe(tmp_path: Path, scratch: Path) -> None:
    """A stream that cannot seek is read to the tar's end, however slowly it comes."""
    content = gzip.compress(saved())
    reading, writing = os.pipe()

    def feed() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for start in range(0, len(content), 100):
                pipe.write(content[start : start + 100])

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(reading, "rb") as stream:
        async with open_archive(stream, scratch=scratch) as source:
            await carry(source, LayoutTarget(tmp_path / "layout"), [NAME])
    feeder.join()


async def test_a_silent_pipe_can_be_given_up(scratch: Path) -> None:
    """Waiting for standard input ends when it is cancelled, and leaves no spool."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb"):

        async def read() -> None:
            async with open_archive(stream, scratch=scratch):
                pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(), 0.1)


async def test_a_stream_in_memory_is_an_archive(scratch: Path) -> None:
    """Anything that can be read is good enough."""
    async with open_archive(io.BytesIO(saved()), scratch=scratch) as source:
        assert list(named(source)) == ["one:1"]


async def test_files_that_are_not_there_or_folders_are_told_apart(
    tmp_path: Path, scratch: Path
) -> None:
    """The error says what is wrong with the path."""
    with pytest.raises(NotFound):
        async with open_archive(tmp_path / "absent.tar", scratch=scratch):
            pass
    with pytest.raises(NotPermitted, match="folder"):
        async with open_archive(tmp_path, scratch=scratch):
            pass


async def test_images_are_selected_as_skopeo_does(tmp_path: Path, scratch: Path) -> None:
    """By reference, by position, by digest; without any, only where there is one image."""
    one, two = busybox_image(1), busybox_image(2)
    source = MemorySource({"one:1": one, "two": two})
    await write_archive(source, ["one:1", "two:latest"], tmp_path / "a.tar")
    async with open_archive(tmp_path / "a.tar", scratch=scratch) as opened:
        for label in ("docker.io/library/one:1", "one:1", "@0", one.digest, f"@{one.digest}"):
            assert opened.select(label).descriptor == one.root.descriptor
        assert opened.select("two").descriptor == two.root.descriptor
        for wrong in (None, "three", "@2", "@x", "one:2"):
            with pytest.raises(NotFound) as missed:
                opened.select(wrong)
            assert "one:1" in missed.value.hint
        repositories = [str(repository) async for repository in opened.repositories()]
        assert repositories == ["docker.io/library/one", "docker.io/library/two"]
        assert [tag async for tag in opened.tags(Reference.parse("one").repository)] == ["1"]


async def test_names_of_one_image_are_gathered(tmp_path: Path, scratch: Path) -> None:
    """An image under two names is one image of the archive, and loads under both."""
    one = busybox_image(1)
    source = MemorySource({"one:1": one, "also:1": one})
    await write_archive(source, ["one:1", "also:1"], tmp_path / "a.tar")
    async with open_archive(tmp_path / "a.tar", scratch=scratch) as opened:
        (image,) = opened.images
        assert [name.familiar for name in image.names] == ["one:1", "also:1"]
    with tarfile.open(tmp_path / "a.tar") as tar:
        listed = tar.extractfile("manifest.json")
        assert listed is not None
        (entry,) = json.load(listed)
    assert entry["RepoTags"] == ["docker.io/library/one:1", "docker.io/library/also:1"]


async def test_referrers_within_an_archive_are_found(tmp_path: Path, scratch: Path) -> None:
    """A signature that lies beside its image in index.json refers to it here too."""
    one = busybox_image(1)
    note = images.artifact(b"a signature", subject=one.root.descriptor)
    source = MemorySource({"one:1": one, "one:sig": note})
    await write_archive(source, ["one:1", "one:sig"], tmp_path / "a.tar")
    async with open_archive(tmp_path / "a.tar", scratch=scratch) as opened:
        found = await opened.referrers(Reference.parse("one").repository, one.digest)
        assert [descriptor.digest for descriptor in found] == [note.digest]
    with tarfile.open(tmp_path / "a.tar") as tar:
        listed = tar.extractfile("manifest.json")
        assert listed is not None
        assert len(json.load(listed)) == 1
