"""Sticks: a medium that is put in and is the right one gets the next bundle of a channel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from airgap.app import App
from airgap.config.daemon import HooksSection, StickSection
from airgap.daemon.records import Run
from airgap.daemon.runner import Runner, Work
from airgap.daemon.steps import export_action

_DEPTH = 2
"""``/media/LABEL`` and ``/media/USER/LABEL``."""


class StickWatch:
    """Where sticks of one kind appear.

    Attributes:
        name: what the config calls it.
        section: what the config says of it.
        hooks: programs around each export.
    """

    def __init__(
        self, name: str, section: StickSection, hooks: HooksSection, runner: Runner
    ) -> None:
        self.name = name
        self.section = section
        self.hooks = hooks
        self._runner = runner
        self._served: set[Path] = set()

    async def look(self, app: App) -> list[Run]:
        """Look once; write to each stick that is new; return what was done."""
        present = await asyncio.to_thread(find_sticks, self.section)
        # One that is pulled out and put in again is new.
        self._served &= present
        runs: list[Run] = []
        for stick in sorted(present - self._served):
            action = export_action(self.section.export, stick)
            runs.append(await self._runner.run(app, Work(self.name, (action,), self.hooks)))
            self._served.add(stick)
        return runs


def find_sticks(section: StickSection) -> set[Path]:
    """Return the folders that have the label and the marker that the config asks for; blocks."""
    return {folder for folder in _folders(section.path, _DEPTH) if _is_meant(section, folder)}


def _folders(root: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(root) as entries:
            found = [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        # Nothing is mounted, or it is pulled out right now.
        return
    for folder in found:
        yield folder
        if depth > 1:
            yield from _folders(folder, depth - 1)


def _is_meant(section: StickSection, folder: Path) -> bool:
    if section.label is not None and not section.label.matches(folder.name):
        return False
    return section.marker is None or (folder / section.marker).is_file()
