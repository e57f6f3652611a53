"""Archives that lie, lead out or are broken: one clear error each, and nothing kept."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgap.archive.folder_target import LayoutTarget
from airgap.archive.opening import open_archive, open_dir, open_layout
from airgap.errors import AirgapError, ArchiveDamaged, ContentMismatch, NotFound, Unsupported
from airgap.oci.digest import Digest
from airgap.oci.reference import Repository
from tests.archive.moving import copy_one
from tests.support.images import Layer, layer

NAME = "docker.io/library/one:1"
UNNAMED = Repository("localhost", "unnamed")


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """Make one member; fields of the header may say anything."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Write members just as they are given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if content else None)
    return buffer.getvalue()


def plain_layer(number: int = 1) -> Layer:
    """Make a layer as old engines save it."""
    return layer({f"file{number}": b"content"}, compress=False)


def saved(
    *extra: tuple[tarfile.TarInfo, bytes],
    layers: tuple[Layer, ...] = (plain_layer(),),
    diff_ids: tuple[Digest, ...] | None = None,
    without: str = "",
) -> bytes:
    """Write what an engine before version 25 saves, with something wrong in it."""
    ids = diff_ids if diff_ids is not None else tuple(item.diff_id for item in layers)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": list(ids)},
        }
    ).encode()
    entry = {
        "Config": "config.json",
        "RepoTags": [NAME],
        "Layers": [f"{number}/layer.tar" for number in range(len(layers))],
    }
    members = [
        *(member(f"{number}/layer.tar", item.content) for number, item in enumerate(layers)),
        member("config.json", config),
        member("manifest.json", json.dumps([entry]).encode()),
    ]
    return tar_of(*(item for item in members if item[0].name != without), *extra)


SYMLINK, HARDLINK = tarfile.SYMTYPE, tarfile.LNKTYPE
BAD_TARS: dict[str, Callable[[], bytes]] = {
    "a name with dots": lambda: saved(member("../evil", b"x")),
    "an absolute name": lambda: saved(member("/etc/evil", b"x")),
    "an empty part": lambda: saved(member("a//b", b"x")),
    "a control character": lambda: saved(member("a\nb", b"x")),
    "a name twice": lambda: saved(member("config.json", b"{}")),
    "a link named as a file": lambda: saved(
        member("config.json", type=SYMLINK, linkname="manifest.json")
    ),
    "a link out": lambda: saved(member("out", type=SYMLINK, linkname="../../etc/passwd")),
    "an absolute link": lambda: saved(member("out", type=SYMLINK, linkname="/etc/passwd")),
    "a hard link out": lambda: saved(member("out", type=HARDLINK, linkname="../etc/passwd")),
    "a device": lambda: saved(member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "a pipe": lambda: saved(member("pipe", type=tarfile.FIFOTYPE)),
    "an unknown type": lambda: saved(member("odd", type=b"Q")),
    "no config": lambda: saved(without="config.json"),
    "no layer": lambda: saved(without="0/layer.tar"),
    "a layer that leads nowhere": lambda: saved(
        member("0/layer.tar", type=SYMLINK, linkname="../gone/layer.tar"), without="0/layer.tar"
    ),
    "a circle": lambda: saved(
        member("0/layer.tar", type=SYMLINK, linkname="../b"),
        member("b", type=SYMLINK, linkname="0/layer.tar"),
        without="0/layer.tar",
    ),
    "too few diff ids": lambda: saved(diff_ids=()),
    "a manifest that is no list": lambda: tar_of(member("manifest.json", b"{}")),
    "a manifest that is no JSON": lambda: tar_of(member("manifest.json", b"[")),
    "a nest of JSON": lambda: tar_of(member("manifest.json", b"[" * 100_000)),
    "nothing in it": lambda: tar_of(member("etc/passwd", b"root")),
    "no tar": lambda: b"x" * 4096,
    "no bytes": lambda: b"",
    "cut within a file": lambda: saved()[:700],
    "a size over the end": lambda: saved()[:512],
    "an endless header": lambda: tar_of(member("x", b"", pax_headers={"a": "b" * 2_000_000})),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
@pytest.mark.parametrize("what", BAD_TARS)
async def test_a_bad_archive_is_refused(
    what: str,
    pack: Callable[[bytes], bytes],
    tmp_path: Path,
    scratch: Path,
) -> None:
    """Each is one error of the archive's own class, in place and unpacked, and leaves nothing."""
    path = tmp_path / "bad.tar"
    path.write_bytes(pack(BAD_TARS[what]()))
    with pytest.raises(ArchiveDamaged) as refused:
        async with open_archive(path, scratch=scratch):
            pass
    assert refused.value.thing.startswith(str(path))


async def test_a_wrong_diff_id_gives_no_image(tmp_path: Path, scratch: Path) -> None:
    """A plain layer that is not the one of the config is noticed when it is taken in."""
    path, folder = tmp_path / "bad.tar", tmp_path / "layout"
    path.write_bytes(saved(diff_ids=(Digest.of(b"another"),)))
    async with open_archive(path, scratch=scratch) as source:
        with pytest.raises(ContentMismatch):
            await copy_one(source, LayoutTarget(folder), NAME, NAME)
    assert not [item for item in folder.rglob("*") if item.is_file()][1:]
    assert not (folder / "index.json").exists()


async def test_a_packed_layer_with_a_wrong_diff_id_is_refused(
    tmp_path: Path, scratch: Path
) -> None:
    """A packed layer is unpacked to see what it is, before anything is taken."""
    path = tmp_path / "bad.tar"
    path.write_bytes(saved(layers=(layer({"a": b"b"}),), diff_ids=(Digest.of(b"another"),)))
    with pytest.raises(ContentMismatch, match="config names"):
        async with open_archive(path, scratch=scratch):
            pass


async def test_a_packed_layer_is_taken_as_it_stands(tmp_path: Path, scratch: Path) -> None:
    """A docker archive with gzip layers keeps them: same bytes, same digest."""
    packed = layer({"a": b"b"})
    path = tmp_path / "good.tar"
    path.write_bytes(saved(layers=(packed, plain_layer())))
    async with open_archive(path, scratch=scratch) as source:
        await copy_one(source, LayoutTarget(tmp_path / "layout"), NAME, NAME)
    blob = tmp_path / "layout" / "blobs" / "sha256" / packed.descriptor.digest.hex
    assert blob.read_bytes() == packed.content


async def test_an_xz_layer_is_not_carried(tmp_path: Path, scratch: Path) -> None:
    """No manifest can name a layer packed with xz, so it is refused by name."""
    plain = plain_layer()
    odd = Layer(lzma.compress(plain.content), plain.media_type, plain.diff_id)
    path = tmp_path / "xz.tar"
    path.write_bytes(saved(layers=(odd,)))
    with pytest.raises(Unsupported, match="xz"):
        async with open_archive(path, scratch=scratch):
            pass


async def test_an_archive_from_before_image_ids_is_not_carried(
    tmp_path: Path, scratch: Path
) -> None:
    """Docker before 1.10 wrote `repositories` and no manifest.json."""
    path = tmp_path / "ancient.tar"
    path.write_bytes(tar_of(member("repositories", b"{}"), member("a/layer.tar", b"x")))
    with pytest.raises(Unsupported, match=r"1\.10"):
        async with open_archive(path, scratch=scratch):
            pass


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstandard.compress])
async def test_a_truncated_packing_is_refused(
    pack: Callable[[bytes], bytes], tmp_path: Path, scratch: Path
) -> None:
    """A stream that ends too early is damaged, whatever it is packed with."""
    path = tmp_path / "cut"
    packed = pack(saved(layers=tuple(plain_layer(number) for number in range(40))))
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ArchiveDamaged):
        async with open_archive(path, scratch=scratch):
            pass


async def test_a_bomb_does_not_fill_the_disk(tmp_path: Path, scratch: Path) -> None:
    """A header that declares more than the disk has is refused before a byte is unpacked."""
    info = tarfile.TarInfo("huge")
    info.size = 2**60
    path = tmp_path / "bomb.tar.zst"
    path.write_bytes(zstandard.compress(info.tobuf(tarfile.PAX_FORMAT) + bytes(2**20)))
    with pytest.raises(AirgapError, match="free"):
        async with open_archive(path, scratch=scratch):
            pass


async def test_two_lists_that_disagree_are_refused(tmp_path: Path, scratch: Path) -> None:
    """The name of one image in index.json must not be another's in manifest.json."""
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": Digest.of(b"x"),
        "size": 1,
        "annotations": {"io.containerd.image.name": NAME},
    }
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    path = tmp_path / "two.tar"
    path.write_bytes(saved(member("index.json", index)))
    with pytest.raises(ArchiveDamaged, match="two images"):
        async with open_archive(path, scratch=scratch):
            pass


async def test_folders_are_not_left_by_links(tmp_path: Path) -> None:
    """A link out of a layout or a dir is refused; what is no layout is told as such."""
    (tmp_path / "secret").write_text("{}")
    layout = tmp_path / "layout"
    layout.mkdir()
    with pytest.raises(ArchiveDamaged, match="not an OCI layout"):
        await open_layout(layout)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (layout / "index.json").symlink_to("../secret")
    with pytest.raises(ArchiveDamaged, match="leads out"):
        await open_layout(layout)
    (layout / "manifest.json").symlink_to("/dev/zero")
    with pytest.raises(ArchiveDamaged, match="leads out"):
        await open_dir(layout)
    with pytest.raises(NotFound):
        await open_layout(tmp_path / "absent")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_damage_is_an_unknown_error(
    data: st.DataObject, tmp_path: Path, scratch: Path
) -> None:
    """Whatever bytes are changed in an archive, opening it works or is one of our errors."""
    content = bytearray(saved())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "fuzzed.tar"
    path.write_bytes(content)
    with suppress(AirgapError):
        async with open_archive(path, scratch=scratch) as source:
            for image in source.images:
                await source.resolve(image.reference(UNNAMED))
