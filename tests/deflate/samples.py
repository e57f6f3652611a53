"""Prints what the coder makes of many small files: the same, compiled or not.

``python -m tests.deflate.samples`` prints a line a file: what it is, and digests of its plain
bytes, of its recipe, and of what it does with a recipe that was changed.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from airgap.deflate.faults import CannotOpen, CannotRebuild
from airgap.deflate.models import is_compiled, names
from tests.deflate.streams import chance, gzip_file, random_stream
from tests.deflate.trips import opened, rebuilt

TEXT = Path(gzip.__file__).read_bytes()


def files() -> Iterator[tuple[str, bytes]]:
    """Small files by encoders and by chance, and some that are damaged."""
    random = chance(11)
    for level in (0, 1, 4, 6, 9):
        yield f"text at {level}", gzip.compress(TEXT, level, mtime=0)
    for seed in range(12):
        file = gzip_file(*random_stream(seed, 5, 200))
        yield f"stream {seed}", file
        damaged = bytearray(file)
        damaged[random.randrange(len(file))] ^= 1 << random.randrange(8)
        yield f"damaged {seed}", bytes(damaged)


def what_comes_of(file: bytes, model: str) -> str:
    """Digests of all that the coder makes of a file."""
    try:
        got = opened(file, [model])
    except CannotOpen as error:
        return str(error)
    assert rebuilt(got.plain, got.recipe) == file
    changed = bytearray(got.recipe)
    changed[len(changed) // 2] ^= 0x55
    try:
        other = rebuilt(got.plain, bytes(changed))
    except CannotRebuild as error:
        other = str(error).encode()
    return " ".join(
        hashlib.sha256(made).hexdigest()[:12] for made in (got.plain, got.recipe, other)
    )


def main() -> None:
    """Print a line a file."""
    random = chance(12)
    for what, file in files():
        model = random.choice(names())
        sys.stdout.write(f"{what} by {model}: {what_comes_of(file, model)}\n")
    sys.stderr.write(f"compiled: {is_compiled()}\n")


if __name__ == "__main__":
    main()
