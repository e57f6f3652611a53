"""Running the programs of hooks and notices: given a document, bounded in time and in words."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

KEPT_OUTPUT = 64 * 1024
"""Bytes of a program's output that are kept, of its end."""

_PIECE = 16 * 1024
_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    """How a program ended.

    Attributes:
        command: the program and its arguments.
        code: its exit code; None where it could not be started or was killed.
        output: what it printed, both streams together, the end of it.
        seconds: how long it took.
        trouble: why there is no exit code; empty where there is one.
    """

    command: tuple[str, ...]
    code: int | None
    output: str
    seconds: float
    trouble: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it ended by itself and with 0."""
        return self.code == 0

    def document(self) -> dict[str, Any]:
        """Return it for a machine."""
        return {
            "command": list(self.command),
            "exit_code": self.code,
            "seconds": round(self.seconds, 3),
            "trouble": self.trouble,
            "output": self.output,
        }


async def run_program(
    command: Sequence[str],
    document: Mapping[str, Any],
    *,
    within: float,
    environ: Mapping[str, str] | None = None,
) -> ProgramEnd:
    """Run a program with a JSON document on its standard input.

    It is the head of a process group of its own, all of which is killed when the time is over, so
    that no child of it goes on.

    Args:
        command: the program, looked for in ``PATH``, and its arguments; no shell reads them.
        document: what it is given.
        within: seconds that it may take.
        environ: its environment; that of this process where None, less what systemd means for us.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    environment = dict(os.environ if environ is None else environ)
    for name in _NOT_INHERITED:
        environment.pop(name, None)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        trouble = f"cannot be started: {error.strerror or error}"
        return ProgramEnd(tuple(command), None, "", 0.0, trouble)
    output: deque[bytes] = deque()
    trouble = ""
    try:
        async with asyncio.timeout(within):
            await _talk(process, json.dumps(document).encode(), output)
    except TimeoutError:
        trouble = f"was killed after {within:g} seconds"
    finally:
        await _make_sure_of_the_end(process)
    text = b"".join(output)[-KEPT_OUTPUT:].decode("utf-8", "replace")
    seconds = loop.time() - started
    code = process.returncode
    if trouble or code is None or code < 0:
        trouble = trouble or f"was killed by signal {-(code or 0)}"
        return ProgramEnd(tuple(command), None, text, seconds, trouble)
    return ProgramEnd(tuple(command), code, text, seconds)


async def _talk(process: Process, document: bytes, output: deque[bytes]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_give(process, document))
        group.create_task(_listen(process, output))
        group.create_task(process.wait())


async def _give(process: Process, document: bytes) -> None:
    if process.stdin is None:
        return
    # A program that does not want to know closes its end.
    with suppress(ConnectionError):
        process.stdin.write(document)
        await process.stdin.drain()
    process.stdin.close()
    with suppress(ConnectionError):
        await process.stdin.wait_closed()


async def _listen(process: Process, output: deque[bytes]) -> None:
    if process.stdout is None:
        return
    kept = 0
    while piece := await process.stdout.read(_PIECE):
        output.append(piece)
        kept += len(piece)
        while kept - len(output[0]) >= KEPT_OUTPUT:
            kept -= len(output.popleft())


async def _make_sure_of_the_end(process: Process) -> None:
    """Kill whatever of the program's process group is left, and wait for the program itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
