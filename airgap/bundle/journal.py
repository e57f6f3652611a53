"""How far an import has come, as it can be told after the process that ran it is gone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airgap.bundle.format import BundleManifest
from airgap.oci.digest import Digest

Evidence = Mapping[str, Any]
"""What an import has found out so far, as JSON has it."""

GIVEN_UP = "given up"
"""Beside the states in the times of an import: when somebody said that it will not go on."""


class ImportState(StrEnum):
    """How far an import has come.

    ``RECEIVED``: its signatures and its place in the channel are right. ``VERIFIED``: its base is
    there, and its graph is complete. ``STAGED``: all content is in the store, verified.
    ``PUBLISHED``: the store's names have moved. ``PUSHED``: so have the registry's. ``AUDITED``:
    the registry was asked again, and all is as it should be. ``RECEIPTED``: receipt and report are
    written.
    """

    RECEIVED = "received"
    VERIFIED = "verified"
    STAGED = "staged"
    PUBLISHED = "published"
    PUSHED = "pushed"
    AUDITED = "audited"
    RECEIPTED = "receipted"

    @property
    def is_published(self) -> bool:
        """Whether the store has the bundle's names."""
        states = list(ImportState)
        return states.index(self) >= states.index(ImportState.PUBLISHED)


@dataclass(frozen=True, slots=True)
class ImportEntry:
    """One import in the journal.

    Attributes:
        number: its number in the journal.
        bundle_id: the bundle's id.
        digest: that of its ``bundle.json``.
        channel: who ships to whom; None outside of any channel.
        sequence: the bundle's place in the channel.
        state: how far it has come.
        started: seconds since 1970.
        updated: when it came so far; seconds since 1970.
        evidence: what it has found out.
    """

    number: int
    bundle_id: str
    digest: Digest
    channel: str | None
    sequence: int | None
    state: ImportState
    started: float
    updated: float
    evidence: Evidence = field(repr=False)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state is ImportState.RECEIPTED

    @property
    def is_given_up(self) -> bool:
        """Whether somebody has said that it will not go on, and it has not gone on since."""
        return GIVEN_UP in self.evidence.get("times", {})

    def is_repeated_by(self, later: ImportEntry) -> bool:
        """Tell whether a later import is of the same names and content, so that this one is moot.

        Bundles of a channel have their places for that; this is for those outside of any.
        """
        return (
            later.number > self.number
            and self.channel is None
            and later.channel is None
            and _delivered(later) == _delivered(self) is not None
        )


def _delivered(entry: ImportEntry) -> tuple[str, str] | None:
    bundle = entry.evidence.get("bundle", {})
    if "names" not in bundle:
        return None
    return bundle["names"]["sha256"], bundle["content"]["sha256"]


@dataclass(frozen=True, slots=True)
class ReceivedBundle:
    """The newest bundle of a channel that was taken in.

    Attributes:
        channel: who ships to whom.
        sequence: its place in the channel.
        id: its id.
        digest: that of its ``bundle.json``.
        received: when; seconds since 1970.
    """

    channel: str
    sequence: int
    id: str
    digest: Digest
    received: float


@dataclass(frozen=True, slots=True)
class GoneName:
    """A name that a channel brought once, and that its sender has taken out.

    Attributes:
        name: the full reference.
        digest: what the channel let it stand for.
        kept_because: why it stays even where removals are applied; None where it can go.
    """

    name: str
    digest: Digest
    kept_because: str | None = None


def content_of(manifest: BundleManifest) -> frozenset[Digest]:
    """Return everything that a bundle's names are made of: what it carries and relies on."""
    base = manifest.base.digests if manifest.base is not None else ()
    return frozenset((*(item.descriptor.digest for item in manifest.blobs), *base))
