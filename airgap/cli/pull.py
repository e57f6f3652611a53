"""``airgap pull``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from airgap.cli.invocation import (
    Invocation,
    common_options,
    plain_http_option,
    platform_option,
    store_option,
)
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.content.report import CopyReport, Outcome
from airgap.content.walk import WalkRules
from airgap.oci.platform_filter import Platforms
from airgap.operations.documents import copy_document
from airgap.operations.summaries import copy_lines
from airgap.usecases.pull import PullRequest
from airgap.usecases.pull import pull as pull_images
from airgap.usecases.signature_rules import SignatureRules


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="REF…")
@click.option("-a", "--all-tags", is_flag=True, help="Take every tag; REF is a repository then.")
@platform_option
@click.option("--no-referrers", is_flag=True, help="Leave signatures, SBOMs, attestations behind.")
@store_option
@plain_http_option
@common_options
def pull(
    invocation: Invocation,
    *,
    references: tuple[str, ...],
    all_tags: bool,
    platforms: Platforms,
    no_referrers: bool,
) -> int:
    """Copy images into the local store, from a registry or from a Docker Engine.

    REF is a reference with docker's defaults: alpine is docker.io/library/alpine:latest.
    docker-daemon:NAME takes the image out of the engine that runs here or that DOCKER_HOST names.
    All platforms of an image come along unless --platform chooses. Where a mirror entry of the
    config has `verify` for the repository, an image without that signature is refused.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        rules = await SignatureRules.of_entries(app.config.mirror)
        request = PullRequest(
            references,
            all_tags,
            WalkRules(platforms),
            referrers=not no_referrers,
            rules=rules.of,
        )
        async with app.open_store(create=True) as store, store.writing():
            report = await pull_images(request, app, store, view.emit)
        return Result(copy_document(report), _lines(report), report.error())

    return perform(invocation, "pull", work)


def _lines(report: CopyReport) -> Iterator[str]:
    for image in report.images:
        if image.descriptor is None or image.outcome is Outcome.FAILED:
            continue
        name = image.target.familiar
        yield f"Digest: {image.descriptor.digest}"
        if image.outcome is Outcome.UNCHANGED:
            yield f"Status: Image is up to date for {name}"
        elif image.previous is None:
            yield f"Status: Downloaded image for {name}"
        else:
            yield f"Status: Downloaded newer image for {name}"
    yield from copy_lines(report, "pulled")
