"""``airgap mirror``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

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
from airgap.config.mirroring import MirrorEntry
from airgap.content.copy_images import CopyLimits
from airgap.content.report import CopyReport
from airgap.content.walk import WalkRules
from airgap.errors import UsageError
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository
from airgap.oci.repository_pattern import RepositoryPattern, has_wildcard
from airgap.oci.selection import Newest, Order, TagSelection
from airgap.oci.tag_pattern import TagPattern
from airgap.oci.version_range import VersionRange
from airgap.operations.documents import Document, copy_document, error_document
from airgap.operations.mirroring import mirror_ordered
from airgap.operations.sizes import counted
from airgap.operations.summaries import copy_lines, failure_lines
from airgap.operations.watching import Watcher
from airgap.usecases.mirror import Selection, Wanted, select
from airgap.usecases.mirror_entries import MirrorOrder, read_entries
from airgap.usecases.pull import ENGINE, EngineWanted
from airgap.usecases.upstream_signatures import SignaturePolicy


@click.command()
@click.argument("references", nargs=-1, metavar="[REF…]")
@click.option("--tags", "globs", multiple=True, metavar="GLOB", help="Take the tags that match.")
@click.option(
    "--semver", "ranges", multiple=True, metavar="RANGE", help="Take versions in a range."
)
@click.option("--newest", type=click.IntRange(min=1), metavar="N", help="Keep the newest N only.")
@click.option(
    "--newest-by",
    type=click.Choice([str(order) for order in Order]),
    default=str(Order.SEMVER),
    show_default=True,
    help="What newest means.",
)
@platform_option
@click.option("--rewrite-index", is_flag=True, help="Write a new index of the platforms taken.")
@click.option("--no-referrers", is_flag=True, help="Leave signatures, SBOMs, attestations behind.")
@click.option(
    "--verify-key",
    "key_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Mirror REF only with a signature by this key (cosign.pub); of several any one does.",
)
@click.option("--recheck", is_flag=True, help="Look for new referrers of unchanged images too.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken, and why the rest not.")
@store_option
@plain_http_option
@common_options
def mirror(
    invocation: Invocation,
    *,
    references: tuple[str, ...],
    globs: tuple[str, ...],
    ranges: tuple[str, ...],
    newest: int | None,
    newest_by: str,
    platforms: Platforms,
    rewrite_index: bool,
    no_referrers: bool,
    key_files: tuple[Path, ...],
    recheck: bool,
    dry_run: bool,
) -> int:
    """Copy images from registries into the local store, with all that belongs to them.

    REF is a reference such as alpine:3.19 or quay.io/team/app@sha256:…; with --tags, --semver or
    --newest it is a repository whose tags are chosen, or a pattern of repositories (quay.io/team/*)
    where the registry has a catalog. docker-daemon:NAME is an image of the Docker Engine. Without
    any REF the config's `mirror` entries are taken. What the store has already is not fetched
    again, and one image that fails does not stop the others. Signatures, SBOMs and attestations
    come along, those that cosign keeps under tags too.
    """
    app = invocation.app()
    tags = _selection(globs, ranges, newest, newest_by)
    walk = WalkRules(platforms, rewrite_index=rewrite_index)
    referrers = not no_referrers
    in_engine = [found for text in references if (found := EngineWanted.parse(text, walk))]
    elsewhere = [text for text in references if not text.startswith(ENGINE)]
    named = _from_arguments(elsewhere, tags, walk, referrers=referrers)
    if in_engine and tags is not None:
        raise UsageError(ENGINE, "has no tags to choose from", "name each image of the engine")
    if in_engine and key_files:
        raise UsageError(ENGINE, "has no signatures", "mirror it without --verify-key")
    if not references and (tags is not None or platforms or rewrite_index or key_files):
        raise UsageError("", "options that choose images need a REF", "name what to mirror")
    entries = () if references else _entries(app)

    async def work(view: EventView) -> Result:
        order = await read_entries(entries, referrers=referrers)
        signed = await SignaturePolicy.of_files(key_files) if key_files else None
        order = replace(
            order,
            wanted=(*(replace(entry, signed=signed) for entry in named), *order.wanted),
            engine=(*in_engine, *order.engine),
        )
        if dry_run:
            return await _preview(app, order, view)
        watcher = Watcher(view.emit, say=view.say)
        limits = CopyLimits(recheck=recheck)
        report = await mirror_ordered(app, order, watcher, limits, by_config=bool(entries))
        return Result(copy_document(report), copy_lines(report, "mirrored"), report.error())

    return perform(invocation, "mirror", work)


def _selection(
    globs: Sequence[str], ranges: Sequence[str], newest: int | None, newest_by: str
) -> TagSelection | None:
    if not (globs or ranges or newest):
        return None
    return TagSelection(
        globs=tuple(TagPattern.glob(text) for text in globs),
        ranges=tuple(VersionRange.parse(text) for text in ranges),
        newest=Newest(newest, Order(newest_by)) if newest else None,
    )


def _from_arguments(
    references: Sequence[str], tags: TagSelection | None, walk: WalkRules, *, referrers: bool
) -> list[Wanted]:
    if tags is None:
        if pattern := next(filter(has_wildcard, references), None):
            raise UsageError(
                repr(pattern),
                "names repositories, and no tags",
                "say which tags: --tags '*', --semver, --newest",
            )
        parsed = tuple(Reference.parse(text).tagged() for text in references)
        return [Wanted(parsed, walk=walk, referrers=referrers)]
    return [
        Wanted(repository=_repositories(text), tags=tags, walk=walk, referrers=referrers)
        for text in references
    ]


def _repositories(text: str) -> Repository | RepositoryPattern:
    return RepositoryPattern.parse(text) if has_wildcard(text) else Repository.parse(text)


def _entries(app: App) -> Sequence[MirrorEntry]:
    if not app.config.mirror:
        raise UsageError(
            "",
            "nothing to mirror: no REF is given, and no config names any",
            "name images (`airgap mirror alpine:3.19`), or a config with --config",
        )
    return app.config.mirror


async def _preview(app: App, order: MirrorOrder, view: EventView) -> Result:
    for note in order.notes:
        view.emit(note)
    async with app.registries(view.emit) as upstream:
        selection = await select(order.wanted, upstream, view.emit)
    return _previewed(selection, order.engine)


def _previewed(selection: Selection, engine: Sequence[EngineWanted]) -> Result:
    document: Document = {
        "dry_run": True,
        "images": [str(image.source) for image in selection.images],
        "engine": [str(wanted.name) for wanted in engine],
        "repositories": [
            {
                "repository": str(choice.repository),
                "taken": list(choice.chosen.taken),
                "rejected": [
                    {"tag": rejection.tag, "reason": rejection.reason}
                    for rejection in choice.chosen.rejected
                ],
                "absent": list(choice.chosen.absent),
            }
            for choice in selection.choices
        ],
        "failures": [
            {"source": str(failure.source), "error": error_document(failure.error)}
            for failure in selection.failures
            if failure.error is not None
        ],
    }
    error = CopyReport(selection.failures).error() if selection.failures else None
    return Result(document, _preview_lines(selection, engine), error)


def _preview_lines(selection: Selection, engine: Sequence[EngineWanted]) -> Iterator[str]:
    for choice in selection.choices:
        yield f"{choice.repository.familiar}:"
        for tag in choice.chosen.taken:
            yield f"  take   {tag}"
        for rejection in choice.chosen.rejected:
            yield f"  leave  {rejection.tag}: {rejection.reason}"
    listed = {choice.repository for choice in selection.choices}
    for image in selection.images:
        if image.source.repository not in listed:
            yield f"  take   {image.source.familiar}"
    for wanted in engine:
        yield f"  take   {ENGINE}{wanted.name}"
    yield from failure_lines(selection.failures)
    count = counted(len(selection.images) + len(engine), "image")
    yield f"{count} would be mirrored; nothing was written"
