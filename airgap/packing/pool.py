"""Work on several blobs at once, within one bound of memory. Blocking.

The work itself is done without Python's lock (zlib, zstd, hashes, the compiled coder), so threads
are enough for all cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Job(Generic[Result]):
    """Work on one blob.

    Attributes:
        work: does it, in a thread.
        memory: bytes that it takes meanwhile at most.
    """

    work: Callable[[], Result]
    memory: int


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def run_jobs(
    jobs: Iterable[Job[Result]], *, memory: int, threads: int | None = None
) -> Generator[Result, None, None]:
    """Yield what each job gives, in the order of the jobs, several at work at once.

    A job begins when a thread is free and its memory is there, in order, so that none waits for
    ever; one that takes more than there is at all runs alone. Results that wait for an earlier one
    are few: jobs are begun no further ahead than twice the threads. Where a job fails, the iterator
    raises its error once the others that are at work are done; no further ones begin. The same
    where the iterator is closed before its end.

    Args:
        jobs: drawn from only when one can be begun.
        memory: bytes that all jobs at work may take together.
        threads: how many may work at once; by default one for each core.
    """
    workers = threads or cores()
    with ThreadPoolExecutor(workers, thread_name_prefix="packing") as pool:
        scheduler = _Scheduler(pool, jobs, memory, workers)
        try:
            yield from scheduler.results()
        finally:
            scheduler.stop()


class _Scheduler(Generic[Result]):
    """Begins jobs as room becomes free, all from the one thread that takes the results."""

    def __init__(
        self, pool: ThreadPoolExecutor, jobs: Iterable[Job[Result]], memory: int, workers: int
    ) -> None:
        self._pool = pool
        self._jobs = iter(jobs)
        self._next = next(self._jobs, None)
        self._memory = memory
        self._workers = workers
        self._begun: list[Future[Result]] = []
        self._working: dict[Future[Result], int] = {}

    def results(self) -> Iterator[Result]:
        """Yield the results in order."""
        self._begin()
        while self._begun:
            first = self._begun[0]
            while not first.done():
                done, _ = wait(self._working, return_when=FIRST_COMPLETED)
                self._let_go(done)
                self._begin()
            self._let_go({first})
            del self._begun[0]
            result = first.result()
            self._begin()
            yield result

    def stop(self) -> None:
        """Begin no further jobs; the pool waits for those at work."""
        self._next = None
        for future in self._begun:
            future.cancel()

    def _begin(self) -> None:
        self._let_go({future for future in self._working if future.done()})
        if any(f.done() and not f.cancelled() and f.exception() for f in self._begun):
            return
        while self._next is not None and self._has_room(self._next):
            future = self._pool.submit(self._next.work)
            self._begun.append(future)
            self._working[future] = self._next.memory
            self._next = next(self._jobs, None)

    def _has_room(self, job: Job[Result]) -> bool:
        if not self._working:
            return len(self._begun) < 2 * self._workers
        return (
            len(self._working) < self._workers
            and len(self._begun) < 2 * self._workers
            and sum(self._working.values()) + job.memory <= self._memory
        )

    def _let_go(self, done: Iterable[Future[Result]]) -> None:
        for future in done:
            self._working.pop(future, None)
