"""Taking in one blob: verified, resumable, visible only when it is whole."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec

from airgap.content.ports import BlobReader, OnBytes, OpenBlob
from airgap.errors import AirgapError, ContentMismatch, NoSpace, NotPermitted
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.store.committer import SmallFile, StagedFile
from airgap.store.hashed_file import HashedFile
from airgap.store.locks import Locks
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.pump import Pump
from airgap.store.threads import Threads, finished

SMALL_SIZE = 128 * 1024
"""Bytes up to which a blob is taken in memory and written by the group commit."""

Arguments = ParamSpec("Arguments")

_PROGRESS_SIZE = 4 * 1024 * 1024


def check(thing: str, descriptor: Descriptor, digest: Digest, size: int) -> None:
    """Hold what came against what was promised.

    Raises:
        ContentMismatch: digest or size differ.
    """
    if size != descriptor.size:
        more = "more than that came" if size > descriptor.size else f"{size} came"
        raise ContentMismatch(
            thing,
            f"{descriptor.size} bytes were promised, and {more}",
            "nothing of it was kept; try again, and if it persists tell whoever runs the source",
        )
    if digest != descriptor.digest:
        raise ContentMismatch(
            thing,
            f"{descriptor.digest} was promised, and the bytes hash to {digest}",
            "nothing of it was kept; try again, and if it persists tell whoever runs the source",
        )


@dataclass(frozen=True, slots=True)
class Intake:
    """How blobs come into one store."""

    places: Places
    threads: Threads
    locks: Locks
    sync: bool

    async def take_small(
        self, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> SmallFile:
        """Read a blob of at most 128 KiB into memory.

        Raises:
            ContentMismatch: digest or size differ.
        """
        content = bytearray()
        async with open_at(0) as reader:
            async for piece in reader:
                content += piece
                if len(content) > descriptor.size:
                    break
        thing = descriptor.digest
        actual = Digest.of(content, descriptor.digest.algorithm)
        check(thing, descriptor, actual, len(content))
        on_bytes(len(content))
        return SmallFile(descriptor.digest, bytes(content))

    async def open(self, descriptor: Descriptor) -> HashedFile:
        """Open the file that a larger blob grows in; it may have the beginning already.

        Until it is closed it is locked. Where another process is taking in the same blob, this one
        gets a file of its own.
        """
        return await self.threads.on_files(self._open, descriptor)

    def _open(self, descriptor: Descriptor) -> HashedFile:
        while True:
            path = self.places.partial(descriptor.digest)
            file, locked = self._open_locked(path, descriptor.digest)
            if not locked:
                file.close()
                file, _ = self._open_locked(self.places.temporary(), descriptor.digest)
            # Whoever had the lock before may have renamed or removed the file meanwhile.
            if file.is_named():
                return file
            file.close()

    def _open_locked(self, path: Path, digest: Digest) -> tuple[HashedFile, bool]:
        with explained(path):
            number, lock = self.locks.open_file(path, os.O_RDWR | os.O_CREAT)
        file = HashedFile(path, number, digest.hasher(), sync=self.sync, lock=lock)
        return file, lock is not None

    async def fill(
        self, file: HashedFile, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> StagedFile:
        """Bring a file to the whole blob, synced; on a broken connection what came stays.

        Raises:
            ContentMismatch, NoSpace, NotPermitted: what came is removed.
        """
        try:
            await self._resume(file, descriptor)
            if file.length < descriptor.size:
                await self._read_on(file, descriptor, open_at, on_bytes)
            await self._work(file, file.sync)
        except (ContentMismatch, NoSpace, NotPermitted):
            file.discard()
            raise
        return StagedFile(descriptor.digest, file.path)

    async def _resume(self, file: HashedFile, descriptor: Descriptor) -> None:
        await self._work(file, file.rehash, descriptor.digest.hasher())
        whole = file.length == descriptor.size and file.digest == descriptor.digest
        if file.length >= descriptor.size and not whole:
            await self._work(file, file.restart, descriptor.digest.hasher())

    async def _read_on(
        self, file: HashedFile, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        resumed = await self._read_once(file, descriptor, open_at, on_bytes)
        try:
            check(descriptor.digest, descriptor, file.digest, file.length)
        except ContentMismatch:
            # A power cut may have damaged the beginning that was there. The source is to blame
            # only when all of the bytes came from it now.
            if not resumed:
                raise
            await self._work(file, file.restart, descriptor.digest.hasher())
            await self._read_once(file, descriptor, open_at, on_bytes)
            check(descriptor.digest, descriptor, file.digest, file.length)

    async def _read_once(
        self, file: HashedFile, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> bool:
        """Read from where the file ends; tell whether the beginning was there before."""
        async with open_at(file.length) as reader:
            if reader.offset == 0 and file.length:
                await self._work(file, file.restart, descriptor.digest.hasher())
            elif reader.offset != file.length:
                raise ContentMismatch(
                    descriptor.digest,
                    f"byte {file.length} was asked for, and the source began at {reader.offset}",
                )
            resumed = file.length > 0
            if reader.region is not None:
                await self._copy_region(file, descriptor, reader, on_bytes)
            else:
                await self._read_pieces(file, descriptor, reader, on_bytes)
        return resumed

    async def _copy_region(
        self, file: HashedFile, descriptor: Descriptor, reader: BlobReader, on_bytes: OnBytes
    ) -> None:
        loop = asyncio.get_running_loop()
        untold = 0

        def tell(count: int) -> None:
            nonlocal untold
            untold += count
            if untold >= _PROGRESS_SIZE:
                loop.call_soon_threadsafe(on_bytes, untold)
                untold = 0

        assert reader.region is not None  # noqa: S101 - the caller has looked
        await self._work(file, file.copy, reader.region, descriptor.size + 1 - file.length, tell)
        on_bytes(untold)

    async def _read_pieces(
        self, file: HashedFile, descriptor: Descriptor, reader: BlobReader, on_bytes: OnBytes
    ) -> None:
        pump = Pump(self.threads, file, on_bytes)
        try:
            size = file.length
            async for piece in reader:
                size += len(piece)
                if size > descriptor.size:
                    # One byte too many is as wrong as a million, and fills no disk.
                    await pump.feed(piece[: len(piece) - size + descriptor.size + 1])
                    break
                await pump.feed(piece)
            await pump.flush()
        except AirgapError:
            await pump.flush()
            raise
        finally:
            await pump.stop()

    async def release(self, file: HashedFile, descriptor: Descriptor) -> None:
        """Close a file; what somebody can resume stays, anything else goes."""
        await self.threads.on_files(self._release, file, descriptor)

    def _release(self, file: HashedFile, descriptor: Descriptor) -> None:
        try:
            if file.path != self.places.partial(descriptor.digest) or not file.length:
                file.discard()
        finally:
            file.close()

    async def _work(
        self,
        file: HashedFile,
        work: Callable[Arguments, None],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        """Let a thread work on the file; when cancelled, stop it before giving way."""
        future = self.threads.start_file_work(work, *args, **kwargs)
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            file.stopped.set()
            await finished(future)
            raise
