"""Where the passphrase of a key comes from: a file, the environment, the keyboard; never argv."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from airgap.bundle.keys import AskPassphrase
from airgap.errors import UsageError
from airgap.operations.passphrases import VARIABLE, find_passphrase, read_passphrase

_HINT = f"answer a prompt at a terminal, name --passphrase-file, or set {VARIABLE}"


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
        found = find_passphrase(file, variable, environ)
        if found is not None or not sys.stdin.isatty():
            return found
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
