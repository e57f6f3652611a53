"""The local store as a content store.

Two views of one thing:

* As a *source of transfers* (``resolve``, ``read_manifest``, ``open_blob``, ``plan``) it finds
  content by digest wherever it belongs; only tags are asked of the repository they are in.
* As a *host of repositories* (``find``, ``blob_size``, ``missing``, ``holds``, ``referrers``,
  ``tags``) it knows only what belongs to the repository. A server asks these first, then reads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection

from airgap.content.plan import CopyPlan
from airgap.content.ports import BlobReader, OnBytes, OpenBlob, TagMove
from airgap.errors import ContentMismatch, NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository
from airgap.store import graph, lookups, removal
from airgap.store.address import DatabaseAddress
from airgap.store.changes import Change, Member, move_tags
from airgap.store.committer import Committer, Operation, SmallFile, StagedFile
from airgap.store.durable import free_bytes
from airgap.store.intake import SMALL_SIZE, Intake
from airgap.store.opening import OpenStore, open_in_thread
from airgap.store.publisher import Publisher
from airgap.store.push_claim import StorePushClaim, claim_for_pushes
from airgap.store.pushed import name_pushed
from airgap.store.reader import open_reader, read_small
from airgap.store.sessions import Session, is_recent
from airgap.store.threads import Threads
from airgap.store.uploads import StoreUpload, Uploads

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Store:
    """A store on disk that is open; made by :meth:`open`.

    Attributes:
        places, database: the paths of its parts; its catalog.
        locks: what its users exclude each other by.
        server: the database server that its catalog is on; None where that is a file.
        threads: where its blocking work is done.
        session: its claim on content, see :meth:`writing`.
        store_id: an id that the store keeps for life.
        writable: whether anything can be put into it.
        sync: whether what is put into it survives a power cut from then on.
    """

    def __init__(self, found: OpenStore, *, sync: bool, long_lived: bool) -> None:
        self.places = found.places
        self.database, self.locks = found.database, found.locks
        self.store_id, self.writable = found.store_id, found.writable
        self.server = found.server
        self.require_writable = found.require_writable
        self._held = found.held
        self.sync = sync
        self.threads = Threads()
        self.session = Session(found.places, found.locks)
        self._claims_by_itself = not long_lived
        self._committer = Committer(found, self.session, sync=sync)
        self._publisher = Publisher(self._committer, may_defer=not long_lived)
        self._commit = self._publisher.commit
        self._intake = Intake(found.places, self.threads, found.locks, sync)
        self._uploads = Uploads(found, self.threads, self._publish_upload, sync=sync)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        address: DatabaseAddress | None = None,
        *,
        create: bool = False,
        sync: bool = True,
        long_lived: bool = False,
    ) -> AsyncIterator[Self]:
        """Open the store in a folder.

        Args:
            path: the store's folder.
            address: where its catalog is; None for a file in the folder.
            create: make a store where the folder is not there or empty.
            sync: make what is written survive a power cut before it is called done.
            long_lived: the program runs for long and serves others. Without it everything that is
                put or relied on stays until the store is closed; with it until the grace period
                of collection is over, unless it is within :meth:`writing`.

        Raises:
            AirgapError: as ``open_store``.
        """
        found = await open_in_thread(path, address, create=create, sync=sync)
        store = cls(found, sync=sync, long_lived=long_lived)
        try:
            yield store
            await store.settle()
        finally:
            await asyncio.to_thread(store._close)

    def _close(self) -> None:
        self._committer.close()
        self.threads.close()
        while self.session.is_live:
            self.session.end()
        self._held.close()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Keep all that is put or relied on from now on from being collected until the end."""
        self.require_writable()
        await self.threads.ask(self.session.begin)
        try:
            yield
        finally:
            await self.threads.ask(self.session.end)

    def push_claim(self) -> AbstractAsyncContextManager[StorePushClaim]:
        """Have a claim for unfinished pushes of a server's clients, see ``KeepsForPushes``."""
        self.require_writable()
        return claim_for_pushes(self.places, self.locks, self.threads)

    async def settle(self) -> None:
        """Wait until all that was put is on disk and in the catalog."""
        await self._publisher.caught_up()

    # Source: content by digest, wherever it belongs

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a tag of a repository, or a digest of any, stands for."""
        found = await self._ask(lookups.resolved, reference)
        if found is None:
            raise NotFound(
                str(reference), "is not in the store", "see what is with `airgap images`"
            )
        return found

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes from whatever repository has it."""
        path = self.places.blob(descriptor.digest)
        name = f"{repository}@{descriptor.digest}"
        raw = await self.threads.on_files(read_small, path, MAX_MANIFEST_SIZE, name)
        if len(raw) > MAX_MANIFEST_SIZE:
            raise ContentMismatch(descriptor.digest, "is far too large to be a manifest")
        return raw

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob of any repository; its ``region`` is the blob's own file."""
        await self._publisher.arrived([descriptor.digest])
        path, name = self.places.blob(descriptor.digest), f"{repository}@{descriptor.digest}"
        async with open_reader(self.threads, path, offset, name) as reader:
            yield reader

    async def plan(
        self, roots: Sequence[TagMove], platforms: Platforms, *, referrers: bool = True
    ) -> CopyPlan:
        """Return everything below the roots, in the order that a ``CopyPlan`` has."""
        await self._claim()
        digests = tuple(root.descriptor.digest for root in roots)
        if self.writable and digests:
            await self._commit(Operation(Change(confirmed=digests)))
        return await self._ask(graph.plan, roots, platforms, referrers=referrers)

    # Target and host: what belongs to a repository

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return the manifest that a tag, or a digest within its repository, stands for."""
        return await self._ask(lookups.manifest_of, reference)

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Tell whether a manifest belongs here with everything below it that is wanted."""
        await self._claim()
        used = await self._ask(graph.holds, repository, descriptor, platforms)
        if used is None:
            return False
        return is_recent(used) or descriptor.digest in await self._rely_on([descriptor.digest])

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return those blobs that do not belong to the repository."""
        digests = frozenset(blob.digest for blob in blobs)
        if not digests:
            return digests
        await self._claim()
        await self._publisher.arrived(digests)
        found = await self._ask(lookups.belonging, repository, digests)
        aged = [digest for digest, used in found.items() if not is_recent(used)]
        there = found.keys() - set(aged) | await self._rely_on(aged)
        return digests - there

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Take in one blob, verified; one that is here already is not read again."""
        await self._claim(required=True)
        if await self._already_here(repository, descriptor):
            return
        change = Change(
            added=((descriptor.digest, descriptor.size),),
            members=(Member(repository, descriptor.digest),),
        )
        if descriptor.size <= SMALL_SIZE:
            small = await self._intake.take_small(descriptor, open_at, on_bytes)
            await self._publisher.commit_small(Operation(change, (small,)), small)
            return
        file = await self._intake.open(descriptor)
        try:
            staged = await self._intake.fill(file, descriptor, open_at, on_bytes)
            await self._commit(Operation(change, (staged,)))
        finally:
            await self._intake.release(file, descriptor)

    async def _already_here(self, repository: Repository, descriptor: Descriptor) -> bool:
        digest = descriptor.digest
        size = self._publisher.coming_size(digest)
        if size is None:
            size = (await self._ask(lookups.sizes_of, [digest])).get(digest)
        if size is None:
            return False
        if size != descriptor.size:
            raise ContentMismatch(
                digest,
                f"{descriptor.size} bytes were announced, and what has this digest has {size}",
                "whoever wrote the manifest is wrong; tell its publisher",
            )
        change = Change(members=(Member(repository, digest),))
        return digest in await self._commit(Operation(change))

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Take in one manifest byte for byte."""
        await self._claim(required=True)
        file = SmallFile(manifest.descriptor.digest, manifest.raw)
        await self._commit(Operation(Change.of_manifest(repository, manifest), (file,)))

    async def publish_manifest(
        self, repository: Repository, manifest: Manifest, tags: Sequence[str] = ()
    ) -> None:
        """Take in a pushed manifest under tags, or by digest; see ``Hosting``."""
        await self._claim(required=True)

        def act(connection: Connection, _: frozenset[Digest]) -> None:
            name_pushed(connection, repository, manifest, tags, time.time())

        file = SmallFile(manifest.descriptor.digest, manifest.raw)
        change = Change.of_manifest(repository, manifest)
        await self._commit(Operation(change, (file,), act=act, renames=True))

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Let names stand for manifests, all in one transaction, and in ``index.json``.

        Raises:
            NotFound: a manifest is not in the store; nothing has moved.
        """
        if not moves:
            return
        await self._claim(required=True)

        def act(connection: Connection, _: frozenset[Digest]) -> None:
            move_tags(connection, moves, time.time())

        await self._commit(Operation(Change(), act=act, renames=True))

    async def free_bytes(self) -> int:
        """Return how many bytes the file system still takes from us."""
        return await self.threads.on_files(free_bytes, self.places.root)

    # Listings

    async def names(self) -> Sequence[TagMove]:
        """Return every name, untagged content by digest, and what it stands for; in one query."""
        return await self._ask(lookups.all_names)

    async def tags(self, repository: Repository) -> AsyncIterator[str]:
        """Yield every tag of a repository in byte order."""
        if not await self._ask(lookups.is_known, repository):
            raise NotFound(str(repository), "the store has no such repository")
        last = ""
        while page := await self._ask(lookups.tags_after, repository, last):
            for tag in page:
                yield tag
            last = page[-1]

    async def repositories(self) -> AsyncIterator[Repository]:
        """Yield every repository that has a manifest, by domain and path."""
        last = ("", "")
        while page := await self._ask(lookups.repositories_after, last):
            for repository in page:
                yield repository
            last = (page[-1].domain, page[-1].path)

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the manifests of a repository whose subject is ``digest``."""
        return await self._ask(lookups.referrers_of, repository, digest)

    # Hosting

    async def blob_size(self, repository: Repository, digest: Digest) -> int | None:
        """Return the size of a blob that belongs to the repository; counts as relying on it."""
        await self._publisher.arrived([digest])
        use = await self._ask(lookups.blob_use, repository, digest)
        if use is None:
            return None
        size, used = use
        here = is_recent(used) or digest in await self._rely_on([digest])
        return size if here else None

    async def mount_blob(
        self, repository: Repository, digest: Digest, origin: Repository | None
    ) -> bool:
        """Let a blob of ``origin`` (or, where None, of any repository) belong here too."""
        await self._claim(required=True)
        await self._publisher.arrived([digest])
        if origin is None:
            allowed = await self._ask(lookups.belongs_anywhere, digest)
        else:
            allowed = await self._ask(lookups.blob_use, origin, digest) is not None
        if not allowed:
            return False
        return digest in await self._commit(
            Operation(Change(members=(Member(repository, digest),)))
        )

    async def begin_upload(self, repository: Repository, algorithm: str = "sha256") -> StoreUpload:
        """Begin an upload."""
        await self._claim(required=True)
        return await self._uploads.begin(repository, algorithm)

    async def find_upload(self, repository: Repository, upload_id: str) -> StoreUpload | None:
        """Return an upload that was begun and is not over, also by an earlier process."""
        return await self._uploads.find(repository, upload_id)

    async def expire_uploads(self, older_than: float) -> int:
        """Throw away uploads untouched for so many seconds; return how many they were."""
        return await self._uploads.expire(older_than)

    async def remove_blob(self, repository: Repository, digest: Digest) -> bool:
        """Take a blob out of the repository; False where it was not there."""
        return await self._remove(removal.remove_blob, repository, digest)

    async def remove_manifest(self, repository: Repository, digest: Digest) -> bool:
        """Take a manifest and its tags out of the repository; False where it was not there."""
        return await self._remove(removal.remove_manifest, repository, digest)

    async def remove_tag(self, reference: Reference) -> bool:
        """Remove one name; False where it was not there."""
        return await self._remove(removal.remove_name, reference.repository, reference.name)

    # What the above share

    async def _remove(self, remove: removal.Remove, repository: Repository, name: str) -> bool:
        self.require_writable()

        return await self._commit(
            Operation(Change(), act=lambda c, _: remove(c, repository, name), renames=True)
        )

    async def _publish_upload(self, repository: Repository, file: StagedFile, size: int) -> None:
        change = Change(added=((file.digest, size),), members=(Member(repository, file.digest),))
        await self._commit(Operation(change, (file,)))

    async def _rely_on(self, digests: Sequence[Digest]) -> frozenset[Digest]:
        if not self.writable or not digests:
            return frozenset(digests)
        return await self._commit(Operation(Change(confirmed=tuple(digests))))

    async def _claim(self, *, required: bool = False) -> None:
        if required:
            self.require_writable()
        if self._claims_by_itself and self.writable and not self.session.is_live:
            await self.threads.ask(self.session.begin)

    async def _ask(
        self,
        query: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        def run() -> Result:
            with self.database.reading() as connection:
                return query(connection, *args, **kwargs)

        return await self.threads.ask(run)
