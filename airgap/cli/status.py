"""``airgap status``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from airgap.app import App
from airgap.bundle.journal import ReceivedBundle
from airgap.bundle.ledger import ChannelStatus, DeliveryRecord
from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.operations.documents import Document
from airgap.operations.sizes import counted, human_size
from airgap.operations.turns import turn
from airgap.store.journal import StoreJournal
from airgap.store.ledger import StoreLedger
from airgap.usecases.status import StoreStatus, give_up, read_status


@click.command()
@click.argument("channels", nargs=-1, metavar="[CHANNEL…]")
@click.option(
    "--give-up",
    "given_up",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="ID",
    help="Let an import that stopped count as ended; may be repeated.",
)
@store_option
@common_options
def status(invocation: Invocation, *, channels: tuple[str, ...], given_up: tuple[int, ...]) -> int:
    """Show where each channel stands: exported, confirmed, outstanding, taken in.

    On the connected side: the last bundle, the last one that a receipt came for, and those after
    it. On the isolated side: the last bundle that was taken in, and imports that are not finished:
    importing the same bundle again goes on with one, and --give-up ends it.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        del view
        async with app.open_store() as store:
            journal = StoreJournal(store)
            if given_up:
                async with turn(store, "import"):
                    for number in given_up:
                        await give_up(number, journal)
            wanted = channels or _configured(app)
            found = await read_status(StoreLedger(store), journal, wanted, only=bool(channels))
        return Result(_document(found), _lines(found))

    return perform(invocation, "status", work)


def _configured(app: App) -> tuple[str, ...]:
    return tuple(app.config.exports)


def _document(found: StoreStatus) -> Document:
    return {
        "exports": {
            sending.channel: {
                "last_exported": _record_document(sending.last),
                "last_confirmed": _record_document(sending.confirmed),
                "outstanding": [_record_document(record) for record in sending.outstanding],
            }
            for sending in found.sending
        },
        "imports": {
            receiving.channel: {
                "last_imported": receiving.sequence,
                "id": receiving.id,
                "received": _moment(receiving.received),
            }
            for receiving in found.receiving
        },
        "unfinished": [
            {"import": entry.number, "bundle": entry.bundle_id, "state": str(entry.state)}
            for entry in found.unfinished
        ],
    }


def _record_document(record: DeliveryRecord | None) -> Document | None:
    if record is None:
        return None
    return {
        "sequence": record.sequence,
        "id": record.id,
        "kind": str(record.kind),
        "base": record.base,
        "created": record.created.isoformat(),
        "standing": str(record.standing),
        "confirmed": _moment(record.confirmed),
        "blobs": record.blobs,
        "bytes": record.bytes,
        "path": str(record.path) if record.path is not None else None,
        "files": [str(file.path) for file in record.files],
    }


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _lines(found: StoreStatus) -> Iterator[str]:
    for sending in found.sending:
        yield from _sending_lines(sending)
    for receiving in found.receiving:
        yield from _receiving_lines(receiving)
    for entry in found.unfinished:
        yield f"import {entry.number} of {entry.bundle_id} stopped when it was {entry.state}"
        yield (
            "  import the same bundle again, and it goes on from there; or end it: "
            f"`airgap status --give-up {entry.number}`"
        )
    if not (found.sending or found.receiving or found.unfinished):
        yield "no channel has sent or brought anything"


def _sending_lines(sending: ChannelStatus) -> Iterator[str]:
    yield f"to {sending.channel}"
    last, confirmed = sending.last, sending.confirmed
    yield f"  last exported   {_shown(last) if last is not None else 'nothing yet'}"
    yield f"  last confirmed  {_shown(confirmed) if confirmed is not None else 'nothing yet'}"
    outstanding = sending.outstanding
    if outstanding:
        size = human_size(sum(record.bytes for record in outstanding))
        yield f"  outstanding     {counted(len(outstanding), 'bundle')} with {size}"


def _shown(record: DeliveryRecord) -> str:
    kind = "full" if record.base is None else f"on top of {record.base}"
    made = f"{record.created:%Y-%m-%d %H:%M}"
    return f"bundle {record.sequence} of {made}, {kind}, {human_size(record.bytes)}"


def _receiving_lines(receiving: ReceivedBundle) -> Iterator[str]:
    yield f"from {receiving.channel}"
    yield f"  last taken in   bundle {receiving.sequence} on {_moment(receiving.received)}"
