"""``save``: images of the store into one archive that every loader takes."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.content import events
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.events import Emit
from airgap.content.plan import CopyPlan
from airgap.content.ports import TagMove, Target
from airgap.content.report import CopyReport
from airgap.content.walk import WalkRules
from airgap.oci.platform_filter import ALL_PLATFORMS, Platforms
from airgap.oci.reference import Reference
from airgap.store.listing import list_images
from airgap.store.store import Store
from airgap.usecases.local_images import find_image


async def plan_save(
    wanted: Sequence[str], store: Store, platforms: Platforms = ALL_PLATFORMS
) -> CopyPlan:
    """Find out what an archive would hold.

    An image that is asked for by its id gets no name in the archive, as docker has it.

    Raises:
        NotFound: an image is not in the store.
        InvalidReference: an id is ambiguous.
    """
    images = await list_images(store)
    roots: dict[Reference, TagMove] = {}
    for text in wanted:
        found = find_image(text, images)
        descriptor = await store.resolve(found.reference)
        roots[found.reference] = TagMove(found.reference, descriptor)
    return await plan_copy(store, list(roots.values()), WalkRules(platforms), referrers=False)


async def save(
    plan: CopyPlan, store: Store, archive: Target, emit: Emit = events.discard
) -> CopyReport:
    """Write an archive; it is there when this returns, and not before.

    Raises:
        ContentMismatch: the store's content is damaged; nothing is left of the archive.
        NoSpace: the disk cannot take it; nothing is left of the archive.
    """
    return await copy_plan(store, archive, plan, emit=emit)
