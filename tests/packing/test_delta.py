"""Deltas: what they make, how small they are, and what they find in their bases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ContentMismatch, NotFound, Refused, UsageError
from airgap.packing.cutting import BLOCK, MAX_SEGMENT, MIN_MEMORY, Cut, cut_for
from airgap.packing.delta import (
    DeltaFacts,
    apply_delta,
    delta_memory,
    make_cut_delta,
    make_delta,
)
from airgap.packing.scratch import file_pieces
from tests.packing.tars import noise, tar_of

KIB = 1024
MIB = 1024 * KIB
TINY = Cut(window=32 * KIB, segment=8 * KIB, hash_log=10, long_log=8, anchors=64)


class _Enough(Exception):
    """Somebody does not want to go on."""


def _write(folder: Path, contents: Sequence[bytes]) -> list[Path]:
    paths = [folder / f"base{number}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def _made(folder: Path, bases: Sequence[bytes], target: bytes, cut: Cut | None) -> DeltaFacts:
    paths = _write(folder, bases)
    (folder / "target").write_bytes(target)
    if cut is None:
        return make_delta(paths, folder / "target", folder / "delta")
    return make_cut_delta(paths, folder / "target", folder / "delta", cut)


def _applied(folder: Path, count: int, piece: int = MIB) -> bytes:
    raw = (folder / "delta").read_bytes()
    pieces = (raw[start : start + piece] for start in range(0, len(raw), piece))
    return b"".join(apply_delta([folder / f"base{n}" for n in range(count)], pieces))


def _cut(window: int, segment: int) -> Cut:
    """Cut as ``cut_for`` does: at the borders of a tar's blocks."""
    whole = segment // BLOCK * BLOCK
    return Cut(window=window, segment=whole, hash_log=18, long_log=14, anchors=8192)


def _edits() -> st.SearchStrategy[list[tuple[str, int, int, int]]]:
    """Draw edits: what is done, where (per mille), to how many bytes, and a seed."""
    kinds = st.sampled_from(["insert", "delete", "move", "replace", "repeat"])
    place = st.integers(0, 1000)
    edit = st.tuples(kinds, place, st.integers(1, 20_000), st.integers(0, 1000))
    return st.lists(edit, max_size=6)


def _edited(content: bytes, edits: Sequence[tuple[str, int, int, int]]) -> bytes:
    for kind, place, length, seed in edits:
        start = len(content) * place // 1000
        piece = content[start : start + length]
        rest = content[:start] + content[start + length :]
        other = len(rest) * seed // 1000
        match kind:
            case "insert":
                content = content[:start] + noise(length, seed) + content[start:]
            case "delete":
                content = rest
            case "move":
                content = rest[:other] + piece + rest[other:]
            case "replace":
                content = content[:start] + noise(len(piece), seed) + content[start + length :]
            case _:
                content = content[:start] + piece * 2 + content[start:]
    return content


@given(
    size=st.integers(0, 100_000),
    edits=_edits(),
    more=st.integers(0, 2),
    cut=st.sampled_from([None, TINY]),
    piece=st.sampled_from([1000, MIB]),
)
def test_whatever_was_edited_the_target_comes_out(
    size: int, edits: list[tuple[str, int, int, int]], more: int, cut: Cut | None, piece: int
) -> None:
    """Insertions, deletions, moves and replacements, in windows and at once, from some bases."""
    base = noise(size, seed=1)
    target = _edited(base, edits)
    bases = [base, *(noise(3000 * n, seed=n) for n in range(more))]
    with TemporaryDirectory() as folder:
        _made(Path(folder), bases, target, cut)
        assert _applied(Path(folder), len(bases), piece) == target


@pytest.mark.parametrize("cut", [None, TINY], ids=["at once", "in windows"])
@pytest.mark.parametrize(
    "bases, target",
    [
        ([], b""),
        ([], noise(50_000)),
        ([b""], b"x"),
        ([b"short"], b"short"),
        ([b"short", b"er"], b"shorter"),
        ([noise(50_000)], b""),
        ([noise(50_000)], noise(50_000)),
        ([b"", noise(50_000), b""], noise(50_000)),
        ([bytes(100_000)], bytes(300_000)),
    ],
    ids=[
        "nothing from nothing",
        "no base",
        "an empty base",
        "a base that is no prefix",
        "bases that are one together",
        "an empty target",
        "an identical target",
        "empty bases among others",
        "zeros",
    ],
)
def test_extremes(tmp_path: Path, bases: list[bytes], target: bytes, cut: Cut | None) -> None:
    """Sizes at which there is no window, no segment, or no prefix."""
    facts = _made(tmp_path, bases, target, cut)
    assert facts.size == (tmp_path / "delta").stat().st_size
    assert _applied(tmp_path, len(bases)) == target


def test_what_the_base_has_is_not_carried(tmp_path: Path) -> None:
    """A megabyte that is the same costs next to nothing; a kilobyte that is new costs itself."""
    base = noise(MIB)
    target = base[: MIB // 2] + noise(KIB, seed=7) + base[MIB // 2 :]
    facts = _made(tmp_path, [base], target, None)
    assert KIB < facts.size < 2 * KIB


def test_pieces_come_from_several_bases(tmp_path: Path) -> None:
    """A target made of two files needs nothing but both of them."""
    one, other = noise(MIB, seed=1), noise(MIB, seed=2)
    target = other[: MIB // 2] + one + other[MIB // 2 :]
    assert _made(tmp_path, [one, other], target, None).size < KIB


def test_windows_follow_what_moved(tmp_path: Path) -> None:
    """A window that holds a sixth of the bases finds files wherever they moved between them."""
    files = {f"usr/lib/lib{n}.so": noise(40 * KIB + n, seed=n) for n in range(48)}
    names = sorted(files)
    shuffled = sorted(names, key=lambda name: sha256(name.encode()).digest())
    bases = [tar_of({n: files[n] for n in half}) for half in (names[:24], names[24:])]
    target = tar_of({n: files[n] for n in shuffled})
    total = sum(map(len, bases))
    cut = _cut(total // 3, len(target) // 8)
    facts = _made(tmp_path, bases, target, cut)
    assert facts.size < len(target) // 50
    assert _applied(tmp_path, 2) == target


def test_windows_find_a_changed_file_by_its_name(tmp_path: Path) -> None:
    """Where no block is the same, the name in the header leads to what the file once was."""
    old = {f"bin/tool{n}": noise(200 * KIB, seed=n) for n in range(12)}
    # Every block has a byte more.
    new = {
        name: b"".join(b"+" + content[at : at + 450] for at in range(0, len(content), 450))
        for name, content in reversed(old.items())
    }
    base, target = tar_of(old), tar_of(new)
    cut = _cut(len(base) // 4, len(target) // 6)
    facts = _made(tmp_path, [base], target, cut)
    assert facts.size < len(target) // 10
    assert _applied(tmp_path, 1) == target


def test_the_same_files_give_the_same_delta(tmp_path: Path) -> None:
    """So two exports of the same content are the same bundle."""
    base = noise(300_000)
    target = base[100_000:] + noise(9000, seed=3) + base[:100_000]
    deltas = []
    for _ in range(2):
        _made(tmp_path, [base], target, TINY)
        deltas.append((tmp_path / "delta").read_bytes())
    assert deltas[0] == deltas[1]


def test_work_on_a_delta_can_be_followed_and_broken_off(tmp_path: Path) -> None:
    """Whoever is told of bytes is told of all, and may raise."""
    (tmp_path / "target").write_bytes(noise(3 * MIB))
    told: list[int] = []
    make_delta([], tmp_path / "target", tmp_path / "delta", on_bytes=told.append)
    assert sum(told) == 3 * MIB

    def stop(_: int) -> None:
        raise _Enough

    with pytest.raises(_Enough):
        make_delta([], tmp_path / "target", tmp_path / "delta", on_bytes=stop)


def test_a_delta_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    """Before anything is made; the person reads how much it takes."""
    facts = _made(tmp_path, [noise(MIB)], noise(MIB), None)
    pieces = apply_delta([tmp_path / "base0"], file_pieces(tmp_path / "delta"), memory=64 * MIB)
    with pytest.raises(Refused, match=f"{facts.needs:,}"):
        next(pieces)


def test_a_base_of_another_size_is_told_apart(tmp_path: Path) -> None:
    """Its digest is checked elsewhere; this is the last line."""
    _made(tmp_path, [noise(MIB)], noise(MIB), None)
    (tmp_path / "base0").write_bytes(noise(MIB - 1))
    with pytest.raises(ContentMismatch, match="other bases"):
        _applied(tmp_path, 1)


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    """The operating system's word becomes an error that says which file."""
    _made(tmp_path, [noise(MIB)], noise(MIB), None)
    (tmp_path / "base0").unlink()
    with pytest.raises(NotFound, match="base0"):
        _applied(tmp_path, 1)


def test_files_are_closed_when_a_reader_leaves_early(tmp_path: Path) -> None:
    """Warnings are errors here: a file that nobody closed would be one."""
    _made(tmp_path, [noise(MIB)], noise(3 * MIB), None)
    pieces = apply_delta([tmp_path / "base0"], file_pieces(tmp_path / "delta"))
    assert isinstance(pieces, Iterator)
    next(pieces)
    del pieces


@given(
    bases=st.integers(0, 1 << 42),
    target=st.integers(0, 1 << 42),
    memory=st.integers(MIN_MEMORY, 1 << 38),
)
def test_a_cut_stays_within_its_memory(bases: int, target: int, memory: int) -> None:
    """Whatever the sizes; and every segment can be made and applied within the same bound."""
    cut = cut_for(bases, target, memory)
    assert cut.segment > 0
    assert cut.applying <= cut.making <= memory
    assert delta_memory([bases], target, memory) == cut.making


def test_small_layers_are_not_cut() -> None:
    """They are made at once, against all of their base."""
    cut = cut_for(100 * MIB, 30 * MIB, 1024 * MIB)
    assert (cut.window, cut.segment) == (100 * MIB, 30 * MIB)


def test_segments_end_where_a_block_does() -> None:
    """And are all of a size, so that the last one is no crumb."""
    cut = cut_for(500 * MIB, 500 * MIB + 1, 1024 * MIB)
    assert cut.segment % BLOCK == 0
    assert 500 * MIB / cut.segment < ceil(500 * MIB / MAX_SEGMENT) + 1


def test_too_little_memory_is_an_error_of_usage() -> None:
    """It says how much is enough."""
    with pytest.raises(UsageError, match="268,435,456"):
        cut_for(1, 1, MIN_MEMORY - 1)
