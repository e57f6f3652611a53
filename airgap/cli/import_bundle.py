"""``airgap import``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from airgap.app import App
from airgap.bundle.signatures import SignatureVerdict
from airgap.bundle.volume_collection import VolumeCollection
from airgap.cli.import_delivery import Delivery
from airgap.cli.invocation import Invocation, common_options, plain_http_option, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.reading import (
    Reading,
    diagnosed,
    reading_options,
    signature_document,
    signature_line,
    unchecked_warning,
)
from airgap.config.quantities import parse_size
from airgap.content.events import Note
from airgap.oci.name_mapping import Destination
from airgap.operations.consignment import Consignment
from airgap.operations.unpacking import means_at
from airgap.usecases.pull import ENGINE


@click.command("import")
@reading_options
@click.option(
    "--to",
    "destination",
    metavar="REGISTRY",
    help="Push on to this registry[/prefix], or to docker-daemon: (the Docker Engine).",
)
@click.option("--direct", is_flag=True, help="Push straight from the bundle, past the store.")
@click.option(
    "--receipts",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to write the receipt, or the request for what is missing [the channel's].",
)
@click.option(
    "--delta-memory",
    callback=lambda _context, _parameter, text: parse_size(text) if text is not None else None,
    metavar="SIZE",
    help="Memory that unpacking may take [the channel's, 1GiB].",
)
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
@store_option
@plain_http_option
@common_options
def import_bundle(
    invocation: Invocation,
    *,
    reading: Reading,
    destination: str | None,
    direct: bool,
    receipts: Path | None,
    delta_memory: int | None,
    dry_run: bool,
) -> int:
    """Verify a bundle, take it into the local store, and push it on into a registry.

    FILE is the bundle; or volumes of it, or folders that hold them, in any order. Where some are
    still wanted, those that came are kept, and the import goes on when the others are named. A
    bundle that trusted signers have not signed is refused before anything is written.

    Every blob is hashed as it comes in; the names move last, all together. A bundle that is cut
    short or changed is refused, and store and registry stay as they were; so is one that relies on
    what is not here, or that is older than what is. An import that was cut off goes on where it
    was when it is called again. It leaves a report, and a receipt to carry back.

    With --direct nothing is kept in the store: where there is no room for a second copy.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        collection = None if dry_run else _collection(app)
        found = await reading.find(collection)
        async with reading.opened(app, found, means_at(app, delta_memory)) as bundle:
            verdict = reading.verdict(app, bundle.head)
            verdict.require(str(bundle.path))
            warning = unchecked_warning(verdict)
            if warning is not None:
                view.emit(Note("warning", warning))
            to_engine = destination == ENGINE
            to = Destination.parse(destination) if destination and not to_engine else None
            consignment = Consignment(app, bundle, verdict, to, receipts, to_engine)
            delivery = Delivery(consignment, view)
            if dry_run:
                return await delivery.preview()
            result = await (delivery.take_direct() if direct else delivery.take_in())
        if result.error is not None and _speaks_of_damage(result):
            result.error = await diagnosed(found, result.error)
        if result.error is None and found.volumes is not None and collection is not None:
            await asyncio.to_thread(collection.discard, found.volumes.index.set_id)
        return _with_signatures(result, verdict)

    return perform(invocation, "import", work)


def _collection(app: App) -> VolumeCollection:
    """Return where volumes wait that came without the others of their set."""
    return VolumeCollection(app.store_path / "airgap" / "incoming", sync=app.config.store.sync)


def _speaks_of_damage(result: Result) -> bool:
    """Tell whether images failed because their content is not what it should be."""
    images = result.document.get("pushed", {}).get("images", [])
    kinds = {image["error"]["kind"] for image in images if image["error"] is not None}
    return not kinds.isdisjoint({"BundleDamaged", "ContentMismatch"})


def _with_signatures(result: Result, verdict: SignatureVerdict) -> Result:
    document = {**result.document, "signatures": signature_document(verdict)}
    return Result(document, [f"signed by {signature_line(verdict)}", *result.lines], result.error)
