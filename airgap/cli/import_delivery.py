"""What ``airgap import`` does with a bundle that is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airgap.app import App
from airgap.bundle.journal import GoneName
from airgap.bundle.reader import Bundle
from airgap.cli.output import Result
from airgap.cli.progress import EventView
from airgap.cli.push import audit_lines
from airgap.cli.signing import configured_signer
from airgap.config.transfer import ImportChannel
from airgap.content.copy_plan import Survey
from airgap.content.report import ImageResult, Outcome
from airgap.errors import NotFound, Refused, UsageError
from airgap.oci.name_mapping import NameMapping
from airgap.operations.consignment import Consignment
from airgap.operations.documents import Document, audit_document, copy_document, image_document
from airgap.operations.importing import take_in, take_past_the_store
from airgap.operations.sizes import counted, human_size
from airgap.operations.summaries import change_word, copy_lines
from airgap.operations.watching import Watcher
from airgap.store.journal import StoreJournal
from airgap.usecases.handover import Finished, Handover, Papers, write_request
from airgap.usecases.import_bundle import survey_import
from airgap.usecases.push import push
from airgap.usecases.reception import Admission, BaseMissing, Reception


@dataclass(frozen=True, slots=True)
class Delivery:
    """A bundle on its way in, before the eyes of a person.

    Attributes:
        consignment: the bundle, and what is said of it.
        view: is told what happens.
    """

    consignment: Consignment
    view: EventView

    @property
    def _app(self) -> App:
        return self.consignment.app

    @property
    def _bundle(self) -> Bundle:
        return self.consignment.bundle

    @property
    def _watcher(self) -> Watcher:
        return Watcher(self.view.emit, say=self.view.say)

    def _papers(self) -> Papers:
        """Open the keys first: nobody is to wait for a passphrase at the end of a long import."""
        section = self.consignment.section or ImportChannel()
        return self.consignment.papers(configured_signer(section.sign, self._app.environ))

    async def take_in(self) -> Result:
        """Take the bundle into the store, and on into the registry where one is named."""
        papers = self._papers()
        try:
            done = await take_in(self.consignment, papers, self._watcher)
        except BaseMissing as refusal:
            return await self._asking(refusal, papers)
        return self._ended(done.received, done.handover, done.finished)

    async def take_direct(self) -> Result:
        """Push straight from the bundle; the store keeps no content, only what was taken in."""
        if self.consignment.to_engine:
            raise UsageError(
                "--direct", "goes to a registry, not to an engine", "leave --direct out"
            )
        mapping = self.consignment.mapping
        if mapping is None:
            raise NotFound(
                "--direct", "no registry is named to push to", "name it with --to REGISTRY"
            )
        if self._bundle.manifest.channel is None:
            return await self._pushed_direct(mapping)
        papers = self._papers()
        try:
            done = await take_past_the_store(self.consignment, mapping, papers, self._watcher)
        except BaseMissing as refusal:
            return await self._asking(refusal, papers)
        return self._ended(None, done.handover, done.finished)

    async def _pushed_direct(self, mapping: NameMapping) -> Result:
        """Push a bundle of no channel, which leaves nothing behind."""
        async with self._app.registries(self.view.emit) as registry:
            request = self.consignment.push_request(mapping)
            report = await push(request, self._bundle, registry, self.view.emit)
        document = {
            **self._bundle_document(),
            "pushed": copy_document(report.copied),
            "audit": audit_document(report.audit),
        }
        lines = [*copy_lines(report.copied, "pushed"), *audit_lines(report.audit)]
        return Result(document, lines, report.copied.error() or report.audit.error())

    async def preview(self) -> Result:
        """Show what would change, without changing anything."""
        try:
            async with self._app.open_store() as store:
                admission = await self.consignment.admit(StoreJournal(store))
                survey = await survey_import(self._bundle, store)
        except NotFound:
            if self._app.store_path.exists():
                raise
            base = self._bundle.manifest.base
            if base is not None:
                raise Refused(
                    str(self._bundle.path),
                    f"stands on bundle {base.sequence} of its channel, and there is no store yet",
                    "import that one first, or ask for a full bundle",
                ) from None
            return Result(
                {"dry_run": True, "store": None},
                ["there is no store yet, so everything in the bundle is new; nothing was written"],
            )
        return self._previewed(admission, survey)

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

    def _bundle_document(self) -> Document:
        return {"bundle": str(self._bundle.path), "id": self._bundle.manifest.id}

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
        self, received: Reception | None, handover: Handover | None, finished: Finished | None
    ) -> Result:
        document = self._bundle_document()
        lines: list[str] = []
        if received is not None:
            lines += self._reception_lines(received)
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
        mapping = self.consignment.mapping
        if mapping is not None:
            for image in survey.images:
                yield f"  push   {mapping.map_reference(image.target)}"
        if (pack := self._bundle.manifest.pack) is not None:
            yield f"unpacking takes {human_size(pack.memory)} of memory at most"
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
