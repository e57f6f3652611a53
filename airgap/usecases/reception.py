"""``import`` of a delivery: checked before it writes, journaled, and going on where it was.

The states are those of :class:`airgap.bundle.journal.ImportState`. Each is written down when it is
reached, the store's names move in one transaction with the journal, and everything in between can
be done again without harm; so an import that is killed anywhere goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from airgap.bundle.format import BundleManifest
from airgap.bundle.head import Head
from airgap.bundle.journal import (
    Evidence,
    GoneName,
    ImportEntry,
    ImportState,
    ReceivedBundle,
)
from airgap.bundle.lineage import Lineage
from airgap.bundle.signatures import SignatureVerdict
from airgap.bundle.statements import BundleName, Request
from airgap.config.transfer import Removals
from airgap.content import events
from airgap.content.copy_plan import stage_plan
from airgap.content.events import Emit
from airgap.content.homes import Homes
from airgap.content.ports import Target
from airgap.content.report import CopyReport
from airgap.errors import Refused, StoreUnusable
from airgap.oci.digest import Digest
from airgap.usecases import evidence as found
from airgap.usecases.import_bundle import BundleSource, whole_plan

_SHOWN = 3


class Holder(Protocol):
    """Where the base of a bundle must be."""

    async def missing(self, digests: Iterable[Digest]) -> Sequence[Digest]:
        """Return those digests whose content is not there, sorted."""
        ...


class Journal(Holder, Protocol):
    """How far imports have come, and what each channel has brought."""

    async def lineage(self, channel: str) -> Lineage:
        """Return which bundles of a channel were taken in."""
        ...

    async def newest(self, channel: str) -> ReceivedBundle | None:
        """Return the newest bundle of a channel that was taken in."""
        ...

    async def gone(self, manifest: BundleManifest) -> Sequence[GoneName]:
        """Return the names that a channel brought and that a bundle of it no longer lists."""
        ...

    async def lost(self, digests: Iterable[Digest]) -> Sequence[Digest]:
        """Return those digests that the catalog has and the disk has not, sorted."""
        ...

    async def rely_on(self, digests: Iterable[Digest]) -> None:
        """Keep content from being collected meanwhile."""
        ...

    async def find(self, digest: Digest) -> ImportEntry | None:
        """Return the last import of a bundle, by the digest of its ``bundle.json``."""
        ...

    async def begin(
        self, manifest: BundleManifest, digest: Digest, evidence: Evidence
    ) -> ImportEntry:
        """Write down that a bundle was received."""
        ...

    async def advance(
        self, entry: ImportEntry, state: ImportState, evidence: Evidence
    ) -> ImportEntry:
        """Write down that an import has come further, and what it has found out by now."""
        ...

    async def abandon(self, entry: ImportEntry) -> None:
        """Forget an import that was refused before it wrote anything."""
        ...

    async def note(
        self, entry: ImportEntry, manifest: BundleManifest, evidence: Evidence
    ) -> ImportEntry:
        """Write down that a bundle was taken in past the store, straight into a registry."""
        ...

    async def publish(
        self,
        entry: ImportEntry,
        manifest: BundleManifest,
        homes: Homes,
        removed: Sequence[GoneName],
        evidence: Evidence,
    ) -> ImportEntry:
        """Let all names of a bundle stand for what it brought, in one transaction."""
        ...


class BaseMissing(Refused):
    """An incremental bundle relies on content that is not here.

    Attributes:
        request: what to send back, so that the next bundle makes up for it.
    """

    def __init__(self, bundle: str, request: Request) -> None:
        missing = request.missing
        shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        last = f"bundle {request.last.sequence}" if request.last is not None else "none"
        super().__init__(
            bundle,
            f"stands on content that is not here: {shown} (together {len(missing)}); the last one "
            f"of the channel that was taken in is {last}",
            "bring the bundles in between, or send the request back: `airgap export "
            f"{request.channel} --request FILE` answers it. Nothing was changed",
        )
        self.request = request


@dataclass(frozen=True, slots=True)
class Admission:
    """A bundle that may be taken in, as far as its head and the store tell.

    Attributes:
        manifest: what it says.
        digest: that of its ``bundle.json``.
        verdict: who signed it.
        entry: an import of it that is in the journal already.
        gone: names that the channel brought and that the bundle does not list any more.
        removed: those of them that go.
    """

    manifest: BundleManifest
    digest: Digest
    verdict: SignatureVerdict
    entry: ImportEntry | None
    gone: tuple[GoneName, ...] = ()
    removed: tuple[GoneName, ...] = ()

    @property
    def is_taken_in(self) -> bool:
        """Whether the store has its names already."""
        return self.entry is not None and self.entry.state.is_published


@dataclass(frozen=True, slots=True)
class Reception:
    """A bundle that is in the store, with its names.

    Attributes:
        admission: what was asked of it before.
        entry: the import, in the journal.
        copied: how it was taken in; None where that was done by an earlier import.
    """

    admission: Admission
    entry: ImportEntry
    copied: CopyReport | None = None


async def admit(
    head: Head,
    verdict: SignatureVerdict,
    journal: Journal,
    *,
    removals: Removals = Removals.KEEP,
    holder: Holder | None = None,
) -> Admission:
    """Check everything about a bundle that can be told before any of it is taken in.

    Args:
        head: everything before the bundle's first blob.
        verdict: what its signatures are worth here.
        journal: what was taken in before.
        removals: whether names that the sender took out go here too.
        holder: where its base must be; the journal's own place where None.

    Raises:
        Refused: signatures are missing or wrong, the bundle is out of line, or (``BaseMissing``)
            what it stands on is not here. Nothing was changed.
    """
    manifest, digest = head.manifest, Digest.of(head.bundle_json)
    verdict.require(_name(manifest))
    entry = await journal.find(digest)
    if manifest.channel is None:
        # Outside of a channel nothing tells an old bundle from a new one: it is taken in again.
        unfinished = entry if entry is not None and not entry.is_finished else None
        return Admission(manifest, digest, verdict, unfinished)
    if entry is not None and entry.state.is_published:
        lineage = await journal.lineage(manifest.channel)
        if lineage.has_just_passed(manifest):
            return Admission(manifest, digest, verdict, entry)
    (await journal.lineage(manifest.channel)).accept(manifest)
    await _require_base(manifest, digest, journal, holder or journal)
    gone = tuple(await journal.gone(manifest))
    removed = tuple(name for name in gone if name.kept_because is None)
    if removals is Removals.KEEP:
        removed = ()
    return Admission(manifest, digest, verdict, entry, gone, removed)


async def _require_base(
    manifest: BundleManifest, digest: Digest, journal: Journal, holder: Holder
) -> None:
    base = manifest.base.digests if manifest.base is not None else ()
    missing = await holder.missing(base)
    if missing:
        raise BaseMissing(_name(manifest), await _request(manifest, digest, missing, journal))


async def _request(
    manifest: BundleManifest, digest: Digest, missing: Sequence[Digest], journal: Journal
) -> Request:
    channel = manifest.channel or ""
    newest = await journal.newest(channel)
    last = BundleName(newest.sequence, newest.id, newest.digest) if newest is not None else None
    refused = BundleName(manifest.sequence or 1, manifest.id, digest)
    return Request(channel, refused, last, tuple(missing))


async def receive(
    bundle: BundleSource,
    admission: Admission,
    store: Target,
    journal: Journal,
    emit: Emit = events.discard,
) -> Reception:
    """Take an admitted bundle into the store; its names move last, all of them or none.

    Content that is put or relied on must be kept from collection meanwhile, by the caller.

    Raises:
        BundleDamaged, ContentMismatch: the bundle is not what it says; no name has moved.
        NoSpace: the new content does not fit; nothing was written.
        StoreUnusable: content that the store should have is lost.
        Refused: what it stands on has gone meanwhile.
    """
    entry = admission.entry
    if entry is not None and entry.state.is_published:
        if entry.evidence.get("direct"):
            raise Refused(
                _name(admission.manifest),
                "was taken straight into a registry, and the store has nothing of it",
                "import it with --direct again, or ask for a full bundle",
            )
        return Reception(admission, entry)
    manifest = admission.manifest
    await _require_whole_store(manifest, journal)
    if entry is None:
        began = found.of_bundle(manifest, admission.digest, admission.verdict)
        entry = await journal.begin(manifest, admission.digest, began)
    try:
        if manifest.base is not None:
            await journal.rely_on(manifest.base.digests)
            await _require_base(manifest, admission.digest, journal, journal)
        plan = await whole_plan(bundle)
    except Refused:
        await journal.abandon(entry)
        raise
    entry = await journal.advance(
        entry, ImportState.VERIFIED, found.of_checks(entry.evidence, admission.verdict, manifest)
    )
    staged = await stage_plan(bundle, store, plan, emit=emit)
    copied = CopyReport(staged.images, staged.traffic)
    entry = await journal.advance(
        entry, ImportState.STAGED, found.of_content(entry.evidence, copied)
    )
    so_far = found.of_removals(entry.evidence, admission.gone, admission.removed)
    entry = await journal.publish(entry, manifest, staged.homes, admission.removed, so_far)
    for reference in manifest.present:
        emit(events.TagMoved(reference.reference, reference.descriptor))
    return Reception(admission, entry, copied)


async def _require_whole_store(manifest: BundleManifest, journal: Journal) -> None:
    """Check that what the store seems to have of a bundle need really not be taken in."""
    lost = await journal.lost(item.descriptor.digest for item in manifest.blobs)
    if lost:
        raise StoreUnusable(
            "store",
            f"{len(lost)} pieces of the bundle were here and are lost from the disk ({lost[0]}…)",
            "`airgap store fsck --repair` forgets them; then import again, which brings them back",
        )


def _name(manifest: BundleManifest) -> str:
    if manifest.channel is None:
        return f"bundle {manifest.id}"
    return f"{manifest.channel}, bundle {manifest.sequence} ({manifest.id})"
