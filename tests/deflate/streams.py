"""Deflate streams made by hand or at random, bit by bit, and the gzip files around them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from random import Random

from airgap.deflate.format import (
    CODE_LENGTH_CODES,
    DYNAMIC,
    END_OF_BLOCK,
    FIXED,
    MAX_DISTANCES,
    MAX_LITERALS,
    STORED,
)
from airgap.deflate.header import Header
from airgap.deflate.meanings import DISTANCE_RANGES, NEAR, distance_symbols, length_symbols
from airgap.deflate.signals import SOUND
from airgap.deflate.writing import BlockWriter

PLAIN_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
ALIAS = 259
"""As a length: 258 bytes, written as 227 and 31 more."""

_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_LENGTH_SYMBOLS = length_symbols()
_DISTANCE_SYMBOLS = distance_symbols()


def chance(seed: int) -> Random:
    """The same chances for the same seed."""
    return Random(seed)  # noqa: S311 - repeatable, not secret


def match(length: int, distance: int) -> int:
    """A token, as a writer of blocks takes it; a literal is its byte."""
    return length << 16 | distance


def symbols_of(tokens: Sequence[int]) -> tuple[set[int], set[int]]:
    """The literal/length and the distance symbols that tokens and the end of a block need."""
    literals, distances = {END_OF_BLOCK}, set()
    for token in tokens:
        if token < END_OF_BLOCK:
            literals.add(token)
        else:
            far = (token & 0xFFFF) - 1
            literals.add(_LENGTH_SYMBOLS[token >> 16] + 257)
            distances.add(_DISTANCE_SYMBOLS[far if far < NEAR else NEAR + (far >> 7)])
    return literals, distances


def random_code(random: Random, symbols: Sequence[int], deepest: int) -> dict[int, int]:
    """Lengths of a complete code of two symbols or more, none longer than ``deepest`` bits."""
    lengths = [1, 1]
    while len(lengths) < len(symbols):
        place = random.choice([at for at, size in enumerate(lengths) if size < deepest])
        lengths[place] += 1
        lengths.append(lengths[place])
    random.shuffle(lengths)
    return dict(zip(symbols, lengths, strict=True))


def _with_others(random: Random, symbols: set[int], least: int, limit: int) -> list[int]:
    """Some symbols, and a few more that nothing needs."""
    wanted = max(least, len(symbols) + random.choice((0, 0, 1, 5)))
    others = [symbol for symbol in range(limit) if symbol not in symbols]
    extra = min(max(wanted - len(symbols), 0), len(others))
    return sorted(symbols | set(random.sample(others, extra)))


def random_head(random: Random, tokens: Sequence[int]) -> Header:
    """A dynamic head that has codes for ``tokens``, made as no encoder would."""
    literals, distances = symbols_of(tokens)
    if literals == {END_OF_BLOCK} and random.random() < 0.3:
        literal_lengths = {END_OF_BLOCK: 1}
    else:
        chosen = _with_others(random, literals, 2, MAX_LITERALS)
        literal_lengths = random_code(random, chosen, 15)
    if len(distances) < 2 and random.random() < 0.7:
        distance_lengths = dict.fromkeys(distances, 1)
    else:
        chosen = _with_others(random, distances, 2, MAX_DISTANCES)
        distance_lengths = random_code(random, chosen, 15)
    used = max(literal_lengths) + 1
    literal_count = random.randint(max(used, 257), MAX_LITERALS)
    used = max(distance_lengths, default=0) + 1
    distance_count = random.randint(used, MAX_DISTANCES)
    lengths = [literal_lengths.get(symbol, 0) for symbol in range(literal_count)]
    lengths += [distance_lengths.get(symbol, 0) for symbol in range(distance_count)]
    return head_of(lengths, literal_count, random)


def head_of(lengths: Sequence[int], literals: int, random: Random) -> Header:
    """A dynamic head that describes these code lengths by runs chosen at random."""
    header = Header()
    header.kind = DYNAMIC
    header.literals = literals
    header.distances = len(lengths) - literals
    runs = _random_runs(random, lengths)
    needed = {symbol for symbol, _ in runs}
    chosen = _with_others(random, needed, 2, CODE_LENGTH_CODES)
    code = random_code(random, chosen, 7)
    for symbol in range(CODE_LENGTH_CODES):
        header.code_lengths[symbol] = code.get(symbol, 0)
    least = max(place + 1 for place, symbol in enumerate(_ORDER) if symbol in code)
    header.codes = random.randint(max(least, 4), CODE_LENGTH_CODES)
    header.runs = len(runs)
    for place, (symbol, extra) in enumerate(runs):
        header.run_symbols[place] = symbol
        header.run_extras[place] = extra
    return header


def _random_runs(random: Random, lengths: Sequence[int]) -> list[tuple[int, int]]:
    runs = []
    at = 0
    while at < len(lengths):
        alike = 1
        while at + alike < len(lengths) and lengths[at + alike] == lengths[at]:
            alike += 1
        repeat = at > 0 and lengths[at - 1] == lengths[at]
        if alike >= 3 and repeat and random.random() < 0.6:
            span = random.randint(3, min(alike, 6))
            runs.append((16, span - 3))
        elif alike >= 11 and not lengths[at] and random.random() < 0.8:
            span = random.randint(11, min(alike, 138))
            runs.append((18, span - 11))
        elif alike >= 3 and not lengths[at] and random.random() < 0.8:
            span = random.randint(3, min(alike, 10))
            runs.append((17, span - 3))
        else:
            span = 1
            runs.append((lengths[at], 0))
        at += span
    return runs


class Stream:
    """A deflate stream that is being written, and the plain bytes that it stands for."""

    def __init__(self) -> None:
        self.writer = BlockWriter()
        self.plain = bytearray()

    def stored(self, data: bytes, *, final: bool = False, padding: int = 0) -> None:
        """Add a stored block."""
        header = Header()
        header.final = int(final)
        header.padding = padding
        assert self.writer.block(header, (), data) == SOUND
        self.plain += data

    def coded(self, tokens: Sequence[int], *, head: Header | None = None, final: bool) -> None:
        """Add a block of tokens, with the fixed codes if no head is given."""
        header = head or Header()
        if head is None:
            header.kind = FIXED
        header.final = int(final)
        assert self.writer.block(header, tokens, b"") == SOUND
        for token in tokens:
            if token < END_OF_BLOCK:
                self.plain.append(token)
                continue
            for _ in range(min(token >> 16, 258)):
                self.plain.append(self.plain[-(token & 0xFFFF)])

    def end(self, padding: int = 0) -> bytes:
        """End the stream and give its bytes, which zlib must read as we do."""
        stream = self.writer.end(padding)
        assert zlib.decompress(stream, -15) == self.plain
        return stream


def random_tokens(random: Random, count: int, known: int) -> list[int]:
    """Tokens that may follow ``known`` plain bytes; some in a row share what they need."""
    tokens = []
    letters = random.sample(range(256), random.choice((1, 4, 60, 256)))
    far = random.choice((1, 4, 300, 32768))
    for _ in range(count):
        if known == 0 or random.random() < 0.5:
            tokens.append(random.choice(letters))
            known += 1
        else:
            length = random.choice((3, 4, 10, 257, 258, ALIAS, random.randint(3, 258)))
            base, extra = random.choice(DISTANCE_RANGES)
            distance = min(base + random.randrange(1 << extra), known, far)
            tokens.append(match(length, distance))
            known += min(length, 258)
    return tokens


def random_stream(seed: int, blocks: int, size: int) -> tuple[bytes, bytes]:
    """A valid stream as no encoder writes one, and its plain bytes."""
    random = chance(seed)
    stream = Stream()
    for number in range(blocks):
        final = number == blocks - 1
        kind = random.choice((STORED, FIXED, DYNAMIC, DYNAMIC))
        count = random.choice((0, 1, random.randint(0, size)))
        if kind == STORED:
            # Behind a coded block it is not known yet where in its byte the head begins.
            spare = 0 if stream.writer.open else (5 - stream.writer.bits.count) & 7
            padding = random.choice((0, (1 << spare) - 1))
            stream.stored(random.randbytes(count), final=final, padding=padding)
            continue
        tokens = random_tokens(random, count, len(stream.plain))
        head = random_head(random, tokens) if kind == DYNAMIC else None
        stream.coded(tokens, head=head, final=final)
    return stream.end(random.choice((0, 0x7F))), bytes(stream.plain)


def gzip_file(
    stream: bytes, plain: bytes, header: bytes = PLAIN_HEADER, trailer: bytes | None = None
) -> bytes:
    """A gzip member around a stream."""
    if trailer is None:
        sums = (zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
        trailer = b"".join(number.to_bytes(4, "little") for number in sums)
    return header + stream + trailer
