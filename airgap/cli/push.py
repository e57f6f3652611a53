"""``airgap push``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

from airgap.app import App
from airgap.cli.invocation import (
    Invocation,
    common_options,
    plain_http_option,
    platform_option,
    store_option,
)
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.content.copy_images import ImageCopy
from airgap.content.ports import TagMove
from airgap.content.walk import WalkRules
from airgap.oci.attachment_tag import parse_attachment_tag
from airgap.oci.location import Transport
from airgap.oci.name_mapping import Destination
from airgap.oci.platform import Platform
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference
from airgap.oci.tag_policy import OnExisting
from airgap.operations.documents import audit_document, copy_document
from airgap.operations.pushing import registries_of, turn_at
from airgap.operations.sizes import counted
from airgap.operations.summaries import copy_lines
from airgap.store.listing import list_images
from airgap.store.push_record import record_pushes
from airgap.store.store import Store
from airgap.usecases.audit import AuditReport
from airgap.usecases.engine_load import EngineImage, load_into_engine
from airgap.usecases.pull import ENGINE
from airgap.usecases.push import PushReport, PushRequest, plan_push
from airgap.usecases.push import push as push_images
from airgap.usecases.push_names import PushWords, push_names


@click.command()
@click.argument("references", nargs=-1, metavar="[REF…] [DST]")
@click.option(
    "--to",
    "destination",
    metavar="REGISTRY",
    help="Push to this registry[/prefix], or to docker-daemon: (the Docker Engine).",
)
@click.option("--all", "everything", is_flag=True, help="Push everything that the store has.")
@click.option("-a", "--all-tags", is_flag=True, help="Push every tag; REF is a repository then.")
@platform_option
@click.option("--no-referrers", is_flag=True, help="Leave signatures, SBOMs, attestations behind.")
@click.option(
    "--on-existing",
    type=click.Choice([str(policy) for policy in OnExisting]),
    help="What to do with a tag that stands for another digest there [the config, overwrite].",
)
@click.option("--dry-run", is_flag=True, help="Show the names at the destination; push nothing.")
@store_option
@plain_http_option
@common_options
def push(
    invocation: Invocation,
    *,
    references: tuple[str, ...],
    destination: str | None,
    everything: bool,
    all_tags: bool,
    platforms: Platforms,
    no_referrers: bool,
    on_existing: str | None,
    dry_run: bool,
) -> int:
    """Push images of the local store into a registry, and check every name afterwards.

    `push REF` goes where REF itself says, as docker has it; `push REF DST` goes there under
    another name. With --to, any number of images goes to one registry, and a name keeps its
    source's host as the first component of its path, so that images of two sources never meet in
    one name: alpine:3 goes to REGISTRY/docker.io/library/alpine:3. The config's `push.map` gives
    shorter ones, and its `push.to` is what --to is where no --to is given.
    """
    app = invocation.app()
    words = _words(app, references, destination, everything=everything, all_tags=all_tags)

    async def work(view: EventView) -> Result:
        async with app.open_store() as store:
            names = push_names(words, await list_images(store))
            known = dict(names.pairs)
            if no_referrers:
                known = _images_alone(known, references)
            request = PushRequest(
                list(known),
                lambda sources: [known[source] for source in sources],
                WalkRules(platforms),
                referrers=not no_referrers,
                on_existing=OnExisting(on_existing or app.config.push.on_existing),
            )
            copies = plan_push(request)
            if dry_run:
                return _preview(copies)
            if names.transport is Transport.ENGINE:
                platform = min(platforms, default=app.platform)
                return pushed(await _into_engine(app, store, names.pairs, platform, view))
            async with (
                turn_at(store, registries_of(copies)),
                app.registries(view.emit) as registry,
            ):
                report = await push_images(request, store, registry, view.emit)
                await record_pushes(store, report.copied)
        return pushed(report)

    return perform(invocation, "push", work)


def _images_alone(
    names: Mapping[Reference, Reference], written: Sequence[str]
) -> dict[Reference, Reference]:
    """Leave out the tags of signatures and the like, unless somebody has written one in full."""
    return {
        source: target
        for source, target in names.items()
        if parse_attachment_tag(source.tag or "") is None
        or not {str(source), source.familiar}.isdisjoint(written)
    }


def _words(
    app: App,
    references: tuple[str, ...],
    destination: str | None,
    *,
    everything: bool,
    all_tags: bool,
) -> PushWords:
    if destination == ENGINE:
        return PushWords(references, everything, all_tags, to_engine=True)
    given = Destination.parse(destination) if destination else None
    mapping = app.config.push.name_mapping(given)
    return PushWords(references, everything, all_tags, mapping, given is not None)


async def _into_engine(
    app: App,
    store: Store,
    pairs: Sequence[tuple[Reference, Reference]],
    platform: Platform,
    view: EventView,
) -> PushReport:
    images = [
        EngineImage(TagMove(source, descriptor), TagMove(target, descriptor))
        for source, target in pairs
        for descriptor in [await store.resolve(source)]
    ]
    async with app.engine() as engine:
        return await load_into_engine(store, images, engine, platform, view.emit)


def pushed(report: PushReport) -> Result:
    """Return what a push did, as a command ends with it."""
    document = {**copy_document(report.copied), "audit": audit_document(report.audit)}
    lines = [*copy_lines(report.copied, "pushed"), *audit_lines(report.audit)]
    return Result(document, lines, report.copied.error() or report.audit.error())


def audit_lines(report: AuditReport) -> Iterator[str]:
    """Yield what an audit found."""
    for name in report.differences:
        yield f"  {name.finding}  {name.reference}"
    right = len(report.names) - len(report.differences)
    yield f"audit: {right} of {counted(len(report.names), 'name')} resolve to the right digest"


def _preview(copies: Sequence[ImageCopy]) -> Result:
    document = {
        "dry_run": True,
        "images": [{"source": str(copy.source), "target": str(copy.target)} for copy in copies],
    }
    lines = [f"  {copy.source.familiar} -> {copy.target}" for copy in copies]
    lines.append(f"{counted(len(copies), 'image')} would be pushed; nothing was written")
    return Result(document, lines)
