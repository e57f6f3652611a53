"""The coroutines' side of the group commit: publish and wait, or publish and go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TypeVar

from airgap.oci.digest import Digest
from airgap.store.committer import Committer, Operation, SmallFile
from airgap.store.threads import finished, settled

MAX_WAITING = 8 * 1024 * 1024
"""Bytes of small blobs that may be in memory on their way to disk."""

Result = TypeVar("Result")


class Publisher:
    """Hands operations to the committer, which does them in the order given.

    Small blobs need not be waited for one by one: a manifest that names them is published after
    them or together with them, and whoever asks the catalog asks it after them. So a copy of a
    thousand small images waits for a few syncs, and not for thousands. If one of them fails (the
    disk is full), everything after it fails with its error.
    """

    def __init__(self, committer: Committer, *, may_defer: bool) -> None:
        self._committer = committer
        self._may_defer = may_defer
        self._waiting: dict[Digest, tuple[int, asyncio.Future[frozenset[Digest]]]] = {}
        self._last: asyncio.Future[frozenset[Digest]] | None = None
        self._failure: BaseException | None = None

    def coming_size(self, digest: Digest) -> int | None:
        """Return the size of a small blob that is on its way to disk, else None."""
        waiting = self._waiting.get(digest)
        return waiting[0] if waiting is not None else None

    async def arrived(self, digests: Iterable[Digest]) -> None:
        """Wait for those of the digests that are on their way to disk.

        Raises:
            AirgapError: a small blob failed.
        """
        if not self._waiting.keys().isdisjoint(digests):
            await self.caught_up()

    async def commit(self, operation: Operation[Result]) -> Result:
        """Publish, and wait until it is on disk.

        Raises:
            AirgapError: it failed, or a small blob before it did.
        """
        self.raise_failure()
        result = await settled(asyncio.wrap_future(self._committer.submit(operation)))
        self.raise_failure()
        return result

    async def commit_small(
        self, operation: Operation[frozenset[Digest]], content: SmallFile
    ) -> None:
        """Publish a small blob; it may reach the disk later, but before all that follows.

        Raises:
            AirgapError: it failed, or a small blob before it did.
        """
        if not self._may_defer:
            await self.commit(operation)
            return
        self.raise_failure()
        while sum(size for size, _ in self._waiting.values()) > MAX_WAITING:
            await self.caught_up()
        future = asyncio.wrap_future(self._committer.submit(operation))
        self._waiting[content.digest] = (len(content.content), future)
        self._last = future

        def done(ended: asyncio.Future[frozenset[Digest]]) -> None:
            # The same blob may be on its way for another repository too.
            waiting = self._waiting.get(content.digest)
            if waiting is not None and waiting[1] is ended:
                del self._waiting[content.digest]
            # Each is asked for its failure, or asyncio would tell of those that nobody asked.
            failure = ended.exception()
            self._failure = self._failure or failure

        future.add_done_callback(done)

    async def caught_up(self) -> None:
        """Wait until all small blobs so far are published.

        Raises:
            AirgapError: one of them failed.
        """
        if self._last is not None and not self._last.done():
            await finished(self._last)
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise the error of a small blob that nobody waited for."""
        if self._failure is not None:
            raise self._failure
