"""How fast one host is talked to: slots, request rate, bandwidth, and pauses that it asked for.

There is one pacer for each host and process, so that the limits hold across everything that the
process does at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto

from airgap.registry.settings import HostSettings

Sleep = Callable[[float], Awaitable[object]]
"""Waits for so many seconds; tests hand in one that does not."""

Clock = Callable[[], float]
"""Seconds on a clock that never goes backwards."""


_SMALLEST_BURST = 16 * 1024
_SHORTEST_SLEEP = 0.001


class Lane(Enum):
    """Kinds of exchanges, each with slots of its own.

    A blob on its way from one repository of a host to another holds a slot for writing while it
    waits for one for reading; were they the same slots, enough such blobs would wait for ever.
    """

    SMALL = auto()
    READ = auto()
    WRITE = auto()


class Bucket:
    """Hands out so many units per second, with a burst of at most a second's worth."""

    def __init__(self, per_second: float, clock: Clock, sleep: Sleep) -> None:
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        # The moment until which everything is handed out; it runs ahead of the clock in debt.
        self._spent_until = clock() - 1.0

    async def take(self, units: float) -> None:
        """Take units, and wait until they are due; callers are served in order of arrival."""
        now = self._clock()
        self._spent_until = max(self._spent_until, now - 1.0) + units / self._per_second
        # What is too short to sleep stays as debt, so that the pace is kept all the same.
        if self._spent_until - now >= _SHORTEST_SLEEP:
            await self._sleep(self._spent_until - now)


@dataclass(frozen=True, slots=True)
class Time:
    """The clock and the waiting of a client; tests bring their own."""

    clock: Clock
    sleep: Sleep
    wall: Clock


class Pacer:
    """The limits of one host."""

    def __init__(self, settings: HostSettings, time: Time) -> None:
        self._time = time
        self._slots = {lane: asyncio.Semaphore(settings.concurrency) for lane in Lane}
        self._held_until = time.clock()
        rate = settings.requests_per_second
        self._requests = Bucket(rate, time.clock, time.sleep) if rate else None
        self._limit = limit = settings.bytes_per_second or None
        self._bytes = Bucket(limit, time.clock, time.sleep) if limit else None

    @property
    def limits_bytes(self) -> bool:
        """Whether there is a bandwidth limit, so that :meth:`spend` may wait."""
        return self._bytes is not None

    @property
    def burst(self) -> int | None:
        """The largest piece to move at once under the bandwidth limit, in bytes, or None."""
        return None if self._limit is None else max(_SMALLEST_BURST, self._limit // 4)

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Hold a slot; entering waits for pauses, a free slot and the request rate."""
        async with self._slots[lane]:
            await self._wait_for_pause()
            if self._requests is not None:
                await self._requests.take(1)
            yield

    async def spend(self, byte_count: int) -> None:
        """Account for bytes of a blob, and wait where they came faster than the limit."""
        if self._bytes is not None:
            await self._bytes.take(byte_count)

    def hold(self, seconds: float) -> None:
        """Let no request begin for a while; a longer pause that runs already stays."""
        self._held_until = max(self._held_until, self._time.clock() + seconds)

    async def _wait_for_pause(self) -> None:
        while (left := self._held_until - self._time.clock()) > 0:
            await self._time.sleep(left)
