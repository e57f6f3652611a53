"""What a tar holds, in a few kilobytes: enough to tell how much two tars have in common.

A signature keeps paths and sizes of a sample of the tar's files. Every file has a rank, which
depends on its path and size alone, and the lowest ranks are kept; so two tars keep the same files
where they have the same, and a large file is kept likelier than a small one (bottom-k sampling with
priorities: E. Cohen and H. Kaplan, "Summarizing data using bottom-k sketches", 2007).
"""

from __future__ import annotations

import hashlib
import heapq
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Self

from airgap.errors import ArchiveDamaged, ContentMismatch
from airgap.image.tar_entries import BLOCK, Kind, TarReader
from airgap.packing.scratch import file_size, telling

MAX_FILES = 1024
"""Files that a signature keeps."""

MAX_ENTRIES = 1_000_000
"""Entries of a tar that are looked at; more say nothing new."""

OTHER_SIZE = 0.5
"""What a file of the same path and another size has in common with this one, of the smaller."""

_HEAD = struct.Struct("<QdI")
_FILE = struct.Struct("<QQ")
_MAX_SIZE = 1 << 50
_WHAT = "signature of a tar"


@dataclass(frozen=True, slots=True)
class Signature:
    """A sample of the files of a tar.

    Attributes:
        total: bytes of all its files, with their headers.
        threshold: the lowest rank that was not kept; infinite where every file was.
        files: the size in bytes of each kept file, by the hash of its path.
    """

    total: int
    threshold: float
    files: Mapping[int, int] = field(repr=False)

    @classmethod
    def of(cls, files: Iterable[tuple[str, int]]) -> Self:
        """Make the signature of files with these paths and sizes in bytes."""
        total = 0
        kept: list[tuple[float, int, int]] = []
        for path, size in files:
            total += _weight(size)
            name = _hash(path)
            # A heap of negative ranks: its first is the highest that is kept.
            heapq.heappush(kept, (-_rank(name, size), name, size))
            if len(kept) > MAX_FILES + 1:
                heapq.heappop(kept)
        threshold = -heapq.heappop(kept)[0] if len(kept) > MAX_FILES else math.inf
        return cls(total, threshold, {name: size for _, name, size in sorted(kept)})

    def shared_files(self, other: Signature) -> Iterator[tuple[int, float]]:
        """Yield what both have: the hash of a path, and the bytes that stand for it.

        A file that was kept stands also for those that were not.
        """
        threshold = min(self.threshold, other.threshold)
        few, many = sorted((self.files, other.files), key=len)
        for name, size in few.items():
            same = many.get(name)
            if same is None:
                continue
            weight = _weight(min(size, same))
            if _unit(name) / weight >= threshold:
                continue
            stands_for = max(weight, 1 / threshold)
            yield name, stands_for if size == same else stands_for * OTHER_SIZE

    def shared_bytes(self, other: Signature) -> int:
        """Estimate how many bytes of files both have."""
        return round(sum(weight for _, weight in self.shared_files(other)))

    def to_bytes(self) -> bytes:
        """Write it: total (8), threshold (8, a float), number of files (4), then hash and size."""
        head = _HEAD.pack(self.total, self.threshold, len(self.files))
        return head + b"".join(_FILE.pack(name, size) for name, size in self.files.items())

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read it.

        Raises:
            ContentMismatch: it is not a signature.
        """
        if len(raw) < _HEAD.size:
            raise ContentMismatch(_WHAT, "is truncated")
        total, threshold, count = _HEAD.unpack_from(raw)
        if count > MAX_FILES or len(raw) != _HEAD.size + count * _FILE.size:
            raise ContentMismatch(_WHAT, "has another length than it says")
        if not threshold > 0 or total > _MAX_SIZE:
            raise ContentMismatch(_WHAT, "states what cannot be")
        return cls(total, threshold, dict(_FILE.iter_unpack(raw[_HEAD.size :])))


def tar_signature(plain: Path) -> Signature | None:
    """Read the signature of a tar, of a damaged one as far as it goes; None where it is no tar.

    Raises:
        NotFound, NotPermitted: the file cannot be read.
    """
    size = file_size(plain)
    with telling(plain), plain.open("rb") as stream:
        signature = Signature.of(_files(TarReader(stream, str(plain), size=size)))
    return signature if signature.total else None


def _files(tar: TarReader) -> Iterator[tuple[str, int]]:
    try:
        for entry in islice(tar, MAX_ENTRIES):
            if entry.kind is Kind.FILE:
                yield entry.name.removeprefix("./").lstrip("/"), entry.stored
    except ArchiveDamaged:
        # It is a hint and no check: whoever unpacks the tar will hear of the damage.
        return


def _hash(path: str) -> int:
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _weight(size: int) -> int:
    return size + BLOCK


def _unit(name: int) -> float:
    return (name + 1) / 2**64


def _rank(name: int, size: int) -> float:
    return _unit(name) / _weight(size)
