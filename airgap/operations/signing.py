"""Who signs, as a section of the config says it, where nobody can be asked for a passphrase."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from airgap.bundle.keys import load_private_key
from airgap.bundle.signatures import signer
from airgap.bundle.statements import Signer
from airgap.config.protection import SignSection
from airgap.operations.passphrases import find_passphrase


def unattended_signer(said: SignSection, environ: Mapping[str, str]) -> Signer | None:
    """Return what signs, after every key was opened; None where nobody signs.

    Raises:
        AccessDenied: a passphrase is wrong or missing.
        UsageError, Unsupported: a file is not a private key of the right kind.
        NotFound, NotPermitted: a file cannot be read.
    """
    if not said.with_:
        return None

    def ask(key: Path) -> bytes | None:
        del key
        return find_passphrase(said.passphrase_file, said.passphrase_env, environ)

    return signer([load_private_key(path, ask) for path in said.with_])
