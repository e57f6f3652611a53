"""``airgap receipt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from airgap.bundle.statements import Receipt, Request, Statement
from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.operations.confirming import apply_receipt_file
from airgap.operations.documents import Document
from airgap.operations.sizes import counted
from airgap.operations.statements import read_statement
from airgap.usecases.receipts import ReceiptReport

_FILES = click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…"
)


@click.group()
def receipt() -> None:
    """Take in what the other side sends back, or look at it."""


@receipt.command("apply", short_help="Take a receipt into the ledger.")
@_FILES
@store_option
@common_options
def apply(invocation: Invocation, *, files: tuple[Path, ...]) -> int:
    """Take receipts into the ledger: what they confirm need not be exported again.

    Where the config names signers for the channel, enough of them must have signed. A receipt that
    comes late or twice changes nothing.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        reports = [await apply_receipt_file(app, file, view.emit) for file in files]
        documents = [_applied_document(report) for report in reports]
        lines = [line for report in reports for line in _applied_lines(report)]
        return Result({"receipts": documents}, lines)

    return perform(invocation, "receipt apply", work)


@receipt.command(short_help="Show what a receipt or request says.")
@_FILES
@common_options
def show(invocation: Invocation, *, files: tuple[Path, ...]) -> int:
    """Show what receipts and requests say. Their signatures are listed, and not checked."""

    async def work(view: EventView) -> Result:
        del view
        statements = [read_statement(file) for file in files]
        lines = [line for statement in statements for line in _shown_lines(statement)]
        return Result({"statements": [_shown_document(s) for s in statements]}, lines)

    return perform(invocation, "receipt show", work)


def _applied_document(report: ReceiptReport) -> Document:
    record = report.record
    return {
        "channel": record.channel,
        "sequence": record.sequence,
        "id": record.id,
        "news": report.is_news,
        "adopted": report.is_adopted,
        "outstanding": len(report.status.outstanding),
    }


def _applied_lines(report: ReceiptReport) -> Iterator[str]:
    record = report.record
    name = f"{record.channel}, bundle {record.sequence}"
    if not report.is_news:
        yield f"{name}: was confirmed before"
    elif report.is_adopted:
        yield f"{name}: confirmed; the ledger had not seen it, and goes on from there"
    else:
        yield f"{name}: confirmed"
    outstanding = report.status.outstanding
    if outstanding:
        yield f"  {counted(len(outstanding), 'bundle')} after it wait for a receipt"


def _shown_document(statement: Statement) -> Document:
    said = statement.said
    document: Document = {
        "type": "receipt" if isinstance(said, Receipt) else "request",
        "channel": said.channel,
        "signed_by": sorted(statement.signatures),
    }
    if isinstance(said, Receipt):
        return document | {
            "sequence": said.bundle.sequence,
            "id": said.bundle.id,
            "received": said.received.isoformat(),
            "names": {str(name): d.digest for name, d in said.names.items()},
            "content": {"count": said.content.count, "sha256": said.content.sha256},
        }
    return document | {
        "sequence": said.refused.sequence,
        "id": said.refused.id,
        "last": said.last.sequence if said.last is not None else None,
        "missing": list(said.missing),
    }


def _shown_lines(statement: Statement) -> Iterator[str]:
    said = statement.said
    signed = ", ".join(sorted(statement.signatures)) or "nobody"
    if isinstance(said, Request):
        last = said.last.sequence if said.last is not None else "none"
        yield f"request   {said.channel}: bundle {said.refused.sequence} could not be taken in"
        yield f"signed by {signed}"
        yield f"last      {last}"
        for digest in said.missing:
            yield f"missing   {digest}"
        return
    yield f"receipt   {said.channel}: bundle {said.bundle.sequence} ({said.bundle.id}) was taken in"
    yield f"signed by {signed}"
    yield f"received  {said.received.isoformat()}"
    yield f"content   {counted(said.content.count, 'piece')}, sum {said.content.sha256}"
    for name, descriptor in said.names.items():
        yield f"  {name.familiar}  {descriptor.digest.short}"
