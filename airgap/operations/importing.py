"""``import`` as the config has it: from what lies there to receipt and report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from airgap.app import App
from airgap.bundle.age_keys import load_identities
from airgap.bundle.format import BundleManifest
from airgap.bundle.journal import ImportEntry
from airgap.bundle.opening import FoundBundle, find_bundle
from airgap.bundle.reader import Bundle, open_bundle
from airgap.bundle.signatures import SignatureVerdict, check_signatures
from airgap.bundle.volume_collection import VolumeCollection
from airgap.bundle.volume_files import check_volumes
from airgap.config.transfer import ImportChannel
from airgap.content.events import Note
from airgap.errors import AirgapError, BundleDamaged, ContentMismatch
from airgap.oci.name_mapping import NameMapping
from airgap.operations.signing import unattended_signer
from airgap.operations.turns import turn
from airgap.operations.watching import NOBODY, AskingJournal, Watcher
from airgap.store.push_record import record_pushes
from airgap.usecases.handover import Finished, Handover, Papers, finish, hand_over, write_request
from airgap.usecases.push import PushRequest
from airgap.usecases.reception import BaseMissing, Reception, admit, receive


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a bundle that was taken in.

    Attributes:
        manifest: what the bundle says.
        verdict: who signed it.
        received: how it came into the store.
        handover: how it went on into the registry; None where none is named.
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
        async with open_bundle(medium) as bundle:
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
        imported = await _take_in(app, bundle, verdict, watcher)
    if imported.error() is None and found.volumes is not None:
        await asyncio.to_thread(collection.discard, found.volumes.index.set_id)
    return imported


async def _take_in(
    app: App, bundle: Bundle, verdict: SignatureVerdict, watcher: Watcher
) -> Imported:
    channel = app.config.imports.get(bundle.manifest.channel or "")
    said = channel or ImportChannel()
    papers = _papers(app, said)
    mapping = channel.name_mapping() if channel is not None else app.config.push.name_mapping()
    try:
        async with (
            app.open_store(create=True) as store,
            turn(app.store_path, "import", patience=watcher.patience),
            store.writing(),
        ):
            journal = AskingJournal(store, watcher.ask)
            admission = await admit(bundle.head, verdict, journal, removals=said.removals)
            received = await receive(bundle, admission, store, journal, watcher.emit)
            handover, entry = None, received.entry
            if mapping is not None:
                handover = await _hand_over(
                    app, bundle, entry, mapping=mapping, journal=journal, watcher=watcher
                )
                entry = handover.entry
            if handover is not None and handover.error() is not None:
                return Imported(bundle.manifest, verdict, received, handover, None)
            finished = await finish(entry, bundle.manifest, journal, papers)
    except BaseMissing as refusal:
        path = await write_request(refusal.request, papers)
        watcher.emit(Note("warning", f"wrote {path}, which asks for what is missing"))
        raise
    return Imported(bundle.manifest, verdict, received, handover, finished)


async def _hand_over(
    app: App,
    bundle: Bundle,
    entry: ImportEntry,
    *,
    mapping: NameMapping,
    journal: AskingJournal,
    watcher: Watcher,
) -> Handover:
    async with app.registries(watcher.emit) as registry:
        handover = await hand_over(
            entry,
            PushRequest([root.reference for root in bundle.roots], mapping.map_all),
            destination=str(mapping.destination),
            source=journal.store,
            registry=registry,
            journal=journal,
            emit=watcher.emit,
        )
    await record_pushes(journal.store, handover.copied)
    return handover


def _papers(app: App, channel: ImportChannel) -> Papers:
    own = app.store_path / "airgap"
    return Papers(
        channel.receipts or own / "receipts",
        own / "reports",
        unattended_signer(channel.sign, app.environ),
        app.config.store.sync,
    )
