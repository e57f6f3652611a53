"""Finding the files of a set of volumes, and finding out which of them are whole. Blocking."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from airgap.bundle.failures import BRING_AGAIN, telling
from airgap.bundle.medium import JoinedFiles, Piece
from airgap.bundle.volumes import (
    INDEX_SUFFIX,
    MAX_INDEX_SIZE,
    Volume,
    VolumeId,
    VolumeIndex,
    decode_index,
    listed,
    read_file_name,
)
from airgap.errors import BundleDamaged, ContentMismatch, NotFound, UsageError
from airgap.oci.digest import Digest

_PIECE = 1024 * 1024
_MAX_FILES = 10_000
"""Files to look at in one folder."""


@dataclass(frozen=True, slots=True)
class VolumeSet:
    """A set of volumes, as far as its files were found.

    Attributes:
        index: what belongs to it.
        index_path: where that stands.
        files: a file for each volume that was found with the right size. Its content is unchecked.
        faults: for the others of which there is a file, what is wrong with it.
    """

    index: VolumeIndex
    index_path: Path
    files: Mapping[VolumeId, Path]
    faults: Mapping[VolumeId, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """What a person calls the set: its folder and NAME, which may have been renamed."""
        return self.index_path.with_name(self.index_path.name.removesuffix(INDEX_SUFFIX))

    @property
    def wanted(self) -> tuple[VolumeId, ...]:
        """The data volumes that are still to come."""
        return tuple(v.id for v in self.index.data if v.id not in self.files)

    def joined(self) -> JoinedFiles:
        """Return the bundle in the volumes.

        Raises:
            NotFound: some data volumes are not there; they are named.
            BundleDamaged: some have the wrong size; they are named.
        """
        if self.wanted:
            raise missing(self)
        return self._joined(self.index.data)

    def beginning(self) -> JoinedFiles:
        """Return the bundle up to the first volume that is not there, for who reads its head.

        Raises:
            NotFound, BundleDamaged: the very first one is not there, or has the wrong size.
        """
        here = tuple(takewhile(lambda volume: volume.id in self.files, self.index.data))
        if not here:
            raise missing(self)
        return self._joined(here)

    def _joined(self, volumes: Sequence[Volume]) -> JoinedFiles:
        pieces = tuple(Piece(self.files[v.id], v.size, str(v.id)) for v in volumes)
        return JoinedFiles(self.path, pieces)


REPAIR_HINT = "bring them, or `airgap repair` where there is enough parity"


def missing(volumes: VolumeSet, hint: str = REPAIR_HINT) -> NotFound | BundleDamaged:
    """Return the error for a set that is not complete."""
    faults = [fault for volume, fault in volumes.faults.items() if volume in volumes.wanted]
    absent = [volume for volume in volumes.wanted if volume not in volumes.faults]
    here = f"{len(volumes.index.data) - len(volumes.wanted)} of {len(volumes.index.data)} are here"
    if faults:
        rest = [f"{listed(absent)} still wanted"] if absent else []
        return BundleDamaged(str(volumes.path), "; ".join([*faults, *rest]), hint)
    verb = "is" if len(absent) == 1 else "are"
    cause = f"{listed(absent)} {verb} still wanted ({here})"
    return NotFound(str(volumes.path), cause, hint)


def find_volumes(paths: Sequence[Path]) -> VolumeSet | None:
    """Find the set that files or folders belong to; None where they speak of no volumes.

    A file stands for its folder, as far as files of its name are concerned.

    Raises:
        NotFound: there are volumes, and no index to them; or a path is not there.
        UsageError: there are several sets.
        BundleDamaged: the index is damaged, or there are different ones of the same name.
    """
    names = {named for path in paths if (named := _set_name(path)) is not None}
    if not names and not any(path.is_dir() for path in paths):
        return None
    folders = list(dict.fromkeys(path if path.is_dir() else path.parent for path in paths))
    files = [file for folder in folders for file in _files_in(folder)]
    indices = [f for f in files if f.name.endswith(INDEX_SUFFIX) and _wanted(f, names)]
    if not indices:
        volumes = [file for file in files if read_file_name(file.name) and _wanted(file, names)]
        if not names and not volumes:
            return None
        shown = sorted(names) or sorted({name for v in volumes if (name := _set_name(v))})
        raise NotFound(
            ", ".join(f"{name}{INDEX_SUFFIX}" for name in shown),
            "is not beside the volumes, and says what belongs to them",
            "bring that file too: it is written with the volumes",
        )
    index_path, index = _one_index(indices)
    return _assemble(index, index_path, files)


def named_sets(paths: Sequence[Path]) -> set[str]:
    """Return the names of the sets that files and folders speak of.

    Raises:
        NotFound, NotPermitted: a folder cannot be read.
    """
    return {name for file in _files_at(paths) if (name := _set_name(file)) is not None}


def known_sets(paths: Sequence[Path]) -> set[str]:
    """Return the ids of the sets whose indices are among files and folders, or beside the files.

    Raises:
        NotFound, NotPermitted: a folder or index cannot be read.
        BundleDamaged: an index is damaged.
    """
    beside = [
        path.with_name(f"{found[0]}{INDEX_SUFFIX}")
        for path in paths
        if (found := read_file_name(path.name)) is not None
    ]
    indices = [file for file in _files_at(paths) if file.name.endswith(INDEX_SUFFIX)]
    return {read_index(file).set_id for file in (*indices, *beside) if file.exists()}


def _files_at(paths: Sequence[Path]) -> list[Path]:
    return [file for path in paths for file in (_files_in(path) if path.is_dir() else [path])]


def _set_name(path: Path) -> str | None:
    found = read_file_name(path.name)
    if found is not None and not path.is_dir():
        return found[0]
    if path.name.endswith(INDEX_SUFFIX):
        return path.name.removesuffix(INDEX_SUFFIX)
    return None


def _wanted(file: Path, names: set[str]) -> bool:
    return not names or _set_name(file) in names


def _files_in(folder: Path) -> list[Path]:
    with telling(folder):
        found = sorted(path for path in folder.iterdir() if path.is_file())
    if len(found) > _MAX_FILES:
        raise UsageError(str(folder), f"has over {_MAX_FILES} files", "name the volumes themselves")
    return found


def read_index(path: Path) -> VolumeIndex:
    """Read ``NAME.volumes.json``.

    Raises:
        BundleDamaged: it is not one, or does not agree with itself.
        NotFound, NotPermitted: it cannot be opened.
    """
    with telling(path), path.open("rb") as file:
        raw = file.read(MAX_INDEX_SIZE + 1)
    try:
        return decode_index(raw, str(path))
    except ContentMismatch as error:
        raise BundleDamaged(error.thing, error.cause, error.hint or BRING_AGAIN) from None


def _one_index(paths: Sequence[Path]) -> tuple[Path, VolumeIndex]:
    sets: dict[str, tuple[Path, VolumeIndex]] = {}
    damaged: BundleDamaged | None = None
    for path in paths:
        try:
            index = read_index(path)
        except BundleDamaged as error:
            damaged = error
            continue
        sets.setdefault(index.set_id, (path, index))
    if not sets and damaged is not None:
        raise damaged
    if len(sets) == 1:
        return next(iter(sets.values()))
    shown = ", ".join(str(path) for path, _ in sets.values())
    if len({index.name for _, index in sets.values()}) == 1:
        raise BundleDamaged(
            shown,
            "are of different sets of the same name, whose volumes must not be mixed",
            "name the folders of the one set",
        )
    raise UsageError(shown, "are different bundles", "name one of these files")


def _assemble(index: VolumeIndex, index_path: Path, files: Sequence[Path]) -> VolumeSet:
    names = {index.name, index_path.name.removesuffix(INDEX_SUFFIX)}
    sizes = {volume.id: volume.size for volume in index.volumes}
    found: dict[VolumeId, Path] = {}
    faults: dict[VolumeId, str] = {}
    for file in files:
        named = read_file_name(file.name)
        if named is None or named[0] not in names or named[1] not in sizes:
            continue
        volume, size = named[1], file.stat().st_size
        if size == sizes[volume]:
            found.setdefault(volume, file)
        else:
            what = "is cut short" if size < sizes[volume] else "is too long"
            faults[volume] = f"{volume} {what}: {size} bytes of {sizes[volume]} ({file})"
    faults = {volume: fault for volume, fault in faults.items() if volume not in found}
    return VolumeSet(index, index_path, found, faults)


@dataclass(frozen=True, slots=True)
class VolumeCheck:
    """What became of every volume of a set.

    Attributes:
        volumes: the set.
        good: volumes whose bytes are what they should be.
        faults: for each other volume of which there is a file, what is wrong with it.
        absent: volumes without a file.
    """

    volumes: VolumeSet
    good: Mapping[VolumeId, Path]
    faults: Mapping[VolumeId, str]
    absent: tuple[VolumeId, ...]

    @property
    def lost(self) -> tuple[VolumeId, ...]:
        """Every volume that is not whole."""
        return tuple(v.id for v in self.volumes.index.volumes if v.id not in self.good)

    @property
    def lost_data(self) -> tuple[VolumeId, ...]:
        """Every data volume that is not whole."""
        return tuple(v.id for v in self.volumes.index.data if v.id not in self.good)

    @property
    def is_repairable(self) -> bool:
        """Whether everything that is lost can be rebuilt."""
        return len(self.good) >= len(self.volumes.index.data)

    def problems(self) -> Iterator[str]:
        """Yield everything that is wrong, by number."""
        yield from self.faults.values()
        if self.absent:
            verb = "is" if len(self.absent) == 1 else "are"
            yield f"{listed(self.absent)} {verb} not there"

    def error(self) -> BundleDamaged | None:
        """Return the error that a check ends with, or None."""
        problems = list(self.problems())
        if not problems:
            return None
        hint = f"bring {listed(self.lost)} again"
        if self.is_repairable:
            hint = "`airgap repair` rebuilds what is lost from the parity volumes"
        return BundleDamaged(str(self.volumes.path), "; ".join(problems), hint)


def check_volumes(
    volumes: VolumeSet, on_bytes: Callable[[int], None] = lambda _: None
) -> VolumeCheck:
    """Read every volume and compare its digest with the index.

    Args:
        volumes: a set.
        on_bytes: is told, in this thread, how many more bytes have been read.
    """
    good: dict[VolumeId, Path] = {}
    faults = dict(volumes.faults)
    for volume in volumes.index.volumes:
        path = volumes.files.get(volume.id)
        if path is None:
            continue
        try:
            digest = _digest(path, on_bytes)
        except BundleDamaged as error:
            faults[volume.id] = f"{volume.id} cannot be read: {error.cause} ({path})"
            continue
        if digest == volume.digest:
            good[volume.id] = path
        else:
            faults[volume.id] = f"{volume.id} {_difference(volumes.index, digest)} ({path})"
    absent = [v.id for v in volumes.index.volumes if v.id not in good and v.id not in faults]
    return VolumeCheck(volumes, good, dict(sorted(faults.items())), tuple(absent))


def _digest(path: Path, on_bytes: Callable[[int], None]) -> Digest:
    hasher = hashlib.sha256()
    with telling(path), path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
            on_bytes(len(piece))
    return Digest.from_hasher(hasher)


def _difference(index: VolumeIndex, digest: Digest) -> str:
    """Say what a file holds whose digest is not the one that its number has."""
    other = index.by_digest(digest)
    if other is not None:
        return f"was swapped: the file holds {other.id}"
    return "is damaged, or of another set"
