"""The ``.sha256`` beside a bundle, as ``sha256sum`` writes and reads it."""

from __future__ import annotations

import re
from pathlib import Path

from airgap.bundle.volumes import INDEX_SUFFIX, VolumeIndex, encode_index
from airgap.errors import BundleDamaged
from airgap.oci.digest import Digest

MAX_CHECKSUM_SIZE = 64 * 1024
"""Bytes; a few lines of a name each."""

CHECKSUM_SUFFIX = ".sha256"

_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)", re.ASCII)


def checksum_path(path: Path) -> Path:
    """Return where the checksum of a file stands."""
    return path.with_name(f"{path.name}{CHECKSUM_SUFFIX}")


def checksum_line(name: str, digest: Digest) -> str:
    r"""Return the line for a file; one whose name has ``\`` or a line feed is escaped."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"{'' if escaped == name else chr(92)}{digest.hex}  {escaped}\n"


def volume_checksums(index: VolumeIndex, name: str) -> bytes:
    """Return the lines for every volume of a set that is called ``name``, and for its index."""
    lines = [checksum_line(volume.id.file_name(name), volume.digest) for volume in index.volumes]
    lines.append(checksum_line(f"{name}{INDEX_SUFFIX}", Digest.of(encode_index(index))))
    return "".join(lines).encode("utf-8", "surrogateescape")


def read_checksum(path: Path) -> Digest | None:
    """Return what the checksum beside a file says; None where there is none.

    Raises:
        BundleDamaged: the checksum file does not speak of that file.
        OSError: it cannot be read.
    """
    beside = checksum_path(path)
    try:
        with beside.open(encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(MAX_CHECKSUM_SIZE)
    except FileNotFoundError:
        return None
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match and checksum_line(path.name, Digest(f"sha256:{match[2]}")).strip("\n") in {
            line,
            line.replace(" *", "  ", 1),
        }:
            return Digest(f"sha256:{match[2]}")
    raise BundleDamaged(
        str(beside), f"does not speak of {path.name}", "bring the checksum that belongs to it"
    )
