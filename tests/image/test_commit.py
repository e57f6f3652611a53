"""A commit without an engine: files in, files out, and an image that runs."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airgap.errors import ArchiveDamaged, InvalidReference, NotFound, Unsupported, UsageError
from airgap.image.additions import Addition, LayerEntry, plan_layer
from airgap.image.commit import Commit, CommittedImage, commit_image
from airgap.image.history import read_history
from airgap.image.layer_builder import BuiltLayer, write_layer
from airgap.image.layers import read_file_tree
from airgap.image.threads import StopSign
from airgap.oci.reference import Reference
from tests.archive.moving import write_archive
from tests.archive.peers import Podman, busybox_image
from tests.support import images
from tests.support.images import BuiltImage
from tests.support.memory import MemorySource

EPOCH = 1_700_000_000
WHEN = datetime.fromtimestamp(EPOCH, UTC)
NAME = Reference.parse("docker.io/library/base:1")


def built(entries: Sequence[LayerEntry], scratch: Path) -> tuple[BuiltLayer, bytes]:
    """Write a layer to memory."""
    output = io.BytesIO()
    layer = write_layer(entries, output, StopSign(), scratch=scratch)
    return layer, output.getvalue()


def listing(packed: bytes) -> list[tuple[str, int, int, int]]:
    """Return name, mode, owner and time of every entry."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return [(m.name, m.mode, m.uid, int(m.mtime)) for m in tar]


async def test_a_layer_has_what_was_added_and_removed(tmp_path: Path) -> None:
    """Folders above keep the base's modes; whiteouts stand first; times are the epoch."""
    base = busybox_image(1)
    tree = await read_file_tree(MemorySource({str(NAME): base}), NAME.repository, base.root)
    (tmp_path / "site" / "sub").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("hello")
    (tmp_path / "site" / "link").symlink_to("index.html")
    (tmp_path / "site").chmod(0o750)
    (tmp_path / "site" / "index.html").chmod(0o640)
    (tmp_path / "site" / "sub").chmod(0o711)
    additions = [
        Addition.parse(f"{tmp_path}/site:/tmp/html"),
        Addition.parse(f"{tmp_path}/site/index.html:/opt/:7:8:600"),
    ]
    entries = plan_layer(additions, ["/data/1.txt"], tree, epoch=EPOCH)
    _, packed = built(entries, tmp_path)
    assert listing(packed) == [
        ("data", 0o755, 0, 0),
        ("data/.wh.1.txt", 0o644, 0, EPOCH),
        ("opt", 0o755, 0, EPOCH),
        ("opt/index.html", 0o600, 7, EPOCH),
        ("tmp", 0o1777, 0, 0),
        ("tmp/html", 0o750, 0, EPOCH),
        ("tmp/html/index.html", 0o640, 0, EPOCH),
        ("tmp/html/link", 0o777, 0, EPOCH),
        ("tmp/html/sub", 0o711, 0, EPOCH),
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_a_tar_is_unpacked_into_its_place(pack: type[bytes], tmp_path: Path) -> None:
    """A tar, packed or not, brings its files with their owners, links of its own included."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("./a")
        info.size, info.uid = 3, 5
        tar.addfile(info, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("b")
        link.type, link.linkname = tarfile.LNKTYPE, "a"
        tar.addfile(link)
    (tmp_path / "files.tar").write_bytes(pack(buffer.getvalue()))
    entries = plan_layer([Addition(tmp_path / "files.tar", "/in")], [], None, epoch=EPOCH)
    _, packed = built(entries, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        member = tar.extractfile("in/a")
        assert member is not None
        assert member.read() == b"abc"
        assert (tar.getmember("in/b").linkname, tar.getmember("in/a").uid) == ("in/a", 5)


def test_the_same_files_make_the_same_layer(tmp_path: Path) -> None:
    """Under SOURCE_DATE_EPOCH neither times nor the order of a folder matter."""
    layers = []
    for name, order in (("one", "abc"), ("two", "cba")):
        folder = tmp_path / name
        folder.mkdir(mode=0o755)
        for file in order:
            (folder / file).write_text(file)
            (folder / file).chmod(0o644)
        entries = plan_layer([Addition(folder, "/data")], [], None, epoch=EPOCH)
        layers.append(built(entries, tmp_path)[0])
    assert layers[0] == layers[1]


def test_what_cannot_be_added_or_removed_is_told(tmp_path: Path) -> None:
    """Missing sources, devices, tars that lead out, paths that are not in the image."""
    with pytest.raises(NotFound):
        plan_layer([Addition(tmp_path / "absent", "/x")], [], None)
    with pytest.raises(Unsupported):
        plan_layer([Addition(Path("/dev/null"), "/x")], [], None)
    with pytest.raises(NotFound):
        plan_layer([], ["/absent"], None)
    with pytest.raises(InvalidReference):
        plan_layer([], ["/"], None)
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../evil"))
    with pytest.raises(ArchiveDamaged):
        plan_layer([Addition(tmp_path / "evil.tar", "/x")], [], None)
    for text in ("a", "a:b", ":/b", "a:/b:1", "a:/b:1:2:9", "a:/../b", "a:/b:x:y:644"):
        with pytest.raises(InvalidReference):
            Addition.parse(text)


def commit(base: BuiltImage, layers: Sequence[BuiltLayer], what: Commit) -> CommittedImage:
    """Commit on top of an image in memory."""
    assert base.root.config is not None
    return commit_image(base.root, base.blobs[base.root.config.digest], layers, what)


@pytest.mark.parametrize("types", ["oci", "docker"])
async def test_a_committed_image_loads_with_its_id_and_serves_its_file(
    types: str,
    podman: Podman,
    tmp_path: Path,
) -> None:
    """Podman confirms id, author, command and file; twice the same commit is the same image."""
    base = busybox_image(1, docker=types == "docker")
    tree = await read_file_tree(MemorySource({str(NAME): base}), NAME.repository, base.root)
    (tmp_path / "index.html").write_text("<h1>hello</h1>")
    addition = Addition.parse(f"{tmp_path}/index.html:/data/html/index.html:0:0:644")
    layer, packed = await asyncio.to_thread(
        built, plan_layer([addition], [], tree, epoch=EPOCH), tmp_path
    )
    what = Commit(
        WHEN,
        author="Ada <ada@example.org>",
        message="add the page",
        changes=('CMD ["/bin/busybox", "cat", "/data/html/index.html"]', "EXPOSE 80"),
    )
    image = commit(base, [layer], what)
    assert image == commit(base, [layer], what)
    assert image.manifest.descriptor.media_type == base.root.descriptor.media_type
    blobs = {**base.blobs, layer.descriptor.digest: packed}
    assert image.manifest.config is not None
    blobs[image.manifest.config.digest] = image.config
    source = MemorySource({str(NAME): BuiltImage((image.manifest,), blobs)})
    await write_archive(source, [str(NAME)], tmp_path / "a.tar")
    podman("load", "-i", tmp_path / "a.tar")
    assert podman.image_id(str(NAME)) == image.manifest.config.digest
    assert podman("image", "inspect", "--format", "{{.Author}}", str(NAME)) == what.author
    limits = ("--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
    shown = podman("--runtime", "runc", "run", "--rm", *limits, str(NAME))
    assert shown == "<h1>hello</h1>"


def test_the_history_tells_the_steps() -> None:
    """Newest first, with sizes; a commit of the config alone leaves no layer."""
    base = images.image([images.random_layer(1), images.random_layer(2)])
    image = commit(base, [], Commit(WHEN, author="Ada", message="why", changes=("USER 7",)))
    steps = read_history(image.config, image.manifest)
    assert [step.created_by for step in steps] == ["USER 7", "layer 1", "layer 0"]
    assert (steps[0].layer, steps[0].comment, steps[0].author) == (None, "why", "Ada")
    assert [step.size for step in steps[1:]] == [la.size for la in reversed(base.root.layers)]
    fields = json.loads(image.config)
    assert (fields["created"], fields["config"]["User"]) == ("2023-11-14T22:13:20Z", "7")
    del fields["history"]
    bare = read_history(json.dumps(fields).encode(), image.manifest)
    assert [step.layer for step in bare] == list(reversed(base.root.layers))


def test_only_an_image_can_be_a_base() -> None:
    """Indexes, artifacts and bad instructions are refused."""
    artifact = images.artifact(b"x")
    with pytest.raises(Unsupported):
        commit_image(artifact.root, b"{}", [], Commit(WHEN))
    with pytest.raises(UsageError):
        commit(images.image([]), [], Commit(WHEN, changes=("RUN x",)))
