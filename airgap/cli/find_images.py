"""``airgap images find``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.discovery.findings import Findings
from airgap.errors import NotFound
from airgap.operations.documents import Document
from airgap.usecases.find_images import find_images, find_in_stream
from airgap.usecases.mirror_entries import unread_notes

_STREAM = Path("-")


@click.command("find")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@common_options
def find(invocation: Invocation, *, paths: tuple[Path, ...]) -> int:
    """Print the images that files name, one reference a line.

    PATH is a Kubernetes manifest of any kind, a Helm chart (folder or .tgz) or its values, a
    docker-compose file, a plain list, a folder of these, or - for standard input, such as
    `helm template CHART | airgap images find -`. With -v each reference stands with every place
    that names it. A config's `mirror` entry takes the same files as `from-file`.
    """

    async def work(view: EventView) -> Result:
        findings = await find_images([path for path in paths if path != _STREAM])
        if _STREAM in paths:
            findings += find_in_stream(sys.stdin.buffer)
        for note in unread_notes(findings):
            view.emit(note)
        error = None
        if not findings.found:
            error = NotFound(", ".join(map(str, paths)), "no image is named there")
        return Result(_document(findings), _lines(findings, invocation.verbosity), error)

    return perform(invocation, "images find", work)


def _document(findings: Findings) -> Document:
    return {
        "images": [
            {
                "reference": str(reference),
                "places": [
                    {"file": place.file, "line": place.line, "key": place.key} for place in places
                ],
            }
            for reference, places in findings.places.items()
        ],
        "unread": [
            {
                "text": item.text,
                "reason": item.reason,
                "file": item.place.file,
                "line": item.place.line,
                "key": item.place.key,
            }
            for item in findings.unread
        ],
    }


def _lines(findings: Findings, verbosity: int) -> Iterator[str]:
    for reference, places in findings.places.items():
        yield str(reference)
        if verbosity > 0:
            yield from (f"    {place}" for place in places)
