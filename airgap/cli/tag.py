"""``airgap tag`` and ``airgap rmi``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.oci.reference import Reference
from airgap.operations.keeping import held_for_deltas
from airgap.operations.sizes import human_size
from airgap.store.collection import GcRules
from airgap.usecases.remove_images import RemovalReport, remove_images
from airgap.usecases.tag import tag as tag_image


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@store_option
@common_options
def tag(invocation: Invocation, *, source: str, target: str) -> int:
    """Give an image of the local store one more name.

    SRC is a reference, or the beginning of an image id that no other id begins with.
    """
    app = invocation.app()
    name = Reference.parse(target)

    async def work(view: EventView) -> Result:
        del view
        async with app.open_store() as store:
            report = await tag_image(source, name, store)
        document = {
            "reference": str(report.target),
            "digest": report.digest,
            "previous": report.previous,
        }
        was = f"  (was {report.previous.short})" if report.previous is not None else ""
        return Result(document, [f"{report.target.familiar}  {report.digest.short}{was}"])

    return perform(invocation, "tag", work)


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="REF…")
@click.option("-f", "--force", is_flag=True, help="Remove an id with all the names that it has.")
@store_option
@common_options
def rmi(invocation: Invocation, *, references: tuple[str, ...], force: bool) -> int:
    """Remove names from the local store; an image is deleted with its last name.

    REF is a reference, which removes just this name, or the beginning of an image id. Either all
    that is asked for is removed, or nothing. Content that others still name stays; so does what
    came or was used within the last hour, until `airgap store gc` takes it.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        del view
        async with app.open_store() as store:
            rules = GcRules(held=await held_for_deltas(app, store))
            report = await remove_images(references, store, force=force, rules=rules)
        document = {
            "untagged": [str(name) for name in report.untagged],
            "deleted": list(report.deleted),
            "freed_bytes": report.freed,
            "spared_bytes": report.spared,
            "busy": report.busy,
        }
        return Result(document, _lines(report))

    return perform(invocation, "rmi", work)


def _lines(report: RemovalReport) -> Iterator[str]:
    for name in report.untagged:
        yield f"untagged: {name.familiar}"
    for image_id in report.deleted:
        yield f"deleted: {image_id}"
    if report.freed:
        yield f"{human_size(report.freed)} freed"
    if report.spared:
        yield (
            f"{human_size(report.spared)} came or was used within the last hour and stays until "
            "`airgap store gc`"
        )
    if report.busy is not None:
        yield f"nothing was freed: {report.busy}; `airgap store gc` frees it later"
