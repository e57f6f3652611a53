"""Feeding a file from a coroutine: the loop collects one batch while a thread writes another."""

from __future__ import annotations

import asyncio

from airgap.content.ports import OnBytes
from airgap.store.hashed_file import HashedFile
from airgap.store.threads import Threads, finished, settled

BATCH_SIZE = 512 * 1024
"""Bytes; enough that handing them to a thread costs little, few enough for fifty at once."""


class Pump:
    """Collects pieces into batches of half a MiB and lets a thread hash and write them.

    At most two batches and one piece are in memory: one being written, one being collected.
    """

    def __init__(self, threads: Threads, file: HashedFile, on_bytes: OnBytes | None = None) -> None:
        self._threads = threads
        self._file = file
        self._on_bytes = on_bytes
        self._batch: list[bytes] = []
        self._batch_size = 0
        self._writing: asyncio.Future[int] | None = None

    async def feed(self, piece: bytes) -> None:
        """Take a piece; waits when the disk is slower than the source."""
        self._batch.append(piece)
        self._batch_size += len(piece)
        if self._batch_size >= BATCH_SIZE:
            await self._settle()
            self._start()

    async def flush(self) -> None:
        """Wait until all that was fed is written."""
        await self._settle()
        if self._batch:
            self._start()
            await self._settle()

    async def stop(self) -> None:
        """Wait until no thread works on the file; what was collected since is dropped."""
        self._batch.clear()
        if self._writing is not None:
            # Whatever it says comes too late to matter: something else has failed before.
            await finished(self._writing)

    def _start(self) -> None:
        self._writing = self._threads.start_file_work(self._file.append, self._batch)
        self._batch, self._batch_size = [], 0

    async def _settle(self) -> None:
        if self._writing is None:
            return
        written = await settled(self._writing)
        self._writing = None
        if self._on_bytes is not None:
            self._on_bytes(written)
