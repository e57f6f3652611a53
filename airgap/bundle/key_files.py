"""The files that keys are kept in: ``NAME.key`` and ``NAME.pub``. Blocking."""

from __future__ import annotations

import os
import re
from pathlib import Path

from airgap.bundle.failures import telling
from airgap.errors import UsageError

MAX_KEY_FILE_SIZE = 64 * 1024
"""Bytes; a P-256 key in PEM has some 250, a list of recipients some 60 a line."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def read_key_file(path: Path) -> bytes:
    """Return the content of a file of keys, at most 64 KiB of it.

    Raises:
        NotFound, NotPermitted: it cannot be opened.
    """
    with telling(path), path.open("rb") as file:
        return file.read(MAX_KEY_FILE_SIZE)


def write_pair(path: Path, private: bytes, public: bytes) -> tuple[Path, Path]:
    """Write both halves of a key; nothing is ever replaced.

    Args:
        path: folder and NAME.
        private: the content of ``NAME.key``, which gets mode 0600.
        public: the content of ``NAME.pub``.

    Raises:
        UsageError: NAME is not one, or one of the files is there already.
        NotFound, NotPermitted, NoSpace: the folder cannot take them.
    """
    if not _NAME.fullmatch(path.name):
        raise UsageError(
            repr(path.name),
            "is not a name for a key",
            "at most 64 letters, digits, '.', '_', '-', beginning with a letter or digit",
        )
    files = path.with_name(f"{path.name}.key"), path.with_name(f"{path.name}.pub")
    for file in files:
        if file.exists():
            raise _taken(file)
    with telling(path.parent):
        _write_new(files[0], private, 0o600)
        try:
            _write_new(files[1], public, 0o644)
        except OSError:
            files[0].unlink()
            raise
    return files


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all; a name that is taken stays as it is."""
    try:
        # The name is claimed first, and then replaced by the whole file, which FAT can do too.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
    except FileExistsError:
        raise _taken(path) from None
    temporary = path.with_name(f".{path.name}.partial")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        path.unlink()
        temporary.unlink(missing_ok=True)
        raise


def _taken(path: Path) -> UsageError:
    return UsageError(str(path), "is already there, and keys are never replaced", "choose a name")
