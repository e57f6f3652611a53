"""Streams that Go's compress/gzip really writes need no corrections."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import airgap
from tests.deflate.plain_kinds import ALL, KINDS, mixed, noise, text
from tests.deflate.trips import opened, there_and_back

PEER = Path(__file__).parent / "peers" / "gozip.go"

LEVELS = {-2: "go:huffman", 0: "go:0"} | {level: f"go:{level}" for level in range(1, 10)}
"""The names of the models, by Go's levels."""

NO_CORRECTIONS = 60
"""Bytes of a recipe at most, where there are none."""

EDGES = [0, 1, 3, 4, 5, 16, 17, 127, 128, 129, 65_273, 65_274, 65_275, 65_535, 65_536, 65_537]
"""Sizes at which the encoder does something else."""

Compress = Callable[..., bytes]


@pytest.fixture(scope="session")
def gozip(tmp_path_factory: pytest.TempPathFactory) -> Compress:
    """The real compress/gzip of the Go that is installed."""
    folder = tmp_path_factory.mktemp("gozip")
    program = folder / "gozip"
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    subprocess.run(
        ["/usr/bin/go", "build", "-o", program, PEER], check=True, env=environment, cwd=folder
    )

    def compress(data: bytes, level: int, piece: int | str = 32_768) -> bytes:
        command = [str(program), str(level), str(piece)]
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout

    return compress


def tar_of(folder: Path, size: int) -> bytes:
    """The first bytes of a tar of what is in a folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                tar.add(path)
            if made.tell() > size:
                break
    return made.getvalue()[:size]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("level", LEVELS)
def test_a_stream_of_go_needs_no_corrections(gozip: Compress, level: int, kind: str) -> None:
    """Every kind of bytes at every level, fed by io.Copy."""
    got = there_and_back(gozip(ALL[kind], level), [LEVELS[level]])
    assert got.plain == ALL[kind]
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("level", [-2, 1, 3, 6])
def test_a_stream_that_ends_at_an_edge_needs_no_corrections(
    gozip: Compress, level: int, size: int
) -> None:
    """Sizes at which a window moves, a block ends, or four bytes are not left."""
    for data in (text(size), mixed(size, 3), bytes(size)):
        got = there_and_back(gozip(data, level), [LEVELS[level]])
        assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("level", [1, 2, 6])
@pytest.mark.parametrize("folder", ["stdlib", "platlib", "scripts"])
def test_files_in_a_tar_need_no_corrections(gozip: Compress, level: int, folder: str) -> None:
    """Real files, as layers hold them, several megabytes of them."""
    data = tar_of(Path(sysconfig.get_path(folder)), 6_000_000)
    got = there_and_back(gozip(data, level), [LEVELS[level]])
    assert got.plain == data
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.mark.parametrize("piece", [0, 1, 512, 4096, 32_768])
@pytest.mark.parametrize("level", [-2, 1, 2, 6])
def test_pieces_that_fill_the_window_give_the_same_stream(
    gozip: Compress, level: int, piece: int
) -> None:
    """Whoever feeds Go in one piece, or in blocks of a tar or a buffer, gets the same bytes."""
    data = mixed(700_000, 9)
    assert gozip(data, level, piece) == gozip(data, level)


@pytest.mark.parametrize("level", LEVELS)
def test_odd_pieces_need_hardly_a_correction(gozip: Compress, level: int) -> None:
    """Pieces after which the window is not full when it moves."""
    for seed in range(3):
        data = mixed(2_000_000, seed)
        got = there_and_back(gozip(data, level, "odd"), [LEVELS[level]])
        assert len(got.recipe) <= 2 * NO_CORRECTIONS


@pytest.mark.parametrize("level", LEVELS)
def test_a_flushed_stream_is_rebuilt_with_few_corrections(gozip: Compress, level: int) -> None:
    """A flush every 20 KB ends blocks, and what is searched for them, where a model does not."""
    data = mixed(2_000_000, 5)
    file = gozip(data, level, "flush")
    got = there_and_back(file, [LEVELS[level]])
    assert got.plain == data
    assert len(got.recipe) < len(file) // 20


@pytest.mark.parametrize("level", [1, 3, 6])
def test_many_members_need_no_corrections(gozip: Compress, level: int) -> None:
    """Each member begins anew, whatever the one before it left behind."""
    members = [mixed(size * 997 % 70_000, size) for size in range(60)]
    file = b"".join(gozip(member, level) for member in members)
    got = there_and_back(file, [LEVELS[level]])
    assert got.plain == b"".join(members)
    alone = len(opened(gozip(members[0], level), [LEVELS[level]]).recipe)
    assert len(got.recipe) <= alone + 10 * len(members)


@pytest.mark.parametrize("level, name", [(-1, "go:6"), (1, "go:1"), (9, "go:9")])
def test_the_model_is_found_by_trial(gozip: Compress, level: int, name: str) -> None:
    """Nobody needs to say which encoder it was."""
    assert opened(gozip(text(400_000, 3), level)).models == (name,)


def test_another_encoder_s_level_is_rebuilt_all_the_same(gozip: Compress) -> None:
    """A wrong model costs corrections, not exactness."""
    data = mixed(500_000, 2)
    for level in (1, 2, 6, 9):
        file = gozip(data, level)
        for name in LEVELS.values():
            assert there_and_back(file, [name]).plain == data


parts = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.integers(0, 70_000)),
    st.builds(
        lambda kind, size, seed: kind(size, seed),
        st.sampled_from(KINDS),
        st.integers(0, 40_000),
        st.integers(0, 5),
    ),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    made=st.lists(parts, max_size=6),
    again=st.integers(0, 3),
    level=st.sampled_from(sorted(LEVELS)),
    piece=st.sampled_from([0, 512, 32_768]),
)
def test_any_bytes_need_no_corrections(
    gozip: Compress, made: list[bytes], again: int, level: int, piece: int
) -> None:
    """Runs, noise, text, and all of it again at any distance."""
    data = b"".join(made) * (again + 1)
    got = there_and_back(gozip(data, level, piece), [LEVELS[level]], piece=50_021)
    assert got.plain == data
    assert len(got.recipe) <= NO_CORRECTIONS


@pytest.fixture(scope="session")
def uncompiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the coder as it is where there is no compiler."""
    folder = tmp_path_factory.mktemp("uncompiled")
    shutil.copytree(
        Path(airgap.__file__).parent, folder / "airgap", ignore=shutil.ignore_patterns("*.so")
    )
    return folder


SCRIPT = """
import sys
from pathlib import Path
from airgap.deflate import models
from airgap.deflate.encoders import go_chains, go_speed
from airgap.deflate.opening import Opener

assert not models.is_compiled()
go_chains._MARK_LIMIT = go_speed._MARK_LIMIT = int(sys.argv[3])
opener = Opener(max_recipe=1 << 40, models=[sys.argv[1]])
opener.feed(Path(sys.argv[2]).read_bytes())
sys.stdout.buffer.write(opener.finish())
"""


@pytest.mark.parametrize("level", [1, 2, 6])
def test_uncompiled_and_renumbered_models_predict_the_same(
    gozip: Compress, uncompiled: Path, tmp_path: Path, level: int
) -> None:
    """As plain Python, and with places numbered anew again and again."""
    members = [mixed(size, size) for size in (40_000, 3, 90_000)] + [
        bytes(600_000) + noise(3000) + bytes(600_000)
    ]
    file = b"".join(gozip(member, level) for member in members)
    path = tmp_path / "file.gz"
    path.write_bytes(file)
    recipe = subprocess.run(
        [sys.executable, "-c", SCRIPT, LEVELS[level], path, str(1 << 17)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=uncompiled,
    ).stdout
    assert recipe == there_and_back(file, [LEVELS[level]]).recipe
