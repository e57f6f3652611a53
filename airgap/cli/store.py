"""``airgap store``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import click

from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.errors import ContentMismatch, PartialFailure
from airgap.oci.reference import Repository
from airgap.operations.keeping import held_for_deltas
from airgap.operations.sizes import counted, human_size
from airgap.operations.turns import turn
from airgap.store.collection import HOUR, GcReport, GcRules, collect_garbage
from airgap.store.fsck import FsckReport, check_store
from airgap.store.rebuild import RebuildReport, rebuild_catalog


@click.group
def store() -> None:
    """Check, repair, tidy and rebuild the local store."""


@store.command(short_help="Read all content and hold it against its digests.")
@click.option("--repair", is_flag=True, help="Put damaged content aside, to be fetched again.")
@store_option
@common_options
def fsck(invocation: Invocation, *, repair: bool) -> int:
    """Read all content and hold it against its digests, the catalog and the index.

    --repair moves what is damaged to airgap/quarantine in the store and forgets it, so that the
    next mirror or import brings it again. Others may go on using the store meanwhile.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        del view
        async with app.open_store() as opened:
            report = await check_store(opened, repair=repair)
        return Result(_fsck_document(report), _fsck_lines(report), _fsck_error(report))

    return perform(invocation, "store fsck", work)


@store.command(short_help="Remove what no name needs any more.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=GcRules().grace / HOUR,
    show_default=True,
    metavar="HOURS",
    help="Leave content that came or was relied on within this time.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go; remove nothing.")
@store_option
@common_options
def gc(invocation: Invocation, *, grace: float, dry_run: bool) -> int:
    """Remove what no name needs any more, and unfinished pieces that nobody goes on with.

    What running copies and pushes rely on stays, also those of other processes; and so does what
    the destinations of channels with `pack: delta` hold.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        del view
        async with (
            app.open_store() as opened,
            nullcontext() if dry_run else turn(opened, "collect"),
        ):
            held = await held_for_deltas(app, opened)
            rules = GcRules(grace=grace * HOUR, held=held)
            report = await collect_garbage(opened, rules, dry_run=dry_run)
        document = {
            "dry_run": report.dry_run,
            "removed": [digest for digest, _ in report.removed],
            "removed_bytes": report.removed_bytes,
            "partials": report.partials,
            "partial_bytes": report.partial_bytes,
            "uploads": report.uploads,
            "spared": report.spared,
            "spared_bytes": report.spared_bytes,
        }
        return Result(document, _gc_lines(report))

    return perform(invocation, "store gc", work)


@store.command(short_help="Make the catalog anew from the layout.")
@click.option(
    "--repository",
    metavar="NAME",
    help="Where entries belong that another program named by a tag alone.",
)
@store_option
@common_options
def rebuild(invocation: Invocation, *, repository: str | None) -> int:
    """Make the catalog anew from the layout, or take over a layout of another program's.

    For a store whose catalog is lost, and for any OCI image layout that shall become a store. Where
    the config names a database, the catalog of a store that has it in a file moves there.
    """
    app = invocation.app()
    home = Repository.parse(repository) if repository is not None else None

    async def work(view: EventView) -> Result:
        del view
        sync = app.config.store.sync
        report = await rebuild_catalog(
            app.store_path, app.database_address, repository=home, sync=sync
        )
        document = {
            "blobs": report.blobs,
            "bytes": report.bytes,
            "manifests": report.manifests,
            "names": report.names,
            "skipped": report.skipped,
            "history": report.history,
        }
        error = None
        if report.skipped:
            error = PartialFailure(
                "", f"{counted(len(report.skipped), 'name')} of index.json could not be taken over"
            )
        return Result(document, _rebuild_lines(report), error)

    return perform(invocation, "store rebuild", work)


def _fsck_document(report: FsckReport) -> dict[str, object]:
    return {
        "blobs": report.blobs,
        "bytes": report.bytes,
        "damaged": [
            {"digest": d.digest, "cause": d.cause, "names": list(map(str, d.names))}
            for d in (*report.damaged, *report.incomplete)
        ],
        "strays": report.strays,
        "stale_index": report.stale_index,
        "repaired": report.repaired,
        "lost_names": list(map(str, report.lost_names)),
    }


def _fsck_lines(report: FsckReport) -> Iterator[str]:
    for damage in (*report.damaged, *report.incomplete):
        yield f"  {damage.cause}: {damage.digest}"
        for name in damage.names:
            yield f"    needed by {name.familiar}"
    if report.stale_index:
        yield "  index.json or oci-layout is not what it should be"
    for name in report.lost_names:
        yield f"  removed the name {name.familiar}: its manifest is damaged"
    if report.strays:
        yield f"{counted(len(report.strays), 'file')} of nobody's; `airgap store gc` removes them"
    verdict = "all as they should be" if report.is_clean else "NOT all as they should be"
    yield f"{counted(report.blobs, 'blob')} with {human_size(report.bytes)} read: {verdict}"


def _fsck_error(report: FsckReport) -> ContentMismatch | None:
    if report.is_clean:
        return None
    count = counted(len(report.damaged) + len(report.incomplete), "blob")
    if report.repaired:
        return ContentMismatch(
            "store",
            f"{count} were damaged or missing, and are put aside",
            "mirror or import those images again",
        )
    return ContentMismatch(
        "store",
        f"{count} are damaged or missing",
        "`airgap store fsck --repair` puts them aside; then mirror or import those images again",
    )


def _gc_lines(report: GcReport) -> Iterator[str]:
    if report.spared:
        count, size = counted(report.spared, "blob"), human_size(report.spared_bytes)
        yield f"{count} with {size} that no name needs are fresh and stay; see --grace"
    if report.partials or report.uploads:
        count = counted(report.partials + report.uploads, "unfinished file")
        yield f"{count} with {human_size(report.partial_bytes)}"
    verb = "would be removed; nothing was" if report.dry_run else "removed"
    yield f"{counted(len(report.removed), 'blob')} with {human_size(report.removed_bytes)} {verb}"


def _rebuild_lines(report: RebuildReport) -> Iterator[str]:
    for skipped in report.skipped:
        yield f"  skipped {skipped}"
    if not report.history:
        yield "the old catalog cannot be read, and with it is lost what was sent and taken in;"
        yield "receipts, requests and full bundles make up for it"
    yield (
        f"{counted(report.names, 'name')}, {counted(report.manifests, 'manifest')}, "
        f"{counted(report.blobs, 'blob')} with {human_size(report.bytes)}"
    )
