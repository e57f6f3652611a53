"""The second half of an import: into the registry, the audit, the receipt and the report."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from airgap.bundle.format import BundleManifest
from airgap.bundle.journal import ImportEntry, ImportState, content_of
from airgap.bundle.statements import BundleName, ContentSum, Receipt, Request, Signer
from airgap.content import events
from airgap.content.copy_images import copy_images
from airgap.content.events import Emit
from airgap.content.ports import Source, Target
from airgap.content.report import CopyReport
from airgap.errors import AirgapError
from airgap.usecases import evidence as found
from airgap.usecases.audit import AuditReport, Expectation, audit
from airgap.usecases.import_report import ReportFiles, write_report
from airgap.usecases.push import PushRequest, plan_push
from airgap.usecases.reception import Journal
from airgap.usecases.statements import write_statement_file


@dataclass(frozen=True, slots=True)
class Handover:
    """What became of an import at the registry.

    Attributes:
        entry: the import, in the journal.
        copied: the fate of every image.
        audit: every name, resolved again; None where not all of them were pushed.
    """

    entry: ImportEntry
    copied: CopyReport
    audit: AuditReport | None

    def error(self) -> AirgapError | None:
        """Return the error to end with, or None."""
        return self.copied.error() or (self.audit.error() if self.audit is not None else None)


async def hand_over(
    entry: ImportEntry,
    request: PushRequest,
    *,
    destination: str,
    source: Source,
    registry: Target,
    journal: Journal,
    emit: Emit = events.discard,
) -> Handover:
    """Push the names of an import, all together at the end, and ask for each of them again.

    Where an image fails no name moves; where the registry refuses single names, those that moved
    are told apart from those that did not. The import can then be done again and goes on here.
    """
    limits = replace(request.limits, recheck=True, together=True)
    copied = await copy_images(source, registry, plan_push(request), limits, emit)
    so_far = found.of_push(entry.evidence, destination, copied)
    if copied.failures:
        return Handover(await journal.advance(entry, entry.state, so_far), copied, None)
    entry = await journal.advance(entry, ImportState.PUSHED, so_far)
    expected = [
        Expectation(image.target, image.descriptor.digest)
        for image in copied.images
        if image.descriptor is not None
    ]
    audited = await audit(expected, registry)
    so_far = found.of_audit(entry.evidence, audited)
    state = ImportState.PUSHED if audited.differences else ImportState.AUDITED
    return Handover(await journal.advance(entry, state, so_far), copied, audited)


@dataclass(frozen=True, slots=True)
class Papers:
    """Where an import leaves what people carry away from it.

    Attributes:
        receipts: the folder of receipts and requests.
        reports: the folder of reports.
        sign: signs receipts and requests; None leaves them unsigned.
        sync: wait until they are on the disk.
    """

    receipts: Path
    reports: Path
    sign: Signer | None = None
    sync: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """An import with nothing left to do.

    Attributes:
        entry: the import, in the journal.
        receipt: the receipt's file; None outside of any channel.
        report: the report's files.
    """

    entry: ImportEntry
    receipt: Path | None
    report: ReportFiles


async def finish(
    entry: ImportEntry, manifest: BundleManifest, journal: Journal, papers: Papers
) -> Finished:
    """Write receipt and report. The journal says that they are there when they are.

    Raises:
        NotPermitted, NoSpace: a folder does not take them.
    """
    receipt = None
    if manifest.channel is not None:
        said = receipt_of(entry, manifest)
        receipt = await asyncio.to_thread(
            write_statement_file, said, papers.receipts, papers.sign, sync=papers.sync
        )
    # The report says that all is done, so it is written anew should that not come true.
    entry = await journal.advance(entry, ImportState.RECEIPTED, entry.evidence)
    report = await asyncio.to_thread(write_report, entry, papers.reports, sync=papers.sync)
    return Finished(entry, receipt, report)


async def write_request(request: Request, papers: Papers) -> Path:
    """Write what to send back where a bundle's base is not here."""
    return await asyncio.to_thread(
        write_statement_file, request, papers.receipts, papers.sign, sync=papers.sync
    )


def receipt_of(entry: ImportEntry, manifest: BundleManifest) -> Receipt:
    """Return the receipt of an import."""
    return Receipt(
        manifest.channel or "",
        BundleName(manifest.sequence or 1, manifest.id, entry.digest),
        datetime.fromtimestamp(entry.updated, UTC),
        {reference.reference: reference.descriptor for reference in manifest.present},
        ContentSum.of(content_of(manifest)),
    )
