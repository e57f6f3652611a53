"""``airgap copy``."""

from __future__ import annotations

import sys

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
from airgap.content.walk import WalkRules
from airgap.errors import InvalidReference, UsageError
from airgap.oci.location import STANDARD_STREAM, Transport
from airgap.oci.platform_filter import Platforms
from airgap.operations.documents import copy_document
from airgap.operations.summaries import copy_lines
from airgap.usecases.copy import CopyRequest
from airgap.usecases.copy import copy as copy_image
from airgap.usecases.places import image_at, parse_place, target_at


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@platform_option
@click.option("--no-referrers", is_flag=True, help="Leave signatures, SBOMs, attestations behind.")
@store_option
@plain_http_option
@common_options
def copy(
    invocation: Invocation,
    *,
    source: str,
    destination: str,
    platforms: Platforms,
    no_referrers: bool,
) -> int:
    """Copy one image from any place to any other, bit for bit.

    \b
    NAME                       the local store; an image id as SRC, too
    docker://NAME              a registry
    docker-daemon:[NAME]       the Docker Engine; a whole image id as SRC, too
    docker-archive:FILE[:NAME] what docker save writes
    oci-archive:FILE[:NAME]    an OCI layout in a tar
    oci:DIR[:NAME]             an OCI layout
    dir:DIR                    one image in a folder, as skopeo has it

    An image keeps its name where DST gives none. - as FILE is standard input or output. An engine
    gets one platform: the one of --platform, else this machine's.
    """  # noqa: D301 - click's own mark of a paragraph that is not to be wrapped
    app = invocation.app()
    place = parse_place(destination)
    if place.image_id is not None:
        raise InvalidReference(destination, "is an image id", "an image's id follows from content")
    if place.path == STANDARD_STREAM and (invocation.json or sys.stdout.isatty()):
        raise UsageError(destination, "needs standard output for itself", "name a file")
    walk = WalkRules(platforms)
    if place.transport is Transport.ENGINE and not platforms:
        walk = WalkRules(frozenset({app.platform}))
    offered = min(platforms, default=app.platform)
    request = CopyRequest(walk, referrers=not no_referrers)

    async def work(view: EventView) -> Result:
        async with (
            image_at(source, app, view.emit) as image,
            target_at(place, app, view.emit, offered) as target,
        ):
            report = await copy_image(image, target, place, request, view.emit)
        lines = () if place.path == STANDARD_STREAM else copy_lines(report, "copied")
        return Result(copy_document(report), lines, report.error())

    return perform(invocation, "copy", work)
