"""The same work wanted by many at once is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar, cast

Result = TypeVar("Result")


class SingleFlight:
    """Runs one task for each key; whoever wants the same meanwhile waits for it.

    A task does not end because the one that began it goes away: others may wait, and what is half
    fetched is better finished.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def do(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return what the work for a key returns, or raise what it raises."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._forget(key, done))
        return cast("Result", await asyncio.shield(task))

    async def close(self) -> None:
        """Stop what still runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._running[key]
        if not task.cancelled():
            # Whoever still waits gets it; that nobody does any more is no fault.
            task.exception()
