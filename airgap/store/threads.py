"""The store's worker threads, and waiting for them in a way that cancelling cannot break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

FILE_THREADS = 4
QUERY_THREADS = 2


class Threads:
    """Two small pools: copying a large blob never keeps a question to the catalog waiting."""

    def __init__(self) -> None:
        self._files = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="store-files")
        self._queries = ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="store-queries")

    def start_file_work(
        self,
        work: Callable[Arguments, Result],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> asyncio.Future[Result]:
        """Start work on files; the caller waits for it with :func:`settled`."""
        return asyncio.wrap_future(self._files.submit(work, *args, **kwargs))

    async def on_files(
        self,
        work: Callable[Arguments, Result],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Do work on files in a thread."""
        return await settled(self.start_file_work(work, *args, **kwargs))

    async def ask(
        self,
        query: Callable[Arguments, Result],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Ask the catalog in a thread."""
        return await settled(asyncio.wrap_future(self._queries.submit(query, *args, **kwargs)))

    def close(self) -> None:
        """Let the threads end; blocks until they have."""
        self._files.shutdown()
        self._queries.shutdown()


async def settled(future: asyncio.Future[Result]) -> Result:
    """Wait for work in a thread; when cancelled, wait all the same and only then give way.

    A thread cannot be stopped from outside, so whoever owns the file that it works on must not go
    on (and close the file) before the thread is done.
    """
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await finished(future)
        raise


async def finished(future: asyncio.Future[Result]) -> None:
    """Wait until work in a thread is over, however it ends and however often we are cancelled.

    Raises:
        asyncio.CancelledError: the waiting was cancelled; the work is over nonetheless.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if not future.cancelled():
        future.exception()
    if cancelled is not None:
        raise cancelled
