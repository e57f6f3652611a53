"""Long blocking work in a thread that ends when its coroutine is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

Result = TypeVar("Result")


class Stopped(Exception):
    """The coroutine that waits for this work has been cancelled."""


class StopSign:
    """Lets long work notice that nobody waits for it any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def raise_up(self) -> None:
        """Ask the work to end."""
        self._event.set()

    def check(self) -> None:
        """End the work here where it has been asked to end.

        Raises:
            Stopped: nobody waits for it.
        """
        if self._event.is_set():
            raise Stopped


async def in_thread(work: Callable[[StopSign], Result]) -> Result:
    """Run blocking work in a thread; on cancellation wait until it has let go of its files."""
    sign = StopSign()
    task = asyncio.ensure_future(asyncio.to_thread(work, sign))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        sign.raise_up()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


async def open_in_thread(path: Path, mode: Literal["rb", "xb"]) -> BinaryIO:
    """Open a file without buffer; where the caller is cancelled meanwhile, it is closed again.

    Raises:
        OSError: it cannot be opened.
    """
    task = asyncio.ensure_future(asyncio.to_thread(_open, path, mode))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None:
            task.result().close()
        raise


def _open(path: Path, mode: Literal["rb", "xb"]) -> BinaryIO:
    return path.open(mode, buffering=0)
