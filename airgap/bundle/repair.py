"""Rebuilding lost volumes from parity. Blocking.

What is rebuilt must have the digest that the index gives. A damaged file in the way is moved aside,
never deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airgap.bundle import durable
from airgap.bundle.checksum import checksum_path, volume_checksums
from airgap.bundle.destination import HashedFile
from airgap.bundle.failures import telling
from airgap.bundle.parity import rebuild, zfec
from airgap.bundle.volume_files import VolumeCheck, VolumeSet, check_volumes
from airgap.bundle.volumes import INDEX_SUFFIX, VolumeId, encode_index
from airgap.errors import BundleDamaged

DAMAGED_SUFFIX = ".damaged"


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did.

    Attributes:
        check: how the volumes were before.
        rebuilt: the volumes that were made, and where.
        set_aside: damaged files that were in the way, by their new names.
    """

    check: VolumeCheck
    rebuilt: Mapping[VolumeId, Path]
    set_aside: tuple[Path, ...] = ()


def repair_volumes(
    volumes: VolumeSet,
    folder: Path | None = None,
    *,
    sync: bool = True,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> RepairReport:
    """Check every volume, and rebuild those that are lost or damaged.

    Args:
        volumes: a set.
        folder: where rebuilt volumes go; None for where the index is.
        sync: return only when they are on the disk.
        on_bytes: is told, in this thread, how many more bytes have been checked.

    Raises:
        BundleDamaged: more is lost than parity can make up for; everything is named.
        NoSpace, NotPermitted: the folder cannot take them; nothing there has changed.
        Unsupported: ``zfec`` is not installed.
    """
    check = check_volumes(volumes, on_bytes)
    if not check.lost:
        return RepairReport(check, {})
    if not check.is_repairable:
        raise _beyond_repair(check)
    zfec()
    target = (folder or volumes.path.parent) / volumes.path.name
    with telling(target.parent), _locked(target, volumes, check):
        _rebuild(check, target, sync=sync)
        return _publish(check, target, sync=sync)


def _beyond_repair(check: VolumeCheck) -> BundleDamaged:
    needed, whole = len(check.volumes.index.data), len(check.good)
    return BundleDamaged(
        str(check.volumes.path),
        f"{'; '.join(check.problems())}. {needed} whole volumes, parity included, are needed, and "
        f"{whole} are here",
        f"bring {needed - whole} more of the lost volumes",
    )


@contextmanager
def _locked(target: Path, volumes: VolumeSet, check: VolumeCheck) -> Iterator[None]:
    """Keep other writers of the set out, and leave no half-made volume behind."""
    marker = durable.partial(target.with_name(target.name + INDEX_SUFFIX))
    lock = durable.create_locked(marker, target)
    try:
        sizes = {volume.id: volume.size for volume in volumes.index.volumes}
        durable.check_space(lock, target, sum(sizes[volume] for volume in check.lost))
        yield
    finally:
        for volume in check.lost:
            durable.partial(_final(target, volume)).unlink(missing_ok=True)
        marker.unlink(missing_ok=True)
        os.close(lock)


def _final(target: Path, volume: VolumeId) -> Path:
    return target.with_name(volume.file_name(target.name))


def _rebuild(check: VolumeCheck, target: Path, *, sync: bool) -> None:
    index = check.volumes.index
    with ExitStack() as stack:
        made: dict[VolumeId, HashedFile] = {}
        for lost in check.lost:
            path = durable.partial(_final(target, lost))
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            stack.callback(os.close, handle)
            made[lost] = HashedFile(handle, sync=sync)
            stack.callback(made[lost].close)
        rebuild(index, check.good, {volume: file.write for volume, file in made.items()})
        for volume in index.volumes:
            if volume.id in made and made[volume.id].finish() != volume.digest:
                raise BundleDamaged(
                    str(target),
                    f"{volume.id} comes out other than the index says, so parity is of another set",
                    "bring the volumes of one set",
                )


def _publish(check: VolumeCheck, target: Path, *, sync: bool) -> RepairReport:
    rebuilt: dict[VolumeId, Path] = {}
    aside: list[Path] = []
    for volume in check.lost:
        final = _final(target, volume)
        if final.exists():
            aside.append(_unused(final))
            final.rename(aside[-1])
        durable.partial(final).rename(final)
        rebuilt[volume] = final
    index = check.volumes.index
    index_path = target.with_name(target.name + INDEX_SUFFIX)
    if not index_path.exists():
        durable.replace_file(index_path, encode_index(index), sync=sync)
    if sync:
        durable.sync_folder(target.parent)
    if not checksum_path(target).exists():
        durable.replace_file(checksum_path(target), volume_checksums(index, target.name), sync=sync)
    return RepairReport(check, rebuilt, tuple(aside))


def _unused(path: Path) -> Path:
    name, number = f"{path.name}{DAMAGED_SUFFIX}", 1
    while path.with_name(name).exists():
        number += 1
        name = f"{path.name}{DAMAGED_SUFFIX}-{number}"
    return path.with_name(name)
