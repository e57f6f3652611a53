"""What Debian's tools write we read, and what we write they read: same digests, same ids."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airgap.archive.folder_target import DirTarget, LayoutTarget
from airgap.archive.opening import open_archive, open_dir, open_layout
from airgap.archive.sinks import Packing
from airgap.archive.tar_target import ArchiveFormat
from airgap.oci.reference import Reference
from tests.archive.moving import carry, copy_one, named, write_archive
from tests.archive.peers import Podman, busybox_image, run
from tests.support.images import BuiltImage
from tests.support.memory import MemorySource

ONE, TWO = "docker.io/library/one:1", "quay.io/team/two:2"


@pytest.fixture
def one() -> BuiltImage:
    """Build an image of OCI types."""
    return busybox_image(1)


@pytest.fixture
def two() -> BuiltImage:
    """Build an image of Docker types that shares its base with the other."""
    return busybox_image(2, docker=True)


@pytest.fixture
def source(one: BuiltImage, two: BuiltImage) -> MemorySource:
    """Offer both."""
    return MemorySource({ONE: one, TWO: two})


def config_of(image: BuiltImage) -> str:
    """Return the image id."""
    assert image.root.config is not None
    return image.root.config.digest


@pytest.mark.parametrize("packing", [Packing.NONE, Packing.ZSTD])
async def test_podman_loads_several_images_of_our_archive(
    packing: Packing,
    source: MemorySource,
    podman: Podman,
    tmp_path: Path,
) -> None:
    """Podman load takes all images of an archive under their names, with their ids."""
    archive = tmp_path / "both.tar"
    await write_archive(source, [ONE, TWO], archive, packing=packing)
    podman("load", "-i", archive)
    assert podman.image_id(ONE) == config_of(source.roots[Reference.parse(ONE)])
    assert podman.image_id(TWO) == config_of(source.roots[Reference.parse(TWO)])
    shown = podman(
        "--runtime", "runc", "run", "--rm", *_LIMITS, ONE, "/bin/busybox", "cat", "/data/1.txt"
    )
    assert shown == "image 1"


_LIMITS = ("--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


@pytest.mark.parametrize("packing", list(Packing))
async def test_skopeo_reads_our_oci_archive_digest_kept(
    packing: Packing, source: MemorySource, one: BuiltImage, tmp_path: Path
) -> None:
    """Skopeo finds an image by its full reference and sees the very manifest."""
    archive = tmp_path / "oci.tar"
    await write_archive(source, [ONE, TWO], archive, ArchiveFormat.OCI, packing=packing)
    raw = run("skopeo", "inspect", "--raw", f"oci-archive:{archive}:{ONE}")
    assert raw == one.root.raw.decode()


async def test_skopeo_reads_our_docker_archive_by_reference(
    source: MemorySource, two: BuiltImage, tmp_path: Path
) -> None:
    """The id of an image that skopeo takes out of a docker archive is ours."""
    archive = tmp_path / "docker.tar"
    await write_archive(source, [ONE, TWO], archive)
    run("skopeo", "copy", f"docker-archive:{archive}:{TWO}", f"dir:{tmp_path / 'out'}")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["config"]["digest"] == config_of(two)


async def test_skopeo_reads_our_layout_and_our_dir(
    source: MemorySource, one: BuiltImage, two: BuiltImage, tmp_path: Path
) -> None:
    """Layouts are found by the label that was asked for; a dir has one image."""
    layout, folder = tmp_path / "layout", tmp_path / "dir"
    await copy_one(source, LayoutTarget(layout, label="v1"), ONE, ONE)
    await copy_one(source, DirTarget(folder), TWO, TWO)
    assert run("skopeo", "inspect", "--raw", f"oci:{layout}:v1") == one.root.raw.decode()
    assert run("skopeo", "inspect", "--raw", f"dir:{folder}") == two.root.raw.decode()


async def test_umoci_unpacks_our_layout(source: MemorySource, tmp_path: Path) -> None:
    """Umoci finds the image by its tag and makes a root file system of it."""
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"
    await copy_one(source, LayoutTarget(layout, label="v1"), ONE, ONE)
    run("umoci", "unpack", "--image", f"{layout}:v1", bundle)
    assert (bundle / "rootfs" / "data" / "1.txt").read_text() == "image 1\n"


async def test_buildah_takes_our_archives(
    source: MemorySource, one: BuiltImage, podman: Podman, tmp_path: Path
) -> None:
    """Buildah pulls from our oci-archive, and the id is the image's."""
    archive = tmp_path / "oci.tar"
    await write_archive(source, [ONE], archive, ArchiveFormat.OCI)
    pulled = run("buildah", *podman.options, "pull", "-q", f"oci-archive:{archive}")
    assert f"sha256:{pulled}" == config_of(one)


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
async def test_we_read_what_podman_saves(
    form: str,
    source: MemorySource,
    podman: Podman,
    tmp_path: Path,
    scratch: Path,
) -> None:
    """Both forms of podman save give the image back, id unchanged."""
    archive, saved = tmp_path / "in.tar", tmp_path / "saved.tar"
    await write_archive(source, [ONE], archive)
    podman("load", "-i", archive)
    podman("save", "--format", form, "-o", saved, ONE)
    layout = tmp_path / "layout"
    async with open_archive(saved, scratch=scratch) as opened:
        assert list(named(opened)) == ["one:1"]
        await copy_one(opened, LayoutTarget(layout, label="v1"), ONE, ONE)
    manifest = json.loads(run("skopeo", "inspect", "--raw", f"oci:{layout}:v1"))
    assert manifest["config"]["digest"] == config_of(source.roots[Reference.parse(ONE)])


async def test_we_read_several_images_that_podman_saves(
    source: MemorySource,
    podman: Podman,
    tmp_path: Path,
    scratch: Path,
) -> None:
    """Podman save -m shares layers between images; each is whole again, and loads again."""
    archive, saved, again = (tmp_path / name for name in ("in.tar", "saved.tar", "again.tar"))
    await write_archive(source, [ONE, TWO], archive)
    podman("load", "-i", archive)
    podman("save", "-m", "-o", saved, ONE, TWO)
    podman("rmi", "-f", ONE, TWO)
    async with open_archive(saved, scratch=scratch) as opened:
        await write_archive(opened, [ONE, TWO], again)
    podman("load", "-i", again)
    assert podman.image_id(ONE) == config_of(source.roots[Reference.parse(ONE)])
    assert podman.image_id(TWO) == config_of(source.roots[Reference.parse(TWO)])


@pytest.mark.parametrize("form", ["oci", "oci-archive", "dir", "docker-archive"])
async def test_we_read_what_skopeo_copies(
    form: str, source: MemorySource, one: BuiltImage, tmp_path: Path, scratch: Path
) -> None:
    """Skopeo keeps the digest of an OCI image in its OCI forms and in dir, and the id in all."""
    start, copied = tmp_path / "start", tmp_path / "copied"
    await copy_one(source, LayoutTarget(start, label="v1"), ONE, ONE)
    name = {"oci": ":v9", "oci-archive": f":{ONE}", "dir": "", "docker-archive": f":{ONE}"}[form]
    run("skopeo", "copy", f"oci:{start}:v1", f"{form}:{copied}{name}")
    target = DirTarget(tmp_path / "end")
    if form == "dir":
        opened = await open_dir(copied)
        found = opened.select(None)
    elif form == "oci":
        opened = await open_layout(copied)
        found = opened.select("v9")
    else:
        async with open_archive(copied, scratch=scratch) as archive:
            assert archive.select(ONE) == archive.select(None)
            digest = await copy_one(archive, target, ONE, ONE)
            assert (digest == one.digest) is (form == "oci-archive")
        return
    assert found.descriptor == one.root.descriptor
    name = str(found.reference(Reference.parse(ONE).repository))
    assert await copy_one(opened, target, name, name) == one.digest


async def test_we_read_what_umoci_makes(tmp_path: Path) -> None:
    """An image that umoci builds from nothing can be copied on."""
    layout = tmp_path / "layout"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:v1")
    (tmp_path / "file").write_text("hello")
    run("umoci", "insert", "--image", f"{layout}:v1", tmp_path / "file", "/etc/file")
    opened = await open_layout(layout)
    found = opened.select("v1")
    name = str(found.reference(Reference.parse(ONE).repository))
    await copy_one(opened, LayoutTarget(tmp_path / "copy", label="v2"), name, ONE)
    run("umoci", "unpack", "--image", f"{tmp_path / 'copy'}:v2", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "rootfs" / "etc" / "file").read_text() == "hello"


async def test_we_add_to_a_layout_that_umoci_goes_on_using(
    source: MemorySource, one: BuiltImage, tmp_path: Path
) -> None:
    """A layout keeps what it held, and a name that moves stands there once."""
    layout = tmp_path / "layout"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:old")
    for _ in range(2):
        await copy_one(source, LayoutTarget(layout, label="v1"), ONE, ONE)
    assert sorted(run("umoci", "list", "--layout", layout).split()) == ["old", "v1"]
    found = await LayoutTarget(layout, label="v1").find(Reference.parse(ONE))
    assert found == one.root.descriptor


async def test_buildah_builds_and_we_read(podman: Podman, tmp_path: Path, scratch: Path) -> None:
    """An image from buildah's own builder, packed by its own push, is read with its id."""
    (tmp_path / "Containerfile").write_text('FROM scratch\nCOPY file /file\nCMD ["/file"]\n')
    (tmp_path / "file").write_text("content")
    buildah = ("buildah", *podman.options)
    run(*buildah, "build", "-q", "-t", "built:1", tmp_path)
    run(*buildah, "push", "-q", "localhost/built:1", f"docker-archive:{tmp_path}/b.tar:built:1")
    image_id = run(*buildah, "inspect", "--format", "{{.FromImageID}}", "localhost/built:1")
    async with open_archive(tmp_path / "b.tar", scratch=scratch) as opened:
        await carry(opened, LayoutTarget(tmp_path / "layout"), ["built:1"])
        manifest = json.loads(
            await opened.read_manifest(
                Reference.parse("built:1").repository, opened.images[0].descriptor
            )
        )
    assert manifest["config"]["digest"] == f"sha256:{image_id}"
