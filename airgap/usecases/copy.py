"""``copy``: one image from any place to any other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from airgap.content import events
from airgap.content.copy_images import CopyLimits, ImageCopy, copy_images
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.events import Emit
from airgap.content.ports import TagMove, Target, WantsPlan, capability
from airgap.content.report import CopyReport
from airgap.content.walk import WalkRules
from airgap.oci.location import Location, Transport
from airgap.oci.reference import Reference
from airgap.usecases.local_images import UNTAGGED
from airgap.usecases.places import PlacedImage


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """How to copy.

    Attributes:
        walk: which part of the graph is wanted.
        referrers: carry signatures, SBOMs and attestations along, where both places can.
        limits: how much at once.
    """

    walk: WalkRules = field(default_factory=WalkRules)
    referrers: bool = True
    limits: CopyLimits = field(default_factory=CopyLimits)


async def copy(
    image: PlacedImage,
    target: Target,
    destination: Location,
    request: CopyRequest,
    emit: Emit = events.discard,
) -> CopyReport:
    """Copy an image; its name moves last.

    Args:
        image: what, and where it is.
        target: where to, open.
        destination: what the target was opened from; it may name the image anew.
        request: how.
        emit: is told what happens.
    """
    descriptor = await image.resolve()
    name = target_name(image, destination) or Reference(UNTAGGED, digest=descriptor.digest)
    keeps_referrers = destination.transport in {Transport.STORE, Transport.REGISTRY}
    referrers = request.referrers and image.has_referrers and keeps_referrers
    if capability(target, WantsPlan) is None:
        copies = [ImageCopy(image.reference, name, request.walk, referrers)]
        return await copy_images(image.source, target, copies, request.limits, emit)
    found = TagMove(image.reference, descriptor)
    plan = await plan_copy(image.source, [found], request.walk, referrers=referrers)
    named = replace(plan, roots=tuple(TagMove(name, root.descriptor) for root in plan.roots))
    return await copy_plan(image.source, target, named, emit=emit)


def target_name(image: PlacedImage, destination: Location) -> Reference | None:
    """Return what an image is called where it goes; None leaves it untagged."""
    return destination.reference or image.name
