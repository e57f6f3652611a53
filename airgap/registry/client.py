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
from airgap.content.ports import BlobReader, OnBytes, OpenBlob, SomeTagsFailed, TagMove
from airgap.errors import AirgapError, InvalidReference
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository
from airgap.registry import pages, pull
from airgap.registry.endpoints import Endpoint
from airgap.registry.exchange import Call, Host
from airgap.registry.hosts import Hosts
from airgap.registry.manifest_cache import ManifestCache
from airgap.registry.pacing import Time
from airgap.registry.push import Pusher
from airgap.registry.referrers import Referrers
from airgap.registry.settings import ClientSettings, Login


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
        self._referrers: dict[Endpoint, Referrers] = {}

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
            if len(hosts) == 1:
                # It need not leave the host to get into another repository there.
                (await self._pusher(repository)).saw(repository, descriptor.digest)
            yield reader

    async def tags(self, repository: Repository) -> AsyncIterator[str]:
        """Yield every tag, in the registry's own order.

        Raises:
            NotFound: while iterating; there is no such repository.
        """
        hosts = await self._hosts.to_pull(repository)
        async for tag in pages.tags(hosts, repository):
            yield tag

    def catalog(self, domain: str) -> Catalog:
        """Return one registry as a place that lists its repositories."""
        return Catalog(self._hosts, domain)

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the manifests whose subject is ``digest``; empty where there are none."""

        async def ask(host: Host) -> Sequence[Descriptor]:
            known = self._referrers.setdefault(host.endpoint, Referrers(host))
            return await known.of(repository, digest)

        *mirrors, origin = await self._hosts.to_pull(repository)
        try:
            return await ask(origin)
        except pull.OUT_OF_REACH as error:
            if not mirrors:
                raise
            origin.note("info", f"{error.cause}; asking its mirrors for referrers")
        return await pull.first_that_works(mirrors, ask)

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
        """Let names stand for manifests; registries have no transactions.

        Raises:
            SomeTagsFailed: some names did not move, while the others did.
        """
        by_domain: defaultdict[str, list[TagMove]] = defaultdict(list)
        for move in moves:
            by_domain[move.reference.repository.domain].append(move)
        failures: dict[Reference, AirgapError] = {}
        for of_one in by_domain.values():
            pusher = await self._pusher(of_one[0].reference.repository)
            failures |= await pusher.move_tags(of_one)
        if failures:
            raise SomeTagsFailed(failures)

    async def check_login(self, domain: str, login: Login) -> bool:
        """Try credentials at a registry, before they are stored.

        Returns:
            Whether it asked for any; one that lets everybody in takes wrong ones too.

        Raises:
            AccessDenied: the registry does not take them.
            Unreachable: it does not answer.
        """
        asked = False

        async def find_login(path: str) -> Login:
            nonlocal asked
            del path
            asked = True
            return login

        host = await self._hosts.knowing_only(domain, find_login)
        await host.call(Call("GET", host.endpoint.root(), domain))
        return asked

    async def _pusher(self, repository: Repository) -> Pusher:
        pusher = self._pushers.get(repository.domain)
        if pusher is None:
            host = await self._hosts.of(repository.domain)
            pusher = self._pushers.setdefault(repository.domain, Pusher(host, self._cache))
        return pusher


class Catalog:
    """The repositories of one registry (the ``ListsRepositories`` port)."""

    def __init__(self, hosts: Hosts, domain: str) -> None:
        self._hosts = hosts
        self._domain = domain

    async def repositories(self) -> AsyncIterator[Repository]:
        """Yield every repository, in the registry's own order.

        Raises:
            Unsupported: the registry does not list its repositories.
        """
        host = await self._hosts.of(self._domain)
        async for path in pages.repositories(host):
            try:
                repository = Repository(self._domain, path)
            except InvalidReference as error:
                host.note("warning", f"lists a repository that has no valid name: {error}")
                continue
            yield repository


def _real_time() -> Time:
    return Time(time.monotonic, asyncio.sleep, time.time)
