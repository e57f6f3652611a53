"""Loading images into a Docker Engine, and asking it afterwards what it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from airgap.content import events
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.events import Emit
from airgap.content.ports import Source, TagMove
from airgap.content.report import CopyReport, ImageResult, Outcome
from airgap.content.walk import WalkRules
from airgap.engine.engine import Engine
from airgap.engine.target import engine_target
from airgap.errors import InvalidReference, NotFound, Unsupported
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.platform import Platform
from airgap.usecases.audit import AuditedName, AuditReport
from airgap.usecases.platform_choice import image_of_platform
from airgap.usecases.push import PushReport


@dataclass(frozen=True, slots=True)
class EngineImage:
    """One image for an engine.

    Attributes:
        found: what finds it at the source.
        wanted: what the engine shall call it.
    """

    found: TagMove
    wanted: TagMove


@dataclass(frozen=True, slots=True)
class _Runnable:
    image: EngineImage
    manifest: Manifest


async def load_into_engine(
    source: Source,
    images: Sequence[EngineImage],
    engine: Engine,
    platform: Platform,
    emit: Emit = events.discard,
) -> PushReport:
    """Load images into an engine in one archive, and compare the ids that it then has.

    What is no image (a signature, an SBOM, a chart) has no place in an engine and is left out with
    a note. An image without the platform fails, and the others go on.

    Args:
        source: where they are.
        images: which ones.
        engine: which engine.
        platform: an engine keeps one platform of each image.
        emit: is told what happens.

    Raises:
        EngineFault: it does not take them.
    """
    runnable: list[_Runnable] = []
    failures: list[ImageResult] = []
    for image in images:
        found = image.found
        try:
            manifest = await image_of_platform(
                source, found.reference.repository, found.descriptor, platform, platform
            )
        except Unsupported as error:
            emit(events.Note("warning", f"left out: {error}"))
        except InvalidReference as error:
            emit(events.ImageFailed(found.reference, error))
            failures.append(
                ImageResult(found.reference, image.wanted.reference, Outcome.FAILED, error=error)
            )
        else:
            runnable.append(_Runnable(image, manifest))
    if not runnable:
        return PushReport(CopyReport(tuple(failures)), AuditReport(()))
    roots = [item.image.found for item in runnable]
    plan = await plan_copy(source, roots, WalkRules(frozenset({platform})), referrers=False)
    named = replace(plan, roots=tuple(item.image.wanted for item in runnable))
    async with engine_target(engine, platform=platform) as target:
        copied = await copy_plan(source, target, named, emit=emit)
    audited = [await _audited(item, engine) for item in runnable if item.image.wanted.reference.tag]
    whole = CopyReport((*copied.images, *failures), copied.traffic)
    return PushReport(whole, AuditReport(tuple(audited)))


async def _audited(item: _Runnable, engine: Engine) -> AuditedName:
    reference, manifest = item.image.wanted.reference, item.manifest
    expected = manifest.config.digest if manifest.config else manifest.descriptor.digest
    actual = await _id_in(engine, item.image.wanted)
    # An engine on containerd's store calls an image by the digest of its manifest or index.
    if actual in {manifest.descriptor.digest, item.image.found.descriptor.digest}:
        actual = expected
    return AuditedName(reference, expected, actual)


async def _id_in(engine: Engine, wanted: TagMove) -> Digest | None:
    try:
        return await engine.image_id(wanted.reference)
    except NotFound:
        return None
