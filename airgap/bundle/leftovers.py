"""Files of bundles that were written before: which there are, and what became of them. Blocking.

A bundle is ``NAME`` with ``NAME.sha256``; or ``NAME.001`` and so on, ``NAME.p01`` and so on, with
``NAME.volumes.json``. What is not whole yet has ``.partial`` at the end.
"""

from __future__ import annotations

import fcntl
import os
import re
from enum import Enum, auto
from pathlib import Path

from airgap.bundle import durable
from airgap.bundle.failures import telling
from airgap.bundle.ledger import WrittenFile
from airgap.errors import NotFound, Refused

_INDEX = ".volumes.json"
_ENDINGS = r"(\.sha256|\.volumes\.json|\.\d{3}|\.p\d\d)?"


class Fate(Enum):
    """What became of a bundle.

    ``GONE``: there is nothing of it, be it that it was never complete, or that it was taken away.
    """

    PUBLISHED = auto()
    NEVER = auto()
    GONE = auto()


def files_of(path: Path) -> tuple[WrittenFile, ...]:
    """Return every file that belongs to a bundle and is whole, by name."""
    pattern = re.compile(re.escape(path.name) + _ENDINGS)
    with telling(path.parent):
        found = [entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name)]
        return tuple(WrittenFile(f.absolute(), f.stat().st_size) for f in sorted(found))


def fate_of(path: Path) -> Fate:
    """Find out what became of a bundle that was about to get its name.

    Raises:
        Refused: another process is writing it right now.
    """
    try:
        whole = files_of(path)
    except NotFound:
        return Fate.GONE
    names = {file.path.name for file in whole}
    index = path.with_name(path.name + _INDEX)
    unfinished = [_is_left_over(durable.partial(file)) for file in (path, index)]
    if any(unfinished):
        # Volumes get their names before their index does, and one of them may be gone already.
        return Fate.GONE if unfinished[1] and names else Fate.NEVER
    return Fate.PUBLISHED if {path.name, index.name} & names else Fate.GONE


def _is_left_over(partial: Path) -> bool:
    try:
        file = os.open(partial, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(
            str(partial), "another process is writing it", "wait until it is done"
        ) from None
    finally:
        os.close(file)
    return True


def delete(files: tuple[WrittenFile, ...]) -> None:
    """Delete files of a bundle, unless they are not any more what was written.

    Raises:
        NotPermitted: one cannot be deleted.
    """
    # The checksum goes first: without it nobody takes what is left for a whole bundle.
    for file in sorted(files, key=lambda file: file.path.suffix != ".sha256"):
        with telling(file.path):
            if file.path.is_file() and file.path.stat().st_size == file.size:
                file.path.unlink()
