"""What ``airgap import`` does with a bundle that is open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from airgap.app import App
from airgap.bundle.journal import GoneName, ImportEntry
from airgap.bundle.reader import Bundle
from airgap.bundle.signatures import SignatureVerdict
from airgap.cli.output import Result
from airgap.cli.progress import EventView
from airgap.cli.push import audit_lines
from airgap.cli.signing import configured_signer
from airgap.config.transfer import ImportChannel
from airgap.content.copy_plan import Survey
from airgap.content.ports import Source
from airgap.content.report import ImageResult, Outcome
from airgap.errors import NotFound, Refused, UsageError
from airgap.oci.name_mapping import Destination, NameMapping
from airgap.operations.documents import Document, audit_document, copy_document, image_document
from airgap.operations.sizes import counted, human_size
from airgap.operations.summaries import change_word, copy_lines
from airgap.operations.turns import turn
from airgap.store.journal import StoreJournal
from airgap.store.push_record import record_pushes
from airgap.usecases.direct import DirectSource, take_direct
from airgap.usecases.engine_handover import hand_to_engine
from airgap.usecases.handover import (
    Finished,
    Handover,
    Papers,
    finish,
    hand_over,
    write_request,
)
from airgap.usecases.import_bundle import survey_import
from airgap.usecases.push import PushRequest, push
from airgap.usecases.reception import (
    Admission,
    BaseMissing,
    Holder,
    Reception,
    admit,
    receive,
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A bundle on its way in.

    Attributes:
        app: the program's config and places.
        bundle: what is taken in.
        verdict: what its signatures are worth.
        view: is told what happens.
        destination: the registry of the command line, which goes before the config's.
        to_engine: load the images into the Docker Engine instead of a registry.
        receipts: the folder for receipts of the command line, likewise.
    """

    app: App
    bundle: Bundle
    verdict: SignatureVerdict
    view: EventView
    destination: Destination | None = None
    receipts: Path | None = None
    to_engine: bool = False

    @property
    def _channel(self) -> ImportChannel | None:
        return self.app.config.imports.get(self.bundle.manifest.channel or "")

    @property
    def _mapping(self) -> NameMapping | None:
        channel = self._channel
        if channel is not None:
            return channel.name_mapping(self.destination)
        return self.app.config.push.name_mapping(self.destination)

    def _papers(self) -> Papers:
        own = self.app.store_path / "airgap"
        channel = self._channel or ImportChannel()
        return Papers(
            self.receipts or channel.receipts or own / "receipts",
            own / "reports",
            configured_signer(channel.sign, self.app.environ),
            self.app.config.store.sync,
        )

    async def take_in(self) -> Result:
        """Take the bundle into the store, and on into the registry where one is named."""
        # Keys are opened first: nobody is to wait for a passphrase at the end of a long import.
        papers = self._papers()
        try:
            return await self._take_in(papers)
        except BaseMissing as refusal:
            return await self._asking(refusal, papers)

    async def _take_in(self, papers: Papers) -> Result:
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(self.app.open_store(create=True))
            await stack.enter_async_context(turn(self.app.store_path, "import"))
            await stack.enter_async_context(store.writing())
            journal = StoreJournal(store)
            admission = await self._admit(journal)
            received = await receive(self.bundle, admission, store, journal, self.view.emit)
            lines = list(self._reception_lines(received))
            handover = None
            entry = received.entry
            if self.to_engine:
                handover = await self._into_engine(entry, store, journal)
                entry = handover.entry
            elif self._mapping is not None:
                registry = await stack.enter_async_context(self.app.registries(self.view.emit))
                self.view.say(f"pushing to {self._mapping.destination}")
                handover = await hand_over(
                    entry,
                    self._push_request(self._mapping),
                    destination=str(self._mapping.destination),
                    source=store,
                    registry=registry,
                    journal=journal,
                    emit=self.view.emit,
                )
                entry = handover.entry
                await record_pushes(store, handover.copied)
            if handover is not None and handover.error() is not None:
                return self._ended(received, lines, handover, None)
            finished = await finish(entry, self.bundle.manifest, journal, papers)
        return self._ended(received, lines, handover, finished)

    async def _into_engine(
        self, entry: ImportEntry, source: Source, journal: StoreJournal
    ) -> Handover:
        self.view.say("loading into the engine")
        async with self.app.engine() as engine:
            return await hand_to_engine(
                entry,
                self.bundle.roots,
                source=source,
                engine=engine,
                platform=self.app.platform,
                journal=journal,
                emit=self.view.emit,
            )

    async def take_direct(self) -> Result:
        """Push straight from the bundle; the store keeps no content, only what was taken in."""
        if self.to_engine:
            raise UsageError(
                "--direct", "goes to a registry, not to an engine", "leave --direct out"
            )
        mapping = self._mapping
        if mapping is None:
            raise NotFound(
                "--direct", "no registry is named to push to", "name it with --to REGISTRY"
            )
        if self.bundle.manifest.channel is None:
            async with self.app.registries(self.view.emit) as registry:
                request = self._push_request(mapping)
                pushed = await push(request, self.bundle, registry, self.view.emit)
            document = {
                **self._bundle_document(),
                "pushed": copy_document(pushed.copied),
                "audit": audit_document(pushed.audit),
            }
            lines = [*copy_lines(pushed.copied, "pushed"), *audit_lines(pushed.audit)]
            return Result(document, lines, pushed.copied.error() or pushed.audit.error())
        papers = self._papers()
        try:
            return await self._take_direct(mapping, papers)
        except BaseMissing as refusal:
            return await self._asking(refusal, papers)

    async def _take_direct(self, mapping: NameMapping, papers: Papers) -> Result:
        async with (
            self.app.open_store(create=True) as store,
            turn(self.app.store_path, "import"),
            self.app.registries(self.view.emit) as registry,
        ):
            request = self._push_request(mapping)
            source = DirectSource.of(self.bundle, registry, request)
            journal = StoreJournal(store)
            handover = await take_direct(
                source,
                await self._admit(journal, source),
                request,
                destination=str(mapping.destination),
                journal=journal,
                emit=self.view.emit,
            )
            await record_pushes(store, handover.copied)
            finished = None
            if handover.error() is None:
                finished = await finish(handover.entry, self.bundle.manifest, journal, papers)
        return self._ended(None, [], handover, finished)

    async def preview(self) -> Result:
        """Show what would change, without changing anything."""
        try:
            async with self.app.open_store() as store:
                journal = StoreJournal(store)
                admission = await self._admit(journal)
                survey = await survey_import(self.bundle, store)
        except NotFound:
            if self.app.store_path.exists():
                raise
            base = self.bundle.manifest.base
            if base is not None:
                raise Refused(
                    str(self.bundle.path),
                    f"stands on bundle {base.sequence} of its channel, and there is no store yet",
                    "import that one first, or ask for a full bundle",
                ) from None
            return Result(
                {"dry_run": True, "store": None},
                ["there is no store yet, so everything in the bundle is new; nothing was written"],
            )
        return self._previewed(admission, survey)

    async def _admit(self, journal: StoreJournal, holder: Holder | None = None) -> Admission:
        channel = self._channel or ImportChannel()
        return await admit(
            self.bundle.head, self.verdict, journal, removals=channel.removals, holder=holder
        )

    async def _asking(self, refusal: BaseMissing, papers: Papers) -> Result:
        """Write what to send back, and name everything that is missing."""
        path = await write_request(refusal.request, papers)
        missing = refusal.request.missing
        document = {
            **self._bundle_document(),
            "missing": list(missing),
            "request": str(path),
        }
        lines = [*(f"  missing  {digest}" for digest in missing), f"request  {path}"]
        return Result(document, lines, refusal)

    def _push_request(self, mapping: NameMapping) -> PushRequest:
        section = self._channel or self.app.config.push
        return PushRequest(
            [root.reference for root in self.bundle.roots],
            mapping.map_all,
            on_existing=section.on_existing,
        )

    def _bundle_document(self) -> Document:
        return {"bundle": str(self.bundle.path), "id": self.bundle.manifest.id}

    def _reception_lines(self, received: Reception) -> Iterator[str]:
        admission = received.admission
        if received.copied is not None:
            yield from change_lines(received.copied.images)
            yield from _removal_lines(admission.gone, admission.removed, "removed")
            yield from copy_lines(received.copied, "imported")
        elif received.entry.is_finished:
            number = received.entry.number
            yield f"was taken in before, by import {number}: the store has all of it"
        else:
            yield f"going on with import {received.entry.number}: the store has all of it"

    def _ended(
        self,
        received: Reception | None,
        lines: list[str],
        handover: Handover | None,
        finished: Finished | None,
    ) -> Result:
        document = self._bundle_document()
        if received is not None:
            document |= copy_document(received.copied) if received.copied is not None else {}
            document |= {
                "import": received.entry.number,
                "taken_in_before": received.copied is None,
                "removals": _removal_documents(received.admission),
            }
        if handover is not None:
            document["pushed"] = copy_document(handover.copied)
            lines += copy_lines(handover.copied, "pushed")
            if handover.audit is not None:
                document["audit"] = audit_document(handover.audit)
                lines += audit_lines(handover.audit)
            else:
                lines += _moved_lines(handover)
        if finished is not None:
            document["receipt"] = str(finished.receipt) if finished.receipt else None
            document["report"] = str(finished.report.document)
            if finished.receipt is not None:
                lines.append(f"receipt  {finished.receipt}")
            lines.append(f"report   {finished.report.page}")
        return Result(document, lines, handover.error() if handover is not None else None)

    def _previewed(self, admission: Admission, survey: Survey) -> Result:
        document = {
            "dry_run": True,
            "images": [image_document(image) for image in survey.images],
            "new_blobs": survey.new_blobs,
            "new_bytes": survey.new_bytes,
            "taken_in_before": admission.is_taken_in,
            "removals": _removal_documents(admission),
        }
        return Result(document, self._preview_lines(admission, survey))

    def _preview_lines(self, admission: Admission, survey: Survey) -> Iterator[str]:
        yield from change_lines(survey.images)
        yield from _removal_lines(admission.gone, admission.removed, "would be removed")
        mapping = self._mapping
        if mapping is not None:
            for image in survey.images:
                yield f"  push   {mapping.map_reference(image.target)}"
        if admission.is_taken_in:
            yield "the bundle was taken in before"
        yield (
            f"{counted(survey.new_blobs, 'blob')} with {human_size(survey.new_bytes)} would be "
            "taken in; nothing was written"
        )


def change_lines(images: tuple[ImageResult, ...]) -> Iterator[str]:
    """Yield what each name stands for now, and stood for before."""
    for image in images:
        if image.descriptor is None or image.outcome is Outcome.FAILED:
            continue
        previous = image.previous if image.outcome is Outcome.COPIED else None
        was = f"  (was {previous.short})" if previous is not None else ""
        name, digest = image.target.familiar, image.descriptor.digest.short
        yield f"  {change_word(image):<6} {name}  {digest}{was}"


def _removal_lines(
    gone: tuple[GoneName, ...], removed: tuple[GoneName, ...], word: str
) -> Iterator[str]:
    for name in gone:
        if name in removed:
            yield f"  gone   {name.name}  {name.digest.short}  {word}"
        else:
            because = name.kept_because or "`removals: apply` in the config would remove it"
            yield f"  gone   {name.name}  {name.digest.short}  kept: {because}"


def _removal_documents(admission: Admission) -> list[Document]:
    return [
        {
            "name": name.name,
            "digest": name.digest,
            "removed": name in admission.removed,
            "kept_because": name.kept_because,
        }
        for name in admission.gone
    ]


def _moved_lines(handover: Handover) -> Iterator[str]:
    moved = [i for i in handover.copied.images if i.outcome is Outcome.COPIED]
    yield f"{counted(len(moved), 'name')} moved at the registry, and no other one:"
    for image in moved:
        yield f"  moved  {image.target}"
    yield "import the bundle again; it goes on from there"
