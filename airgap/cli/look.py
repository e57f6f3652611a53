"""``airgap history``, ``airgap ls`` and ``airgap cat``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from airgap.cli.invocation import (
    Invocation,
    common_options,
    one_platform_option,
    plain_http_option,
    store_option,
)
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.tables import table
from airgap.errors import UsageError
from airgap.image.filesystem import Located
from airgap.image.history import Step
from airgap.image.tar_entries import Kind
from airgap.oci.platform import Platform
from airgap.operations.documents import Document
from airgap.operations.sizes import human_age, human_size
from airgap.usecases.choose_images import parse_time
from airgap.usecases.inspect_image import inspect_image
from airgap.usecases.look_inside import look_inside
from airgap.usecases.places import image_at

_LONGEST_COMMAND = 60
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_LETTERS = {
    Kind.FILE: "-",
    Kind.FOLDER: "d",
    Kind.SYMLINK: "l",
    Kind.HARDLINK: "-",
    Kind.CHARACTER_DEVICE: "c",
    Kind.BLOCK_DEVICE: "b",
    Kind.FIFO: "p",
}


@click.command()
@click.argument("reference", metavar="REF")
@click.option("--no-trunc", is_flag=True, help="Show whole commands.")
@one_platform_option
@store_option
@plain_http_option
@common_options
def history(
    invocation: Invocation, *, reference: str, no_trunc: bool, platform: Platform | None
) -> int:
    """Show the steps of an image's making, the newest first.

    REF is a name or id in the local store, or a place with skopeo's names, such as docker://REF
    or docker-archive:FILE.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        async with image_at(reference, app, view.emit) as placed:
            found = await inspect_image(placed, platform, app.platform)
        steps = found.history()
        document = {"steps": [_step_document(step) for step in steps]}
        return Result(document, _step_lines(steps, whole=no_trunc), always=True)

    return perform(invocation, "history", work)


def _step_document(step: Step) -> Document:
    return {
        "created": step.created,
        "created_by": step.created_by,
        "author": step.author,
        "comment": step.comment,
        "layer": step.layer.digest if step.layer is not None else None,
        "size": step.size,
    }


def _step_lines(steps: Sequence[Step], *, whole: bool) -> Iterator[str]:
    now = datetime.now(UTC)
    rows = [["LAYER", "CREATED", "CREATED BY", "SIZE", "COMMENT"]]
    for step in steps:
        command = " ".join(step.created_by.split())
        if not whole and len(command) > _LONGEST_COMMAND:
            command = command[: _LONGEST_COMMAND - 1] + "…"
        rows.append(
            [
                step.layer.digest.short if step.layer is not None else "-",
                _age(step.created, now),
                command,
                human_size(step.size),
                step.comment,
            ]
        )
    return table(rows, right={"SIZE"})


def _age(text: str | None, now: datetime) -> str:
    time = parse_time(text)
    return human_age(now - time) if time is not None else "-"


@click.command()
@click.argument("reference", metavar="REF")
@click.argument("path", default="/", metavar="[PATH]")
@click.option("-l", "--long", is_flag=True, help="Show kind, mode, owner, size and time.")
@click.option("-R", "--recursive", is_flag=True, help="Show all that is below, too.")
@one_platform_option
@store_option
@plain_http_option
@common_options
def ls(
    invocation: Invocation,
    *,
    reference: str,
    path: str,
    long: bool,
    recursive: bool,
    platform: Platform | None,
) -> int:
    """List a folder of an image, as a container would see it: all layers merged, nothing run."""
    app = invocation.app()

    async def work(view: EventView) -> Result:
        async with image_at(reference, app, view.emit) as placed:
            opened = await look_inside(placed, platform, app.platform)
            found = opened.entries(path, recursive=recursive)
        document = {"entries": [_entry_document(item) for item in found]}
        lines = (_entry_line(item, long=long, whole=recursive) for item in found)
        return Result(document, lines, always=True)

    return perform(invocation, "ls", work)


def _entry_document(item: Located) -> Document:
    entry = item.entry
    return {
        "path": f"/{item.path}",
        "kind": str(entry.kind.name).lower(),
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "size": entry.size if entry.kind is Kind.FILE else 0,
        "time": entry.mtime,
        "target": entry.target or None,
        "layer": item.layer if item.layer >= 0 else None,
    }


def _entry_line(item: Located, *, long: bool, whole: bool) -> str:
    entry = item.entry
    name = printable(item.path if whole else item.path.rpartition("/")[2])
    if entry.kind is Kind.FOLDER:
        name += "/"
    if not long:
        return name
    arrow = f" -> {printable(entry.target)}" if entry.kind is Kind.SYMLINK else ""
    # A hostile tar has times that no calendar has.
    seconds = min(max(entry.mtime, _FIRST_SECOND), _LAST_SECOND)
    time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    size = entry.size if entry.kind is Kind.FILE else 0
    owner = f"{entry.uid}:{entry.gid}"
    return (
        f"{_LETTERS[entry.kind]}{_rights(entry.mode)}  {owner:<9} {size:>11}  {time}  {name}{arrow}"
    )


def _rights(mode: int) -> str:
    letters = "".join(
        letter if mode & (0o400 >> place) else "-" for place, letter in enumerate("rwxrwxrwx")
    )
    for bit, place, letter in ((0o4000, 2, "s"), (0o2000, 5, "s"), (0o1000, 8, "t")):
        if mode & bit:
            shown = letter if letters[place] == "x" else letter.upper()
            letters = letters[:place] + shown + letters[place + 1 :]
    return letters


def printable(text: str) -> str:
    """Return a name out of an image so that it cannot steer a terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    )


@click.command()
@click.argument("reference", metavar="REF")
@click.argument("path", metavar="PATH")
@one_platform_option
@store_option
@plain_http_option
@common_options
def cat(invocation: Invocation, *, reference: str, path: str, platform: Platform | None) -> int:
    """Print a file of an image, byte for byte, without running the image."""
    app = invocation.app()
    if invocation.json:
        raise UsageError("--json", "has no meaning for the bytes of a file", "leave it out")

    async def work(view: EventView) -> Result:
        async with image_at(reference, app, view.emit) as placed:
            opened = await look_inside(placed, platform, app.platform)
            async for piece in opened.content(path):
                await asyncio.to_thread(sys.stdout.buffer.write, piece)
            await asyncio.to_thread(sys.stdout.buffer.flush)
        return Result({})

    return perform(invocation, "cat", work)
