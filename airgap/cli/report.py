"""``airgap report``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from airgap.bundle.journal import GIVEN_UP, ImportEntry
from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.errors import NotFound
from airgap.operations.documents import Document
from airgap.operations.sizes import counted, human_size
from airgap.store.journal import StoreJournal
from airgap.usecases.import_report import report_document, report_page


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False, metavar="[ID]")
@click.option("--html", is_flag=True, help="Print the page that a person can sign.")
@store_option
@common_options
def report(invocation: Invocation, *, number: int | None, html: bool) -> int:
    """List the imports of a store, or print the report of one.

    The same reports stand in airgap/reports in the store: what came, who signed it, what was
    checked, every digest, and when; as JSON, and as a page that needs nothing but a browser.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        del view
        async with app.open_store() as store:
            entries = await StoreJournal(store).entries()
        if number is None:
            documents = [_listed_document(entry) for entry in entries]
            return Result({"imports": documents}, _list_lines(entries))
        entry = next((entry for entry in entries if entry.number == number), None)
        if entry is None:
            raise NotFound(f"import {number}", "is not in the journal", "`airgap report` lists all")
        document = report_document(entry)
        text = report_page(document) if html else _text(document)
        return Result({"report": document}, [text])

    return perform(invocation, "report", work)


def _listed_document(entry: ImportEntry) -> Document:
    return {
        "import": entry.number,
        "bundle": entry.bundle_id,
        "channel": entry.channel,
        "sequence": entry.sequence,
        "state": str(entry.state),
        "given_up": entry.is_given_up,
        "times": entry.evidence["times"],
    }


def _list_lines(entries: Sequence[ImportEntry]) -> Iterator[str]:
    for entry in entries:
        times = entry.evidence["times"]
        last = times[list(times)[-1]]
        name = f"{entry.channel} {entry.sequence}" if entry.channel else entry.bundle_id
        state = GIVEN_UP if entry.is_given_up else str(entry.state)
        yield f"{entry.number:>4}  {last}  {state:<10} {name}"
    yield counted(len(entries), "import")


def _text(document: Document) -> str:
    return "\n".join(_report_lines(document))


def _report_lines(document: Document) -> Iterator[str]:
    bundle = document["bundle"]
    yield f"import    {document['import']}, {document['state']}"
    yield f"bundle    {bundle['id']}, {bundle['kind']}"
    yield f"made      {bundle['created']} by {bundle['tool']}"
    if bundle["channel"]:
        yield f"channel   {bundle['channel']}, number {bundle['sequence']}"
    yield f"digest    {bundle['digest']}"
    signers = [f"{key['name']} ({key['id']})" for key in document["signatures"]["valid"]]
    yield f"signed by {', '.join(signers) or 'nobody whose key is trusted here'}"
    yield f"carried   {counted(bundle['pieces'], 'piece')} with {human_size(bundle['bytes'])}"
    for check in document["checks"]:
        yield f"checked   {check}"
    for name in document.get("names", ()):
        was = f"  (was {name['previous']})" if name["change"] == "moved" else ""
        yield f"  {name['change']:<6} {name['name']}  {name['digest']}{was}"
    for name in document.get("removals", ()):
        word = "removed" if name["removed"] else "kept"
        yield f"  {word:<7} {name['name']}: {name['because']}"
    if "push" in document:
        yield f"pushed to {document['push']['to']}"
    if "audit" in document:
        audit = document["audit"]
        yield (
            f"audit     {audit['present']} present, {audit['missing']} missing, "
            f"{audit['changed']} changed"
        )
    for state, moment in document["times"].items():
        yield f"{state:<9} {moment}"
