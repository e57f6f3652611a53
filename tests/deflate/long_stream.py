"""Opens and rebuilds a long file, or many damaged ones, and prints how memory grew, in bytes.

``python -m tests.deflate.long_stream SIZE`` for one of so many plain bytes;
``python -m tests.deflate.long_stream refused COUNT`` for damaged ones.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import resource
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from airgap.deflate.faults import CannotOpen, CannotRebuild
from airgap.deflate.opening import Opener
from airgap.deflate.rebuilding import Rebuilder
from tests.deflate.streams import PLAIN_HEADER, chance
from tests.deflate.trips import opened, rebuilt

MIB = 1 << 20
WARM = 10 * MIB


def peak() -> int:
    """Bytes of memory that were taken at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def plain_pieces(size: int) -> Iterator[bytes]:
    """Plain bytes, each piece another, of a size that fits no buffer."""
    made = number = 0
    while made < size:
        piece = b"".join(b"line %d of %d\n" % (line, number) for line in range(3001))
        yield piece
        made += len(piece)
        number += 1


def gzip_pieces(size: int) -> Iterator[bytes]:
    """The same bytes as a gzip file."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, -15)
    checksum = made = 0
    yield PLAIN_HEADER
    for piece in plain_pieces(size):
        checksum = zlib.crc32(piece, checksum)
        made += len(piece)
        yield compressor.compress(piece)
    yield compressor.flush()
    yield checksum.to_bytes(4, "little") + (made & 0xFFFFFFFF).to_bytes(4, "little")


def there_and_back(size: int) -> None:
    """Open a file and rebuild it, holding neither."""
    opener = Opener(max_recipe=4096)
    given, made = hashlib.sha256(), hashlib.sha256()
    count = 0
    for part in gzip_pieces(size):
        given.update(part)
        count += sum(map(len, opener.pieces(part)))
    rebuilder = Rebuilder(opener.finish())
    assert rebuilder.plain_size == count
    for piece in plain_pieces(size):
        for part in rebuilder.pieces(piece):
            made.update(part)
    made.update(rebuilder.finish())
    assert made.digest() == given.digest()


def refuse(count: int) -> None:
    """Meet damaged files and recipes."""
    text = Path(gzip.__file__).read_bytes()
    file = gzip.compress(text)
    whole = opened(file, ["zlib:6"])
    for seed in range(count):
        random = chance(seed)
        damaged = bytearray(file)
        damaged[random.randrange(10, len(file))] ^= 1 << random.randrange(8)
        recipe = bytearray(whole.recipe)
        recipe[random.randrange(len(recipe))] ^= 1 << random.randrange(8)
        with contextlib.suppress(CannotOpen):
            opened(bytes(damaged), ["zlib:6"])
        with contextlib.suppress(CannotRebuild):
            rebuilt(text, bytes(recipe))


def main(what: str, count: int) -> None:
    """Do a little of it, then all, and print how much more memory that took."""
    if what == "refused":
        refuse(100)
        before = peak()
        refuse(count)
    else:
        there_and_back(WARM)
        before = peak()
        there_and_back(count)
    sys.stdout.write(f"{peak() - before}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[-1]))
