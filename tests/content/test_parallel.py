"""Doing the same for many things, bounded."""

from __future__ import annotations

import asyncio

import pytest

from airgap.content.parallel import for_each
from airgap.errors import NotFound


async def test_no_more_run_at_once_than_allowed() -> None:
    """However many items there are, the number of running actions is bounded."""
    running = most = 0

    async def act(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await for_each(range(100), act, concurrency=3)
    assert most == 3


async def test_the_first_failure_is_raised_as_it_is() -> None:
    """Not wrapped in a group, so that callers catch what they know."""

    async def act(item: int) -> None:
        if item == 2:
            raise NotFound("item", "is the bad one")
        await asyncio.Event().wait()

    with pytest.raises(NotFound):
        await for_each(range(3), act, concurrency=3)


async def test_items_are_drawn_only_when_there_is_room() -> None:
    """An endless iterable is no reason for endless memory."""
    drawn = 0

    def endless() -> object:
        nonlocal drawn
        while True:
            drawn += 1
            yield drawn

    async def act(item: object) -> None:
        if item == 10:
            raise NotFound("item", "ends the run")

    with pytest.raises(NotFound):
        await for_each(endless(), act, concurrency=2)  # type: ignore[arg-type]
    assert drawn <= 12
