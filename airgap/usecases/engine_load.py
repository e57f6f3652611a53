"""Loading images into a Docker Engine, and asking it afterwards what it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airgap.content import events
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.events import Emit
from airgap.content.ports import Source, TagMove
from airgap.content.walk import WalkRules
from airgap.engine.engine import Engine
from airgap.engine.target import engine_target
from airgap.errors import NotFound
from airgap.oci.digest import Digest
from airgap.oci.platform import Platform
from airgap.usecases.audit import AuditedName, AuditReport
from airgap.usecases.platform_choice import image_of_platform
from airgap.usecases.push import PushReport


async def load_into_engine(
    source: Source,
    images: Sequence[tuple[TagMove, TagMove]],
    engine: Engine,
    platform: Platform,
    emit: Emit = events.discard,
) -> PushReport:
    """Load images into an engine, all or none, and compare the ids that it then has.

    Args:
        source: where they are.
        images: what finds each at the source, and what the engine shall call it.
        engine: which engine.
        platform: an engine keeps one platform of each image.
        emit: is told what happens.

    Raises:
        EngineFault: it does not take them.
        InvalidReference: an image has no such platform.
    """
    rules = WalkRules(frozenset({platform}))
    plan = await plan_copy(source, [found for found, _ in images], rules, referrers=False)
    named = replace(plan, roots=tuple(wanted for _, wanted in images))
    async with engine_target(engine, platform=platform) as target:
        copied = await copy_plan(source, target, named, emit=emit)
    return PushReport(copied, await _audit(source, images, engine, platform))


async def _audit(
    source: Source,
    images: Sequence[tuple[TagMove, TagMove]],
    engine: Engine,
    platform: Platform,
) -> AuditReport:
    names: list[AuditedName] = []
    for found, wanted in images:
        if wanted.reference.tag is None:
            continue
        repository = found.reference.repository
        image = await image_of_platform(source, repository, found.descriptor, platform, platform)
        known = {image.descriptor.digest, found.descriptor.digest}
        expected = image.config.digest if image.config is not None else image.descriptor.digest
        actual = await _id_in(engine, wanted)
        # Engines on containerd's store call an image by its manifest's digest.
        names.append(
            AuditedName(wanted.reference, expected, expected if actual in known else actual)
        )
    return AuditReport(tuple(names))


async def _id_in(engine: Engine, wanted: TagMove) -> Digest | None:
    try:
        return await engine.image_id(wanted.reference)
    except NotFound:
        return None
