"""Streams by hand: what RFC 1951 allows is opened and rebuilt, what it does not is refused."""

from __future__ import annotations

import zlib

import pytest

from airgap.deflate.faults import CannotOpen
from airgap.deflate.format import END_OF_BLOCK
from tests.deflate.streams import ALIAS, Stream, chance, gzip_file, head_of, match
from tests.deflate.trips import opened, there_and_back

LETTERS = list(b"abcdefgh")


def _bits(*fields: tuple[int, int]) -> bytes:
    """Pack fields of (value, size) as deflate does."""
    value = size = 0
    for field, width in fields:
        value |= field << size
        size += width
    return value.to_bytes((size + 7) // 8 + 8, "little")


def _comes_back(stream: Stream, padding: int = 0) -> None:
    plain = bytes(stream.plain)
    got = there_and_back(gzip_file(stream.end(padding), plain), ["none"])
    assert got.plain == plain


def _lengths(literals: dict[int, int], distances: dict[int, int]) -> tuple[list[int], int]:
    """Code lengths of literals, then of distances, and how many are literals'."""
    count = max(*literals, END_OF_BLOCK) + 1
    described = [literals.get(symbol, 0) for symbol in range(count)]
    described += [distances.get(symbol, 0) for symbol in range(max(distances, default=0) + 1)]
    return described, count


def test_an_empty_stream_of_each_kind_comes_back() -> None:
    """One block without a token, stored or coded, is a stream."""
    for kind in ("stored", "fixed", "dynamic"):
        stream = Stream()
        if kind == "stored":
            stream.stored(b"", final=True)
        else:
            head = head_of(*_lengths({END_OF_BLOCK: 1}, {}), chance(1))
            stream.coded([], head=head if kind == "dynamic" else None, final=True)
        _comes_back(stream)


def test_many_empty_blocks_in_a_row_come_back() -> None:
    """Sync markers without end, more than any model predicts, are kept as they are."""
    stream = Stream()
    stream.coded(LETTERS, final=False)
    for _ in range(100):
        stream.stored(b"")
        stream.coded([], final=False)
    stream.coded([], final=True)
    _comes_back(stream)


def test_padding_bits_that_are_not_zero_come_back() -> None:
    """The bits before a stored block's length and behind the last block are kept."""
    stream = Stream()
    stream.stored(b"abc", padding=0b10101)
    stream.stored(b"", padding=0b11111)
    stream.stored(b"def", final=False, padding=1)
    stream.coded(LETTERS, final=True)
    _comes_back(stream, padding=0x7F)


def test_a_match_of_258_bytes_in_its_other_spelling_comes_back() -> None:
    """Code 284 with 31 extra is 258 bytes as well as code 285, and other bits."""
    stream = Stream()
    tokens = [97, match(ALIAS, 1), match(258, 1), match(257, 2), match(ALIAS, 258)]
    stream.coded(tokens, final=False)
    lengths = _lengths({97: 3, END_OF_BLOCK: 3, 284: 1, 285: 2}, {0: 1})
    stream.coded(
        [97, match(ALIAS, 1), match(258, 1)], head=head_of(*lengths, chance(2)), final=True
    )
    _comes_back(stream)


def test_the_farthest_match_comes_back() -> None:
    """A match may begin 32,768 bytes back."""
    stream = Stream()
    stream.stored(chance(3).randbytes(32768))
    stream.coded([match(258, 32768), 1, match(3, 32768)], final=True)
    _comes_back(stream)


def test_a_code_of_one_distance_and_of_none_come_back() -> None:
    """The only incomplete codes that zlib takes: a single code of one bit, and no distances."""
    stream = Stream()
    one = _lengths({97: 2, END_OF_BLOCK: 2, 257: 1}, {0: 1})
    stream.coded([97, match(3, 1), match(3, 1)], head=head_of(*one, chance(4)), final=False)
    none = _lengths({97: 1, END_OF_BLOCK: 1}, {})
    stream.coded([97, 97], head=head_of(*none, chance(5)), final=False)
    end = _lengths({END_OF_BLOCK: 1}, {})
    stream.coded([], head=head_of(*end, chance(6)), final=True)
    _comes_back(stream)


def test_codes_of_fifteen_bits_come_back() -> None:
    """The longest codes, which a decoder finds in two steps."""
    literals = {**{symbol: symbol + 1 for symbol in range(14)}, END_OF_BLOCK: 15, 257: 15}
    distances = {**{symbol: symbol + 1 for symbol in range(14)}, 14: 15, 15: 15}
    stream = Stream()
    tokens = [*range(14), *([13, 12] * 200), match(3, 1), match(3, 200), match(3, 256)]
    head = head_of(*_lengths(literals, distances), chance(7))
    stream.coded(tokens, head=head, final=True)
    _comes_back(stream)


def test_heads_with_more_codes_than_they_need_come_back() -> None:
    """All 286 literals and 30 distances, all 19 code lengths, in runs of every kind."""
    for seed in range(50):
        literals = {97: 1, END_OF_BLOCK: 2, 285: 2}
        lengths = [literals.get(symbol, 0) for symbol in range(286)] + [1, *[0] * 28, 1]
        head = head_of(lengths, 286, chance(seed))
        stream = Stream()
        stream.coded([97, match(258, 1)], head=head, final=True)
        _comes_back(stream)


def test_blocks_longer_than_the_coder_holds_come_back() -> None:
    """A block of more than 65,536 tokens is cut and put together again."""
    for count in (65_535, 65_536, 65_537, 131_072, 200_000):
        plain = chance(count).randbytes(count)
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_FIXED)
        written = compressor.compress(plain) + compressor.flush()
        assert there_and_back(gzip_file(written, plain), ["none"]).plain == plain


_LAST = (1, 1)
_STORED = (0, 2)
_FIXED = (1, 2)
_DYNAMIC = (2, 2)
_RESERVED = (3, 2)
_LEAST_CODES = ((0, 5), (0, 5), (0, 4))  # 257 literals, 1 distance, 4 code lengths
_LENGTH_3 = (0b1000000, 7)  # the fixed code of symbol 257, the first bit lowest
_ONE_AND_ZEROS = (
    *((0, 5), (0, 5), (14, 4)),  # 18 code lengths: up to that of a length of 1
    *((size, 3) for size in (0, 0, 1, *([0] * 14), 1)),
)
_ONE = (0, 1)
_TWO_AND_ZEROS = (
    *((0, 5), (0, 5), (12, 4)),  # 16 code lengths: up to that of a length of 2
    *((size, 3) for size in (0, 0, 1, *([0] * 12), 1)),
)
_TWO = (0, 1)


def _zeros(count: int) -> tuple[tuple[int, int], ...]:
    return ((1, 1), (count - 11, 7))


@pytest.mark.parametrize(
    "fields,words",
    [
        ((_LAST, _RESERVED), "reserved type"),
        ((_LAST, _STORED, (0, 5), (5, 16), (5, 16)), "complement"),
        ((_LAST, _DYNAMIC, (30, 5), (0, 5), (0, 4)), "more literal"),
        ((_LAST, _DYNAMIC, (0, 5), (30, 5), (0, 4)), "more literal"),
        ((_LAST, _DYNAMIC, *_LEAST_CODES, (1, 3), (0, 9)), "code of code lengths"),
        ((_LAST, _DYNAMIC, *_LEAST_CODES, (0, 12)), "code of code lengths"),
        ((_LAST, _DYNAMIC, *_LEAST_CODES, *[(1, 3)] * 3, (0, 3)), "code of code lengths"),
        ((_LAST, _DYNAMIC, *_LEAST_CODES, (1, 3), (1, 3), (0, 6), (0, 1), (0, 2)), "run"),
        ((_LAST, _DYNAMIC, *_ONE_AND_ZEROS, _ONE, *_zeros(138), *_zeros(138)), "run"),
        ((_LAST, _DYNAMIC, *_ONE_AND_ZEROS, *_zeros(138), *_zeros(120)), "end of the block"),
        (
            (
                _LAST,
                _DYNAMIC,
                *_ONE_AND_ZEROS,
                *[_ONE] * 3,
                *_zeros(138),
                *_zeros(115),
                *[_ONE] * 2,
            ),
            "literal code",
        ),
        (
            (_LAST, _DYNAMIC, *_TWO_AND_ZEROS, _TWO, *_zeros(138), *_zeros(117), *[_TWO] * 2),
            "literal code",
        ),
        ((_LAST, _FIXED, _LENGTH_3, (0, 5)), "distance beyond"),
        ((_LAST, _FIXED, (0b01100011, 8)), "no meaning"),
        ((_LAST, _FIXED, (0b11100011, 8)), "no meaning"),
        ((_LAST, _FIXED, _LENGTH_3, (0b01111, 5)), "no meaning"),
    ],
)
def test_what_is_no_stream_is_refused(fields: tuple[tuple[int, int], ...], words: str) -> None:
    """Each rule of the format that zlib holds a stream against is held against it here."""
    stream = _bits(*fields) + bytes(64)
    with pytest.raises(CannotOpen, match=words):
        opened(gzip_file(stream, b""), ["none"])
    with pytest.raises(zlib.error):
        zlib.decompress(stream, -15)


def test_every_flipped_bit_is_judged_as_zlib_judges_it() -> None:
    """A damaged stream is refused where zlib refuses it, and comes back where it does not."""
    stream = Stream()
    one = _lengths({97: 2, END_OF_BLOCK: 2, 257: 1}, {0: 1})
    stream.coded([97, match(3, 1), 97], head=head_of(*one, chance(4)), final=False)
    stream.coded([*LETTERS, match(8, 8)], final=False)
    stream.stored(b"stored bytes", final=True)
    whole = stream.end()
    for place in range(len(whole) * 8):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        reader = zlib.decompressobj(-15)
        try:
            plain = reader.decompress(data)
        except zlib.error:
            sound = False
        else:
            sound = reader.eof
        if sound:
            used = bytes(data[: len(data) - len(reader.unused_data)])
            assert there_and_back(gzip_file(used, plain), ["none"]).plain == plain
        else:
            with pytest.raises(CannotOpen):
                opened(bytes(gzip_file(bytes(data), b"")[:-8]), ["none"])


def test_a_file_cut_off_anywhere_is_refused() -> None:
    """Every part of a file is needed, to its last byte."""
    stream = Stream()
    stream.stored(b"stored bytes")
    stream.coded([*LETTERS, match(8, 8)], final=False)
    lengths = _lengths({97: 2, END_OF_BLOCK: 2, 257: 1}, {0: 1})
    stream.coded([97, match(3, 1)], head=head_of(*lengths, chance(8)), final=True)
    plain = bytes(stream.plain)
    file = gzip_file(stream.end(), plain)
    for size in range(len(file)):
        with pytest.raises(CannotOpen):
            opened(file[:size], ["none"])
