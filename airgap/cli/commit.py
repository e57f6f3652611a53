"""``airgap commit``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from airgap.app import App
from airgap.cli.invocation import (
    Invocation,
    common_options,
    one_platform_option,
    store_option,
)
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.errors import InvalidReference, UsageError
from airgap.image.additions import Addition
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference
from airgap.usecases.commit import CommitReport, CommitRequest, commit_container
from airgap.usecases.commit import commit as commit_image
from airgap.usecases.local_images import UNTAGGED
from airgap.usecases.places import PlacedImage, image_at

_EMPTY = "scratch"
_LATEST_EPOCH = 253_402_300_799


@click.command()
@click.argument("names", nargs=-1, metavar="BASE [DST]")
@click.option(
    "--add",
    "additions",
    multiple=True,
    metavar="SRC:DEST[:UID:GID:MODE]",
    help="Put a file, the content of a folder or of a tar into the image; may be repeated.",
)
@click.option(
    "--remove", "removals", multiple=True, metavar="PATH", help="Take a path out of the image."
)
@click.option("-a", "--author", default="", metavar="WHO", help="Who made it.")
@click.option("-m", "--message", default="", metavar="TEXT", help="Why, for the history.")
@click.option(
    "-c",
    "--change",
    "changes",
    multiple=True,
    metavar="INSTRUCTION",
    help="CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or "
    "WORKDIR, as in a Dockerfile; may be repeated.",
)
@click.option(
    "--container", metavar="NAME", help="Commit a container of the Docker Engine instead of BASE."
)
@click.option(
    "--pause/--no-pause",
    default=True,
    show_default=True,
    help="With --container: let it stand still meanwhile.",
)
@one_platform_option
@store_option
@common_options
def commit(
    invocation: Invocation,
    *,
    names: tuple[str, ...],
    additions: tuple[str, ...],
    removals: tuple[str, ...],
    author: str,
    message: str,
    changes: tuple[str, ...],
    container: str | None,
    pause: bool,
    platform: Platform | None,
) -> int:
    """Make a new image from one of the local store, without a daemon and without running anything.

    BASE is a name or id, or scratch for an empty image; without DST the new image has no name, and
    is reached by its id. What is added and removed becomes one layer. Times are those of the files,
    or $SOURCE_DATE_EPOCH: then the same files give the same image, bit for bit.
    """
    app = invocation.app()
    base, target = _base_and_target(names, container)
    request = CommitRequest(
        target,
        tuple(map(Addition.parse, additions)),
        removals,
        author,
        message,
        changes,
        _epoch(app.environ.get("SOURCE_DATE_EPOCH")),
        platform,
    )
    if container is not None and (additions or removals):
        raise UsageError(
            "--container", "commits the container as it is", "commit its image again to add to it"
        )

    async def work(view: EventView) -> Result:
        if container is not None:
            async with app.open_store(create=True) as store, store.writing():
                report = await commit_container(container, request, app, store, pause=pause)
            return _committed(report)
        async with (
            _base(base, app, view) as placed,
            app.open_store(create=True) as store,
            store.writing(),
        ):
            report = await commit_image(request, placed, app, store)
        return _committed(report)

    return perform(invocation, "commit", work)


def _base_and_target(names: tuple[str, ...], container: str | None) -> tuple[str, Reference | None]:
    wanted = 1 if container is not None else 2
    if len(names) > wanted or (container is None and not names):
        form = "--container NAME [DST]" if container is not None else "BASE [DST]"
        raise UsageError("commit", "does not take these names", f"write airgap commit {form}")
    base, *rest = names if container is None else ("", *names)
    if not rest:
        return base, None
    target = Reference.parse(rest[0]).tagged()
    if target.digest is not None:
        raise InvalidReference(rest[0], "cannot be given as a name", "a name has a tag alone")
    return base, target


def _epoch(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) > _LATEST_EPOCH:
        raise UsageError(
            f"SOURCE_DATE_EPOCH={text}", "is not a time", "write whole seconds since 1970"
        )
    return int(text)


@asynccontextmanager
async def _base(text: str, app: App, view: EventView) -> AsyncIterator[PlacedImage | None]:
    if text == _EMPTY:
        yield None
        return
    async with image_at(text, app, view.emit) as placed:
        yield placed


def _committed(report: CommitReport) -> Result:
    named = report.reference.repository != UNTAGGED
    document = {
        "id": report.image_id,
        "digest": report.digest,
        "reference": str(report.reference) if named else None,
    }
    lines = [str(report.image_id)]
    if named:
        lines.insert(0, f"{report.reference.familiar}  {report.digest.short}")
    return Result(document, lines)
