"""Doing one step of a job, and telling how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from airgap.app import App
from airgap.config.daemon import Step, Verb
from airgap.daemon.records import Outcome
from airgap.errors import (
    AirgapError,
    ArchiveDamaged,
    BundleDamaged,
    ContentMismatch,
    NotFound,
    PartialFailure,
    Refused,
    Unsupported,
)
from airgap.operations.confirming import apply_receipt_file
from airgap.operations.documents import (
    audit_document,
    copy_document,
    error_document,
    plan_document,
)
from airgap.operations.exporting import Exported, export_next
from airgap.operations.importing import Imported, import_found
from airgap.operations.mirroring import mirror_configured
from airgap.operations.sizes import counted, human_size
from airgap.operations.statements import read_request
from airgap.operations.summaries import copy_lines
from airgap.operations.tending import collect, push_matching
from airgap.operations.watching import Watcher
from airgap.usecases.reception import BaseMissing

_REFUSALS = (Refused, BundleDamaged, ContentMismatch, Unsupported, ArchiveDamaged)
"""What is wrong with the thing itself: trying again changes nothing."""


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step went.

    Attributes:
        outcome: in a word.
        summary: in a sentence.
        document: in full, as JSON has it.
    """

    outcome: Outcome
    summary: str
    document: Mapping[str, Any] = field(default_factory=dict)


Act: TypeAlias = Callable[[App, Watcher], Awaitable[StepEnd]]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, with what it is called."""

    title: str
    act: Act


def action_of(step: Step) -> Action:
    """Return what a step of the config's jobs does; ``import`` is the folders' own."""
    match step.verb:
        case Verb.MIRROR:
            return Action(str(step), lambda app, watcher: _mirror(app, step.what, watcher))
        case Verb.EXPORT:
            return export_action(step.what)
        case Verb.PUSH:
            return Action(str(step), lambda app, watcher: _push(app, step.what, watcher))
        case Verb.COLLECT:
            return Action(str(step), _collect)
        case _:
            raise ValueError(step)


def export_action(channel: str, folder: Path | None = None) -> Action:
    """Return what writes the next bundle of a channel; into a folder, where one is given."""
    where = f" to {folder}" if folder is not None else ""
    return Action(
        f"export {channel}{where}", lambda app, watcher: _export(app, channel, folder, watcher)
    )


def import_action(paths: Sequence[Path], name: str, *, in_volumes: bool) -> Action:
    """Return what takes in the bundle that files hold; others of its volumes may still come."""
    return Action(
        f"import {name}",
        lambda app, watcher: _import(app, paths, watcher, in_volumes=in_volumes),
    )


def receipt_action(path: Path) -> Action:
    """Return what takes a receipt into the ledger."""
    return Action(f"receipt {path.name}", lambda app, watcher: _confirm(app, path, watcher))


def request_action(path: Path) -> Action:
    """Return what answers a request with the next bundle, where it is known who asks."""
    return Action(f"request {path.name}", lambda app, watcher: _answer(app, path, watcher))


def failed(error: AirgapError, document: Mapping[str, Any] | None = None) -> StepEnd:
    """Return how a step went that ended with an error."""
    hint = f" ({error.hint})" if error.hint else ""
    return StepEnd(
        outcome_of(error), f"{error}{hint}", {**(document or {}), "error": error_document(error)}
    )


def outcome_of(error: AirgapError) -> Outcome:
    """Return what an error means for what is done about it."""
    if isinstance(error, BaseMissing):
        return Outcome.WAITING
    if isinstance(error, _REFUSALS):
        return Outcome.REFUSED
    return Outcome.PARTIAL if isinstance(error, PartialFailure) else Outcome.FAILED


async def _mirror(app: App, pattern: str, watcher: Watcher) -> StepEnd:
    report = await mirror_configured(app, pattern, watcher)
    document = copy_document(report)
    error = report.error()
    if error is not None:
        # That all of them failed for one reason is a failure; that some did, a part of the way.
        partial = len(report.failures) < len(report.images)
        outcome = Outcome.PARTIAL if partial else Outcome.FAILED
        return StepEnd(outcome, f"{error}", {**document, "error": error_document(error)})
    return StepEnd(Outcome.SUCCEEDED, _sum(copy_lines(report, "mirrored")), document)


async def _push(app: App, pattern: str, watcher: Watcher) -> StepEnd:
    report = await push_matching(app, pattern, watcher)
    document = {**copy_document(report.copied), "audit": audit_document(report.audit)}
    error = report.copied.error() or report.audit.error()
    if error is not None:
        return failed(error, document)
    return StepEnd(Outcome.SUCCEEDED, _sum(copy_lines(report.copied, "pushed")), document)


async def _collect(app: App, watcher: Watcher) -> StepEnd:
    report = await collect(app, watcher)
    size = human_size(report.removed_bytes)
    document = {
        "removed": [digest for digest, _ in report.removed],
        "removed_bytes": report.removed_bytes,
        "partials": report.partials,
        "uploads": report.uploads,
    }
    summary = f"{counted(len(report.removed), 'blob')} with {size} removed"
    return StepEnd(Outcome.SUCCEEDED, summary, document)


async def _export(app: App, channel: str, folder: Path | None, watcher: Watcher) -> StepEnd:
    return _exported(await export_next(app, channel, watcher, folder=folder))


async def _answer(app: App, path: Path, watcher: Watcher) -> StepEnd:
    asked = read_request(app, path, watcher.emit)
    section = app.config.exports.get(asked.channel)
    if section is not None and not section.signers:
        command = f"airgap export {asked.channel} --request {path}"
        return StepEnd(
            Outcome.WAITING,
            f"{asked.channel}: asks for {counted(len(asked.missing), 'piece')} that bundle "
            f"{asked.refused.sequence} relies on; nothing says who asks (export: {asked.channel}: "
            f"signers), so a person must answer: `{command}`",
        )
    return _exported(await export_next(app, asked.channel, watcher, asked=asked))


def _exported(exported: Exported) -> StepEnd:
    planned = exported.planned
    if exported.report is None:
        channel = planned.channel
        return StepEnd(Outcome.NOTHING, f"nothing new for {channel}", {"channel": channel})
    bundle = exported.report.bundle
    base = planned.delivery.increment.base
    kind = "full" if base is None else f"on top of bundle {base.sequence}"
    summary = (
        f"bundle {planned.sequence} for {planned.channel}, {kind}: {human_size(bundle.size)} in "
        f"{bundle.path}"
    )
    return StepEnd(Outcome.SUCCEEDED, summary, _export_document(exported))


def _export_document(exported: Exported) -> dict[str, Any]:
    planned, report = exported.planned, exported.report
    bundle = report.bundle if report is not None else None
    return {
        "channel": planned.channel,
        "sequence": planned.sequence,
        "bundle": str(bundle.path) if bundle is not None else None,
        "size": bundle.size if bundle is not None else None,
        "sha256": bundle.digest.hex if bundle is not None else None,
        "deleted": [str(file.path) for record in exported.retired for file in record.files],
        **plan_document(planned.delivery.carried),
    }


async def _import(
    app: App, paths: Sequence[Path], watcher: Watcher, *, in_volumes: bool
) -> StepEnd:
    try:
        imported = await import_found(app, paths, watcher)
    except NotFound as missing:
        if not in_volumes:
            raise
        return StepEnd(Outcome.WAITING, f"{missing}", {"error": error_document(missing)})
    document = _import_document(imported)
    error = imported.error()
    if error is not None:
        return failed(error, document)
    name = _bundle_name(imported)
    if imported.received.copied is None:
        return StepEnd(Outcome.SUCCEEDED, f"{name} was taken in before", document)
    summary = _sum(copy_lines(imported.received.copied, "imported"))
    if imported.handover is not None:
        summary += f"; {counted(len(imported.handover.copied.images), 'image')} pushed on"
    return StepEnd(Outcome.SUCCEEDED, f"{name}: {summary}", document)


async def _confirm(app: App, path: Path, watcher: Watcher) -> StepEnd:
    report = await apply_receipt_file(app, path, watcher.emit)
    record, outstanding = report.record, len(report.status.outstanding)
    summary = f"{record.channel}, bundle {record.sequence}: confirmed"
    if not report.is_news:
        summary += " before"
    if outstanding:
        summary += f"; {counted(outstanding, 'bundle')} after it wait for a receipt"
    document = {"channel": record.channel, "sequence": record.sequence, "news": report.is_news}
    return StepEnd(Outcome.SUCCEEDED, summary, document)


def _bundle_name(imported: Imported) -> str:
    manifest = imported.manifest
    if manifest.channel is None:
        return f"bundle {manifest.id}"
    return f"{manifest.channel}, bundle {manifest.sequence}"


def _import_document(imported: Imported) -> dict[str, Any]:
    manifest, received, finished = imported.manifest, imported.received, imported.finished
    document: dict[str, Any] = {
        "id": manifest.id,
        "channel": manifest.channel,
        "sequence": manifest.sequence,
        "import": received.entry.number,
        "signed_by": [key.name for key in imported.verdict.valid],
        "taken_in_before": received.copied is None,
        "receipt": str(finished.receipt) if finished is not None and finished.receipt else None,
        "report": str(finished.report.page) if finished is not None else None,
    }
    if received.copied is not None:
        document |= copy_document(received.copied)
    if imported.handover is not None:
        document["pushed"] = copy_document(imported.handover.copied)
        if imported.handover.audit is not None:
            document["audit"] = audit_document(imported.handover.audit)
    return document


def _sum(lines: Any) -> str:
    """Return the closing lines of a copy in one sentence."""
    images, traffic = list(lines)[-2:]
    return f"{images}; {traffic}"
