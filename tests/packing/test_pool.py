"""Jobs side by side: as many as threads and memory allow, their results in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.packing.pool import Job, cores, run_jobs

PATIENCE = 10.0
"""Seconds after which a test that waits for something has failed."""


class _Gauge:
    """Sees how much is at work at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memory: list[int] = []
        self.most_memory = 0
        self.most_jobs = 0
        self.begun = 0

    def job(self, number: int, memory: int, during: Callable[[], object]) -> Job[int]:
        def work() -> int:
            with self._lock:
                self.begun += 1
                self._memory.append(memory)
                self.most_memory = max(self.most_memory, sum(self._memory))
                self.most_jobs = max(self.most_jobs, len(self._memory))
            during()
            with self._lock:
                self._memory.remove(memory)
            return number

        return Job(work, memory)


@settings(max_examples=30)
@given(
    needs=st.lists(st.integers(0, 120), max_size=12),
    memory=st.integers(1, 100),
    threads=st.integers(1, 4),
)
def test_results_come_in_order_and_memory_is_kept(
    needs: list[int], memory: int, threads: int
) -> None:
    """Whatever the jobs take; one that takes more than there is runs alone."""
    gauge = _Gauge()
    jobs = (gauge.job(n, need, lambda: None) for n, need in enumerate(needs))
    assert list(run_jobs(jobs, memory=memory, threads=threads)) == list(range(len(needs)))
    assert gauge.most_memory <= max([memory, *needs])
    assert gauge.most_jobs <= threads


def test_jobs_are_at_work_together() -> None:
    """Two that wait for each other both come to an end."""
    meeting = threading.Barrier(2, timeout=PATIENCE)
    jobs = [Job(meeting.wait, 10), Job(meeting.wait, 10)]
    assert sorted(run_jobs(jobs, memory=20, threads=2)) == [0, 1]


def test_a_slow_first_job_lets_others_go_on() -> None:
    """Its result comes first all the same."""
    second_done = threading.Event()

    def first() -> str:
        assert second_done.wait(PATIENCE)
        return "first"

    def second() -> str:
        second_done.set()
        return "second"

    assert list(run_jobs([Job(first, 1), Job(second, 1)], memory=2, threads=2)) == [
        "first",
        "second",
    ]


def test_jobs_are_drawn_no_further_ahead_than_needed() -> None:
    """A thousand of them, with files that each begins by opening, are not begun at once."""
    drawn = 0

    def jobs() -> Iterator[Job[int]]:
        nonlocal drawn
        for number in range(1000):
            drawn += 1
            yield Job(lambda number=number: number, 0)  # type: ignore[misc]

    results = run_jobs(jobs(), memory=1, threads=2)
    assert next(results) == 0
    assert drawn < 10
    results.close()


def test_the_first_failure_is_raised_and_ends_it() -> None:
    """Those at work come to their end; no further ones begin."""
    gauge = _Gauge()

    def fail() -> int:
        raise LookupError("this one")

    jobs = [gauge.job(0, 1, lambda: None), Job(fail, 1)]
    jobs += [gauge.job(n, 1, lambda: None) for n in range(2, 100)]
    results = run_jobs(jobs, memory=2, threads=2)
    assert next(results) == 0
    with pytest.raises(LookupError, match="this one"):
        next(results)
    assert gauge.begun < 10


def test_leaving_early_ends_it() -> None:
    """Nothing is at work any more when the iterator has been closed."""
    gauge = _Gauge()
    results = run_jobs([gauge.job(n, 1, lambda: None) for n in range(50)], memory=9, threads=2)
    assert next(results) == 0
    results.close()
    assert gauge.begun < 10
    assert not [t for t in threading.enumerate() if t.name.startswith("packing")]


def test_there_is_a_core() -> None:
    """The default is one thread for each that this process may use."""
    assert cores() >= 1
    assert list(run_jobs([Job(lambda: 7, 1)], memory=1)) == [7]
