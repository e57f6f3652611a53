"""Layers laid over one another: as engines do it, and never outside of the image."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airgap.archive.folder_target import LayoutTarget
from airgap.archive.opening import open_layout
from airgap.content.ports import Source
from airgap.errors import ArchiveDamaged, NotFound, Unsupported
from airgap.image.filesystem import FileTree
from airgap.image.layers import diff_id_of, read_file, read_file_tree
from airgap.image.tar_entries import Kind, TarEntry
from airgap.oci import media_types
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from tests.archive.moving import copy_one
from tests.archive.peers import busybox_layer, run
from tests.support import images
from tests.support.images import Layer
from tests.support.memory import MemorySource

NAME = Reference.parse("docker.io/library/one:1")


def folder(name: str, mode: int = 0o755) -> TarEntry:
    """Make a folder's entry."""
    return TarEntry(name, Kind.FOLDER, mode=mode)


def file(name: str, size: int = 0) -> TarEntry:
    """Make a file's entry."""
    return TarEntry(name, Kind.FILE, size=size)


def symlink(name: str, target: str) -> TarEntry:
    """Make a symbolic link's entry."""
    return TarEntry(name, Kind.SYMLINK, target=target)


def hardlink(name: str, target: str) -> TarEntry:
    """Make a hard link's entry."""
    return TarEntry(name, Kind.HARDLINK, target=target)


def tree(*layers: Sequence[TarEntry]) -> FileTree:
    """Merge layers."""
    merged = FileTree("image")
    for entries in layers:
        merged.add_layer(entries)
    return merged


def paths(merged: FileTree) -> list[str]:
    """Return every path."""
    return [located.path for located in merged.walk()]


@pytest.mark.parametrize(
    "layers,expected",
    [
        ([[file("a")], [file("b")]], ["a", "b"]),
        ([[folder("d"), file("d/a")], [file("d/.wh.a")]], ["d"]),
        ([[folder("d"), file("d/a")], [file(".wh.d")]], []),
        ([[file("d/a"), file("d/b")], [file("d/.wh..wh..opq"), file("d/c")]], ["d", "d/c"]),
        # Whiteouts speak of lower layers only, wherever they stand among their own.
        ([[file("d/a")], [file("d/b"), file("d/.wh..wh..opq")]], ["d", "d/b"]),
        ([[file("d/a/x")], [file("d/a/y"), file("d/.wh.a")]], ["d", "d/a", "d/a/y"]),
        ([[folder("d"), file("d/a")], [folder("d", 0o700)]], ["d", "d/a"]),
        ([[folder("d"), file("d/a")], [file("d")]], ["d"]),
        ([[file("d")], [file("d/a")]], ["d", "d/a"]),
        (
            [[folder("usr/lib"), symlink("lib", "usr/lib")], [file("lib/a")]],
            ["lib", "usr", "usr/lib", "usr/lib/a"],
        ),
        ([[folder("a"), symlink("up", "../../a")], [file("up/x")]], ["a", "a/x", "up"]),
        ([[symlink("l", "nowhere")], [file("l/a")]], ["l", "l/a"]),
        ([[file("./a"), file("/b"), file("c//d/./e")]], ["a", "b", "c", "c/d", "c/d/e"]),
        ([[], [file(".wh.absent"), file("x/.wh..wh..opq")]], []),
    ],
)
def test_layers_merge(layers: list[list[TarEntry]], expected: list[str]) -> None:
    """The rules of the OCI image-spec's layer.md, one case each."""
    assert paths(tree(*layers)) == expected


@pytest.mark.parametrize("name", ["../a", "a/../../b", "a\0b", "/".join("a" * 2000)])
def test_names_that_lead_out_are_refused(name: str) -> None:
    """No layer puts a file outside of its image."""
    with pytest.raises(ArchiveDamaged):
        tree([file(name)])


def test_links_are_followed_within_the_root() -> None:
    """Absolute links begin at the image's root, and above the root is the root."""
    merged = tree(
        [
            file("etc/passwd", 7),
            symlink("abs", "/etc/passwd"),
            symlink("out", "../../../../etc/passwd"),
            symlink("dir", "etc"),
            symlink("loop", "loop"),
            symlink("gone", "/absent"),
            symlink("etc/up", ".."),
        ]
    )
    for path in ("/abs", "out", "dir/passwd", "/../etc/./passwd", "dir/up/etc/passwd"):
        assert merged.find(path).path == "etc/passwd"
    assert merged.find("dir", follow=False).entry.kind is Kind.SYMLINK
    assert [located.path for located in merged.entries("dir")] == ["etc/passwd", "etc/up"]
    assert [located.path for located in merged.entries("abs")] == ["etc/passwd"]
    for path in ("loop", "gone", "absent", "etc/passwd/x", "abs/x"):
        with pytest.raises(NotFound):
            merged.find(path)
    with pytest.raises(NotFound, match="folder"):
        merged.content_of("etc")


def test_a_hard_link_goes_on_naming_the_old_content() -> None:
    """A file that is replaced later is still what its other name says."""
    merged = tree([file("a", 1), hardlink("b", "a")], [file("a", 2)])
    assert (merged.content_of("a").layer, merged.content_of("b").layer) == (1, 0)
    assert merged.content_of("b").entry.size == 1
    for target in ("absent", "d", "../a", "b"):
        with pytest.raises(ArchiveDamaged):
            tree([folder("d"), hardlink("b", target)])


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b", "a/a", "a/b", "b/a/b"]),
                st.sampled_from(["file", "folder", "gone", "opaque"]),
            ),
            max_size=6,
            unique_by=lambda item: item[0],
        ),
        max_size=4,
    )
)
def test_the_merge_is_that_of_a_plain_model(layers: list[list[tuple[str, str]]]) -> None:
    """For layers in the order that engines write, the tree is what a dictionary would be."""
    model: dict[str, str] = {}
    merged = FileTree("image")
    for items in layers:
        entries = [file(f"{path}/.wh..wh..opq") for path, kind in items if kind == "opaque"]
        entries += [
            file("/".join([*path.split("/")[:-1], f".wh.{path.split('/')[-1]}"]))
            for path, kind in items
            if kind == "gone"
        ]
        for path, kind in items:
            if kind in {"gone", "opaque"}:
                model = {
                    known: what
                    for known, what in model.items()
                    if not known.startswith(f"{path}/") and (kind == "opaque" or known != path)
                }
        for path, kind in sorted(items):
            if kind not in {"file", "folder"}:
                continue
            entries.append(file(path) if kind == "file" else folder(path))
            parts = path.split("/")
            for depth in range(1, len(parts)):
                above = "/".join(parts[:depth])
                model[above] = "folder"
            if kind == "file":
                model = {k: v for k, v in model.items() if not k.startswith(f"{path}/")}
            model[path] = kind
        merged.add_layer(entries)
    found = {
        located.path: "folder" if located.entry.kind is Kind.FOLDER else "file"
        for located in merged.walk()
    }
    assert found == model


def layer_of(entries: Sequence[tuple[TarEntry, bytes]], kind: str) -> Layer:
    """Pack a layer in one of the ways that layers travel."""
    types = {
        Kind.FILE: tarfile.REGTYPE,
        Kind.FOLDER: tarfile.DIRTYPE,
        Kind.SYMLINK: tarfile.SYMTYPE,
        Kind.HARDLINK: tarfile.LNKTYPE,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in entries:
            info = tarfile.TarInfo(entry.name)
            info.type, info.mode, info.linkname = types[entry.kind], entry.mode, entry.target
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    plain = buffer.getvalue()
    packed = {
        media_types.OCI_LAYER: plain,
        media_types.OCI_LAYER_GZIP: gzip.compress(plain),
        media_types.OCI_LAYER_ZSTD: zstandard.compress(plain),
    }
    return Layer(packed[kind], kind, Digest.of(plain))


LAYERS = [
    busybox_layer(),
    layer_of(
        [
            (folder("data", 0o750), b""),
            (file("data/keep"), b"kept" * 600_000),
            (file("data/drop"), b"dropped"),
            (folder("data/sub"), b""),
            (file("data/sub/x"), b"x"),
            (hardlink("data/same", "data/keep"), b""),
            (symlink("link", "data"), b""),
        ],
        media_types.OCI_LAYER,
    ),
    layer_of(
        [
            (folder("data", 0o750), b""),
            (file("data/.wh.drop"), b""),
            (folder("data/sub"), b""),
            (file("data/sub/.wh..wh..opq"), b""),
            (file("data/sub/y"), b"y"),
            (file("link2"), b"two"),
        ],
        media_types.OCI_LAYER_GZIP,
    ),
]


@pytest.mark.parametrize("where", ["memory", "layout"])
async def test_the_tree_is_the_one_that_umoci_unpacks(where: str, tmp_path: Path) -> None:
    """Paths, modes and contents are those of a real unpacking, from readers and from files."""
    image = images.image(LAYERS)
    source = MemorySource({str(NAME): image})
    await copy_one(source, LayoutTarget(tmp_path / "layout", label="v1"), str(NAME), str(NAME))
    run("umoci", "unpack", "--image", f"{tmp_path}/layout:v1", tmp_path / "bundle")
    root = tmp_path / "bundle" / "rootfs"
    place: Source = source if where == "memory" else await open_layout(tmp_path / "layout")
    merged = await read_file_tree(place, NAME.repository, image.root)
    real = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    assert set(paths(merged)) == real
    for path in paths(merged):
        there = root / path
        located = merged.find(path, follow=False)
        if not there.is_symlink():
            assert there.stat().st_mode & 0o7777 == located.entry.mode
        if located.entry.kind is Kind.FILE:
            pieces = read_file(place, NAME.repository, image.root, located)
            content = [piece async for piece in pieces]
            assert b"".join(content) == there.read_bytes()
            assert all(len(piece) <= 2**20 for piece in content)


@pytest.mark.parametrize(
    "kind", [media_types.OCI_LAYER, media_types.OCI_LAYER_GZIP, media_types.OCI_LAYER_ZSTD]
)
async def test_layers_of_every_packing_are_read(kind: str) -> None:
    """Plain, gzip and zstd layers list and give their files, and know their diff ids."""
    layer = layer_of([(file("a"), b"content")], kind)
    image = images.image([layer])
    source = MemorySource({str(NAME): image})
    merged = await read_file_tree(source, NAME.repository, image.root)
    located = merged.content_of("/a")
    content = [piece async for piece in read_file(source, NAME.repository, image.root, located)]
    assert content == [b"content"]
    assert await diff_id_of(source, NAME.repository, layer.descriptor) == layer.diff_id


async def test_what_has_no_files_is_told() -> None:
    """Indexes and artifacts have no file system; broken layers are named."""
    image = images.image([images.random_layer(1)])
    broken = image.root.layers[0]
    source = MemorySource({str(NAME): image}, lies={broken.digest: b"not a tar" * 100})
    for built in (images.artifact(b"x"), images.index({"linux/amd64": image})):
        with pytest.raises(Unsupported):
            await read_file_tree(source, NAME.repository, built.root)
    with pytest.raises(ArchiveDamaged, match=r"not a tar|tar") as damaged:
        await read_file_tree(source, NAME.repository, image.root)
    assert broken.digest in damaged.value.thing
