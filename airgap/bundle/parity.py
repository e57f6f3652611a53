"""Parity volumes: Reed-Solomon over whole volumes, stripe by stripe, in bounded memory. Blocking.

With ``k`` data volumes and ``n`` parity volumes, any ``k`` of them give all the others back. A
stripe is the same range of bytes in every volume; the last data volume counts as if zeros came
after it. The code is that of ``zfec`` (systematic, over GF(2^8), its field polynomial 0x11d); block
numbers 0 … k-1 are the data volumes, k … k+n-1 the parity volumes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.bundle.failures import telling
from airgap.bundle.volumes import VolumeId, VolumeIndex, VolumeKind
from airgap.errors import BundleDamaged, Unsupported

if TYPE_CHECKING:
    from types import ModuleType

MEMORY = 32 * 1024 * 1024
"""Bytes of one stripe over all volumes, about."""

_LARGEST_BLOCK = 1024 * 1024
_PAGE = 4096


def block_size(data_volumes: int) -> int:
    """Return how many bytes of each volume one stripe has."""
    return max(_PAGE, min(_LARGEST_BLOCK, MEMORY // data_volumes // _PAGE * _PAGE))


def zfec() -> ModuleType:
    """Return the library that computes.

    Raises:
        Unsupported: it is not installed.
    """
    try:
        import zfec  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, wanted only here
    except ImportError:
        raise Unsupported(
            "parity", "needs a library that is not installed", "pip install 'airgap[parity]'"
        ) from None
    module: ModuleType = zfec
    return module


@dataclass(frozen=True, slots=True)
class VolumeFile:
    """A volume's file to read from.

    Attributes:
        path: where it is.
        size: how many bytes of it count; it reads as if zeros came after them.
    """

    path: Path
    size: int


Write = Callable[[bytes], object]
"""Takes the next bytes of a volume that is made."""


def make_parity(
    data: Sequence[VolumeFile],
    writes: Sequence[Write],
    between: Callable[[], None] = lambda: None,
) -> None:
    """Compute parity volumes.

    Args:
        data: all data volumes, in order; the first one is as large as any.
        writes: takes each parity volume's bytes, in order.
        between: called between two stripes; may raise, to give up.

    Raises:
        BundleDamaged: a volume cannot be read any more.
        Unsupported: ``zfec`` is not installed.
    """
    count = len(data)
    encoder = zfec().Encoder(count, count + len(writes))
    numbers = tuple(range(count, count + len(writes)))
    for stripe in _stripes(data, data[0].size, block_size(count)):
        for write, block in zip(writes, encoder.encode(stripe, numbers), strict=True):
            write(block)
        between()


def rebuild(
    index: VolumeIndex, good: Mapping[VolumeId, Path], lost: Mapping[VolumeId, Write]
) -> None:
    """Compute lost volumes from good ones.

    Args:
        index: which volumes there are.
        good: whole volumes; as many as there are data volumes, or more.
        lost: takes each lost volume's bytes, in order.

    Raises:
        BundleDamaged: there are too few good volumes, or one cannot be read.
        Unsupported: ``zfec`` is not installed.
    """
    count = len(index.data)
    places = {volume.id: number for number, volume in enumerate(index.volumes)}
    # Data volumes come first: they need no computing.
    chosen = sorted(good, key=places.__getitem__)[:count]
    if len(chosen) < count:
        raise BundleDamaged(
            index.name,
            f"{count} whole volumes are needed to rebuild the others, and {len(chosen)} are there",
            "bring more volumes",
        )
    library = zfec()
    decoder = library.Decoder(count, len(index.volumes))
    encoder = library.Encoder(count, len(index.volumes))
    numbers = tuple(places[volume] for volume in chosen)
    parity = tuple(places[volume] for volume in lost if volume.kind is VolumeKind.PARITY)
    files = [VolumeFile(good[volume], index.volumes[places[volume]].size) for volume in chosen]
    left = {volume: index.volumes[places[volume]].size for volume in lost}
    for stripe in _stripes(files, index.data[0].size, block_size(count)):
        blocks = dict(enumerate(decoder.decode(stripe, numbers)))
        if parity:
            primary = tuple(blocks.values())
            blocks |= zip(parity, encoder.encode(primary, parity), strict=True)
        for volume, write in lost.items():
            write(blocks[places[volume]][: left[volume]])
            left[volume] = max(0, left[volume] - len(blocks[places[volume]]))


def _stripes(
    files: Sequence[VolumeFile], size: int, block: int
) -> Iterator[tuple[memoryview, ...]]:
    """Yield a range of bytes of every file at a time; each time in the same memory."""
    with ExitStack() as stack:
        handles = []
        for file in files:
            with telling(file.path):
                handles.append(os.open(file.path, os.O_RDONLY | os.O_CLOEXEC))
            stack.callback(os.close, handles[-1])
        buffers = [memoryview(bytearray(block)) for _ in files]
        for start in range(0, size, block):
            length = min(block, size - start)
            for file, handle, buffer in zip(files, handles, buffers, strict=True):
                _fill(file, handle, buffer[:length], start)
            yield tuple(buffer[:length] for buffer in buffers)


def _fill(file: VolumeFile, handle: int, space: memoryview, start: int) -> None:
    end = max(start, min(start + len(space), file.size))
    position = start
    while position < end:
        with telling(file.path):
            count = os.preadv(handle, [space[position - start : end - start]], position)
        if not count:
            raise BundleDamaged(str(file.path), f"ends at byte {position} of {file.size}")
        position += count
    space[end - start :] = bytes(len(space) - (end - start))
