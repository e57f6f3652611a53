"""``airgap keygen``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from airgap.bundle.age_keys import write_age_keys
from airgap.bundle.keys import write_key_pair
from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.passphrases import new_passphrase
from airgap.errors import UsageError


@click.command()
@click.argument("name", type=click.Path(path_type=Path), metavar="NAME")
@click.option(
    "--for",
    "purpose",
    type=click.Choice(["sign", "encrypt"]),
    default="sign",
    show_default=True,
    help="What the keys are for.",
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Encrypt the private key with what is in FILE [$AIRGAP_KEY_PASSPHRASE, a prompt].",
)
@click.option("--no-passphrase", is_flag=True, help="Leave the private key readable.")
@common_options
def keygen(
    invocation: Invocation,
    *,
    name: Path,
    purpose: str,
    passphrase_file: Path | None,
    no_passphrase: bool,
) -> int:
    """Make a pair of keys for bundles: NAME.key and NAME.pub.

    To sign, NAME.key stays with who exports, and NAME.pub goes to every side that imports, by a way
    that you trust; both are PEM files (ECDSA on P-256) that openssl and cosign read too. To
    encrypt, NAME.key stays with who imports, and NAME.pub goes to who exports; both are files of
    age, whose keys have no passphrase. Private keys can be read by their owner alone, and files
    that are there are never replaced.
    """
    if no_passphrase and passphrase_file is not None:
        raise UsageError("", "--passphrase-file and --no-passphrase exclude each other")
    if purpose == "encrypt":
        if passphrase_file is not None:
            raise UsageError("--passphrase-file", "is for keys that sign; age keys have none")
        return perform(invocation, "keygen", lambda _: _age_keys(name))
    passphrase = None if no_passphrase else new_passphrase(passphrase_file, os.environ)
    return perform(invocation, "keygen", lambda _: _signing_keys(name, passphrase))


async def _signing_keys(name: Path, passphrase: bytes | None) -> Result:
    files = await asyncio.to_thread(write_key_pair, name, passphrase)
    document = {
        "purpose": "sign",
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


async def _age_keys(name: Path) -> Result:
    files = await asyncio.to_thread(write_age_keys, name)
    document = {
        "purpose": "encrypt",
        "private": str(files.private),
        "public": str(files.public),
        "recipient": files.recipient,
    }
    lines = [
        f"{files.private}  the private key, WITHOUT a passphrase: guard the file",
        f"{files.public}  the public key, {files.recipient}",
    ]
    return Result(document, lines)
