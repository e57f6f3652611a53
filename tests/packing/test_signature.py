"""Signatures of tars: small, and true about what two tars have in common."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ContentMismatch
from airgap.packing.signature import MAX_FILES, Signature, tar_signature
from tests.packing.tars import tar_of

BLOCK = 512


def _files(numbers: range, size: int = 10_000) -> list[tuple[str, int]]:
    return [(f"usr/share/doc/{n}", size * (1 + n % 7)) for n in numbers]


def _bytes(files: list[tuple[str, int]]) -> int:
    return sum(size + BLOCK for _, size in files)


def test_a_small_tar_is_known_exactly() -> None:
    """Every file is kept, so every estimate is a sum."""
    one, other = Signature.of(_files(range(500))), Signature.of(_files(range(300, 900)))
    assert one.threshold == math.inf
    assert one.shared_bytes(other) == _bytes(_files(range(300, 500)))
    assert other.shared_bytes(one) == one.shared_bytes(other)


@pytest.mark.parametrize("shared", [0, 2000, 10_000, 20_000])
def test_a_large_tar_is_known_well_enough(shared: int) -> None:
    """A sample of a thousand in twenty thousand is right within a tenth of the whole."""
    ours = _files(range(20_000))
    one, other = Signature.of(ours), Signature.of(_files(range(20_000 - shared, 40_000 - shared)))
    assert len(one.files) == MAX_FILES
    assert one.total == _bytes(ours)
    true = _bytes(_files(range(20_000 - shared, 20_000)))
    assert abs(one.shared_bytes(other) - true) < 0.1 * one.total
    assert one.shared_bytes(one) == pytest.approx(one.total, rel=0.1)


def test_a_large_file_is_not_overlooked() -> None:
    """One file of most of the bytes decides, however many small ones are beside it."""
    large = [("opt/model.bin", 10**9)]
    one = Signature.of([*_files(range(5000), 10), *large])
    other = Signature.of([*_files(range(6000, 11_000), 10), *large])
    assert one.shared_bytes(other) == pytest.approx(10**9, rel=0.01)


def test_a_file_that_changed_its_size_counts_for_half() -> None:
    """An update of it is still its likeliest base."""
    one, other = Signature.of([("bin/tool", 9488)]), Signature.of([("bin/tool", 99_488)])
    assert one.shared_bytes(other) == 5000


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(0, 1 << 30)), max_size=60))
def test_a_signature_is_read_as_it_was_written(files: list[tuple[str, int]]) -> None:
    """And does not depend on the order of the files, where each is there once."""
    unique = list(dict(files).items())
    signature = Signature.of(unique)
    assert Signature.from_bytes(signature.to_bytes()) == signature
    assert Signature.of(reversed(unique)) == signature


@given(st.binary(max_size=100))
def test_what_is_no_signature_is_told_so(raw: bytes) -> None:
    """Or read as one, where it happens to have its form."""
    try:
        assert Signature.from_bytes(raw).to_bytes() == raw
    except ContentMismatch:
        return


@given(st.data())
def test_a_damaged_signature_gives_numbers_or_an_error(data: st.DataObject) -> None:
    """Whatever it says, nothing divides by zero."""
    signature = Signature.of(_files(range(3)))
    raw = bytearray(signature.to_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = Signature.from_bytes(bytes(raw))
    except ContentMismatch:
        return
    assert read.shared_bytes(signature) >= 0


def test_a_tar_is_read_by_its_headers(tmp_path: Path) -> None:
    """Folders and links count for nothing; leading dots and slashes make no other path."""
    files = {"./etc/motd": b"hello", "/bin/tool": bytes(5000), "opt/x" * 40: b"a long name"}
    (tmp_path / "plain").write_bytes(tar_of(files))
    stripped = [("etc/motd", 5), ("bin/tool", 5000), ("opt/x" * 40, 11)]
    assert tar_signature(tmp_path / "plain") == Signature.of(stripped)


@pytest.mark.parametrize("content", [b"", b"no tar", bytes(10_240), b"\xff" * 5000])
def test_what_is_no_tar_has_no_signature(tmp_path: Path, content: bytes) -> None:
    """Artifacts are layers too, and may be anything."""
    (tmp_path / "plain").write_bytes(content)
    assert tar_signature(tmp_path / "plain") is None


def test_a_damaged_tar_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """Half of it is a good base for half of it."""
    raw = tar_of({f"file{n}": bytes(1000) for n in range(10)})
    (tmp_path / "plain").write_bytes(raw[: 5 * 1536] + b"\xff" * 5000)
    read = [(f"file{n}", 1000) for n in range(5)]
    assert tar_signature(tmp_path / "plain") == Signature.of(read)
