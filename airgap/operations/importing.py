"""``import`` as the config has it: from what lies there to receipt and report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from airgap.app import App
from airgap.bundle.access import open_bundle
from airgap.bundle.age_keys import load_identities
from airgap.bundle.format import BundleManifest
from airgap.bundle.journal import ImportEntry
from airgap.bundle.opening import FoundBundle, find_bundle
from airgap.bundle.reader import Bundle
from airgap.bundle.signatures import SignatureVerdict, check_signatures
from airgap.bundle.volume_collection import VolumeCollection
from airgap.bundle.volume_files import check_volumes
from airgap.config.transfer import ImportChannel
from airgap.content.events import Note
from airgap.errors import AirgapError, BundleDamaged, ContentMismatch, Refused
from airgap.oci.name_mapping import NameMapping
from airgap.operations.consignment import Consignment
from airgap.operations.packing import warn_of_slowness
from airgap.operations.pushing import turn_at
from airgap.operations.signing import unattended_signer
from airgap.operations.sizes import human_size
from airgap.operations.turns import turn
from airgap.operations.unpacking import means_at
from airgap.operations.watching import NOBODY, AskingJournal, Watcher
from airgap.store.journal import StoreJournal
from airgap.store.push_record import record_pushes
from airgap.usecases.direct import DirectSource, take_direct
from airgap.usecases.engine_handover import hand_to_engine
from airgap.usecases.handover import Finished, Handover, Papers, finish, hand_over, write_request
from airgap.usecases.reception import BaseMissing, Reception, receive

_PUSHING_SECONDS = 3600.0
"""How long an import waits for others that push to the same registry: it has begun by then."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a bundle that was taken in.

    Attributes:
        manifest: what the bundle says.
        verdict: who signed it.
        received: how it came into the store.
        handover: how it went on into a registry or an engine; None where none is named.
        finished: receipt and report; None where the registry did not take all of it.
    """

    manifest: BundleManifest
    verdict: SignatureVerdict
    received: Reception
    handover: Handover | None
    finished: Finished | None

    def error(self) -> AirgapError | None:
        """Return the error to end with, or None."""
        return self.handover.error() if self.handover is not None else None


@dataclass(frozen=True, slots=True)
class PassedOn:
    """What became of a bundle that went past the store.

    Attributes:
        handover: how it went into the registry.
        finished: receipt and report; None where the registry did not take all of it.
    """

    handover: Handover
    finished: Finished | None


@asynccontextmanager
async def opened_bundle(
    app: App, paths: Sequence[Path], collection: VolumeCollection | None = None
) -> AsyncIterator[tuple[FoundBundle, Bundle]]:
    """Open the one bundle that files or folders hold, with the config's keys.

    Raises:
        NotFound: there is none, or volumes of it are missing; those that came are kept.
        BundleDamaged, ContentMismatch: it is damaged; of volumes, which ones.
    """
    found = await asyncio.to_thread(find_bundle, paths, collection)
    medium = found.medium
    if found.is_encrypted:
        medium = found.opened(await asyncio.to_thread(load_identities, app.config.trust.identities))
    try:
        async with open_bundle(medium, means_at(app)) as bundle:
            yield found, bundle
    except (BundleDamaged, ContentMismatch) as error:
        if found.volumes is None:
            raise
        check = await asyncio.to_thread(check_volumes, found.volumes)
        raise (check.error() or error) from error


async def import_found(app: App, paths: Sequence[Path], watcher: Watcher = NOBODY) -> Imported:
    """Take in the one bundle that files or folders hold, and push it on where the config says so.

    Raises:
        NotFound: there is none, or volumes of it are missing; those that came are kept.
        Refused: signatures, lineage, a base that is not here, or the watcher.
        BundleDamaged, ContentMismatch: it is not what it says; no name has moved.
        NoSpace: it does not fit; nothing was written.
        Busy: somebody else imports right now.
    """
    collection = VolumeCollection(
        app.store_path / "airgap" / "incoming", sync=app.config.store.sync
    )
    async with AsyncExitStack() as stack:
        found, bundle = await stack.enter_async_context(opened_bundle(app, paths, collection))
        policy = app.signature_policy(bundle.manifest.channel)
        verdict = check_signatures(bundle.head.bundle_json, bundle.head.signatures, policy)
        verdict.require(str(bundle.path))
        if not verdict.is_checked:
            watcher.emit(Note("warning", "no signers are configured: nothing says who made it"))
        consignment = Consignment(app, bundle, verdict)
        said = consignment.section or ImportChannel()
        papers = consignment.papers(unattended_signer(said.sign, app.environ))
        try:
            imported = await take_in(consignment, papers, watcher)
        except BaseMissing as refusal:
            path = await write_request(refusal.request, papers)
            watcher.emit(Note("warning", f"wrote {path}, which asks for what is missing"))
            raise
    if imported.error() is None and found.volumes is not None:
        await asyncio.to_thread(collection.discard, found.volumes.index.set_id)
    return imported


async def take_in(consignment: Consignment, papers: Papers, watcher: Watcher = NOBODY) -> Imported:
    """Take a bundle into the store, and on into the registry or engine where one is named.

    Args:
        consignment: the bundle, open.
        papers: where receipt and report go.
        watcher: is told what happens, and asked before names move.

    Raises:
        BaseMissing: it stands on content that is not here; its request says on which.
        Refused, BundleDamaged, ContentMismatch, NoSpace, Busy: as ``import_found``.
    """
    app, bundle, mapping = consignment.app, consignment.bundle, consignment.mapping
    if (pack := bundle.manifest.pack) is not None:
        watcher.emit(Note("info", f"unpacking takes {human_size(pack.memory)} of memory at most"))
        warn_of_slowness(watcher.emit)
    async with (
        app.open_store(create=True) as store,
        turn(store, "import", patience=watcher.patience),
        store.writing(),
    ):
        journal = AskingJournal(store, watcher.ask)
        admission = await consignment.admit(journal)
        received = await receive(bundle, admission, store, journal, watcher.emit)
        handover, entry = None, received.entry
        if consignment.to_engine:
            handover = await _into_engine(consignment, entry, journal, watcher)
        elif mapping is not None:
            handover = await _hand_over(
                consignment, entry, mapping=mapping, journal=journal, watcher=watcher
            )
        if handover is not None:
            entry = handover.entry
            if handover.error() is not None:
                return Imported(bundle.manifest, consignment.verdict, received, handover, None)
        finished = await finish(entry, bundle.manifest, journal, papers)
    return Imported(bundle.manifest, consignment.verdict, received, handover, finished)


async def take_past_the_store(
    consignment: Consignment, mapping: NameMapping, papers: Papers, watcher: Watcher = NOBODY
) -> PassedOn:
    """Push a bundle of a channel straight on; the store keeps no more than that it came.

    Args:
        consignment: the bundle, open.
        mapping: what its images are called in the registry.
        papers: where receipt and report go.
        watcher: is told what happens.

    Raises:
        BaseMissing: it stands on content that the registry lacks; its request says on which.
        Refused, BundleDamaged, ContentMismatch, Busy: as ``import_found``.
    """
    app, bundle = consignment.app, consignment.bundle
    destination = mapping.destination
    async with (
        app.open_store(create=True) as store,
        turn(store, "import", patience=watcher.patience),
        turn_at(store, (destination.domain,), patience=watcher.patience, emit=watcher.emit),
        app.registries(watcher.emit) as registry,
    ):
        request = consignment.push_request(mapping)
        source = DirectSource.of(bundle, registry, request)
        journal = StoreJournal(store)
        await _require_delta_bases(bundle, journal)
        handover = await take_direct(
            source,
            await consignment.admit(journal, source),
            request,
            destination=str(destination),
            journal=journal,
            emit=watcher.emit,
        )
        await record_pushes(store, handover.copied)
        finished = None
        if handover.error() is None:
            finished = await finish(handover.entry, bundle.manifest, journal, papers)
    return PassedOn(handover, finished)


async def _require_delta_bases(bundle: Bundle, journal: StoreJournal) -> None:
    """Check that what deltas were made against is in the store, whatever a registry has.

    Raises:
        Refused: it is not.
    """
    pack = bundle.manifest.pack
    missing = await journal.missing(pack.bases()) if pack is not None else ()
    if missing:
        raise Refused(
            str(bundle.path),
            f"holds deltas against {len(missing)} blobs that the store does not have",
            "import it without --direct, on top of a store that took in what came before; "
            "or ask for a bundle that is not packed with deltas",
        )


async def _hand_over(
    consignment: Consignment,
    entry: ImportEntry,
    *,
    mapping: NameMapping,
    journal: StoreJournal,
    watcher: Watcher,
) -> Handover:
    store, destination = journal.store, mapping.destination
    patience = max(watcher.patience, _PUSHING_SECONDS)
    watcher.say(f"pushing to {destination}")
    async with (
        turn_at(store, (destination.domain,), patience=patience, emit=watcher.emit),
        consignment.app.registries(watcher.emit) as registry,
    ):
        handover = await hand_over(
            entry,
            consignment.push_request(mapping),
            destination=str(destination),
            source=store,
            registry=registry,
            journal=journal,
            emit=watcher.emit,
        )
        await record_pushes(store, handover.copied)
    return handover


async def _into_engine(
    consignment: Consignment, entry: ImportEntry, journal: StoreJournal, watcher: Watcher
) -> Handover:
    watcher.say("loading into the engine")
    async with consignment.app.engine() as engine:
        return await hand_to_engine(
            entry,
            consignment.bundle.roots,
            source=journal.store,
            engine=engine,
            platform=consignment.app.platform,
            journal=journal,
            emit=watcher.emit,
        )
