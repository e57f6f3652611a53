"""``import --direct``: straight from a bundle into a registry, which must hold its base then.

The store keeps no content, only the journal. Whatever is not in the bundle must be in the registry
already, in the repository where it is needed; what is not is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from airgap.bundle.graph import BundleGraph
from airgap.bundle.journal import ImportState
from airgap.content import events
from airgap.content.events import Emit
from airgap.content.homes import Edges, find_homes
from airgap.content.parallel import for_each
from airgap.content.ports import BlobReader, HasReferrers, Source, TagMove, Target
from airgap.errors import NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.oci.reference import Reference, Repository
from airgap.usecases import evidence as found
from airgap.usecases.handover import Handover, hand_over
from airgap.usecases.push import PushRequest, plan_push
from airgap.usecases.reception import Admission, Journal

_CONCURRENCY = 16


class WholeBundle(Source, HasReferrers, Protocol):
    """A bundle that knows its graph."""

    @property
    def roots(self) -> Sequence[TagMove]:
        """The names that it brings, and what they stand for."""
        ...

    async def graph(self) -> BundleGraph:
        """Return what is below what."""
        ...


class Registry(Source, Target, Protocol):
    """A registry that is read and written."""


@dataclass(frozen=True, slots=True)
class DirectSource:
    """A bundle on top of what a registry holds, as one source.

    Attributes:
        bundle: what came.
        registry: what is there.
        twins: the registry's repository for each of the bundle's.
        elsewhere: blobs that were found in another repository of the registry than the one that
            needs them.
    """

    bundle: WholeBundle
    registry: Registry
    twins: Mapping[Repository, Repository]
    elsewhere: dict[Digest, Repository] = field(default_factory=dict)

    @classmethod
    def of(cls, bundle: WholeBundle, registry: Registry, request: PushRequest) -> DirectSource:
        """Put a bundle on top of a registry, under the names that it is pushed to.

        Raises:
            Refused: two names would become one at the destination.
        """
        twins = {c.source.repository: c.target.repository for c in plan_push(request)}
        return cls(bundle, registry, twins)

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a name of the bundle stands for."""
        return await self.bundle.resolve(reference)

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes, from wherever it is."""
        try:
            return await self.bundle.read_manifest(repository, descriptor)
        except NotFound:
            return await self.registry.read_manifest(self.twins[repository], descriptor)

    def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob, where it is; one that is elsewhere is mounted by registries that can."""
        if descriptor.digest in self.elsewhere:
            where = self.elsewhere[descriptor.digest]
            return self.registry.open_blob(where, descriptor, offset)
        return self.bundle.open_blob(repository, descriptor, offset)

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the manifests of the bundle whose subject is ``digest``."""
        return await self.bundle.referrers(repository, digest)

    async def missing(self, digests: Iterable[Digest]) -> Sequence[Digest]:
        """Return those of a base's digests that the registry lacks.

        A manifest must be where it is needed, and below it a registry has everything: it lets none
        in otherwise. A blob may be in any repository that the bundle has names in.
        """
        needed = self._needed(await self.bundle.graph(), frozenset(digests))
        lacking: set[Digest] = set()

        async def look(reference: Reference) -> None:
            if await self.registry.find(reference) is None and reference.digest is not None:
                lacking.add(reference.digest)

        await for_each(needed.manifests, look, concurrency=_CONCURRENCY)
        for twin, blobs in needed.blobs.items():
            absent = await self.registry.missing(twin, blobs)
            for blob in blobs:
                if blob.digest in absent and not await self._find_elsewhere(blob):
                    lacking.add(blob.digest)
        return sorted(lacking)

    def _needed(self, graph: BundleGraph, base: frozenset[Digest]) -> _Needed:
        edges = {digest: Edges.of(manifest) for digest, manifest in graph.manifests.items()}
        roots = self.bundle.roots
        known = {root.descriptor.digest: (root.descriptor, Role.MANIFEST) for root in roots}
        for manifest in graph.manifests.values():
            for child in manifest.children():
                known.setdefault(child.descriptor.digest, (child.descriptor, child.role))
        needed = _Needed()
        for digest, homes in find_homes(roots, edges).items():
            if digest in base:
                descriptor, role = known[digest]
                needed.add(descriptor, role, [self.twins[home] for home in homes])
        return needed

    async def _find_elsewhere(self, blob: Descriptor) -> bool:
        if blob.digest in self.elsewhere:
            return True
        for twin in dict.fromkeys(self.twins.values()):
            if not await self.registry.missing(twin, [blob]):
                self.elsewhere[blob.digest] = twin
                return True
        return False


@dataclass(frozen=True, slots=True)
class _Needed:
    """What a registry must have already, and in which of its repositories."""

    manifests: list[Reference] = field(default_factory=list)
    blobs: dict[Repository, list[Descriptor]] = field(default_factory=lambda: defaultdict(list))

    def add(self, descriptor: Descriptor, role: Role, homes: Sequence[Repository]) -> None:
        for home in homes:
            if role is Role.MANIFEST:
                self.manifests.append(Reference(home, digest=descriptor.digest))
            else:
                self.blobs[home].append(descriptor)


async def take_direct(
    source: DirectSource,
    admission: Admission,
    request: PushRequest,
    *,
    destination: str,
    journal: Journal,
    emit: Emit = events.discard,
) -> Handover:
    """Push an admitted bundle past the store, and ask the registry for each name again.

    Raises:
        Refused: another process has taken in a bundle of the channel meanwhile.
    """
    entry, manifest = admission.entry, admission.manifest
    if entry is None:
        began = found.of_bundle(manifest, admission.digest, admission.verdict)
        entry = await journal.begin(manifest, admission.digest, began)
    if not entry.state.is_published:
        checked = found.of_checks(entry.evidence, admission.verdict, manifest)
        entry = await journal.advance(entry, ImportState.VERIFIED, {**checked, "direct": True})
        entry = await journal.note(entry, manifest, entry.evidence)
    return await hand_over(
        entry,
        request,
        destination=destination,
        source=source,
        registry=source.registry,
        journal=journal,
        emit=emit,
    )
