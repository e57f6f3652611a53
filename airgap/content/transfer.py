"""Moving blobs: each once, a bounded number at a time, with events."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from airgap.content.events import BlobFinished, BlobProgress, BlobReused, BlobStarted, Emit
from airgap.content.ports import BlobReader, OpenBlob, Source, Target
from airgap.content.report import Traffic
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Repository


class BlobTransfer:
    """Puts blobs into one target and keeps count.

    A blob that several images share travels once: while it is on its way for one of them, the
    others wait, and then find it there (or let the target mount it into their repository).
    """

    def __init__(self, target: Target, emit: Emit, *, concurrency: int) -> None:
        self.traffic = Traffic()
        self._target = target
        self._emit = emit
        self._slots = asyncio.Semaphore(concurrency)
        self._turns: dict[Digest, asyncio.Lock] = {}
        self._placed: set[tuple[Repository, Digest]] = set()

    async def put(self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob) -> None:
        """Put one blob into a repository of the target, unless this run has done so already."""
        turn = self._turns.setdefault(descriptor.digest, asyncio.Lock())
        async with turn:
            if (repository, descriptor.digest) in self._placed:
                self.count_reused(descriptor)
                return
            async with self._slots:
                await self._put_now(repository, descriptor, open_at)
            self._placed.add((repository, descriptor.digest))

    async def _put_now(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob
    ) -> None:
        moved = 0
        opened = False

        def on_bytes(count: int) -> None:
            nonlocal moved
            # A target that finds the blob in its place may count it as dealt with all the same.
            if opened:
                moved += count
                self._emit(BlobProgress(descriptor, count))

        def open_and_note(offset: int) -> AbstractAsyncContextManager[BlobReader]:
            nonlocal opened
            if not opened:
                self._emit(BlobStarted(descriptor))
            opened = True
            return open_at(offset)

        await self._target.put_blob(repository, descriptor, open_and_note, on_bytes)
        if not opened:
            self.count_reused(descriptor)
            return
        self.traffic.blobs_copied += 1
        self.traffic.bytes_copied += moved
        self._emit(BlobFinished(descriptor))

    def count_reused(self, descriptor: Descriptor) -> None:
        """Count a blob that did not have to travel."""
        self.traffic.blobs_reused += 1
        self.traffic.bytes_reused += descriptor.size
        self._emit(BlobReused(descriptor))


def opener(source: Source, repository: Repository, descriptor: Descriptor) -> OpenBlob:
    """Return a function that opens one blob of a source at an offset."""

    def open_at(offset: int) -> AbstractAsyncContextManager[BlobReader]:
        return source.open_blob(repository, descriptor, offset)

    return open_at
