"""Doing the same for many things, a bounded number at a time and in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


async def for_each(
    items: Iterable[Item], action: Callable[[Item], Awaitable[None]], *, concurrency: int
) -> None:
    """Run ``action`` over all items; the first failure cancels the rest and is raised as it is.

    There are ``concurrency`` tasks at most, however many items there are; items are drawn from
    the iterable only when a task is free for them.
    """
    queue = iter(items)

    failed = False

    async def work() -> None:
        nonlocal failed
        for item in queue:
            # A task that never waits would never notice that it has been cancelled.
            if failed:
                return
            try:
                await action(item)
            except BaseException:
                failed = True
                raise

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as failure:
        raise first_error(failure) from None


def first_error(failure: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a (nested) group that is a cause and not a consequence.

    When one task fails, its siblings are cancelled; their ``CancelledError`` is not the news.
    """
    consequence: BaseException = failure
    for error in failure.exceptions:
        inner = first_error(error) if isinstance(error, BaseExceptionGroup) else error
        if not isinstance(inner, asyncio.CancelledError):
            return inner
        consequence = inner
    return consequence
