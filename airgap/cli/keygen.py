"""``airgap keygen``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from airgap.bundle.keys import write_key_pair
from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.passphrases import new_passphrase
from airgap.cli.progress import EventView
from airgap.errors import UsageError


@click.command()
@click.argument("name", type=click.Path(path_type=Path), metavar="NAME")
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Encrypt the private key with what is in FILE [$AIRGAP_KEY_PASSPHRASE, a prompt].",
)
@click.option("--no-passphrase", is_flag=True, help="Leave the private key readable.")
@common_options
def keygen(
    invocation: Invocation, *, name: Path, passphrase_file: Path | None, no_passphrase: bool
) -> int:
    """Make a pair of keys to sign bundles with: NAME.key and NAME.pub.

    NAME.key stays with who exports, readable by its owner alone; NAME.pub goes to every side that
    imports, by a way that you trust. Both are PEM files (ECDSA on P-256) that openssl and cosign
    read too. Files that are there are never replaced.
    """
    if no_passphrase and passphrase_file is not None:
        raise UsageError("", "--passphrase-file and --no-passphrase exclude each other")
    passphrase = None if no_passphrase else new_passphrase(passphrase_file, os.environ)

    async def work(view: EventView) -> Result:
        del view
        files = await asyncio.to_thread(write_key_pair, name, passphrase)
        document = {
            "private": str(files.private),
            "public": str(files.public),
            "id": files.key.id,
            "encrypted": passphrase is not None,
        }
        state = "with a passphrase" if passphrase else "WITHOUT a passphrase: guard the file"
        lines = [
            f"{files.private}  the private key, {state}",
            f"{files.public}  the public key, id {files.key.id}",
        ]
        return Result(document, lines)

    return perform(invocation, "keygen", work)
