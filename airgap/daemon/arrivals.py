"""What lies in a drop folder, and whether it is all there. Pure.

A bundle is complete when its ``.sha256`` is there, which is written last, or when a volume of it is
there with the index; and when two looks in a row found every file of it with the same size and
time.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from airgap.bundle.checksum import CHECKSUM_SUFFIX
from airgap.bundle.volumes import INDEX_SUFFIX, read_file_name

RECEIPT_SUFFIX = ".receipt"
REQUEST_SUFFIX = ".request"

_DIGITS = 32
"""Hexadecimal digits that are enough to tell the bundles of a folder apart."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file, as a look found it.

    Attributes:
        size: bytes.
        modified: nanoseconds since 1970.
    """

    size: int
    modified: int


Look: TypeAlias = Mapping[Path, Seen]
"""All files of a drop folder, as one look found them."""


class Kind(StrEnum):
    """What may lie in a drop folder."""

    BUNDLE = "bundle"
    VOLUMES = "volumes"
    RECEIPT = "receipt"
    REQUEST = "request"

    @property
    def comes_back(self) -> bool:
        """Whether the side that takes bundles in writes it for the one that sends them."""
        return self in {Kind.RECEIPT, Kind.REQUEST}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a bundle, volumes of one, or a receipt or request that has come back.

    Attributes:
        path: the file; of volumes, what it is called in that folder.
        key: the file whose content tells it from others: the checksum, or the index of volumes.
        content: the files that hold it.
        beside: files that belong to it and hold nothing of it.
        kind: what it is.
    """

    path: Path
    key: Path
    content: tuple[Path, ...]
    beside: tuple[Path, ...] = ()
    kind: Kind = Kind.BUNDLE

    @property
    def files(self) -> tuple[Path, ...]:
        """All of its files."""
        return tuple(dict.fromkeys((*self.content, self.key, *self.beside)))


def sending_channel(path: Path) -> str:
    """Return whose receipt or request a file is by its name, ``CHANNEL-SEQUENCE.receipt``."""
    return path.stem.rpartition("-")[0]


def candidates(look: Iterable[Path]) -> list[Candidate]:
    """Return everything that may be wanted, by path."""
    folders: dict[Path, set[str]] = defaultdict(set)
    for path in look:
        folders[path.parent].add(path.name)
    found = [c for folder, names in folders.items() for c in _in_folder(folder, names)]
    return sorted(found, key=lambda candidate: candidate.path)


def _in_folder(folder: Path, names: set[str]) -> Iterator[Candidate]:
    volumes: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        named = read_file_name(name)
        if named is not None:
            volumes[named[0]].append(name)
    for name in names:
        if name.endswith(CHECKSUM_SUFFIX):
            bundle = name.removesuffix(CHECKSUM_SUFFIX)
            if bundle in names:
                yield Candidate(folder / bundle, folder / name, (folder / bundle,))
        for suffix, kind in ((RECEIPT_SUFFIX, Kind.RECEIPT), (REQUEST_SUFFIX, Kind.REQUEST)):
            if name.endswith(suffix):
                yield Candidate(folder / name, folder / name, (folder / name,), kind=kind)
        if name.endswith(INDEX_SUFFIX):
            bundle = name.removesuffix(INDEX_SUFFIX)
            checksum = f"{bundle}{CHECKSUM_SUFFIX}"
            if volumes[bundle]:
                yield Candidate(
                    folder / bundle,
                    folder / name,
                    tuple(folder / volume for volume in volumes[bundle]),
                    (folder / checksum,) if checksum in names else (),
                    Kind.VOLUMES,
                )


def is_settled(candidate: Candidate, before: Look, now: Look) -> bool:
    """Tell whether two looks found every file of it alike, so that nobody is copying it."""
    return all(path in before and before[path] == now.get(path) for path in candidate.files)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One bundle that has arrived, on one medium or on several at once.

    Attributes:
        bundle: tells it from other bundles: a digest of its checksum file or index.
        state: tells what is there of it, and whether that has been copied anew.
        members: where it lies; several only where it came in volumes.
    """

    bundle: str
    state: str
    members: tuple[Candidate, ...]

    @property
    def fingerprint(self) -> str:
        """Both in one."""
        return f"{self.bundle}-{self.state}"

    @property
    def kind(self) -> Kind:
        """What it is."""
        return self.members[0].kind

    @property
    def path(self) -> Path:
        """Where it lies; of volumes, where some of it does."""
        return self.members[0].path

    @property
    def paths(self) -> tuple[Path, ...]:
        """What an import is to be given."""
        if self.kind is not Kind.VOLUMES:
            return (self.path,)
        return tuple(path for m in self.members for path in (m.key, *m.content))


def deliveries(found: Mapping[Candidate, str], look: Look) -> list[Delivery]:
    """Put volumes together that came on several media at once.

    Args:
        found: each candidate with a digest of its key's content.
        look: what the files are like.
    """
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(found, key=lambda candidate: candidate.path):
        if candidate.kind is Kind.VOLUMES:
            groups[found[candidate]].append(candidate)
        else:
            # Each copy counts, as one of them may be damaged.
            groups[f"{found[candidate]} {candidate.path}"].append(candidate)
    return [
        Delivery(digest.partition(" ")[0][:_DIGITS], _state(members, look), tuple(members))
        for digest, members in groups.items()
    ]


def _state(members: Iterable[Candidate], look: Look) -> str:
    told = sorted(
        f"{path.name} {look[path].size} {look[path].modified}"
        for member in members
        for path in member.content
    )
    return hashlib.sha256("\n".join(told).encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
