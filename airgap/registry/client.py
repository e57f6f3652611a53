"""The registry client: every registry that the process talks to, behind the ports."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

from airgap.content.events import Emit, discard
from airgap.content.ports import BlobReader, OnBytes, OpenBlob, TagMove
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository
from airgap.registry import pages, pull
from airgap.registry.hosts import Hosts
from airgap.registry.manifest_cache import ManifestCache
from airgap.registry.pacing import Time
from airgap.registry.push import Pusher
from airgap.registry.referrers import Referrers
from airgap.registry.settings import ClientSettings


class RegistryClient:
    """All registries at once, as a source and a target; an async context manager.

    The registry is the domain of a repository. There is one client for a process, so that limits,
    tokens and connections are shared by everything that it does.
    """

    def __init__(
        self, settings: ClientSettings, emit: Emit = discard, *, passing: Time | None = None
    ) -> None:
        """Take settings; no connection is made before something is asked.

        Args:
            settings: how registries are talked to.
            emit: is told of retries, pauses, mirrors and mounts.
            passing: the clock and the waiting; tests bring their own.
        """
        self._hosts = Hosts(settings, emit, passing or _real_time())
        self._cache = ManifestCache()
        self._pushers: dict[str, Pusher] = {}
        self._referrers: dict[str, Referrers] = {}

    async def __aenter__(self) -> Self:
        await self._hosts.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._hosts.__aexit__(kind, error, traceback)

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a tag or digest stands for; one HEAD where the registry tells all by it.

        Raises:
            NotFound: no such repository, tag or digest.
        """
        hosts = await self._hosts.to_pull(reference.repository)
        return await pull.resolve(hosts, reference, self._cache)

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes, at most 4 MiB, of the descriptor's digest.

        Raises:
            NotFound: the registry does not have it.
            ContentMismatch: it has other bytes for this digest.
        """
        hosts = await self._hosts.to_pull(repository)
        return await pull.read_manifest(hosts, repository, descriptor, self._cache)

    def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob for one reading, unverified but for its size.

        Raises:
            NotFound: on entering; the registry does not have it.
        """
        return self._open_blob(repository, descriptor, offset)

    @asynccontextmanager
    async def _open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int
    ) -> AsyncIterator[BlobReader]:
        hosts = await self._hosts.to_pull(repository)
        async with pull.open_blob(hosts, repository, descriptor, offset) as reader:
            yield reader

    async def tags(self, repository: Repository) -> AsyncIterator[str]:
        """Yield every tag, in the registry's own order.

        Raises:
            NotFound: while iterating; there is no such repository.
        """
        host = await self._hosts.of(repository.domain)
        async for tag in pages.tags(host, repository):
            yield tag

    async def repositories(self, domain: str) -> AsyncIterator[Repository]:
        """Yield every repository that a registry lists."""
        host = await self._hosts.of(domain)
        async for path in pages.repositories(host):
            yield Repository(domain, path)

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the manifests whose subject is ``digest``; empty where there are none."""
        host = await self._hosts.of(repository.domain)
        known = self._referrers.setdefault(host.name, Referrers(host))
        return await known.of(repository, digest)

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return what a name stands for now, or None; one HEAD."""
        return await (await self._pusher(reference.repository)).find(reference)

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Tell whether an image manifest is there; a registry has let none in without its blobs.

        Of an index it cannot be sure, since indexes may be sparse.
        """
        if descriptor.media_type in media_types.INDEXES:
            return False
        pusher = await self._pusher(repository)
        return await pusher.holds_manifest(repository, descriptor.digest)

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return the digests of those blobs that the repository lacks."""
        return await (await self._pusher(repository)).missing(repository, blobs)

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Bring in one blob: not at all, by mounting, or by uploading.

        Raises:
            ContentMismatch: the bytes are not what the descriptor says.
        """
        pusher = await self._pusher(repository)
        await pusher.put_blob(repository, descriptor, open_at, on_bytes)

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Take in one manifest byte for byte, and see to it that its subject knows of it."""
        await (await self._pusher(repository)).put_manifest(repository, manifest)

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Let names stand for manifests, one after the other: registries have no transactions."""
        by_domain: defaultdict[str, list[TagMove]] = defaultdict(list)
        for move in moves:
            by_domain[move.reference.repository.domain].append(move)
        for of_one in by_domain.values():
            pusher = await self._pusher(of_one[0].reference.repository)
            await pusher.move_tags(of_one)

    async def _pusher(self, repository: Repository) -> Pusher:
        host = await self._hosts.of(repository.domain)
        return self._pushers.setdefault(host.name, Pusher(host, self._cache))


def _real_time() -> Time:
    return Time(time.monotonic, asyncio.sleep, time.time)
