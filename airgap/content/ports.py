"""The ports: what every place that holds images can do, and what some can do besides.

A registry, the local store, a bundle, a ``docker save`` file and a Docker Engine are content
stores: :class:`Source` where images come from, :class:`Target` where they go. What only some can
do is a capability, a small protocol of its own that the copy asks for through :func:`capability`;
no use case ever asks what kind of place it has in hand.

Trust: a source may lie. Whoever keeps content checks it: a target verifies the digest and the size
of every blob it takes in before the blob becomes visible, and raises ``ContentMismatch`` where
they differ. Manifests are verified by the copy, which parses them anyway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, runtime_checkable

from airgap.errors import AirgapError, PartialFailure
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository

if TYPE_CHECKING:
    from airgap.content.plan import CopyPlan


@dataclass(frozen=True, slots=True)
class FileRegion:
    """A piece of a local file that holds a blob: a store's blob file, a member of a plain tar.

    Attributes:
        path: the file; it stays as it is while the blob is open.
        offset: where the blob's remaining bytes start, in bytes.
        length: how many bytes they are.
    """

    path: Path
    offset: int
    length: int


class BlobReader(Protocol):
    """An open blob: its bytes once, in order, from ``offset`` on.

    Attributes:
        offset: where reading really starts. It is what was asked for, or 0 where the source cannot
            start in the middle; the target then starts over.
        region: the same bytes as a piece of a local file, where they are one. A target that can use
            it (to copy in a thread, to send it from the kernel) need not iterate at all.
    """

    @property
    def offset(self) -> int:
        """Where reading really starts, in bytes."""
        ...

    @property
    def region(self) -> FileRegion | None:
        """The same bytes as a piece of a local file, or None."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces of the source's choosing, 1 MiB at most."""
        ...


OpenBlob: TypeAlias = Callable[[int], AbstractAsyncContextManager[BlobReader]]
"""Open one blob for reading from an offset in bytes; a target calls it when it is ready."""

OnBytes: TypeAlias = Callable[[int], None]
"""Told how many more bytes have been dealt with, for progress; never blocks, never raises."""


class Source(Protocol):
    """Where images come from."""

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a tag or digest stands for: media type, digest, size.

        Raises:
            NotFound: no such repository, tag or digest.
        """
        ...

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes, at most 4 MiB, unverified.

        Raises:
            NotFound: the place does not have it (an index may name manifests that are absent).
        """
        ...

    def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob for one reading, unverified.

        Raises:
            NotFound: on entering, where the place does not have it.
        """
        ...


@dataclass(frozen=True, slots=True)
class TagMove:
    """A name and what it shall stand for.

    Attributes:
        reference: a repository with a tag; or with a digest alone, to keep untagged content.
        descriptor: the manifest; its annotations are not carried into the target.
    """

    reference: Reference
    descriptor: Descriptor


class SomeTagsFailed(PartialFailure):
    """A place without transactions moved some tags, and failed at others.

    Attributes:
        failures: why each of the others did not move.
    """

    def __init__(self, failures: Mapping[Reference, AirgapError]) -> None:
        super().__init__(
            "", f"{len(failures)} tags did not move", "the images are there; only names are missing"
        )
        self.failures = failures


class Target(Protocol):
    """Where images go: blobs first, then manifests, children before parents, then tags."""

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return what a name stands for now, or None; cheap, no content is read."""
        ...

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Tell whether a manifest is there with everything below it that ``platforms`` wants.

        A target that cannot be sure without reading says no; the copy then looks at the children.
        """
        ...

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return the digests of those blobs (configs, layers) that the repository lacks."""
        ...

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Take in one blob, verified, visible only when it is whole.

        Raises:
            ContentMismatch: digest or size differ; nothing is kept.
            NoSpace: the disk is full; nothing half-written stays visible.
        """
        ...

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Take in one manifest byte for byte.

        What it names is there already, or is left out on purpose (a sparse index).
        """
        ...

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Let names stand for manifests: all of them or none, where the place has transactions.

        Raises:
            SomeTagsFailed: the place has no transactions, and some names did not move.
        """
        ...


@runtime_checkable
class HasReferrers(Protocol):
    """A source that knows what refers to a manifest (signatures, SBOMs, attestations)."""

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the manifests whose subject is ``digest``; empty where there are none."""
        ...


@runtime_checkable
class ListsTags(Protocol):
    """A place that can list the tags of a repository."""

    def tags(self, repository: Repository) -> AsyncIterator[str]:
        """Yield every tag, in the place's own order.

        Raises:
            NotFound: while iterating; the place has no such repository.
        """
        ...


@runtime_checkable
class ListsRepositories(Protocol):
    """A place that can list its repositories."""

    def repositories(self) -> AsyncIterator[Repository]:
        """Yield every repository, in the place's own order."""
        ...


@runtime_checkable
class KnowsGraphs(Protocol):
    """A source that has the graph at hand, so that planning reads no manifest."""

    async def plan(
        self, roots: Sequence[TagMove], platforms: Platforms, *, referrers: bool = True
    ) -> CopyPlan:
        """Return everything below the roots, in the order that a ``CopyPlan`` has.

        With ``referrers`` also the manifests whose subject is among that, and what is below them,
        and so on.

        Entries of an index that are not there count as left out; so do foreign layers.

        Raises:
            NotFound: a config or a layer is not there, or nothing that ``platforms`` wants.
        """
        ...


@runtime_checkable
class WantsPlan(Protocol):
    """A target that must know all of the content before the first of it: a bundle, an archive."""

    async def prepare(self, plan: CopyPlan) -> None:
        """Take the whole plan; blobs and manifests then come exactly in its order."""
        ...


@runtime_checkable
class ReadsInOrder(Protocol):
    """A source that can be read only from front to back: a compressed bundle, a pipe."""

    def in_order(self, wanted: frozenset[Digest]) -> AsyncIterator[tuple[Descriptor, OpenBlob]]:
        """Yield the wanted content as it stands; each piece is read before the next comes."""
        ...


@runtime_checkable
class HasCapacity(Protocol):
    """A target that knows how much it can still take."""

    async def free_bytes(self) -> int:
        """Return how many bytes fit in now."""
        ...


Capability = TypeVar("Capability")


def capability(place: object, wanted: type[Capability]) -> Capability | None:
    """Return the place as one that has the wanted capability, or None where it has not."""
    return place if isinstance(place, wanted) else None
