"""Pull-through: what is missing is fetched from upstream once, verified, kept and served.

Only repositories of chosen domains are looked for upstream; all others are as they are. A tag is
resolved upstream each time, since it may have moved; where upstream does not answer, what it stood
for last is served with a warning. A digest that is here is never asked for again. Where the config
wants signatures, only signed images are fetched (``admission.py``).

Blobs are fetched when a client wants them, whole and verified before the first byte is served. What
else a fetched image is made of comes after it by itself: clients skip layers that they have, and an
image in the store is to be whole, for it will be exported.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

import structlog

from airgap.content.hosting import Hosting, KeepsForPushes, PushClaim
from airgap.content.ports import BlobReader, Source, TagMove
from airgap.content.walk import read_verified
from airgap.errors import (
    AccessDenied,
    AirgapError,
    ContentMismatch,
    NotFound,
    Refused,
    RegistryFault,
    Unreachable,
)
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest, Role, parse_manifest
from airgap.oci.reference import Reference, Repository
from airgap.server.admission import Admission
from airgap.server.single_flight import SingleFlight
from airgap.usecases.mirror import PoliciesOf, no_policies

_REMEMBERED = 20_000
"""Blobs whose sizes are kept in mind: a few MiB at most."""

_LEARN_FROM = 1000
"""Tags that are read to find out again what a repository's blobs are."""

_COMPLETIONS = 2
"""Blobs that nobody waits for and that are fetched at once."""

_log = structlog.get_logger(__name__)

_UPSTREAM_IS_AWAY = (Unreachable, RegistryFault, AccessDenied, NotFound)


@runtime_checkable
class Freshens(Protocol):
    """A host whose content is another place's, and can be brought up to date."""

    async def freshen(self, reference: Reference) -> str | None:
        """Bring what a name stands for up to date.

        Returns:
            A warning for the client where what is here may be out of date, else None.

        Raises:
            AirgapError: upstream cannot be asked, and nothing under this name is here.
        """
        ...


@asynccontextmanager
async def pulling_through(
    hosting: Hosting,
    upstream: Source,
    domains: frozenset[str],
    rules: PoliciesOf = no_policies,
) -> AsyncIterator[Hosting]:
    """Have a host that fetches what it lacks until the block ends.

    Args:
        hosting: where everything is kept, and what is served.
        upstream: where missing images come from.
        domains: the domains whose repositories are looked for upstream (``docker.io``).
        rules: whose signatures an image must have to be fetched.
    """
    place = PullThrough(hosting, upstream, domains, Admission(upstream, rules))
    try:
        yield cast("Hosting", place)
    finally:
        await place.close()


class PullThrough:
    """A host that is another host, except that it fetches what it lacks."""

    def __init__(
        self, hosting: Hosting, upstream: Source, domains: frozenset[str], admission: Admission
    ) -> None:
        self._hosting = hosting
        self._upstream = upstream
        self._domains = domains
        self._admission = admission
        self._flights = SingleFlight()
        self._known: OrderedDict[tuple[Repository, Digest], Descriptor] = OrderedDict()
        self._completing: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(_COMPLETIONS)

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to the host."""
        return getattr(self._hosting, name)

    def push_claim(self) -> AbstractAsyncContextManager[PushClaim]:
        """Have the host's claim on what unfinished pushes need."""
        return cast("KeepsForPushes", self._hosting).push_claim()

    async def close(self) -> None:
        """Stop fetching."""
        for task in self._completing:
            task.cancel()
        await asyncio.gather(*self._completing, return_exceptions=True)
        await self._flights.close()

    async def freshen(self, reference: Reference) -> str | None:
        """Fetch a manifest that is missing; resolve a tag upstream, and move it where it moved."""
        if reference.repository.domain not in self._domains:
            return None
        here = await self._hosting.find(reference)
        if here is not None and reference.digest is not None:
            return None
        try:
            with _blaming_upstream():
                await self._flights.do(reference, partial(self._fetch, reference))
        except _UPSTREAM_IS_AWAY as error:
            if here is not None:
                return _warning("upstream was not asked, this may be out of date", error)
            if isinstance(error, NotFound):
                return None
            raise
        except Refused as error:
            if here is None or not await self._is_admitted(reference, here):
                raise
            return _warning("upstream has another one, which is refused", error)
        return None

    async def blob_size(self, repository: Repository, digest: Digest) -> int | None:
        """Return the size of a blob that is here or that a manifest here names."""
        size = await self._hosting.blob_size(repository, digest)
        if size is not None or repository.domain not in self._domains:
            return size
        named = await self._named(repository, digest)
        return named.size if named is not None else None

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob, fetched first where it is missing."""
        digest = descriptor.digest
        if (
            repository.domain in self._domains
            and await self._hosting.blob_size(repository, digest) is None
        ):
            named = await self._named(repository, digest)
            if named is None:
                raise NotFound(f"{repository}@{digest}", "no manifest here names this blob")
            await self._fetch_once(repository, named)
        async with self._hosting.open_blob(repository, descriptor, offset) as reader:
            yield reader

    async def _fetch(self, reference: Reference) -> None:
        repository = reference.repository
        descriptor = await self._upstream.resolve(reference)
        await self._admission.require(reference, descriptor, partial(self._learn_once, repository))
        if await self._hosting.find(Reference(repository, digest=descriptor.digest)) is None:
            manifest = await read_verified(self._upstream, repository, descriptor)
            await self._hosting.put_manifest(repository, manifest)
            self._remember(repository, manifest)
            self._complete_soon(repository, manifest)
        if reference.tag is not None and await self._hosting.find(reference) != descriptor:
            await self._hosting.move_tags([TagMove(reference, descriptor)])

    async def _is_admitted(self, reference: Reference, here: Descriptor) -> bool:
        try:
            await self._admission.require(reference, here, _nothing_more)
        except _UPSTREAM_IS_AWAY as error:
            _log.warning("a signature cannot be asked for", image=f"{reference}", cause=f"{error}")
            return False
        except Refused:
            return False
        return True

    def _complete_soon(self, repository: Repository, manifest: Manifest) -> None:
        task = asyncio.create_task(self._complete(repository, manifest))
        self._completing.add(task)
        task.add_done_callback(self._completing.discard)

    async def _complete(self, repository: Repository, manifest: Manifest) -> None:
        for child in manifest.children():
            blob = child.descriptor
            if child.role is Role.MANIFEST or media_types.is_foreign_layer(blob.media_type):
                continue
            try:
                async with self._turns:
                    if await self._hosting.blob_size(repository, blob.digest) is None:
                        await self._fetch_once(repository, blob)
            except AirgapError as error:
                # Whoever asks for it is told; an export says what is not whole.
                name = f"{repository}@{manifest.descriptor.digest}"
                _log.warning("an image is not whole yet", image=name, cause=f"{error}")
                return

    async def _fetch_once(self, repository: Repository, descriptor: Descriptor) -> None:
        with _blaming_upstream():
            await self._flights.do(
                (repository, descriptor.digest), partial(self._fetch_blob, repository, descriptor)
            )

    async def _fetch_blob(self, repository: Repository, descriptor: Descriptor) -> None:
        def open_at(offset: int) -> AbstractAsyncContextManager[BlobReader]:
            return self._upstream.open_blob(repository, descriptor, offset)

        await self._hosting.put_blob(repository, descriptor, open_at, _unwatched)

    async def _named(self, repository: Repository, digest: Digest) -> Descriptor | None:
        """Return the descriptor of a blob that a manifest of the repository names."""
        if (repository, digest) not in self._known:
            await self._learn_once(repository)
        return self._known.get((repository, digest))

    async def _learn_once(self, repository: Repository) -> None:
        await self._flights.do(("learn", repository), partial(self._learn, repository))

    async def _learn(self, repository: Repository) -> None:
        """Read the repository's manifests again: a restart, or too many blobs, made us forget."""
        seen: set[Digest] = set()
        count = 0
        try:
            async for tag in self._hosting.tags(repository):
                root = await self._hosting.find(Reference(repository, tag))
                if root is not None:
                    await self._learn_below(repository, root, seen)
                count += 1
                if count == _LEARN_FROM:
                    return
        except NotFound:
            return

    async def _learn_below(
        self, repository: Repository, descriptor: Descriptor, seen: set[Digest]
    ) -> None:
        reference = Reference(repository, digest=descriptor.digest)
        if descriptor.digest in seen or await self._hosting.find(reference) is None:
            return
        seen.add(descriptor.digest)
        raw = await self._hosting.read_manifest(repository, descriptor)
        manifest = parse_manifest(raw, descriptor.media_type, digest=descriptor.digest)
        self._remember(repository, manifest)
        for entry in manifest.manifests:
            await self._learn_below(repository, entry, seen)

    def _remember(self, repository: Repository, manifest: Manifest) -> None:
        self._admission.parts(repository, manifest)
        for child in manifest.children():
            if child.role is not Role.MANIFEST:
                key = (repository, child.descriptor.digest)
                self._known[key] = child.descriptor
                self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _unwatched(byte_count: int) -> None:
    """Take progress and do nothing."""


async def _nothing_more() -> None:
    """Know nothing that is not known already."""


@contextmanager
def _blaming_upstream() -> Iterator[None]:
    """Turn wrong content into a fault of the registry that it came from, not of our client."""
    try:
        yield
    except ContentMismatch as error:
        raise RegistryFault(error.thing, error.cause, error.hint) from None


def _warning(what: str, error: AirgapError) -> str:
    cause = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\' else " " for c in f"{error}"
    )
    return f"{what} ({cause[:200]})"
