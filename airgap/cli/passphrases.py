"""Where the passphrase of a key comes from: a file, the environment, the keyboard; never argv."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from airgap.bundle.failures import telling
from airgap.bundle.keys import AskPassphrase
from airgap.errors import UsageError

VARIABLE = "AIRGAP_KEY_PASSPHRASE"
"""The environment variable that is looked at when nothing else is set."""

_MAX_SIZE = 4096
_HINT = f"answer a prompt at a terminal, name --passphrase-file, or set {VARIABLE}"


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


def passphrase_source(
    file: Path | None, variable: str | None, environ: Mapping[str, str]
) -> AskPassphrase:
    """Return what finds the passphrase of a private key when one is needed.

    Args:
        file: a file that holds it; goes first.
        variable: the environment variable that the config names.
        environ: the environment.
    """

    def ask(key: Path) -> bytes | None:
        if file is not None:
            return read_passphrase(file)
        for name in (variable, VARIABLE):
            if name is not None and environ.get(name):
                return environ[name].encode()
        if not sys.stdin.isatty():
            return None
        answer: str = click.prompt(f"Passphrase of {key}", hide_input=True, err=True)
        return answer.encode()

    return ask


def new_passphrase(file: Path | None, environ: Mapping[str, str]) -> bytes | None:
    """Return the passphrase for a new key; None where the person wants none.

    Raises:
        UsageError: nothing is set, and there is no terminal to ask at.
    """
    if file is not None:
        return read_passphrase(file)
    if environ.get(VARIABLE):
        return environ[VARIABLE].encode()
    if not sys.stdin.isatty():
        raise UsageError("", "there is no passphrase for the key", f"{_HINT}, or --no-passphrase")
    answer: str = click.prompt(
        "Passphrase for the new key (empty for none)",
        default="",
        show_default=False,
        hide_input=True,
        confirmation_prompt="Once more",
        err=True,
    )
    return answer.encode() or None
