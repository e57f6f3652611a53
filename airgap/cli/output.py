"""How a command ends: one report, for a person or a machine, and one exit code."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import click

from airgap.cli.invocation import Invocation
from airgap.cli.progress import EventView, view_for
from airgap.errors import AirgapError
from airgap.operations.documents import Document, error_document


@dataclass(slots=True)
class Result:
    """What a command found out or did.

    Attributes:
        document: for ``--json``.
        lines: for a person; the summary comes last.
        error: what the command ends with although it has a report; None where all is well.
        always: the lines are what was asked for, not news about it, so -q does not silence them.
    """

    document: Document
    lines: Iterable[str] = field(default_factory=tuple)
    error: AirgapError | None = None
    always: bool = False


Work = Callable[[EventView], Awaitable[Result]]


def perform(invocation: Invocation, command: str, work: Work) -> int:
    """Run a command's work, showing what happens, and print its report.

    With ``--json`` standard output gets exactly one document, also where the work fails.

    Returns:
        The exit code.
    """
    view = view_for(sys.stderr, verbosity=invocation.verbosity, machine=invocation.json)
    started = time.monotonic()
    try:
        with view:
            result = asyncio.run(_awaited(work, view))
    except AirgapError as error:
        if not invocation.json:
            raise
        result = Result({}, error=error)
    document = {
        "command": command,
        "ok": result.error is None,
        **result.document,
        "seconds": round(time.monotonic() - started, 3),
        "error": error_document(result.error) if result.error else None,
    }
    if invocation.json:
        click.echo(json.dumps(document, indent=2))
    elif result.always or invocation.verbosity >= 0:
        for line in result.lines:
            click.echo(line)
    if result.error is None:
        return 0
    if not invocation.json:
        raise result.error
    return result.error.exit_code


async def _awaited(work: Work, view: EventView) -> Result:
    return await work(view)
