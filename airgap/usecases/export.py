"""``export``: from the local store into a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from airgap.content import events
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.events import Emit
from airgap.content.plan import CopyPlan
from airgap.content.ports import Source, TagMove, Target
from airgap.content.report import CopyReport
from airgap.content.walk import WalkRules
from airgap.errors import NotFound
from airgap.oci.attachment_tag import parse_attachment_tag
from airgap.oci.descriptor import Descriptor
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference
from airgap.oci.repository_pattern import has_wildcard
from airgap.usecases.choose import choose

Named: TypeAlias = Mapping[Reference, Descriptor]
"""What each name stands for."""


class ImageStore(Source, Protocol):
    """A source that can list everything it has."""

    async def names(self) -> Sequence[TagMove]:
        """Return every name, untagged content by digest, and what it stands for."""
        ...


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


async def plan_export(
    request: ExportRequest, store: ImageStore, leave_out: Emit | None = None
) -> CopyPlan:
    """Find out what a bundle would carry.

    Args:
        request: what is wanted.
        store: where it is.
        leave_out: is told of each image that is not whole in the store (clients of a pull-through
            registry fetch what they lack, not more) and was selected by a pattern: it stays
            behind. Without it, and for an image that is named, that is an error.

    Raises:
        NotFound: an image that was asked for is not in the store, or not whole; or the store is
            empty.
        InvalidReference: a pattern selects nothing.
    """
    named = {name.reference: name.descriptor for name in await store.names()}
    available = [name for name in named if name.tag is not None]
    references = choose(request.patterns, available)
    if not request.referrers:
        references = _without_attachments(references, request.patterns)
    if not references:
        raise NotFound("store", "has no images", "fetch some first: `airgap mirror REF…`")
    try:
        return await _plan(references, named, request, store)
    except NotFound:
        lacking = [name for name in references if not await _is_whole(name, request, store)]
        if not lacking:
            raise
    asked_for = [pattern for pattern in request.patterns if not has_wildcard(pattern)]
    wanted = frozenset(choose(asked_for, available)) if asked_for else frozenset[Reference]()
    if leave_out is None or len(lacking) == len(references) or not wanted.isdisjoint(lacking):
        raise NotFound(
            ", ".join(name.familiar for name in lacking),
            "not all of it is in the store",
            "`airgap mirror` fetches what is missing",
        )
    for name in lacking:
        leave_out(events.Note("warning", f"{name.familiar} stays behind: not all of it is here"))
    return await _plan([n for n in references if n not in lacking], named, request, store)


async def _is_whole(name: Reference, request: ExportRequest, store: ImageStore) -> bool:
    root = TagMove(name, await store.resolve(name))
    rules = WalkRules(platforms=request.platforms)
    try:
        await plan_copy(store, [root], rules, referrers=request.referrers)
    except NotFound:
        return False
    return True


async def _plan(
    references: Sequence[Reference],
    named: Named,
    request: ExportRequest,
    store: ImageStore,
) -> CopyPlan:
    rules = WalkRules(platforms=request.platforms)
    roots: list[TagMove] = []
    while references:
        for reference in references:
            known = named.get(reference)
            roots.append(TagMove(reference, known or await store.resolve(reference)))
        plan = await plan_copy(store, roots, rules, referrers=request.referrers)
        # Signatures can be signed, too, so what came along is looked at as well.
        references = _attached(plan, named) if request.referrers else []
    return plan


def _attached(plan: CopyPlan, named: Named) -> list[Reference]:
    """Return the names under which cosign keeps what belongs to a plan and is not in it."""
    names = {root.reference for root in plan.roots}
    repositories = {name.repository for name in names}
    digests = frozenset(plan.digests())
    return [
        name
        for name in sorted(named, key=str)
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
