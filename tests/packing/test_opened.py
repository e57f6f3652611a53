"""Blobs opened and rebuilt: which can be, what is kept of them, and what they are afterwards."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.errors import ContentMismatch, NotFound
from airgap.packing.coder import DEFLATE
from airgap.packing.opened import (
    Coder,
    Form,
    Opened,
    open_blob,
    plain_pieces,
    rebuild_blob,
)
from airgap.packing.scratch import file_pieces
from tests.packing.tars import noise, tar_of

CONTENT = tar_of({"etc/motd": b"hello\n" * 3000, "bin/tool": noise(20_000)})


def _open(folder: Path, blob: bytes, *, coder: Coder = DEFLATE, share: float = 0.25) -> Opened:
    (folder / "blob").write_bytes(blob)
    return open_blob(folder / "blob", folder / "plain", coder=coder, max_recipe_share=share)


def _rebuilt(folder: Path, opened: Opened) -> bytes:
    assert opened.recipe is not None
    pieces = rebuild_blob(file_pieces(folder / "plain"), opened.recipe, coder=DEFLATE)
    return b"".join(pieces)


def _read_again(folder: Path, opened: Opened) -> bytes:
    return b"".join(plain_pieces(folder / "blob", opened.form, opened.plain_size))


@pytest.mark.parametrize(
    "blob, plain",
    [
        (gzip.compress(CONTENT, 6), CONTENT),
        (gzip.compress(b""), b""),
        (gzip.compress(CONTENT) + gzip.compress(CONTENT[:5000], 9), CONTENT + CONTENT[:5000]),
        (gzip.compress(CONTENT) + bytes(512), CONTENT),
        (gzip.compress(CONTENT) + b"\x1f\x8b", CONTENT),
        (gzip.compress(CONTENT)[:-8] + bytes(8), CONTENT),
        (b"\x1f\x8b\x08\x18" + bytes(6) + b"n" * 700 + b"\0c\0" + gzip.compress(b"x")[10:], b"x"),
    ],
    ids=[
        "one member",
        "nothing in it",
        "two members",
        "zeros behind it",
        "half a magic behind it",
        "a trailer that is wrong",
        "a name and a comment",
    ],
)
def test_gzip_is_opened_and_rebuilt(tmp_path: Path, blob: bytes, plain: bytes) -> None:
    """Bit for bit, and zlib alone gives the same plain bytes."""
    opened = _open(tmp_path, blob)
    assert (opened.form, opened.reason) == (Form.GZIP, "")
    assert opened.plain_digest == f"sha256:{sha256(plain).hexdigest()}"
    assert opened.plain_size == len(plain)
    assert (tmp_path / "plain").read_bytes() == plain
    assert _rebuilt(tmp_path, opened) == blob
    assert _read_again(tmp_path, opened) == plain


@pytest.mark.parametrize("blob", [CONTENT, b"", b"\x1f", b'{"a": 1}'])
def test_what_is_not_compressed_is_its_own_plain_bytes(tmp_path: Path, blob: bytes) -> None:
    """No second file is made of it."""
    opened = _open(tmp_path, blob)
    assert opened.form is Form.PLAIN
    assert opened.recipe is None
    assert opened.plain_digest == f"sha256:{sha256(blob).hexdigest()}"
    assert _read_again(tmp_path, opened) == blob
    assert not (tmp_path / "plain").exists()


@pytest.mark.parametrize(
    "blob, reason",
    [
        (zstandard.compress(CONTENT), "zstd"),
        (gzip.compress(CONTENT)[:-9], "truncated"),
        (gzip.compress(CONTENT)[:100] + b"\xff" * 200, ""),
        (b"\x1f\x8b", "not gzip"),
        (gzip.compress(bytes(72 << 20)), "without measure"),
    ],
    ids=["zstd", "truncated", "damaged", "magic only", "a bomb"],
)
def test_what_cannot_be_opened_travels_whole(tmp_path: Path, blob: bytes, reason: str) -> None:
    """The report can say why, and nothing half-opened takes space."""
    opened = _open(tmp_path, blob)
    assert opened.form is Form.WHOLE
    assert opened.reason
    assert reason in opened.reason
    assert (opened.plain_digest, opened.recipe) == (None, None)
    plain = tmp_path / "plain"
    assert not plain.exists() or not plain.stat().st_size
    with pytest.raises(ValueError, match="no plain bytes"):
        next(plain_pieces(tmp_path / "blob", opened.form, 0))


def test_a_recipe_that_is_not_worth_it_is_given_up(tmp_path: Path) -> None:
    """Corrections of an encoder that nobody knows may weigh more than opening gains."""
    words = [noise(2 + n % 5, seed=n).hex().encode() for n in range(64)]
    order = noise(200_000)
    stream = b""
    for start in range(0, len(order), 100):
        strategy = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE)[order[start] % 3]
        packer = zlib.compressobj(1 + order[start] % 9, zlib.DEFLATED, -15, 8, strategy)
        stream += packer.compress(b" ".join(words[b % 64] for b in order[start : start + 100]))
        stream += packer.flush(zlib.Z_FULL_FLUSH)
    blob = gzip.compress(b"")[:10] + stream + b"\3\0" + bytes(8)
    assert _open(tmp_path, blob, share=4).form is Form.GZIP
    assert _open(tmp_path, blob, share=0.0001).form is Form.WHOLE


class _Enough(Exception):
    """Somebody does not want to go on."""


class _Forgetful:
    """A rebuilding that leaves out the last bytes, as a coder with a mistake might."""

    def __init__(self, recipe: bytes) -> None:
        self._inner = DEFLATE.rebuilder(recipe)

    def pieces(self, piece: bytes, /) -> Iterator[bytes]:
        return self._inner.pieces(piece)

    def last_pieces(self) -> Iterator[bytes]:
        for piece in self._inner.last_pieces():
            yield piece[:-1]


def test_a_coder_that_errs_is_found_out(tmp_path: Path) -> None:
    """A recipe is tried before anyone relies on it."""
    opened = _open(
        tmp_path,
        gzip.compress(CONTENT) + b"tail",
        coder=replace(DEFLATE, rebuilder=_Forgetful),
    )
    assert opened.form is Form.WHOLE
    assert "not the same" in opened.reason


def test_opening_can_be_followed_and_broken_off(tmp_path: Path) -> None:
    """Whoever is told of bytes is told of all of the blob's, and may raise."""
    (tmp_path / "blob").write_bytes(blob := gzip.compress(noise(3 << 20), 1))
    told: list[int] = []
    open_blob(tmp_path / "blob", tmp_path / "plain", coder=DEFLATE, on_bytes=told.append)
    assert sum(told) == len(blob)

    def stop(_: int) -> None:
        raise _Enough

    with pytest.raises(_Enough):
        open_blob(tmp_path / "blob", tmp_path / "plain", coder=DEFLATE, on_bytes=stop)


def test_a_missing_blob_is_named(tmp_path: Path) -> None:
    """With the path that was asked for."""
    with pytest.raises(NotFound, match="no-such"):
        open_blob(tmp_path / "no-such", tmp_path / "plain", coder=DEFLATE)


@pytest.mark.parametrize(
    "blob",
    [gzip.compress(CONTENT)[:-30], gzip.compress(CONTENT)[:50] + b"\xff" * 300, CONTENT[:-1]],
    ids=["truncated", "damaged", "another file"],
)
def test_a_blob_that_changed_since_it_was_opened_is_noticed(tmp_path: Path, blob: bytes) -> None:
    """A base in a damaged store makes no delta that nobody can apply."""
    (tmp_path / "blob").write_bytes(blob)
    form = Form.GZIP if blob.startswith(b"\x1f\x8b") else Form.PLAIN
    with pytest.raises(ContentMismatch):
        for _ in plain_pieces(tmp_path / "blob", form, len(CONTENT)):
            pass


@settings(max_examples=40)
@given(
    members=st.lists(
        st.tuples(st.binary(max_size=3000), st.integers(0, 9)), min_size=1, max_size=4
    ),
    tail=st.sampled_from([b"", bytes(100), b"\x1f", b"\x1f\x8b\x08\xff", b"rest"]),
    damage=st.one_of(st.none(), st.tuples(st.integers(0, 10_000), st.integers(1, 255))),
)
def test_whatever_is_opened_is_rebuilt(
    members: list[tuple[bytes, int]], tail: bytes, damage: tuple[int, int] | None
) -> None:
    """Members, tails and damage: what has a recipe comes back, and zlib reads the same in it."""
    raw = bytearray(b"".join(gzip.compress(plain, level) for plain, level in members) + tail)
    if damage is not None:
        raw[damage[0] % len(raw)] ^= damage[1]
    with TemporaryDirectory() as name:
        folder = Path(name)
        opened = _open(folder, bytes(raw), share=4)
        if opened.form is Form.GZIP:
            assert _rebuilt(folder, opened) == raw
        if opened.form is not Form.WHOLE:
            read = _read_again(folder, opened)
            assert opened.plain_digest == f"sha256:{sha256(read).hexdigest()}"
        elif damage is None:
            pytest.fail(opened.reason)
