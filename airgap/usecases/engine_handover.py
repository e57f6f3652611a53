"""The second half of an import where it goes into a Docker Engine, not into a registry."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.bundle.journal import ImportEntry, ImportState
from airgap.content import events
from airgap.content.events import Emit
from airgap.content.ports import Source, TagMove
from airgap.engine.engine import Engine
from airgap.oci.platform import Platform
from airgap.usecases import evidence as found
from airgap.usecases.engine_load import EngineImage, load_into_engine
from airgap.usecases.handover import Handover
from airgap.usecases.pull import ENGINE
from airgap.usecases.reception import Journal


async def hand_to_engine(
    entry: ImportEntry,
    roots: Sequence[TagMove],
    *,
    source: Source,
    engine: Engine,
    platform: Platform,
    journal: Journal,
    emit: Emit = events.discard,
) -> Handover:
    """Load the images of an import under the names that they have, and ask for each id again.

    Raises:
        EngineFault: the engine does not take them; the import can be done again and goes on here.
    """
    images = [EngineImage(root, root) for root in roots]
    report = await load_into_engine(source, images, engine, platform, emit)
    so_far = found.of_push(entry.evidence, ENGINE, report.copied)
    if report.copied.failures:
        return Handover(
            await journal.advance(entry, entry.state, so_far), report.copied, report.audit
        )
    entry = await journal.advance(entry, ImportState.PUSHED, so_far)
    so_far = found.of_audit(entry.evidence, report.audit)
    state = ImportState.PUSHED if report.audit.differences else ImportState.AUDITED
    return Handover(await journal.advance(entry, state, so_far), report.copied, report.audit)
