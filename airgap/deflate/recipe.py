"""A recipe: everything of a gzip file that its plain bytes and the models do not tell.

One byte says how the rest is written: PLAIN as it is, or PACKED as one zstd frame. The rest is the
number of members, the sizes of the columns, and the columns. Numbers are little-endian base-128
varints. The columns are those of ``corrections.py``, and before them:

=================  ==============================================================================
names              of the models, a line each
models             of each member, which of the names
header sizes       of each member, bytes
headers            of each member, its gzip header as it is
plain sizes        of each member, bytes
marks              of each member, the bits that end its last byte times 2, plus 1 if it has
trailers           a trailer of its own: one that does not fit its plain bytes
tail               what follows the last member
=================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import zstandard

from airgap.deflate.container import TRAILER
from airgap.deflate.corrections import COLUMNS
from airgap.deflate.faults import CannotRebuild

PLAIN = 1
PACKED = 2

MAX_PAYLOAD = 1 << 26
"""Bytes of an unpacked recipe at most."""

FREE_PAYLOAD = 1 << 18
"""Bytes up to which a recipe may unpack, however short it is."""

PAYLOAD_RATIO = 64
"""How many times its own size a longer one may unpack to."""

MAX_MODELS = 8
"""Models that one recipe names at most."""

_MEMBER_COLUMNS = 8
RECIPE_COLUMNS = _MEMBER_COLUMNS + COLUMNS
"""Columns of a recipe."""
_VARINT_BYTES = 8
_LOW = 0x7F
_LEVEL = 19


@dataclass(frozen=True, slots=True)
class Member:
    """What a recipe says of one gzip member.

    Attributes:
        header: its gzip header.
        model: the name of the model that predicts it.
        plain_size: bytes it unpacks to.
        padding: the bits that end its last byte of deflate.
        trailer: its trailer, or None where that is what its plain bytes say.
    """

    header: bytes
    model: str
    plain_size: int
    padding: int
    trailer: bytes | None


def varint(value: int) -> bytes:
    """Write a number as a recipe does."""
    written = bytearray()
    while value > _LOW:
        written.append(value & _LOW | _LOW + 1)
        value >>= 7
    written.append(value)
    return bytes(written)


class _Numbers:
    """Reads numbers, and refuses what is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def next(self) -> int:
        value = 0
        for place in range(_VARINT_BYTES):
            if self._at >= len(self._data):
                break
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & _LOW) << 7 * place
            if byte <= _LOW:
                return value
        raise CannotRebuild("a recipe lacks a number")

    def rest(self) -> bytes:
        return self._data[self._at :]

    def end(self) -> None:
        if self._at != len(self._data):
            raise CannotRebuild("a recipe has more numbers than it needs")


class RecipeWriter:
    """Gathers what a recipe says of the members, and writes it."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.tail = bytearray()
        self._count = 0
        self._models = bytearray()
        self._header_sizes = bytearray()
        self._headers = bytearray()
        self._plain_sizes = bytearray()
        self._marks = bytearray()
        self._trailers = bytearray()

    def add(self, member: Member) -> None:
        """Add the next member; there must be room for the name of its model."""
        if member.model not in self.names:
            self.names.append(member.model)
        self._count += 1
        self._models += varint(self.names.index(member.model))
        self._header_sizes += varint(len(member.header))
        self._headers += member.header
        self._plain_sizes += varint(member.plain_size)
        self._marks += varint(member.padding << 1 | (member.trailer is not None))
        self._trailers += member.trailer or b""

    def size(self) -> int:
        """How many bytes the members make before they are packed."""
        return len(self._headers) + len(self._trailers) + len(self.tail) + 4 * self._count

    def write(self, corrections: Sequence[bytes | bytearray], level: int = _LEVEL) -> bytes:
        """Write the recipe, packed by zstd at ``level`` where that makes it smaller."""
        columns = [
            "\n".join(self.names).encode(),
            self._models,
            self._header_sizes,
            self._headers,
            self._plain_sizes,
            self._marks,
            self._trailers,
            self.tail,
            *corrections,
        ]
        sizes = (varint(len(column)) for column in columns)
        payload = b"".join((varint(self._count), *sizes, *columns))
        packed = zstandard.ZstdCompressor(level=level).compress(payload)
        if len(packed) < len(payload) <= _most(len(packed) + 1):
            return bytes([PACKED]) + packed
        return bytes([PLAIN]) + payload


class RecipeReader:
    """Reads a recipe, which is hostile until the gzip file made by it has its digest.

    Attributes:
        plain_size: bytes that all members together unpack to.
        corrections: the columns of corrections.
        tail: what follows the last member.

    Raises:
        CannotRebuild: it is no recipe.
    """

    def __init__(self, recipe: bytes) -> None:
        numbers = _Numbers(_payload(recipe))
        self._count = numbers.next()
        sizes = [numbers.next() for _ in range(RECIPE_COLUMNS)]
        rest = numbers.rest()
        if sum(sizes) != len(rest):
            raise CannotRebuild("a recipe has another size than it says")
        columns = []
        at = 0
        for size in sizes:
            columns.append(rest[at : at + size])
            at += size
        self._columns = columns[: _MEMBER_COLUMNS - 1]
        self.tail = columns[_MEMBER_COLUMNS - 1]
        self.corrections = columns[_MEMBER_COLUMNS:]
        self.plain_size = sum(member.plain_size for member in self.members())

    def members(self) -> Iterator[Member]:
        """Give the members in turn."""
        names_column, *numeric = self._columns
        names = names_column.decode("ascii", "replace").split("\n")
        if len(names) > MAX_MODELS:
            raise CannotRebuild("a recipe names too many models")
        models, header_sizes, plain_sizes, marks = map(
            _Numbers, (numeric[0], numeric[1], numeric[3], numeric[4])
        )
        headers = memoryview(numeric[2])
        trailers = memoryview(numeric[5])
        for _ in range(self._count):
            model = models.next()
            size = header_sizes.next()
            mark = marks.next()
            own = mark & 1
            if model >= len(names) or size > len(headers) or own * TRAILER > len(trailers):
                raise CannotRebuild("a recipe lacks a part of a member")
            if mark >> 1 > _LOW:
                raise CannotRebuild("a recipe has more padding bits than there is room for")
            yield Member(
                header=bytes(headers[:size]),
                model=names[model],
                plain_size=plain_sizes.next(),
                padding=mark >> 1,
                trailer=bytes(trailers[:TRAILER]) if own else None,
            )
            headers = headers[size:]
            trailers = trailers[own * TRAILER :]
        for column in (models, header_sizes, plain_sizes, marks):
            column.end()
        if len(headers) or len(trailers):
            raise CannotRebuild("a recipe has more headers or trailers than members")


def _most(size: int) -> int:
    """Bytes that a recipe of ``size`` bytes may unpack to."""
    return min(FREE_PAYLOAD + PAYLOAD_RATIO * size, MAX_PAYLOAD)


def _payload(recipe: bytes) -> bytes:
    """Unpack a recipe within bounds."""
    if not recipe or recipe[0] not in {PLAIN, PACKED}:
        raise CannotRebuild("not a recipe that this version reads")
    if recipe[0] == PLAIN:
        return recipe[1:]
    packed = recipe[1:]
    try:
        frame = zstandard.get_frame_parameters(packed)
        if not 0 < frame.content_size <= _most(len(recipe)) or frame.dict_id:
            raise CannotRebuild("a recipe unpacks to more than it may")
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_PAYLOAD)
        return reader.decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CannotRebuild("a recipe does not unpack") from error
