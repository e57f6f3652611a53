"""What a run has used is the machine's again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from airgap.app import App
from airgap.config.daemon import HooksSection
from airgap.daemon.memory import trimmer
from airgap.daemon.records import Outcome
from airgap.daemon.runner import Work
from airgap.daemon.steps import Action, StepEnd
from airgap.operations.watching import Watcher
from tests.daemon.places import Place

BLOCK = 50_000
BLOCKS = 2000


def own_memory() -> int:
    """Return the bytes of this process that come from no file and are in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def leave_holes() -> list[bytearray]:
    """Use a hundred megabytes, and keep so little of it that the C library can free none."""
    return [bytearray(BLOCK) for _ in range(BLOCKS)][::50]


def test_what_is_free_between_what_is_not_is_given_back() -> None:
    """Most of it; what is in use stays."""
    give_back = trimmer()
    kept = leave_holes()
    before = own_memory()
    give_back()
    assert before - own_memory() > BLOCK * BLOCKS // 2
    assert all(not any(block) for block in kept)


async def test_a_run_gives_back_what_it_has_used(isolated: Place) -> None:
    """Also what it has used in other threads."""
    kept: list[list[bytearray]] = []
    used: list[int] = []

    async def act(_app: App, _watcher: Watcher) -> StepEnd:
        kept.append(await asyncio.to_thread(leave_holes))
        used.append(own_memory())
        return StepEnd(Outcome.SUCCEEDED, "done")

    app = isolated.configure("")
    with isolated.runner() as runner:
        await runner.run(app, Work("job", (Action("use memory", act),), HooksSection()))
    assert used[0] - own_memory() > BLOCK * BLOCKS // 2
