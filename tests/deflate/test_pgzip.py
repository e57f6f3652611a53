"""Streams that pgzip and klauspost/compress really write need no corrections."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import airgap
from airgap.deflate.models import candidates
from tests.deflate.plain_kinds import ALL, KINDS, mixed, noise, records, text
from tests.deflate.trips import opened, rebuilt, there_and_back

PEER = Path(__file__).parent / "peers" / "pgzip.go"
DEBIAN = {1: "1.15.11", 2: "1.15.11", 5: "1.15.10", 6: "1.15.10"}
"""For each level, with which version began what it does in the version that Debian 12 has."""

NO_CORRECTIONS = 60
"""Bytes of a recipe at most, where there are none."""

PGZIP_HEADER = bytes.fromhex("1f8b080000096e8800ff")

Compress = Callable[..., bytes]


@pytest.fixture(scope="session")
def pgzip(tmp_path_factory: pytest.TempPathFactory) -> Compress:
    """The real pgzip, and the real gzip of klauspost/compress, of Debian's version."""
    folder = tmp_path_factory.mktemp("pgzip")
    program = folder / "pgzip"
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    subprocess.run(
        ["/usr/bin/go", "build", "-o", program, PEER], check=True, env=environment, cwd=folder
    )

    def compress(data: bytes, level: int, which: str = "pgzip", piece: int = 1 << 15) -> bytes:
        command = [str(program), which, str(level), str(piece)]
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout

    return compress


def name(level: int, which: str = "pgzip") -> str:
    """The name of a model of pgzip, or of gzip."""
    return f"{'pgzip' if which == 'pgzip' else 'klauspost'}-{DEBIAN[level]}:{level}"


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("which", ["pgzip", "gzip"])
@pytest.mark.parametrize("level", DEBIAN)
def test_a_stream_of_klauspost_needs_no_corrections(
    pgzip: Compress, level: int, which: str, kind: str
) -> None:
    """Every kind of bytes, at the levels that are used, alone and in pieces."""
    file = pgzip(ALL[kind], level, which)
    got = there_and_back(file, [name(level, which)])
    assert got.plain == ALL[kind]
    assert len(got.recipe) <= NO_CORRECTIONS


def test_programs_and_libraries_need_no_corrections(pgzip: Compress) -> None:
    """Real files, several megabytes of them."""
    paths = [
        Path(sys.executable).resolve(),
        Path("/usr/bin/git"),
        *Path("/usr/lib/python3").glob("*/*.py"),
    ]
    data = b"".join(path.read_bytes() for path in paths if path.is_file())[:8_000_000]
    assert len(data) > 1_000_000
    for which in ("pgzip", "gzip"):
        for level in DEBIAN:
            got = there_and_back(pgzip(data, level, which), [name(level, which)])
            assert len(got.recipe) <= NO_CORRECTIONS


def test_the_default_level_of_pgzip_is_found_among_all(pgzip: Compress) -> None:
    """What podman and buildah write is recognised by its header, and by its head."""
    data = mixed(1_500_000)
    file = pgzip(data, -1)
    assert file.startswith(PGZIP_HEADER)
    assert candidates(PGZIP_HEADER)[0] == name(5)
    got = there_and_back(file)
    assert got.models == (name(5),)
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("which, other", [("gzip", "pgzip"), ("pgzip", "gzip")])
def test_whether_there_are_pieces_is_learned(pgzip: Compress, which: str, other: str) -> None:
    """The heads of both streams are the same, so the wrong model is soon right."""
    data = text(3_600_000)
    file = pgzip(data, 6, which)
    got = there_and_back(file, [name(6, other)])
    assert got.plain == data
    assert len(got.recipe) < 1000


def parts(described: list[tuple[int, int, int]]) -> bytes:
    """Bytes of parts of several kinds, each described by kind, size and seed."""
    return b"".join(KINDS[kind](size, seed) for kind, size, seed in described)


PARTS = st.lists(
    st.tuples(
        st.integers(0, len(KINDS) - 1),
        st.integers(0, 1 << 16) | st.integers(0, 300),
        st.integers(0, 3),
    ),
    max_size=8,
).map(parts)


@given(
    data=PARTS | st.binary(max_size=600),
    level=st.sampled_from(list(DEBIAN)),
    piece=st.integers(1, 99_999),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_need_no_corrections(
    pgzip: Compress, data: bytes, level: int, piece: int
) -> None:
    """However the writer is fed, and whatever with."""
    for which in ("pgzip", "gzip"):
        got = there_and_back(
            pgzip(data, level, which, piece=max(piece, 1 + len(data) // 100)), [name(level, which)]
        )
        assert got.plain == data
        assert len(got.recipe) <= NO_CORRECTIONS


@given(
    data=PARTS,
    level=st.sampled_from([1, 3, 5, 6, 9]),
    which=st.sampled_from(["pgzip", "gzip"]),
    model=st.sampled_from(
        [n for n in candidates(PGZIP_HEADER) if n.startswith(("pgzip", "klauspost"))]
    ),
    piece=st.integers(-70_000, -1000) | st.just(1 << 15),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_wrong_model_makes_the_same_file_all_the_same(  # noqa: PLR0917 - drawn, not passed
    pgzip: Compress, data: bytes, level: int, which: str, model: str, piece: int
) -> None:
    """Another level, another version, flushes at odd places: corrections repair everything."""
    file = pgzip(data, level, which, piece)
    assert there_and_back(file, [model], piece=77_777).plain == data


def test_flushes_cost_little(pgzip: Compress) -> None:
    """A model goes on well behind a flush that it did not expect."""
    data = text(600_000)
    file = pgzip(data, 6, "gzip", piece=-90_001)
    got = there_and_back(file, [name(6, "gzip")])
    assert len(got.recipe) < len(file) // 100


def test_how_a_file_is_fed_changes_nothing(pgzip: Compress) -> None:
    """The recipe and the file are the same for pieces of any size."""
    data = mixed(1_700_000)
    file = pgzip(data, -1)
    recipe = opened(file, [name(5)], piece=1 << 20).recipe
    for piece in (4_099, 65_536, 333_333):
        assert opened(file, [name(5)], piece=piece).recipe == recipe
        assert rebuilt(data, recipe, piece=piece) == file


UNCOMPILED = """
import sys
from airgap.deflate.models import is_compiled
from airgap.deflate.opening import Opener
from airgap.deflate.rebuilding import Rebuilder

assert not is_compiled()
file = open(sys.argv[1], "rb").read()
opener = Opener(max_recipe=1 << 30, models=[sys.argv[2]])
plain = opener.feed(file)
recipe = opener.finish()
rebuilder = Rebuilder(recipe)
assert rebuilder.feed(plain) + rebuilder.finish() == file
open(sys.argv[3], "wb").write(recipe)
"""


@pytest.mark.parametrize(
    "model",
    [
        "pgzip-1.15.10:5",
        "pgzip-1.15.10:6",
        "pgzip-1.18.1:5",
        "klauspost-1.14.1:6",
        "pgzip-1.15.11:2",
        "klauspost-1.18.4:8",
        "klauspost-1.18.4:9",
    ],
)
def test_the_model_does_the_same_uncompiled(pgzip: Compress, tmp_path: Path, model: str) -> None:
    """Without a compiler the same recipe comes of a file, right model or wrong."""
    shutil.copytree(
        Path(airgap.__file__).parent,
        tmp_path / "airgap",
        ignore=shutil.ignore_patterns("*.so", "*.pxd", "__pycache__"),
    )
    file = tmp_path / "file.gz"
    file.write_bytes(pgzip(text(40_000) + noise(3_000) + records(30_000) + text(9_000), 5))
    script = tmp_path / "uncompiled.py"
    script.write_text(UNCOMPILED)
    recipe = tmp_path / "recipe"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    subprocess.run(
        [sys.executable, script, file, model, recipe], check=True, env=environment, cwd=tmp_path
    )
    assert recipe.read_bytes() == opened(file.read_bytes(), [model]).recipe


def layout_with_a_plain_layer(folder: Path, layer: bytes) -> None:
    """Write an OCI layout of one image, whose one layer is not compressed."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes, media_type: str) -> Mapping[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    described = put(layer, "application/vnd.oci.image.layer.v1.tar")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [described["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [described],
    }
    root = put(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    root = {**root, "annotations": {"org.opencontainers.image.ref.name": "image"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def test_a_layer_that_skopeo_compresses_needs_no_corrections(tmp_path: Path) -> None:
    """The real tool, with the library and the settings that podman and buildah share."""
    tar = tmp_path / "layer.tar"
    with tarfile.open(tar, "w") as archive:
        for path in sorted(Path(pytest.__file__).parent.parent.glob("_pytest/**/*.py")):
            archive.add(path)
    layer = tar.read_bytes()
    assert len(layer) > 1 << 20
    layout_with_a_plain_layer(tmp_path / "plain", layer)
    subprocess.run(
        [
            "skopeo",
            "--insecure-policy",
            "copy",
            "--dest-compress",
            "--dest-compress-format",
            "gzip",
            f"oci:{tmp_path}/plain:image",
            f"dir:{tmp_path}/pushed",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    manifest = json.loads((tmp_path / "pushed" / "manifest.json").read_bytes())
    digest = manifest["layers"][0]["digest"].removeprefix("sha256:")
    got = there_and_back((tmp_path / "pushed" / digest).read_bytes())
    assert got.plain == layer
    assert got.models == (name(5),)
    assert len(got.recipe) <= NO_CORRECTIONS
