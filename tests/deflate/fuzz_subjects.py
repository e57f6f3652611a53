"""What the fuzzer damages: gzip files of real encoders, their plain bytes, and their recipes."""

from __future__ import annotations

import gzip
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import zstandard

from airgap.deflate.models import names
from airgap.deflate.recipe import PACKED, PLAIN, RECIPE_COLUMNS, varint
from tests.deflate.streams import PLAIN_HEADER, chance, gzip_file, random_stream
from tests.deflate.trips import opened


@dataclass(frozen=True)
class Subject:
    """A good file and what came of opening it."""

    what: str
    file: bytes
    plain: bytes
    recipe: bytes

    @property
    def payload(self) -> bytes:
        """The recipe, unpacked."""
        if self.recipe[0] == PACKED:
            return zstandard.ZstdDecompressor().decompress(self.recipe[1:])
        return self.recipe[1:]


def _plains() -> Iterator[tuple[str, bytes]]:
    text = b"".join(
        path.read_bytes() for path in sorted(Path(gzip.__file__).parent.glob("[a-c]*.py"))
    )
    program = Path("/bin/sh").read_bytes()
    yield "nothing", b""
    yield "a byte", b"x"
    yield "text", text[:60_000]
    yield "more text", text[:300_000]
    yield "a program", program[:100_000]
    yield "noise", chance(1).randbytes(70_000)
    yield "zeros", bytes(500_000)
    yield "a mixture", program[:20_000] + bytes(40_000) + chance(2).randbytes(9000) + text[:90_000]


def _deflate(plain: bytes, level: int, strategy: int, memory: int, flush: int) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, memory, strategy)
    written = bytearray()
    for at in range(0, len(plain), 50_000):
        written += compressor.compress(plain[at : at + 50_000])
        written += compressor.flush(flush)
    return bytes(written + compressor.flush())


def _by_program(program: str, plain: bytes, level: int) -> bytes:
    command = (program, f"-{level}", "-c", "-n")
    return subprocess.run(command, input=plain, capture_output=True, check=True).stdout


def _member(plain: bytes, level: int, strategy: int, memory: int, flush: int) -> bytes:
    return gzip_file(_deflate(plain, level, strategy, memory, flush), plain)


def _members(plain: bytes, level: int) -> bytes:
    cuts = range(0, len(plain) or 1, 30_000)
    return b"".join(gzip.compress(plain[at : at + 30_000], level) for at in cuts) + b"\0" * 100


_ENCODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": lambda plain, level: _by_program("gzip", plain, level),
    "pigz": lambda plain, level: _by_program("pigz", plain, level),
    "zlib": lambda plain, level: _member(plain, level, zlib.Z_DEFAULT_STRATEGY, 8, zlib.Z_NO_FLUSH),
    "zlib, fixed": lambda plain, level: _member(plain, level, zlib.Z_FIXED, 8, zlib.Z_SYNC_FLUSH),
    "zlib, runs": lambda plain, level: _member(plain, level, zlib.Z_RLE, 1, zlib.Z_FULL_FLUSH),
    "members": _members,
}


def make_subjects(random: Random) -> list[Subject]:
    """Open some files, each by a model that knows its encoder or does not."""
    subjects = []
    for kind, plain in _plains():
        for encoder in random.sample(sorted(_ENCODERS), 3):
            file = _ENCODERS[encoder](plain, random.choice((1, 4, 6, 9)))
            models = None if random.random() < 0.3 else random.sample(names(), 1)
            got = opened(file, models)
            subjects.append(Subject(f"{kind} by {encoder}", file, got.plain, got.recipe))
    for seed in range(20):
        stream, plain = random_stream(seed, 5, 500)
        file = gzip_file(stream, plain, PLAIN_HEADER)
        got = opened(file, random.sample(names(), 1))
        subjects.append(Subject(f"stream {seed}", file, got.plain, got.recipe))
    return subjects


# Ways to damage bytes.


def _flip(random: Random, data: bytearray) -> None:
    for _ in range(random.choice((1, 1, 2, 10))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(random: Random, data: bytearray) -> None:
    for _ in range(random.choice((1, 1, 3))):
        data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF))


def _cut(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


def _drop(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.choice((1, 2, 10, 1000))]


def _repeat(random: Random, data: bytearray) -> None:
    at, size = random.randrange(len(data)), random.choice((1, 5, 300, 5000))
    data[at:at] = data[at : at + size] * random.choice((1, 2, 20))


def _insert(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    data[at:at] = random.choice(
        (
            b"\0" * 100,
            random.randbytes(random.randrange(1, 50)),
            varint(random.getrandbits(random.choice((8, 16, 32, 55)))),
            b"\0\0\0\xff\xff" * 50,
        )
    )


def _move(random: Random, data: bytearray) -> None:
    at, to = random.randrange(len(data)), random.randrange(len(data))
    piece = data[at : at + random.choice((1, 20, 2000))]
    data[to : to + len(piece)] = piece


MUTATIONS: Mapping[str, Callable[[Random, bytearray], None]] = {
    "bits flipped": _flip,
    "bytes set": _set,
    "cut off": _cut,
    "bytes dropped": _drop,
    "bytes repeated": _repeat,
    "bytes inserted": _insert,
    "bytes moved": _move,
}


def mutated(random: Random, data: bytes) -> tuple[str, bytes]:
    """Damage bytes in one way, and say in which."""
    kind = random.choice(sorted(MUTATIONS))
    changed = bytearray(data or b"\0")
    MUTATIONS[kind](random, changed)
    return kind, bytes(changed)


def other_recipe(random: Random, payload: bytes) -> tuple[str, bytes]:
    """Damage one column of a recipe and leave the others, or name another model in it."""
    count, *sizes, rest = _numbers(payload, 1 + RECIPE_COLUMNS)
    columns, at = [], 0
    for size in sizes:
        columns.append(rest[at : at + size])
        at += size
    place = random.choice([number for number, column in enumerate(columns) if column])
    kind = "another model"
    if place:
        kind, columns[place] = mutated(random, columns[place])
    else:
        columns[0] = "\n".join(random.sample(names(), columns[0].count(b"\n") + 1)).encode()
    head = b"".join(map(varint, (count, *map(len, columns))))
    return f"a column, {kind}" if place else kind, head + b"".join(columns)


def _numbers(payload: bytes, count: int) -> tuple[Any, ...]:
    """The first numbers of a payload, and the rest of it."""
    numbers, at = [], 0
    for _ in range(count):
        number = shift = 0
        while True:
            number |= (payload[at] & 0x7F) << shift
            shift += 7
            at += 1
            if payload[at - 1] < 0x80:
                break
        numbers.append(number)
    return (*numbers, payload[at:])


def as_recipe(payload: bytes) -> bytes:
    """A recipe of a payload."""
    return bytes([PLAIN]) + payload
