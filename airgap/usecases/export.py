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
from airgap.oci.attachment_tag import parse_attachment_tag
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference
from airgap.oci.repository_pattern import has_wildcard
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
    available = await available_references(store)
    references = choose(request.patterns, available)
    if not request.referrers:
        references = _without_attachments(references, request.patterns)
    if not references:
        raise NotFound("store", "has no images", "fetch some first: `airgap mirror REF…`")
    rules = WalkRules(platforms=request.platforms)
    roots: list[TagMove] = []
    while references:
        roots += [TagMove(reference, await store.resolve(reference)) for reference in references]
        plan = await plan_copy(store, roots, rules, referrers=request.referrers)
        # Signatures can be signed, too, so what came along is looked at as well.
        references = _attached(plan, available) if request.referrers else []
    return plan


def _attached(plan: CopyPlan, available: Sequence[Reference]) -> list[Reference]:
    """Return the names under which cosign keeps what belongs to a plan and is not in it."""
    names = {root.reference for root in plan.roots}
    repositories = {name.repository for name in names}
    digests = frozenset(plan.digests())
    return [
        name
        for name in sorted(available, key=str)
        if name.repository in repositories
        and name not in names
        and (found := parse_attachment_tag(name.tag or "")) is not None
        and found.subject in digests
    ]


def _without_attachments(
    references: Sequence[Reference], patterns: Sequence[str]
) -> list[Reference]:
    """Leave out what belongs to images, unless somebody names it in full."""
    named = {pattern for pattern in patterns if not has_wildcard(pattern)}
    return [
        reference
        for reference in references
        if parse_attachment_tag(reference.tag or "") is None
        or not named.isdisjoint({str(reference), reference.familiar})
    ]


async def export(
    plan: CopyPlan, store: Source, bundle: Target, emit: Emit = events.discard
) -> CopyReport:
    """Write a bundle; it has its name when this returns, and not before.

    Raises:
        ContentMismatch: the store's content is damaged; nothing is left of the bundle.
        NoSpace: the disk cannot take it; nothing is left of the bundle.
    """
    return await copy_plan(store, bundle, plan, emit=emit)
