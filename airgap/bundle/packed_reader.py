"""Reading a packed bundle: its blobs are made of its parts, several at a time."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from airgap.bundle import members
from airgap.bundle.head import Head
from airgap.bundle.layout import PartMembers
from airgap.bundle.medium import Medium
from airgap.bundle.nameless import NamelessFile
from airgap.bundle.reader import CompressedBundle
from airgap.bundle.stream import ByteStream
from airgap.bundle.thread import OwnThread
from airgap.bundle.unpacking import OpenedPart, open_part
from airgap.bundle.unpacking_means import UnpackingMeans
from airgap.content.ports import BlobReader, FileRegion, OpenBlob
from airgap.errors import NotFound, Unsupported
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.oci.reference import Repository

PIECE_SIZE = 1024 * 1024
"""Bytes of one piece of a blob."""


class PackedBundle(CompressedBundle):
    """A bundle of parts: ``ReadsInOrder``."""

    def __init__(
        self,
        medium: Medium,
        head: Head,
        thread: OwnThread,
        means: UnpackingMeans | None,
        *,
        compressed: bool,
    ) -> None:
        super().__init__(medium, head, thread, compressed=compressed)
        self._means = means
        self._sizes = {
            item.descriptor.digest: item.descriptor
            for item in head.manifest.blobs
            if item.role is Role.LAYER
        }

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open one blob; everything before it is decompressed for that."""
        digest = descriptor.digest
        if digest in self.head.layout.blobs:
            async with super().open_blob(repository, descriptor, offset) as reader:
                yield reader
            return
        part = next((p for p in self.head.layout.parts if digest in _digests(p)), None)
        if part is None:
            raise NotFound(str(digest), f"is not in the bundle {self.path}")
        async with self._reading() as run:
            made = await run.make(part, frozenset({digest}))
            async with made[0].opened(0) as reader:
                yield reader

    async def in_order(
        self, wanted: frozenset[Digest]
    ) -> AsyncIterator[tuple[Descriptor, OpenBlob]]:
        """Yield the wanted content, what travels as it is first; see ``ReadsInOrder``.

        Raises:
            BundleDamaged: the bundle is cut short or changed.
            ContentMismatch: a blob cannot be made of what is inside.
            Refused: it takes more memory, or other bases, than there are.
        """
        async for found in super().in_order(wanted):
            yield found
        parts = [p for p in self.head.layout.parts if not wanted.isdisjoint(_digests(p))]
        if not parts:
            return
        async with self._reading() as run:
            waiting: deque[_Making] = deque()
            coming = iter(parts)
            while True:
                while run.has_room(waiting) and (part := next(coming, None)) is not None:
                    waiting.extend(await run.make(part, wanted))
                if not waiting:
                    break
                making = waiting.popleft()
                yield making.blob, making.opened
                run.forget(making)
            await self._thread.run(run.finish)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[_Run]:
        if self._means is None:
            raise Unsupported(
                str(self.path),
                "is packed, and is read here only as it is",
                "`airgap bundle unpack FILE -o OUT` makes a plain one of it",
            )
        stream = await self._thread.run(self._stream)
        run = _Run(stream, self.head, self._means, self._thread, self._sizes)
        try:
            yield run
        finally:
            await self._thread.run(run.close)


class _Run:
    """One reading of a bundle's parts, and the making of blobs beside it."""

    def __init__(
        self,
        stream: ByteStream,
        head: Head,
        means: UnpackingMeans,
        thread: OwnThread,
        sizes: dict[Digest, Descriptor],
    ) -> None:
        self._stream = stream
        self._head = head
        self._means = means
        self._thread = thread
        self._sizes = sizes
        self._workers = ThreadPoolExecutor(means.jobs, "bundle-unpack")
        self._open: set[_Making] = set()

    def has_room(self, waiting: deque[_Making]) -> bool:
        """Tell whether another part may be opened by now."""
        return len(waiting) < self._means.jobs

    async def make(self, part: PartMembers, wanted: frozenset[Digest]) -> list[_Making]:
        """Read a part and begin to make its blobs that are wanted."""
        return await self._thread.run(self._begin, part, wanted)

    def _begin(self, part: PartMembers, wanted: frozenset[Digest]) -> list[_Making]:
        opened = open_part(self._stream, part, wanted, self._means)
        digests = [digest for digest in _digests(part) if digest in wanted]
        shared = _Shared(opened, len(digests))
        makings = []
        for digest in digests:
            into = NamelessFile(self._means.folder)
            blob = self._sizes[digest]
            made = self._workers.submit(shared.close_blob, blob, into)
            makings.append(_Making(blob, into, made))
        self._open.update(makings)
        return makings

    def forget(self, making: _Making) -> None:
        """Let the file of a blob go."""
        self._open.discard(making)
        making.into.close()

    def finish(self) -> None:
        """Check the end of the bundle, if its last part was read."""
        last = self._head.layout.parts[-1].content
        if self._stream.position == last.end:
            members.expect_end(self._stream, self._head.layout.size)

    def close(self) -> None:
        """End what is under way, and let every file go."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        for making in self._open:
            making.into.close()
        self._stream.close()


class _Shared:
    """A part's plain bytes, which go when the last blob is made of them."""

    def __init__(self, opened: OpenedPart, users: int) -> None:
        self._opened = opened
        self._users = users
        self._lock = threading.Lock()

    def close_blob(self, blob: Descriptor, into: NamelessFile) -> None:
        try:
            self._opened.close_blob(blob, into)
        finally:
            with self._lock:
                self._users -= 1
                is_last = not self._users
            if is_last:
                self._opened.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Making:
    """A blob that is being made."""

    blob: Descriptor
    into: NamelessFile
    made: Future[None]

    @asynccontextmanager
    async def opened(self, offset: int) -> AsyncIterator[BlobReader]:
        """Open it, once it is made."""
        await asyncio.wrap_future(self.made)
        start = min(offset, self.blob.size)
        yield _MadeBlob(start, FileRegion(self.into.path, start, self.blob.size - start))


@dataclass(frozen=True, slots=True)
class _MadeBlob:
    offset: int
    region: FileRegion

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = _pieces(self.region)
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece


def _pieces(region: FileRegion) -> Iterator[bytes]:
    with Path(region.path).open("rb", buffering=0) as file:
        file.seek(region.offset)
        while piece := file.read(PIECE_SIZE):
            yield piece


def _digests(part: PartMembers) -> list[Digest]:
    return [blob.digest for blob in part.part.blobs]
