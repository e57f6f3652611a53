"""A bundle in volumes, and the index that says what belongs together. Pure.

A bundle NAME is cut into ``NAME.001``, ``NAME.002``, …, which are nothing but its bytes in pieces
(``cat NAME.[0-9]*`` joins them). ``NAME.p01``, … are parity volumes, and ``NAME.volumes.json``
names every volume by number, size and digest. The index says where damage is; whether the content
is right, the bundle inside says itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from airgap.errors import ContentMismatch, InvalidReference, UsageError
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject

FORMAT = 1
"""The version of the index that this module writes and reads."""

MAX_VOLUMES = 999
"""Data volumes of one bundle: what three digits count."""

MAX_PARITY = 64
"""Parity volumes of one bundle."""

MAX_CODED = 256
"""Data and parity volumes together, where there is parity: the points of GF(2^8)."""

MIN_VOLUME_SIZE = 1024
"""Bytes."""

MAX_INDEX_SIZE = 1024 * 1024
"""Bytes of ``NAME.volumes.json``."""

INDEX_SUFFIX = ".volumes.json"

_MAX_SIZE = 1 << 62
_MAX_NAME = 240
_NAME = re.compile(r"(?P<name>.+)\.(?:(?P<data>\d{3})|p(?P<parity>\d\d))", re.ASCII | re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class VolumeKind(StrEnum):
    """What a volume holds."""

    DATA = "data"
    PARITY = "parity"


@dataclass(frozen=True, slots=True, order=True)
class VolumeId:
    """A volume's place in its set.

    Attributes:
        kind: data or parity.
        number: from 1 on, for each kind.
    """

    kind: VolumeKind
    number: int

    def __str__(self) -> str:
        if self.kind is VolumeKind.DATA:
            return f"volume {self.number}"
        return f"parity volume {self.number}"

    def file_name(self, name: str) -> str:
        """Return the name of its file in the set ``name``."""
        if self.kind is VolumeKind.DATA:
            return f"{name}.{self.number:03d}"
        return f"{name}.p{self.number:02d}"


def data_volume(number: int) -> VolumeId:
    """Return the place of a data volume."""
    return VolumeId(VolumeKind.DATA, number)


def parity_volume(number: int) -> VolumeId:
    """Return the place of a parity volume."""
    return VolumeId(VolumeKind.PARITY, number)


def read_file_name(file_name: str) -> tuple[str, VolumeId] | None:
    """Return a set's name and a volume's place; None where a name is not that of a volume."""
    match = _NAME.fullmatch(file_name)
    if match is None:
        return None
    number = int(match["data"] or match["parity"])
    if number == 0:
        return None
    return match["name"], (data_volume if match["data"] else parity_volume)(number)


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of a set.

    Attributes:
        id: its place.
        size: bytes of its file.
        digest: SHA-256 of its file.
    """

    id: VolumeId
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class VolumeIndex:
    """The content of ``NAME.volumes.json``.

    Attributes:
        name: NAME, as the set was written.
        volume_size: bytes of every data volume but the last. Parity volumes are as large as the
            first data volume.
        data: the volumes that are the bundle, in order, numbered from 1 on.
        parity: those from which lost ones are rebuilt; there may be none.
        bundle_json: digest of the ``bundle.json`` inside.
        created: the time that the bundle says it was made at (``2026-11-24T09:30:00Z``).
    """

    name: str
    volume_size: int
    data: tuple[Volume, ...]
    parity: tuple[Volume, ...]
    bundle_json: Digest
    created: str

    @property
    def set_id(self) -> str:
        """Names the set: 32 hex digits that follow from all of its volumes."""
        lines = "".join(f"{v.id.kind} {v.id.number} {v.size} {v.digest}\n" for v in self.volumes)
        return hashlib.sha256(lines.encode()).hexdigest()[:32]

    @property
    def size(self) -> int:
        """Bytes of the bundle."""
        return sum(volume.size for volume in self.data)

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """Data volumes first, parity volumes after them."""
        return (*self.data, *self.parity)

    @property
    def file_names(self) -> dict[VolumeId, str]:
        """The name of each volume's file."""
        return {volume.id: volume.id.file_name(self.name) for volume in self.volumes}

    def by_digest(self, digest: Digest) -> Volume | None:
        """Return the volume that has these bytes, or None."""
        return next((volume for volume in self.volumes if volume.digest == digest), None)

    def volume_at(self, offset: int) -> Volume:
        """Return the data volume that holds a byte of the bundle (the last one past its end)."""
        return self.data[min(offset // self.volume_size, len(self.data) - 1)]


def encode_index(index: VolumeIndex) -> bytes:
    """Write ``NAME.volumes.json``: one volume a line, for people too."""
    document = {
        "format": FORMAT,
        "set": index.set_id,
        "name": index.name,
        "created": index.created,
        "bundleJson": index.bundle_json,
        "volumeSize": index.volume_size,
    }
    head = json.dumps(document)[:-1]
    lists = ",\n".join(
        f'"{kind}": [\n' + ",\n".join(_line(volume) for volume in volumes) + "\n]"
        for kind, volumes in (("data", index.data), ("parity", index.parity))
    )
    return f"{head},\n{lists}}}\n".encode("ascii")


def _line(volume: Volume) -> str:
    return json.dumps({"number": volume.id.number, "size": volume.size, "digest": volume.digest})


def decode_index(raw: bytes, what: str) -> VolumeIndex:
    """Read an index of unknown origin and check that it agrees with itself.

    Args:
        raw: its bytes.
        what: its file, for errors.

    Raises:
        ContentMismatch: too long, not JSON, another format, or an index that contradicts itself;
            every changed digit of a volume's line is found, as the set's id depends on it.
    """
    document = JsonObject.parse(raw, what, limit=MAX_INDEX_SIZE)
    version = document.integer("format")
    if version != FORMAT:
        raise ContentMismatch(
            what,
            f"has format {version}, and this version of airgap reads format {FORMAT}",
            "import the volumes with the version that wrote them, or a later one",
        )
    try:
        index = VolumeIndex(
            name=document.text("name"),
            volume_size=document.integer("volumeSize", minimum=MIN_VOLUME_SIZE),
            data=tuple(_volumes(document, VolumeKind.DATA)),
            parity=tuple(_volumes(document, VolumeKind.PARITY)),
            bundle_json=Digest(document.text("bundleJson")),
            created=document.text("created"),
        )
    except InvalidReference as error:
        raise ContentMismatch(what, str(error)) from None
    _check(index, what)
    if document.text("set") != index.set_id:
        raise ContentMismatch(what, "its set id does not follow from its volumes: it was changed")
    return index


def _volumes(document: JsonObject, kind: VolumeKind) -> Iterator[Volume]:
    for value in document.objects(kind):
        size, number = value.integer("size", minimum=1), value.integer("number", minimum=1)
        yield Volume(VolumeId(kind, number), size, Digest(value.text("digest")))


def _check(index: VolumeIndex, what: str) -> None:
    if not is_set_name(index.name):
        raise ContentMismatch(what, "'name' is not the name of a file")
    if not _TIME.fullmatch(index.created):
        raise ContentMismatch(what, "'created' is not a time such as 2026-11-24T09:30:00Z")
    if index.volume_size > _MAX_SIZE:
        raise ContentMismatch(what, "announces volumes larger than any file")
    if not index.data:
        raise ContentMismatch(what, "names no volumes")
    if index.parity and len(index.volumes) > MAX_CODED:
        raise ContentMismatch(what, f"has parity over more than {MAX_CODED} volumes")
    _check_volumes(index.data, MAX_VOLUMES, what)
    _check_volumes(index.parity, MAX_PARITY, what)
    full = {volume.size for volume in index.data[:-1]} - {index.volume_size}
    odd = {volume.size for volume in index.parity} - {index.data[0].size}
    if full or odd or index.data[-1].size > index.volume_size:
        raise ContentMismatch(what, "has a volume of another size than it should be")


def _check_volumes(volumes: Sequence[Volume], limit: int, what: str) -> None:
    if len(volumes) > limit:
        raise ContentMismatch(what, f"names {len(volumes)} volumes where {limit} are allowed")
    if [volume.id.number for volume in volumes] != list(range(1, len(volumes) + 1)):
        raise ContentMismatch(what, "does not number its volumes 1, 2, 3, …")
    if any(volume.digest.algorithm != "sha256" for volume in volumes):
        raise ContentMismatch(what, "has a volume's digest that is not a SHA-256")


def is_set_name(name: str) -> bool:
    """Tell whether volumes can be called so: the name of one file, with room for a suffix."""
    return (
        bool(name)
        and "/" not in name
        and "\0" not in name
        and not name.startswith(".")
        and len(name.encode("utf-8", "surrogateescape")) <= _MAX_NAME
    )


@dataclass(frozen=True, slots=True)
class Inside:
    """What an index says of the bundle in the volumes.

    Attributes:
        bundle_json: digest of ``bundle.json``.
        created: when it was made, in UTC (``2026-11-24T09:30:00Z``).
    """

    bundle_json: Digest
    created: str


@dataclass(frozen=True, slots=True)
class Again:
    """Some volumes of a set that was written before, made once more.

    Attributes:
        index: what they must be, byte for byte.
        only: the volumes to write.
    """

    index: VolumeIndex
    only: frozenset[VolumeId]

    def __post_init__(self) -> None:
        """Check that the set has such volumes.

        Raises:
            UsageError: it has not.
        """
        strange = self.only - {volume.id for volume in self.index.volumes}
        if strange:
            raise UsageError(
                "--only-volume",
                f"{self.index.name} has no {listed(sorted(strange))}",
                f"it has {listed([volume.id for volume in self.index.volumes])}",
            )

    @property
    def makes_parity(self) -> bool:
        """Whether parity is among it, for which all data volumes are written for a while."""
        return any(volume.kind is VolumeKind.PARITY for volume in self.only)


@dataclass(frozen=True, slots=True)
class VolumeCut:
    """How a bundle shall be cut.

    Attributes:
        volume_size: bytes of a volume.
        parity: how many parity volumes to add.
        again: the volumes to write of a set that was written before; None for a new set.
        read_back: read every volume again from the medium and compare.
    """

    volume_size: int
    parity: int = 0
    again: Again | None = None
    read_back: bool = False

    @classmethod
    def remake(cls, index: VolumeIndex, only: frozenset[VolumeId]) -> Self:
        """Return the cut that makes some volumes of a set once more."""
        return cls(index.volume_size, len(index.parity), Again(index, only))

    def check(self, size: int) -> None:
        """Check that a bundle can be cut so.

        Args:
            size: bytes of the bundle, or of what there is of it so far.

        Raises:
            UsageError: there would be too many volumes, or they are too small.
        """
        if self.volume_size < MIN_VOLUME_SIZE:
            raise UsageError(
                "--volume-size", f"a volume has at least {MIN_VOLUME_SIZE} bytes", "make it larger"
            )
        if self.parity > MAX_PARITY:
            raise UsageError("--parity", f"there are at most {MAX_PARITY} parity volumes")
        if volume_count(size, self.volume_size) > self.limit:
            raise UsageError(
                "--volume-size",
                f"{size:,} bytes in volumes of {self.volume_size:,} are more than the "
                f"{self.limit} volumes that a set can have",
                f"make them at least {-(-size // self.limit):,} bytes large",
            )

    @property
    def limit(self) -> int:
        """How many data volumes there can be."""
        return min(MAX_VOLUMES, MAX_CODED - self.parity) if self.parity else MAX_VOLUMES

    def wants(self, volume: VolumeId) -> bool:
        """Tell whether a volume is to be there in the end."""
        return self.again is None or volume in self.again.only

    def writes(self, volume: VolumeId) -> bool:
        """Tell whether a volume is written, be it only to compute parity from it."""
        needs_data = self.again is not None and self.again.makes_parity
        return self.wants(volume) or (needs_data and volume.kind is VolumeKind.DATA)


def volume_count(size: int, volume_size: int) -> int:
    """Return how many volumes a bundle of ``size`` bytes has; at least one."""
    return max(1, -(-size // volume_size))


def listed(volumes: Sequence[VolumeId]) -> str:
    """Return ``volumes 1-3, 5 and parity volume 2``: what a person can look for on sticks."""
    parts = []
    for kind, noun in ((VolumeKind.DATA, "volume"), (VolumeKind.PARITY, "parity volume")):
        numbers = sorted({volume.number for volume in volumes if volume.kind is kind})
        if numbers:
            parts.append(f"{noun}{'s' if len(numbers) > 1 else ''} {', '.join(_runs(numbers))}")
    return " and ".join(parts)


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    start = previous = numbers[0]
    for number in [*numbers[1:], None]:
        if number == previous + 1:
            previous = number
            continue
        yield str(start) if start == previous else f"{start}-{previous}"
        if number is not None:
            start = previous = number
