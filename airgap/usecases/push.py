"""``push``: from the local store (or straight out of a bundle) into a registry, then audited."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from airgap.content import events
from airgap.content.copy_images import CopyLimits, ImageCopy, copy_images
from airgap.content.events import Emit
from airgap.content.ports import Source, Target
from airgap.content.report import CopyReport, Outcome
from airgap.content.walk import WalkRules
from airgap.oci.reference import Reference
from airgap.oci.tag_policy import OnExisting
from airgap.usecases.audit import AuditReport, Expectation, audit

MapNames = Callable[[Sequence[Reference]], Sequence[Reference]]
"""Gives each name at the source its name at the destination; refuses to let two become one."""


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What to push, and where to.

    Attributes:
        references: names at the source.
        map_names: what they are called at the destination.
        walk: which part of each graph is wanted.
        referrers: carry signatures, SBOMs and attestations too.
        on_existing: what is done with tags at the destination that stand for something else.
        limits: how much at once. Unchanged images are looked at again, since what belongs to them
            is at hand here, and a signature may be newer than the image.
    """

    references: Sequence[Reference]
    map_names: MapNames
    walk: WalkRules = field(default_factory=WalkRules)
    referrers: bool = True
    on_existing: OnExisting = OnExisting.OVERWRITE
    limits: CopyLimits = field(default_factory=lambda: CopyLimits(recheck=True))


@dataclass(frozen=True, slots=True)
class PushReport:
    """What was pushed, and what the registry says afterwards.

    Attributes:
        copied: the fate of every image.
        audit: every pushed name, resolved again at the destination.
    """

    copied: CopyReport
    audit: AuditReport


def plan_push(request: PushRequest) -> list[ImageCopy]:
    """Return what a push would copy, and under which names.

    Raises:
        Refused: two names would become one at the destination.
    """
    names = request.map_names(request.references)
    return [
        ImageCopy(source, target, request.walk, request.referrers, request.on_existing)
        for source, target in zip(request.references, names, strict=True)
    ]


async def push(
    request: PushRequest, source: Source, registry: Target, emit: Emit = events.discard
) -> PushReport:
    """Push images and resolve every name again.

    Raises:
        Refused: two names would become one at the destination; nothing was pushed.
    """
    copied = await copy_images(source, registry, plan_push(request), request.limits, emit)
    return PushReport(copied, await audit([*dict.fromkeys(expectations(copied))], registry))


def expectations(copied: CopyReport) -> Iterator[Expectation]:
    """Yield what every name must stand for after a push, those of signatures included."""
    for image in copied.images:
        if image.descriptor is None or image.outcome is Outcome.FAILED:
            continue
        yield Expectation(image.target, image.descriptor.digest)
        for attachment in image.attached:
            if attachment.tag is not None:
                name = Reference(image.target.repository, attachment.tag)
                yield Expectation(name, attachment.descriptor.digest)
