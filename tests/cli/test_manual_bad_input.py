"""Bad input to the manual verbs: one clear error each, and the store as it was."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from airgap.oci.digest import Digest
from tests.archive.moving import write_archive
from tests.support.command import airgap
from tests.support.images import BuiltImage, image, random_layer
from tests.support.memory import MemorySource

APP = image([random_layer(1), random_layer(2)])
OTHER = image([random_layer(3)], author="somebody else")


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with two images."""
    await write_archive(
        MemorySource({"app:1": APP, "other:1": OTHER}), ["app:1", "other:1"], tmp_path / "good.tar"
    )
    done = await airgap(
        "load", "-i", str(tmp_path / "good.tar"), "--store", str(tmp_path / "store")
    )
    assert done.code == 0, done.err
    return tmp_path / "store"


def contents(store: Path) -> dict[str, bytes]:
    """Return every file of the layout: what a person would call the store."""
    files = [*store.glob("blobs/*/*"), store / "index.json"]
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


async def refused(store: Path, code: int, *arguments: str) -> str:
    """Run a command that must be refused, with one error, and leave the store alone."""
    before = contents(store)
    done = await airgap(*arguments, "--store", str(store))
    assert done.code == code, done.out + done.err
    assert done.err.count("airgap: ") == 1, done.err
    assert "Traceback" not in done.err
    assert contents(store) == before
    return done.err


Member = tarfile.TarInfo | tuple[str, bytes]


def _tar(path: Path, *members: Member) -> Path:
    with tarfile.open(path, "w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return path


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def _layout(built: BuiltImage, blobs: Mapping[Digest, bytes]) -> list[Member]:
    """Return an OCI archive of an image whose blobs may be others than it names."""
    entry = built.root.descriptor.to_json()
    entry["annotations"] = {"org.opencontainers.image.ref.name": "bad/image:1"}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    named = {built.digest: built.root.raw, **blobs}
    return [
        ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
        ("index.json", index),
        *((f"blobs/sha256/{digest.hex}", content) for digest, content in named.items()),
    ]


def _docker(config: bytes, layers: Mapping[str, bytes]) -> list[Member]:
    """Return an archive as ``docker save`` wrote it until Docker 25."""
    name = f"{Digest.of(config).hex}.json"
    manifest = [{"Config": name, "RepoTags": ["bad/image:1"], "Layers": list(layers)}]
    return [("manifest.json", json.dumps(manifest).encode()), (name, config), *layers.items()]


def _config(*diff_ids: Digest) -> bytes:
    fields = {"os": "linux", "architecture": "amd64"}
    rootfs = {"type": "layers", "diff_ids": list(map(str, diff_ids))}
    return json.dumps({**fields, "config": {}, "rootfs": rootfs}).encode()


def _link_out() -> list[Member]:
    layer = random_layer(9, 10)
    return [
        *_docker(_config(layer.diff_id), {"a/layer.tar": b""})[:2],
        _link("a/layer.tar", "../../../../etc/passwd"),
    ]


def _duplicate() -> list[Member]:
    members = _layout(APP, APP.blobs)
    return [*members, members[-1]]


def _missing_layer() -> list[Member]:
    gone = APP.root.layers[1].digest
    return _layout(APP, {d: c for d, c in APP.blobs.items() if d != gone})


def _other_bytes() -> list[Member]:
    changed = APP.root.layers[1]
    return _layout(APP, {**APP.blobs, changed.digest: bytes(changed.size)})


def _wrong_diff_id_old() -> list[Member]:
    with_lie = _config(Digest.of(b"something else"))
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w"):
        pass
    return _docker(with_lie, {"a/layer.tar": plain.getvalue()})


def _wrong_diff_id_new() -> list[Member]:
    lying = random_layer(4)
    lie = type(lying)(lying.content, lying.media_type, Digest.of(b"something else"))
    built = image([lie])
    return _layout(built, built.blobs)


def _climbing_name() -> list[Member]:
    return [*_layout(APP, APP.blobs), ("../../outside", b"x")]


@pytest.mark.parametrize(
    "make,code,words",
    [
        (_link_out, 18, "leads"),
        (_duplicate, 18, "two members"),
        (_missing_layer, 18, "does not hold the layer"),
        (_other_bytes, 9, "layer"),
        (_wrong_diff_id_old, 9, "diff id"),
        (_wrong_diff_id_new, 9, "diff id"),
        (_climbing_name, 18, "outside"),
    ],
)
async def test_a_bad_archive_is_not_loaded(
    make: Callable[[], list[Member]], code: int, words: str, store: Path, tmp_path: Path
) -> None:
    """Links out, duplicates, missing and wrong layers: nothing of the archive is taken in."""
    archive = _tar(tmp_path / "bad.tar", *make())
    assert words in await refused(store, code, "load", "-i", str(archive))


async def test_what_is_no_archive_is_not_loaded(store: Path, tmp_path: Path) -> None:
    """Noise, an absent file, and a root file system that was exported."""
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 40)
    await refused(store, 18, "load", "-i", str(tmp_path / "noise"))
    await refused(store, 5, "load", "-i", str(tmp_path / "absent"))
    rootfs = _tar(tmp_path / "rootfs.tar", ("etc/passwd", b"root"))
    assert "save images" in await refused(store, 18, "load", "-i", str(rootfs))


@pytest.mark.parametrize("verb", ["ls", "cat"])
async def test_no_path_leads_out_of_an_image(verb: str, store: Path) -> None:
    """A path that climbs above the root is refused; one that is not there is not found."""
    assert "leads out" in await refused(store, 4, verb, "app:1", "../../etc/passwd")
    assert "leads out" in await refused(store, 4, verb, "app:1", "data/../../etc/passwd")
    await refused(store, 5, verb, "app:1", "/etc/passwd")


async def test_a_commit_that_cannot_be_done_leaves_nothing(store: Path, tmp_path: Path) -> None:
    """Unknown or malformed instructions, sources and paths that are not there, tars that climb."""
    commit = ("commit", "app:1", "new:1")
    assert "FROM" in await refused(store, 2, *commit, "-c", "FROM other")
    await refused(store, 2, *commit, "-c", 'CMD ["unterminated]')
    await refused(store, 4, *commit, "--add", "nowhere")
    await refused(store, 5, *commit, "--add", f"{tmp_path}/absent:/x")
    await refused(store, 5, *commit, "--remove", "/absent")
    await refused(store, 5, "commit", "absent:1", "new:1")
    evil = _tar(tmp_path / "evil.tar", ("../../evil", b"x"))
    await refused(store, 18, *commit, "--add", f"{evil}:/x")
    await refused(store, 4, "commit", "app:1", f"new@{APP.digest}", "-c", "USER 1")


async def test_an_ambiguous_id_is_told_apart(store: Path, tmp_path: Path) -> None:
    """An id that several images begin with names them all; a unique one works."""
    # Seventeen ids have at least two that begin with the same of sixteen digits.
    more = {f"more:{number}": image([], author=f"author {number}") for number in range(17)}
    await write_archive(MemorySource(more), list(more), tmp_path / "more.tar")
    load = ("load", "-i", str(tmp_path / "more.tar"), "--store", str(store))
    assert (await airgap(*load)).code == 0
    configs = [built.root.config for built in more.values()]
    known = [config.digest.hex for config in configs if config is not None]
    first = Counter(digits[0] for digits in known)
    ambiguous, _ = first.most_common(1)[0]
    for verb in (("rmi",), ("inspect",), ("history",)):
        error = await refused(store, 4, *verb, ambiguous)
        assert "is the beginning of" in error
    await refused(store, 4, "tag", ambiguous, "new:1")
    await refused(store, 5, "rmi", "0" * 64)
    assert (await airgap("inspect", known[0][:20], "--store", str(store))).code == 0


async def test_names_with_several_meanings_are_not_guessed_at(store: Path) -> None:
    """An id with two names, a misspelt name, and options that contradict each other."""
    await airgap("tag", "app:1", "app:2", "--store", str(store))
    ids = await airgap("images", "-q", "app:1", "--store", str(store))
    assert "2 names" in await refused(store, 15, "rmi", ids.out.strip())
    assert "did you mean app:1" in await refused(store, 5, "rmi", "other:1", "ap:1")
    await refused(store, 2, "push", "app:1", "other:1", "app:2")
    await refused(store, 2, "push", "-a", "app:1")
    await refused(store, 2, "images", "--filter", "colour=red")
    await refused(store, 2, "inspect", "app:1", "--format", "{{.Nothing}}")
    await refused(store, 16, "copy", "app:1", "containers-storage:x")
