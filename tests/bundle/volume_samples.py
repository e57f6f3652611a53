"""Sets of volumes for tests, cut from random bytes."""

from __future__ import annotations

import random
from pathlib import Path

from airgap.bundle.destination import Demand, Written
from airgap.bundle.volume_writer import VolumeFiles
from airgap.bundle.volumes import Inside, VolumeCut, VolumeIndex
from airgap.oci.digest import Digest

INSIDE = Inside(Digest.of(b"bundle.json"), "2026-11-24T12:00:00Z")
SIZE = 2048
"""Bytes of a volume in most tests."""


def content_of_length(size: int, seed: int = 1) -> bytes:
    """Return the same random bytes each time."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - repeatable, not secret


def write_volumes(
    path: Path,
    content: bytes,
    cut: VolumeCut,
    *,
    replace: bool = False,
    sync: bool = False,
    piece: int = 1000,
) -> Written:
    """Write content as volumes, in pieces that do not fit the volumes."""
    target = VolumeFiles(path, cut, Demand(), replace=replace, sync=sync)
    try:
        target.open(len(content), exact=True)
        for start in range(0, len(content), piece):
            target.write(content[start : start + piece])
        target.finish()
        return target.publish(INSIDE)
    finally:
        target.abandon()


def written_set(path: Path, content: bytes, *, size: int = SIZE, parity: int = 0) -> VolumeIndex:
    """Write content as volumes and return their index."""
    index = write_volumes(path, content, VolumeCut(size, parity)).volumes
    assert index is not None
    return index


def flip(path: Path, position: int = 100) -> None:
    """Change one bit of a file."""
    raw = bytearray(path.read_bytes())
    raw[position] ^= 1
    path.write_bytes(raw)
