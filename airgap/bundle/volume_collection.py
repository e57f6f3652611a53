"""Volumes that come one after the other: kept until all are there, across restarts. Blocking.

A folder holds, for each set that is not complete, its index, and each volume that came: a copy
where it lies on another file system, as a stick will be pulled out; otherwise a link to where it
is. The folder is searched like any stick, so nothing else has to be remembered.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap.bundle import durable
from airgap.bundle.failures import BRING_AGAIN, telling
from airgap.bundle.volume_files import VolumeSet, find_volumes, known_sets, named_sets
from airgap.bundle.volumes import INDEX_SUFFIX, Volume, encode_index
from airgap.errors import BundleDamaged
from airgap.oci.digest import Digest

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class VolumeCollection:
    """The folder in which volumes wait for the others of their set.

    Attributes:
        folder: where; it need not be there yet.
        sync: return only when copies are on the disk.
    """

    folder: Path
    sync: bool = True

    def find(self, paths: Sequence[Path]) -> VolumeSet | None:
        """Find the set that paths belong to, with what of it came before.

        Raises:
            NotFound, UsageError, BundleDamaged: as ``find_volumes`` does.
        """
        names, sets = named_sets(paths), known_sets(paths)
        # An index says which set it is; without one, volumes join the set that has their name.
        waiting = (
            index
            for index in self._indices()
            if (index.parent.name in sets if sets else _name(index) in names)
        )
        return find_volumes([*paths, *waiting])

    def _indices(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        with telling(self.folder):
            return sorted(self.folder.glob(f"*/*{INDEX_SUFFIX}"))

    def keep(self, volumes: VolumeSet, on_bytes: Callable[[int], None] = lambda _: None) -> None:
        """Keep what there is of a set that is not complete.

        Copies are compared with the index while they are made.

        Raises:
            BundleDamaged: a volume is not what the index says; it is named, the others are kept.
            NoSpace: they do not fit here.
            Refused: another process is doing the same.
        """
        place = self._place(volumes)
        with telling(place):
            place.mkdir(parents=True, exist_ok=True)
            lock = durable.create_locked(place / "lock", volumes.path)
        try:
            with telling(place):
                index = place / f"{volumes.path.name}{INDEX_SUFFIX}"
                durable.replace_file(index, encode_index(volumes.index), sync=self.sync)
            faults = []
            for volume in volumes.index.volumes:
                path = volumes.files.get(volume.id)
                kept = place / volume.id.file_name(volumes.path.name)
                if path is None or path == kept or self._link(path, kept):
                    continue
                durable.check_space(lock, kept, volume.size)
                if not self._copy(volume, path, kept, on_bytes):
                    faults.append(f"{volume.id} is damaged, or of another set ({path})")
            if self.sync:
                durable.sync_folder(place)
        finally:
            os.close(lock)
        if faults:
            raise BundleDamaged(str(volumes.path), "; ".join(faults), BRING_AGAIN)

    def _place(self, volumes: VolumeSet) -> Path:
        return self.folder / volumes.index.set_id

    def _link(self, path: Path, kept: Path) -> bool:
        """Link a volume that lies on the same file system; False where it lies elsewhere."""
        with telling(kept):
            if path.stat().st_dev != kept.parent.stat().st_dev:
                return False
            kept.unlink(missing_ok=True)
            kept.symlink_to(path.absolute())
        return True

    def _copy(
        self, volume: Volume, path: Path, kept: Path, on_bytes: Callable[[int], None]
    ) -> bool:
        """Copy a volume; False where it is not what the index says."""
        hasher = hashlib.sha256()
        partial = durable.partial(kept)
        try:
            with telling(path):
                source = path.open("rb", buffering=0)
            with source, telling(kept), partial.open("wb", buffering=0) as target:
                while piece := _read(source.read, path):
                    hasher.update(piece)
                    durable.write_all(target.fileno(), piece)
                    on_bytes(len(piece))
                if self.sync:
                    os.fdatasync(target.fileno())
            if Digest.from_hasher(hasher) != volume.digest:
                return False
            with telling(kept):
                partial.rename(kept)
            return True
        finally:
            partial.unlink(missing_ok=True)

    def waiting(self, set_id: str) -> bool:
        """Tell whether anything of a set is kept here."""
        return (self.folder / set_id).is_dir()

    def discard(self, set_id: str) -> None:
        """Throw away what is kept of a set; volumes that are only linked stay where they are."""
        if self.waiting(set_id):
            with telling(self.folder):
                shutil.rmtree(self.folder / set_id)


def _read(read: Callable[[int], bytes], path: Path) -> bytes:
    with telling(path):
        return read(_PIECE)


def _name(index_path: Path) -> str:
    return index_path.name.removesuffix(INDEX_SUFFIX)
