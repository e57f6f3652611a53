"""Podman with storage of its own, so that tests neither see nor touch anybody else's."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.command import succeed


@dataclass(frozen=True)
class Podman:
    """A podman whose images live in a folder of the test's."""

    places: tuple[str, ...]

    async def __call__(self, *arguments: str) -> str:
        """Run one podman command that must succeed; return what it printed."""
        return await succeed("podman", *self.places, *arguments)

    async def images(self) -> list[dict[str, Any]]:
        """Return the images it has, as it describes them itself."""
        listed: list[dict[str, Any]] = json.loads(await self("images", "--format", "json"))
        return listed


@asynccontextmanager
async def podman() -> AsyncIterator[Podman]:
    """Give out a podman without images; what it loads is removed at the end."""
    # Podman takes no runroot of over 50 characters, which pytest's folders have.
    folder = Path(tempfile.mkdtemp(prefix="podman"))
    places = ("--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs")
    try:
        yield Podman(places)
    finally:
        shutil.rmtree(folder)
