"""``airgap push``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from airgap.cli.documents import audit_document, copy_document
from airgap.cli.invocation import (
    Invocation,
    common_options,
    plain_http_option,
    platform_option,
    store_option,
)
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.sizes import counted
from airgap.cli.summaries import copy_lines
from airgap.content.copy_images import ImageCopy
from airgap.content.walk import WalkRules
from airgap.errors import UsageError
from airgap.oci.name_mapping import Destination
from airgap.oci.platform_filter import Platforms
from airgap.usecases.audit import AuditReport
from airgap.usecases.choose import available_references, choose
from airgap.usecases.push import PushRequest, plan_push
from airgap.usecases.push import push as push_images


@click.command()
@click.argument("references", nargs=-1, metavar="[REF…]")
@click.option("--to", "destination", metavar="REGISTRY", help="The registry[/prefix] to push to.")
@click.option("--all", "everything", is_flag=True, help="Push everything that the store has.")
@platform_option
@click.option("--no-referrers", is_flag=True, help="Leave signatures, SBOMs, attestations behind.")
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
    platforms: Platforms,
    no_referrers: bool,
    dry_run: bool,
) -> int:
    """Push images of the local store into a registry, and check every name afterwards.

    A name keeps its source's host as the first component of its path, so that images of two
    sources never meet in one name: alpine:3 goes to REGISTRY/docker.io/library/alpine:3. The
    config's `push.map` gives shorter ones.
    """
    app = invocation.app()
    mapping = app.config.push.name_mapping(Destination.parse(destination) if destination else None)
    if mapping is None:
        raise UsageError(
            "", "no registry is named to push to", "name it with --to REGISTRY, or in the config"
        )
    if not references and not everything:
        raise UsageError("", "nothing to push", "name references, or push all with --all")

    async def work(view: EventView) -> Result:
        async with app.open_store() as store, app.registries(view.emit) as registry:
            chosen = choose(references, await available_references(store))
            request = PushRequest(
                chosen, mapping.map_all, WalkRules(platforms), referrers=not no_referrers
            )
            if dry_run:
                return _preview(plan_push(request))
            report = await push_images(request, store, registry, view.emit)
        document = {**copy_document(report.copied), "audit": audit_document(report.audit)}
        lines = [*copy_lines(report.copied, "pushed"), *audit_lines(report.audit)]
        return Result(document, lines, report.copied.error() or report.audit.error())

    return perform(invocation, "push", work)


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
