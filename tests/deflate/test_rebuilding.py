"""Gzip files from plain bytes and recipes, of which none is to be trusted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.deflate.corrections import COLUMNS
from airgap.deflate.faults import CannotRebuild
from airgap.deflate.models import names
from airgap.deflate.rebuilding import Rebuilder
from airgap.deflate.recipe import (
    FREE_PAYLOAD,
    MAX_MODELS,
    PACKED,
    PLAIN,
    Member,
    RecipeReader,
    RecipeWriter,
    varint,
)
from tests.deflate.streams import PLAIN_HEADER, gzip_file, random_stream
from tests.deflate.trips import opened, rebuilt

TEXT = Path(gzip.__file__).read_bytes()
NO_CORRECTIONS = (b"",) * COLUMNS


def _recipe(*members: Member, corrections: tuple[bytes, ...] = NO_CORRECTIONS) -> bytes:
    writer = RecipeWriter()
    for member in members:
        writer.add(member)
    return writer.write(corrections)


def _member(size: int, model: str = "none") -> Member:
    return Member(header=PLAIN_HEADER, model=model, plain_size=size, padding=0, trailer=None)


def _payload(recipe: bytes) -> bytearray:
    """The part of a recipe that can be changed to something that still unpacks."""
    if recipe[0] == PACKED:
        return bytearray(zstandard.ZstdDecompressor().decompress(recipe[1:]))
    return bytearray(recipe[1:])


def _harmless(recipe: bytes, plain: bytes) -> None:
    """Whatever a recipe says, it makes an error or bytes, not many more than it has any use for."""
    try:
        made = rebuilt(plain, recipe)
    except CannotRebuild:
        return
    assert len(made) < 1 << 22


def test_a_recipe_reads_as_it_was_written() -> None:
    """Members, their trailers and padding, the tail and the corrections are all there again."""
    members = [
        Member(PLAIN_HEADER, "go:6", 5, 0, None),
        Member(b"\x1f\x8b any header at all", "zlib:6", 1 << 40, 0x7F, b"trailer!"),
        Member(b"", "go:6", 0, 1, None),
    ]
    writer = RecipeWriter()
    for member in members:
        writer.add(member)
    writer.tail += b"\0" * 10_000
    columns = [bytes([number]) * number for number in range(COLUMNS)]
    reader = RecipeReader(writer.write(columns))
    assert list(reader.members()) == members
    assert reader.plain_size == (1 << 40) + 5
    assert reader.tail == b"\0" * 10_000
    assert reader.corrections == columns


def test_a_recipe_without_corrections_is_short() -> None:
    """About a hundred bytes, however long the file."""
    assert len(_recipe(_member(1 << 40, "go:6"))) < 100


def test_too_few_and_too_many_plain_bytes_are_refused() -> None:
    """A recipe is for one size of plain bytes."""
    recipe = opened(gzip.compress(TEXT)).recipe
    for plain in (TEXT[:-1], b""):
        with pytest.raises(CannotRebuild, match="fewer"):
            rebuilt(plain, recipe)
    with pytest.raises(CannotRebuild, match="more plain"):
        rebuilt(TEXT + b"x", recipe)


def test_a_recipe_of_other_plain_bytes_makes_other_bytes_or_none() -> None:
    """The digest of the file tells, not the coder."""
    file = gzip.compress(TEXT)
    recipe = opened(file).recipe
    assert rebuilt(TEXT.replace(b"e", b"f"), recipe) != file


def test_a_model_that_is_not_known_is_refused() -> None:
    """A recipe of a later version says what it lacks here."""
    with pytest.raises(CannotRebuild, match="model"):
        rebuilt(b"x", _recipe(_member(1, "later:1")))


def test_more_models_than_any_file_has_are_refused() -> None:
    """Each one takes memory."""
    chosen = names()[: MAX_MODELS + 1]
    with pytest.raises(CannotRebuild, match="too many models"):
        Rebuilder(_recipe(*(_member(1, name) for name in chosen)))


def test_a_recipe_that_unpacks_without_bounds_is_refused() -> None:
    """A few bytes that unpack to many, or that do not say to how many, are no recipe."""
    bomb = bytes(64 * FREE_PAYLOAD)
    compressor = zstandard.ZstdCompressor()
    for packed in (
        compressor.compress(bomb),
        zstandard.ZstdCompressor(write_content_size=False).compress(bomb[:1000]),
        compressor.compress(bomb)[:-3],
        compressor.compress(b"a") + b"more",
        b"no frame",
        b"",
    ):
        with pytest.raises(CannotRebuild):
            Rebuilder(bytes([PACKED]) + packed)


def test_what_is_no_recipe_is_refused() -> None:
    """Another version's, a size that is not there, and numbers without end."""
    for recipe in (
        b"",
        b"\0",
        b"\3" + b"\0" * 100,
        bytes([PLAIN]),
        bytes([PLAIN]) + b"\0" * 10,
        bytes([PLAIN]) + b"\xff" * 100,
        bytes([PLAIN]) + varint(1) + b"\0" * 15,
        bytes([PLAIN]) + varint(1 << 50) + b"\0" * 15,
        bytes([PLAIN]) + b"\0" + b"\1" * 15,
    ):
        with pytest.raises(CannotRebuild):
            rebuilt(b"", recipe)


def test_blocks_without_end_are_refused() -> None:
    """A model that never comes to a last block does not write for ever."""
    with pytest.raises(CannotRebuild, match="without end"):
        rebuilt(b"", _recipe(_member(0)))


@pytest.mark.parametrize(
    "columns,words",
    [
        ({0: varint(0), 1: varint(0)}, "without end"),
        ({0: varint(2), 1: varint(300)}, "corrections that"),
        ({0: varint(2), 1: varint(4), 2: varint(40_000)}, "corrections that"),
        ({0: varint(0), 1: varint(4), 2: varint(1)}, "beyond the start"),
        ({0: varint(8), 1: varint(200), 2: varint(1)}, "beyond the last plain"),
        ({3: varint(0), 4: varint(0)}, "corrections that"),
        ({3: varint(0), 4: varint(99)}, "corrections that"),
        ({3: varint(0), 4: varint(1), 5: varint(1 << 30)}, "corrections that"),
        ({3: varint(0), 4: varint(1), 5: varint(11)}, "corrections that"),
        ({3: varint(0), 4: varint(4)}, "continuation"),
        ({3: varint(0), 4: varint(2)}, "corrections that"),
        ({3: varint(0), 4: varint(2), 6: b"\xff"}, "corrections that"),
        ({3: varint(0), 4: varint(3), 5: varint(1), 6: b"\1\0"}, "before the last"),
        ({3: varint(0), 4: varint(8), 5: varint(9)}, "more corrections"),
    ],
)
def test_impossible_corrections_are_refused(columns: dict[int, bytes], words: str) -> None:
    """A correction that no stream can have made is an error, in words."""
    corrections = tuple(columns.get(number, b"") for number in range(COLUMNS))
    with pytest.raises(CannotRebuild, match=words):
        rebuilt(b"0123456789", _recipe(_member(10), corrections=corrections))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300), plain=st.binary(max_size=100))
def test_random_recipes_are_harmless(data: bytes, plain: bytes) -> None:
    """Bytes that nobody made to be a recipe are refused, or make some bytes."""
    _harmless(bytes([PLAIN]) + data, plain)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 200),
    model=st.sampled_from(names()),
    changes=st.lists(
        st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8
    ),
)
def test_changed_recipes_are_harmless(
    seed: int, model: str, changes: list[tuple[int, int]]
) -> None:
    """A recipe that was changed makes an error or other bytes."""
    stream, plain = random_stream(seed, 4, 300)
    payload = _payload(opened(gzip_file(stream, plain), [model]).recipe)
    for place, byte in changes:
        payload[place % len(payload)] = byte
    _harmless(bytes([PLAIN]) + bytes(payload), plain)
