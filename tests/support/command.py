"""Running the ``airgap`` command, and other programs, as a person or a script does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """A program that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What it printed as one JSON document."""
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


async def run(
    *command: str, environment: Mapping[str, str] | None = None, given: str | None = None
) -> Done:
    """Run a program to its end; ``given`` is what stands on its standard input."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    out, err = await process.communicate(None if given is None else given.encode())
    return Done(process.returncode or 0, out.decode(), err.decode())


async def succeed(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a program that must succeed; return what it printed."""
    done = await run(*command, environment=environment)
    assert done.code == 0, f"{' '.join(command)}\n{done.out}{done.err}"
    return done.out


async def airgap(
    *arguments: str, environment: Mapping[str, str] | None = None, given: str | None = None
) -> Done:
    """Run ``airgap`` without the caller's own config."""
    clean = {"AIRGAP_CONFIG": os.devnull} | dict(environment or {})
    return await run(sys.executable, "-m", "airgap", *arguments, environment=clean, given=given)
