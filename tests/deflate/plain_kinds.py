"""Plain bytes of many kinds, the same in every run and with every version of Python."""

from __future__ import annotations

import hashlib

_WORDS = (
    b"layer blob digest manifest image config mirror bundle the a of to in and is that for it as "
    b"was return if else import from def class self None True False 0 1 2 3 usr lib bin share doc "
    b"python3 .so .py"
).split()


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that nothing predicts."""
    return hashlib.shake_128(b"%d" % seed).digest(size)


def text(size: int, seed: int = 0) -> bytes:
    """Words, some of which come again and again in the same order."""
    words = [_WORDS[byte % len(_WORDS)] for byte in noise(size // 3 + 64, seed)]
    phrases = [b" ".join(words[at : at + 9]) for at in range(0, len(words) - 9, 9)]
    made = bytearray()
    for number, byte in enumerate(noise(size // 16 + 64, seed + 1)):
        if byte % 3:
            made += phrases[number % len(phrases)] + b"\n"
        else:
            made += phrases[byte * 7 % len(phrases)] + b" "
        if len(made) >= size:
            break
    return bytes((made * (size // max(len(made), 1) + 1))[:size])


def skewed(size: int, seed: int = 0) -> bytes:
    """Bytes without matches to speak of, some far more frequent than others."""
    return bytes(
        (first * second) >> 8
        for first, second in zip(noise(size, seed), noise(size, ~seed), strict=True)
    )


def runs(size: int, seed: int = 0) -> bytes:
    """Runs of one byte, and of a few, of lengths around those that one match may have."""
    made = bytearray()
    for byte in noise(size // 100 + 64, seed):
        made += bytes((byte & 3,)) * (250 + byte // 16) + noise(1 + byte % 5, byte) * (
            1 + byte % 60
        )
        if len(made) >= size:
            break
    return bytes(made[:size])


def records(size: int, seed: int = 0) -> bytes:
    """Records of a fixed length, most of whose bytes are those of the one before."""
    record = bytearray(noise(24, seed))
    made = bytearray()
    for byte in noise(size // 24 + 1, seed + 2):
        record[byte % 24] = byte
        made += record
    return bytes(made[:size])


KINDS = (noise, text, skewed, runs, records)


def mixed(size: int, seed: int = 0) -> bytes:
    """All kinds in turn, in parts of changing sizes, parts of which come again later."""
    made = bytearray()
    for number, byte in enumerate(noise(4096, seed)):
        kind = KINDS[byte % len(KINDS)]
        made += kind(1 << (byte >> 4), seed + number)
        if byte % 7 == 0:
            made += made[-(byte << 7) :][: byte << 5]
        if len(made) >= size:
            break
    return bytes(made[:size])


def recorded() -> bytes:
    """What the streams in ``recorded/`` hold: more than a piece, but not much once compressed."""
    return b"".join(
        (
            text(40_000),
            records(12_000),
            noise(3_000),
            bytes(150_000),
            runs(40_000),
            skewed(6_000),
            text(2_000, 3) * 440,
            text(40_000, 7),
            noise(1_000),
        )
    )


SMALL = {
    "nothing": b"",
    "a byte": b"x",
    "32 bytes": text(32),
    "33 bytes": text(33),
    "127 bytes": text(127),
    "128 bytes": text(128),
    "128 zeros": bytes(128),
    "a little noise": noise(200),
    "a page of text": text(5000),
    "a page of noise": noise(5000),
}
LARGE = {
    "zeros": bytes(300_000),
    "noise": noise(200_000),
    "text": text(400_000),
    "skewed": skewed(300_000),
    "runs": runs(300_000),
    "records": records(300_000),
    "an input block": text(65_535),
    "an input block and a byte": text(65_536),
    "two input blocks": mixed(2 * 65_535),
    "a piece": text(1 << 20),
    "a piece and a byte": text((1 << 20) + 1),
    "a piece and a tail": mixed((1 << 20) + (1 << 14)),
    "a piece and more than a tail": mixed((1 << 20) + (1 << 14) + 1),
    "two pieces of noise": noise(1 << 21),
    "many pieces": mixed(4_600_000),
}
ALL = SMALL | LARGE
