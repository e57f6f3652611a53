"""Looking into drop folders, and moving files out of them. Everything here blocks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from airgap.bundle.failures import telling
from airgap.daemon.arrivals import Look, Seen
from airgap.errors import AirgapError

MOST_FILES = 20_000
"""Files that one look takes in; a drop folder is no place for more."""

_DEPTH = 2
"""Folders below the drop folder that are looked into: ``/media/LABEL``, ``/media/USER/LABEL``."""


def take_look(root: Path, spare: Iterable[Path] = ()) -> Look:
    """Return every file of a drop folder; links are not followed, hidden files are not seen.

    Args:
        root: the drop folder.
        spare: folders that are not looked into.

    Raises:
        NotFound, NotPermitted: the folder is not there, or cannot be read.
    """
    spared = {os.path.abspath(path) for path in spare}  # noqa: PTH100 - links stay links
    look: dict[Path, Seen] = {}
    for entry in _entries(root, _DEPTH, spared, strict=True):
        if len(look) == MOST_FILES:
            break
        # A stick that is pulled out right now is looked at next time.
        with suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            look[Path(entry.path)] = Seen(status.st_size, status.st_mtime_ns)
    return look


def _entries(
    folder: Path, depth: int, spared: set[str], *, strict: bool = False
) -> Iterator[os.DirEntry[str]]:
    try:
        with telling(folder), os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except AirgapError:
        if strict:
            raise
        # One medium that cannot be read must not keep the others from being looked at.
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_file(follow_symlinks=False):
            yield entry
        elif (
            depth
            and entry.is_dir(follow_symlinks=False)
            and os.path.abspath(entry.path) not in spared  # noqa: PTH100 - likewise
        ):
            yield from _entries(Path(entry.path), depth - 1, spared)


def move_into(folder: Path, files: Iterable[Path]) -> None:
    """Move files into a folder, which may be on another file system; no file there is replaced.

    Raises:
        NotPermitted, NoSpace: the folder does not take them, or the medium does not give them up.
    """
    with telling(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        target = _free_name(folder / path.name)
        with telling(path):
            shutil.move(path, target)


def _free_name(wanted: Path) -> Path:
    target, number = wanted, 1
    while target.exists():
        number += 1
        target = wanted.with_name(f"{wanted.name}.{number}")
    return target


def delete(files: Iterable[Path]) -> None:
    """Delete files.

    Raises:
        NotPermitted: the medium does not give them up.
    """
    for path in files:
        with telling(path):
            path.unlink(missing_ok=True)


def write_reason(folder: Path, name: str, text: str) -> None:
    """Write beside a bundle why it was refused."""
    path = folder / f"{name}.refused.txt"
    with telling(path):
        path.write_text(f"{text}\n", "utf-8")
