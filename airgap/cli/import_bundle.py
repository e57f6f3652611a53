"""``airgap import``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import click

from airgap.app import App
from airgap.bundle.reader import Bundle
from airgap.bundle.signatures import SignatureVerdict
from airgap.bundle.volume_collection import VolumeCollection
from airgap.cli.documents import Document, audit_document, copy_document, image_document
from airgap.cli.invocation import Invocation, common_options, plain_http_option, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.push import audit_lines
from airgap.cli.reading import (
    Reading,
    reading_options,
    signature_document,
    signature_line,
    unchecked_warning,
)
from airgap.cli.sizes import counted, human_size
from airgap.cli.summaries import change_word, copy_lines
from airgap.content.copy_plan import Survey
from airgap.content.events import Note
from airgap.content.report import ImageResult, Outcome
from airgap.errors import NotFound
from airgap.oci.name_mapping import Destination, NameMapping
from airgap.usecases.import_bundle import import_bundle as take_in
from airgap.usecases.import_bundle import survey_import
from airgap.usecases.push import PushReport, PushRequest, push


@click.command("import")
@reading_options
@click.option("--to", "destination", metavar="REGISTRY", help="Push on to this registry[/prefix].")
@click.option("--direct", is_flag=True, help="Push straight from the bundle, past the store.")
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
    dry_run: bool,
) -> int:
    """Verify a bundle, take it into the local store, and push it on into a registry.

    FILE is the bundle; or volumes of it, or folders that hold them, in any order. Where some are
    still wanted, those that came are kept, and the import goes on when the others are named. A
    bundle that trusted signers have not signed is refused before anything is written.

    Every blob is hashed as it comes in; the names move last, all together. A bundle that is cut
    short or changed is refused, and store and registry stay as they were. With --direct nothing is
    kept in the store: where there is no room for a second copy.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        collection = None if dry_run else _collection(app)
        found = await reading.find(collection)
        async with reading.opened(app, found) as bundle:
            verdict = reading.verdict(app, bundle.head)
            verdict.require(str(bundle.path))
            warning = unchecked_warning(verdict)
            if warning is not None:
                view.emit(Note("warning", warning))
            mapping = _mapping(app, bundle, destination)
            if dry_run:
                return _preview(await _survey(app, bundle), mapping)
            if direct:
                result = await _direct(app, bundle, mapping, view)
            else:
                result = await _by_store(app, bundle, mapping, view)
        if result.error is None and found.volumes is not None and collection is not None:
            await asyncio.to_thread(collection.discard, found.volumes.index.set_id)
        return _with_signatures(result, verdict)

    return perform(invocation, "import", work)


def _collection(app: App) -> VolumeCollection:
    """Return where volumes wait that came without the others of their set."""
    return VolumeCollection(app.store_path / "airgap" / "incoming", sync=app.config.store.sync)


def _with_signatures(result: Result, verdict: SignatureVerdict) -> Result:
    document = {**result.document, "signatures": signature_document(verdict)}
    return Result(document, [f"signed by {signature_line(verdict)}", *result.lines], result.error)


def _mapping(app: App, bundle: Bundle, destination: str | None) -> NameMapping | None:
    to = Destination.parse(destination) if destination else None
    channel = app.config.imports.get(bundle.manifest.channel or "")
    return channel.name_mapping(to) if channel is not None else app.config.push.name_mapping(to)


async def _by_store(
    app: App, bundle: Bundle, mapping: NameMapping | None, view: EventView
) -> Result:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(app.open_store(create=True))
        await stack.enter_async_context(store.writing())
        copied = await take_in(bundle, store, view.emit)
        document = {**_bundle_document(bundle), **copy_document(copied)}
        lines = [*_change_lines(copied.images), *copy_lines(copied, "imported")]
        if mapping is None:
            return Result(document, lines)
        registry = await stack.enter_async_context(app.registries(view.emit))
        view.say(f"pushing to {mapping.destination}")
        request = PushRequest([root.reference for root in bundle.roots], mapping.map_all)
        pushed = await push(request, store, registry, view.emit)
    return _pushed(document, lines, pushed)


async def _direct(app: App, bundle: Bundle, mapping: NameMapping | None, view: EventView) -> Result:
    if mapping is None:
        raise NotFound("--direct", "no registry is named to push to", "name it with --to REGISTRY")
    async with app.registries(view.emit) as registry:
        request = PushRequest([root.reference for root in bundle.roots], mapping.map_all)
        pushed = await push(request, bundle, registry, view.emit)
    return _pushed(_bundle_document(bundle), [], pushed)


def _pushed(document: Document, lines: list[str], pushed: PushReport) -> Result:
    document = {
        **document,
        "pushed": copy_document(pushed.copied),
        "audit": audit_document(pushed.audit),
    }
    lines += copy_lines(pushed.copied, "pushed")
    lines += audit_lines(pushed.audit)
    return Result(document, lines, pushed.copied.error() or pushed.audit.error())


async def _survey(app: App, bundle: Bundle) -> Survey | None:
    try:
        async with app.open_store() as store:
            return await survey_import(bundle, store)
    except NotFound:
        if app.store_path.exists():
            raise
        return None


def _preview(survey: Survey | None, mapping: NameMapping | None) -> Result:
    if survey is None:
        return Result(
            {"dry_run": True, "store": None},
            ["there is no store yet, so everything in the bundle is new; nothing was written"],
        )
    document = {
        "dry_run": True,
        "images": [image_document(image) for image in survey.images],
        "new_blobs": survey.new_blobs,
        "new_bytes": survey.new_bytes,
    }
    return Result(document, _preview_lines(survey, mapping))


def _preview_lines(survey: Survey, mapping: NameMapping | None) -> Iterator[str]:
    yield from _change_lines(survey.images)
    if mapping is not None:
        for image in survey.images:
            yield f"  push   {mapping.map_reference(image.target)}"
    yield (
        f"{counted(survey.new_blobs, 'blob')} with {human_size(survey.new_bytes)} would be taken "
        "in; nothing was written"
    )


def _change_lines(images: tuple[ImageResult, ...]) -> Iterator[str]:
    for image in images:
        if image.descriptor is None or image.outcome is Outcome.FAILED:
            continue
        previous = image.previous if image.outcome is Outcome.COPIED else None
        was = f"  (was {previous.short})" if previous is not None else ""
        name, digest = image.target.familiar, image.descriptor.digest.short
        yield f"  {change_word(image):<6} {name}  {digest}{was}"


def _bundle_document(bundle: Bundle) -> Document:
    return {"bundle": str(bundle.path), "id": bundle.manifest.id}
