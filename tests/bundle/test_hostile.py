"""Bundles that were cut, changed or made up: nothing of them is ever published."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgap.bundle import tar
from airgap.bundle.inspect import inspect_bundle
from airgap.bundle.verify import verify_bundle
from airgap.errors import BundleDamaged, ContentMismatch, NotFound, Unsupported
from airgap.oci.digest import Digest
from tests.bundle.samples import COMPRESSED, QUICK, Collected, several_images, take_in, write_bundle

DETECTED = (BundleDamaged, ContentMismatch, NotFound, Unsupported)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a plain bundle."""
    path = tmp_path_factory.mktemp("plain") / "b"
    asyncio.run(write_bundle(path, several_images(), QUICK))
    return path.read_bytes()


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of the same bundle with zstd around it."""
    path = tmp_path_factory.mktemp("zstd") / "b"
    asyncio.run(write_bundle(path, several_images(), COMPRESSED))
    return path.read_bytes()


def is_detected(folder: Path, content: bytes) -> bool:
    """Import a bundle; tell whether that failed, with nothing published."""
    path = folder / "mutated"
    path.write_bytes(content)
    target = Collected()
    try:
        asyncio.run(take_in(path, target))
    except DETECTED:
        assert not target.names
        return True
    return False


def boundaries(content: bytes) -> list[int]:
    """Return where headers, contents and paddings of a tar end, and the bytes beside those."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = archive.getmembers()
    edges = {0, len(content), len(content) - 512, len(content) - 1024}
    for member in members:
        edges |= {member.offset, member.offset_data, member.offset_data + member.size}
    return sorted({e + d for e in edges for d in (-1, 0, 1) if 0 <= e + d < len(content)})


def test_a_plain_bundle_cut_at_any_boundary_is_refused(tmp_path: Path, plain: bytes) -> None:
    """Wherever the copy ended, it is noticed."""
    for cut in boundaries(plain):
        assert is_detected(tmp_path, plain[:cut]), cut


def test_a_compressed_bundle_cut_anywhere_is_refused(tmp_path: Path, compressed: bytes) -> None:
    """Even when only the checksum of the last frame is missing."""
    cuts = {*range(0, len(compressed), 997), *range(len(compressed) - 12, len(compressed))}
    for cut in sorted(cuts):
        assert is_detected(tmp_path, compressed[:cut]), cut


def test_bytes_after_the_end_are_refused(tmp_path: Path, plain: bytes, compressed: bytes) -> None:
    """A bundle ends where it says."""
    frame = zstandard.compress(b"more")
    for content in (plain + b"\0", plain + plain, compressed + b"x", compressed + frame):
        assert is_detected(tmp_path, content)


SLOW = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@SLOW
@given(st.data())
def test_any_flipped_bit_is_detected(tmp_path: Path, plain: bytes, data: st.DataObject) -> None:
    """No bit of a plain bundle can change unnoticed: by the import, and by verify."""
    position = data.draw(
        st.one_of(st.integers(0, len(plain) - 1), st.sampled_from(boundaries(plain)))
    )
    mutated = bytearray(plain)
    mutated[position] ^= 1 << data.draw(st.integers(0, 7))
    assert is_detected(tmp_path, bytes(mutated))
    with suppress(BundleDamaged):
        assert verify_bundle(tmp_path / "mutated").problems


@SLOW
@given(st.data())
def test_flipped_bits_of_a_compressed_bundle_change_nothing_unnoticed(
    tmp_path: Path, plain: bytes, compressed: bytes, data: st.DataObject
) -> None:
    """Either the import fails, or (bits of the frame header that say nothing) all is as it was."""
    mutated = bytearray(compressed)
    mutated[data.draw(st.integers(0, len(compressed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    if not is_detected(tmp_path, bytes(mutated)):
        reader = zstandard.ZstdDecompressor().stream_reader(bytes(mutated))
        assert reader.read() == plain


@SLOW
@given(st.data())
def test_any_mangled_bundle_is_detected(tmp_path: Path, plain: bytes, data: st.DataObject) -> None:
    """Runs of bytes overwritten, dropped, doubled or moved never get through."""
    edges = st.sampled_from(boundaries(plain))
    start, end = sorted((data.draw(edges), data.draw(edges)))
    junk = data.draw(st.binary(max_size=600))
    kind = data.draw(st.sampled_from(["overwrite", "drop", "double", "insert", "zero"]))
    mutated = {
        "overwrite": plain[:start] + junk + plain[start + len(junk) :],
        "drop": plain[:start] + plain[end:],
        "double": plain[:end] + plain[start:end] + plain[end:],
        "insert": plain[:start] + junk + plain[start:],
        "zero": plain[:start] + bytes(end - start) + plain[end:],
    }[kind]
    if mutated != plain:
        assert is_detected(tmp_path, mutated)


Members = list[tuple[tarfile.TarInfo, bytes]]


def unpacked(content: bytes) -> Members:
    """Return the members of a tar with their contents."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = []
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            members.append((member, file.read()))
    return members


def packed(members: Members) -> bytes:
    """Pack members again, with the headers that a bundle has where they are plain."""
    pieces = []
    for member, content in members:
        header = (
            tar.header(member.name, member.size)
            if member.type == tarfile.REGTYPE and member.mode == 0o644
            else member.tobuf(tarfile.PAX_FORMAT)
        )
        pieces.append(header + content + bytes(tar.padding(len(content))))
    return b"".join([*pieces, tar.END])


def test_unpacking_and_packing_is_the_same_bundle(plain: bytes) -> None:
    """The attacks below fail for what they change, not for how they are packed."""
    assert packed(unpacked(plain)) == plain


def _rename(name: str) -> Callable[[Members], None]:
    def attack(members: Members) -> None:
        members[-1][0].name = name

    return attack


def _retype(kind: bytes, target: str = "") -> Callable[[Members], None]:
    def attack(members: Members) -> None:
        members[-1][0].type = kind
        members[-1][0].linkname = target

    return attack


def _duplicate(position: int) -> Callable[[Members], None]:
    def attack(members: Members) -> None:
        members.insert(position, members[position])

    return attack


def _set_mode(members: Members) -> None:
    members[-1][0].mode = 0o4755


def _swap(members: Members) -> None:
    members[-1], members[-2] = members[-2], members[-1]


def _drop_last(members: Members) -> None:
    members.pop()


def _drop_index(members: Members) -> None:
    members[:] = [m for m in members if m[0].name != "index.json"]


def _add_extra(members: Members) -> None:
    extra = tarfile.TarInfo("airgap/evil.sh")
    members.insert(2, (extra, b""))


ATTACKS: dict[str, Callable[[Members], None]] = {
    "absolute": _rename("/etc/passwd"),
    "parent": _rename("blobs/sha256/../../../etc/passwd"),
    "dot": _rename("./blobs/sha256/" + "0" * 64),
    "backslash": _rename("blobs\\sha256\\x"),
    "upper case": _rename("blobs/sha256/" + "A" * 64),
    "symlink": _retype(tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": _retype(tarfile.LNKTYPE, "index.json"),
    "device": _retype(tarfile.CHRTYPE),
    "fifo": _retype(tarfile.FIFOTYPE),
    "folder": _retype(tarfile.DIRTYPE),
    "sparse": _retype(b"S"),
    "setuid": _set_mode,
    "duplicate head": _duplicate(1),
    "duplicate blob": _duplicate(-1),
    "swapped blobs": _swap,
    "blob missing": _drop_last,
    "index missing": _drop_index,
    "extra member": _add_extra,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_members_outside_the_closed_set_are_refused(
    tmp_path: Path, plain: bytes, attack: Callable[[Members], None]
) -> None:
    """Names, kinds, owners and order are exactly those of the format."""
    members = unpacked(plain)
    attack(members)
    assert is_detected(tmp_path, packed(members))


def forged(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Change ``bundle.json`` as somebody would who can make all the rest agree with it."""
    members = unpacked(content)
    document = json.loads(members[1][1])
    change(document)
    raw = json.dumps(document).encode()
    index = json.loads(members[2][1])
    index["annotations"]["io.airgap.bundle.digest"] = Digest.of(raw)
    return _with_contents(members, {1: raw, 2: json.dumps(index, separators=(",", ":")).encode()})


def _with_contents(members: Members, contents: dict[int, bytes]) -> bytes:
    for position, content in contents.items():
        members[position][0].size = len(content)
        members[position] = (members[position][0], content)
    return packed(members)


def _first_blob(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["blobs"][0][key] = value

    return change


def _top(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document[key] = value

    return change


def _blob_twice(document: dict[str, Any]) -> None:
    document["blobs"].append(document["blobs"][-1])


def _layers_first(document: dict[str, Any]) -> None:
    document["blobs"].reverse()


def _name_twice(document: dict[str, Any]) -> None:
    document["references"].append(document["references"][0])


def _not_inside(document: dict[str, Any]) -> None:
    document["references"][0]["descriptor"]["digest"] = "sha256:" + "0" * 64


def _short_name(document: dict[str, Any]) -> None:
    document["references"][0]["name"] = "oci:1"


FORGERIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "future format": _top("format", 2),
    "format as text": _top("format", "1"),
    "no id": _top("id", ""),
    "id with a path": _top("id", "../x"),
    "time that is none": _top("created", "2026-13-01T00:00:00Z"),
    "time in another form": _top("created", "2026-11-24 12:00"),
    "unknown kind": _top("kind", "partial"),
    "incremental without base": _top("kind", "incremental"),
    "full with base": _top("base", {"sequence": 1, "digests": []}),
    "channel without sequence": _top("channel", "lab"),
    "sequence without channel": _top("sequence", 1),
    "negative size": _first_blob("size", -1),
    "size too large for a manifest": _first_blob("size", 5 * 1024 * 1024),
    "size beyond all": _first_blob("size", 10**30),
    "size as a fraction": _first_blob("size", 1.5),
    "wrong size": _first_blob("size", 100),
    "bad digest": _first_blob("digest", "sha256:../../etc/passwd"),
    "unknown algorithm": _first_blob("digest", "md5:" + "0" * 32),
    "unknown role": _first_blob("role", "script"),
    "blob twice": _blob_twice,
    "layers first": _layers_first,
    "name twice": _name_twice,
    "name of what is not inside": _not_inside,
    "name that is not the full one": _short_name,
    "blobs as an object": _top("blobs", {}),
    "blobs of text": _top("blobs", ["x"]),
    "huge docker manifest": _top(
        "dockerManifest",
        {"mediaType": "application/json", "digest": "sha256:" + "0" * 64, "size": 2 << 20},
    ),
}


@pytest.mark.parametrize("change", FORGERIES.values(), ids=FORGERIES)
def test_a_bundle_json_that_contradicts_itself_is_refused(
    tmp_path: Path, plain: bytes, change: Callable[[dict[str, Any]], None]
) -> None:
    """Even when everything else in the bundle was made to agree with it."""
    assert is_detected(tmp_path, forged(plain, change))


def test_a_forgery_that_changes_nothing_passes(tmp_path: Path, plain: bytes) -> None:
    """The forgeries above are refused for what they say, not for how they are written."""
    assert not is_detected(tmp_path, forged(plain, lambda _: None))


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format":' + b"9" * 100_000 + b"}",
        b"\xff\xfe{}",
        b"null",
        b"",
        b"{" + b" " * (33 * 1024 * 1024) + b"}",
    ],
    ids=[
        "nested lists",
        "nested objects",
        "number",
        "not UTF-8",
        "null",
        "empty",
        "over the limit",
    ],
)
def test_json_bombs_are_refused(tmp_path: Path, plain: bytes, raw: bytes) -> None:
    """Deep, long and broken JSON ends in an error like any other damage."""
    assert is_detected(tmp_path, _with_contents(unpacked(plain), {1: raw}))


def test_a_manifest_that_lies_about_its_children_is_refused(tmp_path: Path, plain: bytes) -> None:
    """A blob that a manifest needs, and that the bundle neither has nor left out, is missing."""

    def drop_a_layer(document: dict[str, Any]) -> None:
        document["blobs"].pop()

    members = unpacked(forged(plain, drop_a_layer))[:-1]
    assert is_detected(tmp_path, packed(members))
    assert verify_bundle(tmp_path / "mutated").problems


def test_a_blob_that_nothing_needs_is_a_problem(tmp_path: Path, plain: bytes) -> None:
    """Verify names content that no reference leads to."""

    def drop_a_name(document: dict[str, Any]) -> None:
        document["references"].pop()

    members = unpacked(forged(plain, drop_a_name))
    index = json.loads(members[2][1])
    index["manifests"].pop()
    raw = json.dumps(index, separators=(",", ":")).encode()
    (tmp_path / "b").write_bytes(_with_contents(members, {2: raw}))
    problems = verify_bundle(tmp_path / "b").problems
    assert problems
    assert all("no reference leads to it" in problem for problem in problems)


def test_a_zstd_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """Gigabytes of zeros in a few kilobytes are refused at the first header."""
    bomb = zstandard.ZstdCompressor(level=1).compressobj()
    pieces = [bomb.compress(bytes(1 << 24)) for _ in range(64)]
    (tmp_path / "b").write_bytes(b"".join(pieces) + bomb.flush())
    with pytest.raises(BundleDamaged):
        inspect_bundle(tmp_path / "b")


def test_a_window_over_the_limit_is_refused(tmp_path: Path, plain: bytes) -> None:
    """A frame that asks for 256 MiB of memory is not given them."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "b").write_bytes(compressor.compress(plain * 1000) + compressor.flush())
    with pytest.raises(Unsupported, match="window"):
        inspect_bundle(tmp_path / "b")


def test_signatures_are_bounded_and_in_order(tmp_path: Path, plain: bytes) -> None:
    """A bundle may carry signatures, but not without end, twice, or too long ones."""

    def signed(*signatures: tuple[str, bytes]) -> bytes:
        members = unpacked(plain)
        for key_id, content in reversed(signatures):
            info = tarfile.TarInfo(f"airgap/signatures/{key_id}.sig")
            info.size = len(content)
            members.insert(2, (info, content))
        return packed(members)

    assert not is_detected(tmp_path, signed(("a", b"1"), ("b", b"2")))
    for refused in (
        signed(("b", b"1"), ("a", b"2")),
        signed(("a", b"1"), ("a", b"1")),
        signed(("a", b"x" * 70_000)),
        signed(*((f"k{n:03}", b"x") for n in range(65))),
        signed(("../a", b"1")),
        signed(("a/b", b"1")),
    ):
        assert is_detected(tmp_path, refused)
