"""``export``: from the local store into a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from airgap.content import events
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.events import Emit
from airgap.content.plan import CopyPlan
from airgap.content.ports import ListsRepositories, ListsTags, Source, TagMove, Target
from airgap.content.report import CopyReport
from airgap.content.walk import WalkRules
from airgap.errors import NotFound
from airgap.oci.platform_filter import Platforms
from airgap.usecases.choose import available_references, choose


class ImageStore(Source, ListsTags, ListsRepositories, Protocol):
    """A source that can list everything it has."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export.

    Attributes:
        patterns: references or shell patterns, see ``choose``; none means everything.
        platforms: the platforms to take of each index; empty means all that the store has.
        referrers: take signatures, SBOMs and attestations along.
    """

    patterns: Sequence[str] = ()
    platforms: Platforms = frozenset()
    referrers: bool = True


async def plan_export(request: ExportRequest, store: ImageStore) -> CopyPlan:
    """Find out what a bundle would carry.

    Raises:
        NotFound: an image that was asked for is not in the store, or the store is empty.
        InvalidReference: a pattern selects nothing.
    """
    references = choose(request.patterns, await available_references(store))
    if not references:
        raise NotFound("store", "has no images", "fetch some first: `airgap mirror REF…`")
    roots = [TagMove(reference, await store.resolve(reference)) for reference in references]
    rules = WalkRules(platforms=request.platforms)
    return await plan_copy(store, roots, rules, referrers=request.referrers)


async def export(
    plan: CopyPlan, store: Source, bundle: Target, emit: Emit = events.discard
) -> CopyReport:
    """Write a bundle; it has its name when this returns, and not before.

    Raises:
        ContentMismatch: the store's content is damaged; nothing is left of the bundle.
        NoSpace: the disk cannot take it; nothing is left of the bundle.
    """
    return await copy_plan(store, bundle, plan, emit=emit)
