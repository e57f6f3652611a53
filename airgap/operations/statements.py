"""Receipts and requests as files that a person names, with the signatures that the config wants."""

from __future__ import annotations

from pathlib import Path

from airgap.app import App
from airgap.bundle.keys import load_public_key
from airgap.bundle.signatures import SignaturePolicy
from airgap.bundle.statements import Receipt, Request, Statement, decode_statement
from airgap.config.transfer import ExportChannel
from airgap.content.events import Emit, Note
from airgap.errors import UsageError
from airgap.usecases.statements import read_statement_file, require_signatures


def read_statement(file: Path) -> Statement:
    """Read the file of a receipt or request; its signatures are not checked.

    Raises:
        NotFound, NotPermitted: it cannot be opened.
        ContentMismatch: it is neither.
    """
    return decode_statement(read_statement_file(file), str(file))


def read_receipt(app: App, file: Path, emit: Emit) -> Receipt:
    """Read the file of a receipt, and check its signatures.

    Raises:
        UsageError: it is a request.
        ContentMismatch: it is neither.
        Refused: too few of the channel's signers have signed it.
    """
    statement = read_statement(file)
    said = statement.said
    if not isinstance(said, Receipt):
        hint = f"`airgap export {said.channel} --request {file}` answers it"
        raise UsageError(str(file), "is a request", hint)
    _require_signatures(app, statement, file, emit)
    return said


def read_request(app: App, file: Path, emit: Emit) -> Request:
    """Read the file of a request, and check its signatures.

    Raises:
        UsageError: it is a receipt.
        ContentMismatch: it is neither.
        Refused: too few of the channel's signers have signed it.
    """
    statement = read_statement(file)
    said = statement.said
    if not isinstance(said, Request):
        raise UsageError(str(file), "is a receipt", f"`airgap receipt apply {file}` takes it in")
    _require_signatures(app, statement, file, emit)
    return said


def _require_signatures(app: App, statement: Statement, file: Path, emit: Emit) -> None:
    channel = statement.said.channel
    section = app.config.exports.get(channel) or ExportChannel()
    policy = SignaturePolicy(tuple(map(load_public_key, section.signers)), section.threshold)
    require_signatures(statement, str(file), policy)
    if not policy.trusted:
        warning = f"nothing says who wrote {file.name} (export: {channel}: signers)"
        emit(Note("warning", warning))
