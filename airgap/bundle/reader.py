"""Reading a bundle: a source of the graph copy, at random where it is plain, else in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from airgap.bundle import members
from airgap.bundle.format import BundleManifest
from airgap.bundle.graph import BundleGraph
from airgap.bundle.head import Head
from airgap.bundle.layout import BlobMember, Member
from airgap.bundle.medium import Medium
from airgap.bundle.stream import ByteStream, open_stream
from airgap.bundle.thread import OwnThread
from airgap.content.plan import CopyPlan
from airgap.content.ports import BlobReader, FileRegion, OpenBlob, TagMove
from airgap.errors import ContentMismatch, NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest, Role, parse_manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository

PIECE_SIZE = 1024 * 1024
"""Bytes of one piece of a blob."""


class Bundle(ABC):
    """What all bundles can: names, manifests and the graph between them.

    Attributes:
        path: the file; of volumes, their folder and NAME.
        head: everything before the first blob.
    """

    def __init__(
        self, medium: Medium, head: Head, thread: OwnThread, *, compressed: bool = False
    ) -> None:
        self.path = medium.path
        self.head = head
        self._medium = medium
        self._compressed = compressed
        self._thread = thread
        self._graph: BundleGraph | None = None
        self._names = {r.reference: r.descriptor for r in head.manifest.present}

    @property
    def manifest(self) -> BundleManifest:
        """What ``bundle.json`` says."""
        return self.head.manifest

    @property
    def roots(self) -> tuple[TagMove, ...]:
        """The names that the bundle brings, and what they stand for."""
        return tuple(TagMove(reference, named) for reference, named in self._names.items())

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a name stands for, or the manifest of a digest."""
        named = self._names.get(reference)
        if named is None and reference.digest is not None:
            blob = self.head.layout.blobs.get(reference.digest)
            if blob is not None and blob.item.role is Role.MANIFEST:
                named = blob.item.descriptor
        if named is None:
            raise NotFound(str(reference), f"is not in the bundle {self.path}")
        return named

    async def tags(self, repository: Repository) -> AsyncIterator[str]:
        """Yield the tags of a repository, in the bundle's order."""
        found = [r.tag for r in self._names if r.repository == repository]
        if not found:
            raise NotFound(str(repository), f"is not in the bundle {self.path}")
        for tag in found:
            if tag is not None:
                yield tag

    async def repositories(self) -> AsyncIterator[Repository]:
        """Yield every repository that a name is in, in the bundle's order."""
        for repository in dict.fromkeys(r.repository for r in self._names):
            yield repository

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the manifests inside whose subject is ``digest``."""
        del repository
        return (await self.graph()).referrers.get(digest, ())

    async def plan(
        self, roots: Sequence[TagMove], platforms: Platforms, *, referrers: bool = True
    ) -> CopyPlan:
        """Return everything below the roots, from one reading of the manifests."""
        return (await self.graph()).plan(roots, platforms, referrers=referrers)

    async def graph(self) -> BundleGraph:
        """Return the graph, for which all manifests are read and verified once.

        Raises:
            BundleDamaged: a manifest has other bytes than it should.
        """
        if self._graph is None:
            self._graph = await self._thread.run(self._read_graph)
        return self._graph

    def _read_graph(self) -> BundleGraph:
        with self._stream() as stream:
            return BundleGraph.of(self.manifest, read_manifests(stream, self.head))

    @abstractmethod
    def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob for one reading, unverified."""

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        del repository
        return await self._thread.run(self._read_member, self._find(descriptor).member)

    def _read_member(self, member: Member) -> bytes:
        with self._stream() as stream:
            members.enter(stream, member)
            content = stream.read(member.size, member.name)
            members.leave(stream, member)
            return content

    def _find(self, descriptor: Descriptor) -> BlobMember:
        blob = self.head.layout.blobs.get(descriptor.digest)
        if blob is None:
            raise NotFound(str(descriptor.digest), f"is not in the bundle {self.path}")
        return blob

    def _stream(self) -> ByteStream:
        return open_stream(self._medium, compressed=self._compressed)


def read_manifests(stream: ByteStream, head: Head) -> Iterator[Manifest]:
    """Yield every manifest of a bundle, verified, one in memory at a time.

    Raises:
        BundleDamaged: one is not what ``bundle.json`` says.
    """
    for blob in head.layout.blobs.values():
        if blob.item.role is not Role.MANIFEST:
            return
        member, descriptor = blob.member, blob.item.descriptor
        members.enter(stream, member)
        raw = stream.read(member.size, member.name)
        members.leave(stream, member)
        try:
            yield parse_manifest(raw, descriptor.media_type, digest=descriptor.digest)
        except ContentMismatch as error:
            raise stream.damaged(member.name, str(error), member.start) from None


class PlainBundle(Bundle):
    """A bundle that can be read from anywhere: every blob is a piece of the file or of volumes."""

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob, whose header and padding are checked before its bytes are given out."""
        del repository
        member = self._find(descriptor).member
        await self._thread.run(self._check_around, member)
        start = min(offset, member.size)
        begin, length = member.content_start + start, member.size - start
        region = self._medium.region(begin, length)
        yield _PieceReader(start, region, self._medium, begin, length, self._thread)

    def _check_around(self, member: Member) -> None:
        with self._stream() as stream:
            members.enter(stream, member)
            stream.skip_to(member.content_start + member.size, member.name)
            members.leave(stream, member)


@dataclass(frozen=True, slots=True)
class _PieceReader:
    offset: int
    region: FileRegion | None
    medium: Medium
    begin: int
    length: int
    thread: OwnThread

    async def __aiter__(self) -> AsyncIterator[bytes]:
        stream = await self.thread.run(open_stream, self.medium, compressed=False)
        try:
            await self.thread.run(stream.skip_to, self.begin, "a blob")
            left = self.length
            while left:
                piece = await self.thread.run(stream.read, min(left, PIECE_SIZE), "a blob")
                left -= len(piece)
                yield piece
        finally:
            await self.thread.run(stream.close)


class CompressedBundle(Bundle):
    """A bundle with zstd or age around it: what comes later is reached through what is before."""

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open one blob; everything before it is decompressed for that."""
        del repository, offset
        async with self._reopened(self._find(descriptor)) as reader:
            yield reader

    async def in_order(
        self, wanted: frozenset[Digest]
    ) -> AsyncIterator[tuple[Descriptor, OpenBlob]]:
        """Yield the wanted content as it stands; see ``ReadsInOrder``.

        A blob that is opened a second time is decompressed anew from the front.

        Raises:
            BundleDamaged: the bundle is cut short or changed.
        """
        coming = [b for digest, b in self.head.layout.blobs.items() if digest in wanted]
        stream = await self._thread.run(self._stream)
        previous: Member | None = None
        try:
            for blob in coming:
                first = await self._thread.run(self._advance, stream, previous, blob.member)
                yield blob.item.descriptor, self._opener(blob, stream, first)
                previous = blob.member
            if previous is not None:
                await self._thread.run(self._finish, stream, previous)
        finally:
            await self._thread.run(stream.close)

    def _advance(self, stream: ByteStream, previous: Member | None, member: Member) -> bytes:
        """Leave one member, enter another, and read the beginning of its content."""
        if previous is not None:
            self._pass(stream, previous)
        members.enter(stream, member)
        return stream.read(min(member.size, PIECE_SIZE), member.name)

    def _finish(self, stream: ByteStream, last: Member) -> None:
        self._pass(stream, last)
        if last.end == self.head.layout.content_end:
            members.expect_end(stream, self.head.layout.size)

    def _pass(self, stream: ByteStream, member: Member) -> None:
        stream.skip_to(member.content_start + member.size, member.name)
        members.leave(stream, member)

    def _opener(self, blob: BlobMember, stream: ByteStream, first: bytes) -> OpenBlob:
        fresh = [_StreamReader(blob.member, stream, self._thread, first)]

        @asynccontextmanager
        async def open_at(offset: int) -> AsyncIterator[BlobReader]:
            del offset
            if fresh:
                yield fresh.pop()
                return
            async with self._reopened(blob) as reader:
                yield reader

        return open_at

    @asynccontextmanager
    async def _reopened(self, blob: BlobMember) -> AsyncIterator[BlobReader]:
        stream = await self._thread.run(self._stream)
        try:
            first = await self._thread.run(self._advance, stream, None, blob.member)
            yield _StreamReader(blob.member, stream, self._thread, first)
        finally:
            await self._thread.run(stream.close)


@dataclass(frozen=True, slots=True)
class _StreamReader:
    member: Member
    stream: ByteStream
    thread: OwnThread
    first: bytes
    offset: int = 0
    region: FileRegion | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.first:
            yield self.first
        end = self.member.content_start + self.member.size
        while self.stream.position < end:
            count = min(end - self.stream.position, PIECE_SIZE)
            yield await self.thread.run(self.stream.read, count, self.member.name)
