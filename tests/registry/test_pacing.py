"""How fast a host is talked to, on a clock that only moves when somebody waits."""

from __future__ import annotations

import asyncio

import pytest

from airgap.registry.pacing import Bucket, Lane, Pacer, Time
from airgap.registry.settings import HostSettings


class FakeTime:
    """A clock that moves by the seconds that are slept."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Let the seconds pass at once."""
        self.slept.append(seconds)
        self.now = max(self.now, self.now + seconds)
        await asyncio.sleep(0)

    @property
    def time(self) -> Time:
        """The clock and the waiting, for a pacer."""
        return Time(lambda: self.now, self.sleep, lambda: self.now)


@pytest.fixture
def fake() -> FakeTime:
    """Return a clock that nobody has waited on."""
    return FakeTime()


async def test_a_bucket_lets_a_second_pass_at_once_and_then_keeps_the_pace(fake: FakeTime) -> None:
    """Ten a second: ten at once, then each a tenth of a second."""
    bucket = Bucket(10, lambda: fake.now, fake.sleep)
    for _ in range(10):
        await bucket.take(1)
    assert fake.slept == []
    for _ in range(10):
        await bucket.take(1)
    assert fake.now == pytest.approx(1001)


async def test_what_is_larger_than_the_bucket_is_paid_for_afterwards(fake: FakeTime) -> None:
    """A piece of ten seconds' worth waits nine, since one was saved up."""
    bucket = Bucket(1000, lambda: fake.now, fake.sleep)
    await bucket.take(10_000)
    assert fake.slept == [pytest.approx(9)]


async def test_a_pause_holds_every_request_of_the_host(fake: FakeTime) -> None:
    """A shorter one does not end a longer one."""
    pacer = Pacer(HostSettings(), fake.time)
    pacer.hold(30)
    pacer.hold(1)
    async with pacer.slot(Lane.SMALL):
        assert fake.now == pytest.approx(1030)


async def test_the_request_rate_is_kept_across_lanes(fake: FakeTime) -> None:
    """Small requests and blobs count alike."""
    pacer = Pacer(HostSettings(requests_per_second=2), fake.time)
    for _ in range(4):
        for lane in (Lane.SMALL, Lane.READ):
            async with pacer.slot(lane):
                pass
    assert fake.now == pytest.approx(1003)


async def test_bandwidth_is_spent_by_all_transfers_together(fake: FakeTime) -> None:
    """Two transfers at a time are each half as fast."""
    pacer = Pacer(HostSettings(bytes_per_second=1_000_000), fake.time)
    assert pacer.limits_bytes
    assert pacer.burst == 250_000
    for _ in range(10):
        await pacer.spend(500_000)
    assert fake.now == pytest.approx(1004)


async def test_a_full_lane_does_not_stop_another(fake: FakeTime) -> None:
    """A blob that is written may wait for one that is read, at the same host."""
    pacer = Pacer(HostSettings(concurrency=1), fake.time)
    async with pacer.slot(Lane.WRITE), pacer.slot(Lane.READ), pacer.slot(Lane.SMALL):
        second = asyncio.create_task(pacer.slot(Lane.READ).__aenter__())
        await asyncio.sleep(0)
        assert not second.done()
        second.cancel()
