"""Receipts and requests as files: written for the way back, and read when they have come back."""

from __future__ import annotations

from pathlib import Path

from airgap.bundle import durable
from airgap.bundle.failures import telling
from airgap.bundle.signatures import SignaturePolicy, check_signatures
from airgap.bundle.statements import (
    MAX_STATEMENT_SIZE,
    Receipt,
    Request,
    Signer,
    Statement,
    encode_statement,
)

NO_KEYS = SignaturePolicy()


def statement_name(said: Receipt | Request) -> str:
    """Return the name of the file: channel, sequence, and what it is."""
    if isinstance(said, Receipt):
        return f"{said.channel}-{said.bundle.sequence}.receipt"
    return f"{said.channel}-{said.refused.sequence}.request"


def write_statement_file(
    said: Receipt | Request, folder: Path, sign: Signer | None = None, *, sync: bool = True
) -> Path:
    """Write a receipt or request into a folder, whole or not at all; blocks.

    Raises:
        NotPermitted, NoSpace: the folder does not take it.
    """
    path = folder / statement_name(said)
    with telling(path):
        folder.mkdir(parents=True, exist_ok=True)
        durable.replace_file(path, encode_statement(said, sign), sync=sync)
        if sync:
            durable.sync_folder(folder)
    return path


def read_statement_file(path: Path) -> bytes:
    """Return all of a receipt's or request's file, and not much more than one may have; blocks.

    Raises:
        NotFound, NotPermitted: it cannot be opened.
    """
    with telling(path), path.open("rb") as file:
        return file.read(MAX_STATEMENT_SIZE + 1)


def require_signatures(statement: Statement, what: str, policy: SignaturePolicy = NO_KEYS) -> None:
    """Let a statement pass that enough trusted keys have signed.

    Raises:
        Refused: a signature does not fit, or too few have signed.
    """
    check_signatures(statement.signed, statement.signatures, policy).require(what)
