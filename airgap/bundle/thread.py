"""A thread that blocking work runs in, one thing after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class OwnThread:
    """Runs calls in order. What a cancelled task left running ends before the next call begins."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, name)

    async def run(
        self,
        action: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Run blocking work and return its result."""

        def call() -> _Result:
            return action(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def end(self, last: Callable[[], None]) -> None:
        """Run one last call, cancelled or not, and let the thread go."""
        ending = asyncio.get_running_loop().run_in_executor(self._executor, last)
        try:
            await asyncio.shield(ending)
        finally:
            self._executor.shutdown(wait=True)
