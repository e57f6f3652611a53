"""Who looks on while something is done: told of everything, and asked before it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from airgap.bundle.format import BundleManifest
from airgap.bundle.journal import Evidence, GoneName, ImportEntry
from airgap.content import events
from airgap.content.events import Emit
from airgap.content.homes import Homes
from airgap.content.ports import HasCapacity, OnBytes, OpenBlob, TagMove, Target
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository
from airgap.store.journal import StoreJournal

Proposal: TypeAlias = Mapping[str, Any]
"""What is about to be published, as JSON has it."""

Ask: TypeAlias = Callable[[Proposal], Awaitable[None]]
"""Lets a proposal pass by returning; raises ``Refused`` where it must not be."""


async def allow(proposal: Proposal) -> None:
    """Let everything pass."""


def unheard(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who looks on.

    Attributes:
        emit: is told what happens.
        ask: is asked before names move, or before anything leaves the store.
        patience: seconds to wait for another process that does the same thing.
        say: is told in a line what part of the work begins.
    """

    emit: Emit = events.discard
    ask: Ask = allow
    patience: float = 0.0
    say: Callable[[str], None] = unheard


NOBODY = Watcher()


class StoreTarget(Target, HasCapacity, Protocol):
    """A target as the local store is one."""


@dataclass(frozen=True, slots=True)
class AskingTarget:
    """A store that asks before names move; everything else is the store's own."""

    target: StoreTarget
    ask: Ask

    async def free_bytes(self) -> int:
        """Return how many bytes fit in now."""
        return await self.target.free_bytes()

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return what a name stands for now, or None."""
        return await self.target.find(reference)

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Tell whether a manifest is there with everything below it that is wanted."""
        return await self.target.holds(repository, descriptor, platforms)

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return the digests of those blobs that the repository lacks."""
        return await self.target.missing(repository, blobs)

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Take in one blob, verified."""
        await self.target.put_blob(repository, descriptor, open_at, on_bytes)

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Take in one manifest byte for byte."""
        await self.target.put_manifest(repository, manifest)

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Let names stand for manifests, if they may.

        Raises:
            Refused: they may not; no name has moved.
        """
        await self.ask({"what": "mirror", "names": _names(moves)})
        await self.target.move_tags(moves)


@dataclass(frozen=True)
class AskingJournal(StoreJournal):
    """A journal that asks before the names of an import move."""

    ask: Ask

    async def publish(
        self,
        entry: ImportEntry,
        manifest: BundleManifest,
        homes: Homes,
        removed: Sequence[GoneName],
        evidence: Evidence,
    ) -> ImportEntry:
        """Let all names of a bundle stand for what it brought, if they may.

        Raises:
            Refused: they may not; no name has moved, and the next import asks again.
        """
        await self.ask(
            {
                "what": "import",
                "import": entry.number,
                "channel": manifest.channel,
                "sequence": manifest.sequence,
                "names": [
                    {"name": str(named.reference), "digest": named.descriptor.digest}
                    for named in manifest.present
                ],
                "removed": [gone.name for gone in removed],
                "blobs": [item.descriptor.digest for item in manifest.blobs],
                "evidence": evidence,
            }
        )
        return await StoreJournal.publish(self, entry, manifest, homes, removed, evidence)


def _names(moves: Sequence[TagMove]) -> list[dict[str, str]]:
    return [{"name": str(move.reference), "digest": move.descriptor.digest} for move in moves]
