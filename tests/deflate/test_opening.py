"""Gzip files into plain bytes and recipes: the container, members, chunks, and what is refused."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.deflate.faults import CannotOpen
from airgap.deflate.models import candidates, names
from airgap.deflate.opening import Opener
from tests.deflate.streams import PLAIN_HEADER, chance, gzip_file, random_stream
from tests.deflate.trips import ANY_SIZE, opened, pieces, rebuilt, there_and_back

TEXT = b"".join(path.read_bytes() for path in sorted(Path(gzip.__file__).parent.glob("[a-d]*.py")))
"""Sources of Python's own library, of about a megabyte."""


def _deflate(plain: bytes, level: int = 6) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(plain) + compressor.flush()


def _bgzip(plain: bytes) -> bytes:
    """A file as bgzip makes it (SAM specification, section 4.1): members of 65,280 bytes."""
    file = bytearray()
    for part in [*pieces(plain, 65_280), b""]:
        stream = _deflate(part)
        size = (len(stream) + 25).to_bytes(2, "little")
        header = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + size
        file += gzip_file(stream, part, header)
    return bytes(file)


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"\x04\0\0\0\0\0\xff\x06\0BC\x02\0\x1b\0",
        b"\x08\0\0\0\0\x02\x03name.tar\0",
        b"\x10\0\0\0\0\x04\x03a comment of\xff any byte\0",
        b"\x02\0\0\0\0\0\x03\xab\xcd",
        b"\x1f\x11\x22\x33\x44\0\x03\x03\0xyzname\0comment\0\xab\xcd",
    ],
)
def test_every_kind_of_header_comes_back(fields: bytes) -> None:
    """Time, system, extra fields, name, comment and checksum of the header are kept."""
    header = b"\x1f\x8b\x08" + fields if fields else PLAIN_HEADER
    got = there_and_back(gzip_file(_deflate(TEXT), TEXT, header))
    assert got.plain == TEXT


def test_members_and_what_follows_them_come_back() -> None:
    """Files put together, padded by zeros or followed by anything, open as one."""
    files = (gzip.compress(TEXT, 9), gzip.compress(b""), gzip.compress(b"x"))
    for tail in (b"", b"\0" * 512, b"garbage", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08\xff more"):
        got = there_and_back(b"".join(files) + tail)
        assert got.plain == TEXT + b"x"


def test_a_checksum_or_size_that_is_wrong_comes_back() -> None:
    """What a trailer says is kept, also where it is not true."""
    stream = _deflate(TEXT)
    for trailer in (b"\0" * 8, gzip_file(b"", TEXT, b"")[:4] + b"\xff" * 4):
        assert there_and_back(gzip_file(stream, TEXT, trailer=trailer)).plain == TEXT


def test_many_small_members_make_a_small_recipe() -> None:
    """A file of bgzip's has a member for each 64 KiB; all of them cost less than 0.3%."""
    plain = TEXT * 6
    file = _bgzip(plain)
    got = there_and_back(file)
    assert got.plain == plain
    assert got.models == ("zlib:6",)
    assert len(got.recipe) < 0.003 * len(file)


def test_a_member_by_another_encoder_gets_another_model() -> None:
    """Where the model of the members before errs, the others are tried."""
    first, second = _deflate(TEXT), _deflate(TEXT[::-1], 1)
    got = there_and_back(gzip_file(first, TEXT) + gzip_file(second, TEXT[::-1]))
    assert got.models == ("zlib:6", "zlib:1")
    assert len(got.recipe) < 150


def test_how_a_file_is_fed_does_not_matter() -> None:
    """The recipe and the plain bytes are the same for pieces of any size."""
    random = chance(7)
    plain = TEXT + random.randbytes(300_000) + TEXT[::-1]
    for file in (gzip.compress(plain, 6, mtime=0), _bgzip(plain), gzip.compress(plain, 4)):
        whole = opened(file, piece=len(file))
        for size in (997, 4096, 65_537):
            assert opened(file, piece=size) == whole
            assert rebuilt(plain, whole.recipe, size) == file
    small = gzip.compress(TEXT[:3000])
    assert opened(small, piece=1) == opened(small)
    assert rebuilt(TEXT[:3000], opened(small).recipe, 1) == small


def test_nothing_but_gzip_is_opened() -> None:
    """An empty file, a tar, zstd and a reserved flag are refused at once."""
    for file in (
        b"",
        b"\x1f",
        b"ustar" * 100,
        b"\x28\xb5\x2f\xfd123",
        b"\x1f\x8b\x08\x80" + b"\0" * 99,
    ):
        with pytest.raises(CannotOpen, match="not gzip"):
            opened(file)


def test_a_header_without_end_is_refused() -> None:
    """A name may have any length by the format; here it has a bound."""
    with pytest.raises(CannotOpen, match="header"):
        opened(b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * (1 << 20))


def test_a_recipe_that_is_not_worth_it_is_refused() -> None:
    """What a caller will not pay for, it does not get; and it hears so before the end."""
    stream, plain = random_stream(5, 40, 1000)
    file = gzip_file(stream, plain)
    recipe = opened(file).recipe
    opener = Opener(max_recipe=len(recipe))
    assert b"".join(opener.pieces(file)) == plain
    assert opener.finish() == recipe
    opener = Opener(max_recipe=len(recipe) - 1)
    assert opener.feed(file) == plain
    with pytest.raises(CannotOpen, match="worth"):
        opener.finish()
    with pytest.raises(CannotOpen, match="worth"):
        Opener(max_recipe=1000).feed(file)


def test_blocks_without_number_are_refused() -> None:
    """Where more blocks than the coder holds come in a few bytes, the file is carried as it is."""
    empty_blocks = b"\0\0\0\xff\xff" * (1 << 18)
    with pytest.raises(CannotOpen, match="too many blocks"):
        opened(gzip_file(empty_blocks + _deflate(TEXT), TEXT), ["none"])


def test_the_header_says_what_is_tried_first() -> None:
    """Go names no system and gzip names Unix; level 1 and 9 have flags of their own."""
    go, unix = b"\x1f\x8b\x08\0\0\0\0\0", b"\x1f\x8b\x08\x08\1\2\3\4"
    assert candidates(go + b"\0\xff")[0] == "go:6"
    assert candidates(unix + b"\0\x03")[0].endswith(":6")
    assert candidates(unix + b"\2\x03")[0].endswith(":9")
    assert candidates(unix + b"\4\x03")[0].endswith(":1")


@settings(max_examples=250, deadline=None)
@given(
    model=st.sampled_from(names()),
    seed=st.integers(0, 2**32),
    blocks=st.integers(1, 6),
    size=st.sampled_from((3, 100, 2000)),
    piece=st.sampled_from((1, 13, 500, 1 << 20)),
)
def test_any_stream_comes_back_with_any_model(
    model: str, seed: int, blocks: int, size: int, piece: int
) -> None:
    """Streams that no encoder writes are opened and rebuilt bit for bit, whatever predicts them."""
    stream, plain = random_stream(seed, blocks, size)
    assert there_and_back(gzip_file(stream, plain), [model], piece).plain == plain


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=2000), begins=st.booleans())
def test_random_bytes_are_refused_or_come_back(data: bytes, *, begins: bool) -> None:
    """Bytes that nobody made to be gzip never do anything else."""
    file = PLAIN_HEADER + data if begins else data
    opener = Opener(max_recipe=ANY_SIZE, models=["none"])
    try:
        plain = opener.feed(file)
        recipe = opener.finish()
    except CannotOpen:
        return
    assert rebuilt(plain, recipe) == file
