"""Where the passphrase of a key is found: in a file or in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from airgap.bundle.failures import telling
from airgap.errors import UsageError

VARIABLE = "AIRGAP_KEY_PASSPHRASE"
"""The environment variable that is looked at when nothing else is set."""

_MAX_SIZE = 4096


def read_passphrase(path: Path) -> bytes:
    """Return the content of a file, without the newline that editors add.

    Raises:
        NotFound, NotPermitted: it cannot be opened.
        UsageError: it is empty, or too long to be a passphrase.
    """
    with telling(path), path.open("rb") as file:
        raw = file.read(_MAX_SIZE + 1)
    if len(raw) > _MAX_SIZE:
        raise UsageError(str(path), f"has over {_MAX_SIZE} bytes, too many for a passphrase")
    passphrase = raw.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise UsageError(str(path), "is empty, and should hold a passphrase")
    return passphrase


def find_passphrase(
    file: Path | None, variable: str | None, environ: Mapping[str, str]
) -> bytes | None:
    """Return the passphrase that a config points to, or None.

    Args:
        file: a file that holds it; goes first.
        variable: the environment variable that the config names; ``VARIABLE`` comes after it.
        environ: the environment.

    Raises:
        NotFound, NotPermitted, UsageError: the file cannot be read as a passphrase.
    """
    if file is not None:
        return read_passphrase(file)
    for name in (variable, VARIABLE):
        if name is not None and environ.get(name):
            return environ[name].encode()
    return None
