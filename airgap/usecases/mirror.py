"""``mirror``: from upstream registries into the local store."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from airgap.content import events
from airgap.content.attachments import AttachmentTags
from airgap.content.copy_images import Admit, CopyLimits, ImageCopy, copy_images
from airgap.content.events import Emit
from airgap.content.parallel import for_each
from airgap.content.ports import Source, Target
from airgap.content.report import CopyReport, ImageResult, Outcome
from airgap.content.walk import WalkRules
from airgap.errors import AirgapError, InvalidReference, NotFound
from airgap.oci.attachment_tag import parse_attachment_tag
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference, Repository
from airgap.oci.repository_pattern import RepositoryPattern
from airgap.oci.selection import ChosenTags, TagSelection, choose_candidates, choose_tags
from airgap.usecases.created import Upstream, creation_times
from airgap.usecases.upstream_signatures import SignaturePolicy, require_signature

_CONCURRENCY = 16
"""Repositories looked at at once."""

PoliciesOf: TypeAlias = Callable[[Repository], Sequence[SignaturePolicy]]
"""Tells whose signatures every image of a repository must have."""


def no_policies(repository: Repository) -> Sequence[SignaturePolicy]:
    """Want no signature of any image."""
    del repository
    return ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Images to mirror: references as they are, or tags of one repository or of several.

    Attributes:
        references: each with a tag or a digest.
        repository: where to choose tags: one repository, or all that match a pattern; None for
            references alone.
        tags: which ones.
        walk: which part of each graph is wanted.
        referrers: take signatures, SBOMs and attestations along.
        signed: whose signature each image must have; None where it needs none.
    """

    references: tuple[Reference, ...] = ()
    repository: Repository | RepositoryPattern | None = None
    tags: TagSelection = field(default_factory=TagSelection)
    walk: WalkRules = field(default_factory=WalkRules)
    referrers: bool = True
    signed: SignaturePolicy | None = None


@dataclass(frozen=True, slots=True)
class RepositoryChoice:
    """Which tags of a repository were chosen, and why the others were not."""

    repository: Repository
    chosen: ChosenTags


@dataclass(frozen=True, slots=True)
class Selection:
    """What a mirror run would take.

    Attributes:
        images: what to copy, each image once.
        choices: for each repository whose tags were listed, which and why.
        failures: what could not even be looked up.
        attachment_tags: the listings, so that none is made twice.
        policies: whose signatures an image must have; by several entries, by several policies.
    """

    images: tuple[ImageCopy, ...]
    choices: tuple[RepositoryChoice, ...]
    failures: tuple[ImageResult, ...]
    attachment_tags: AttachmentTags
    policies: Mapping[Reference, Sequence[SignaturePolicy]] = field(default_factory=dict)


async def select(
    wanted: Sequence[Wanted],
    upstream: Upstream,
    emit: Emit = events.discard,
    *,
    rules: PoliciesOf = no_policies,
) -> Selection:
    """Find out which images are wanted; a repository that cannot be listed is one failure.

    Args:
        wanted: what is wanted.
        upstream: where it is.
        emit: is told what happens.
        rules: whose signatures images of a repository must have besides.
    """
    attachment_tags = AttachmentTags(upstream, emit)
    listings = _Listings(upstream, attachment_tags)
    choosing = [_Choosing(upstream, listings) for _ in wanted]

    async def choose(item: tuple[_Choosing, Wanted]) -> None:
        await item[0].choose(item[1])

    pairs = list(zip(choosing, wanted, strict=True))
    await for_each(pairs, choose, concurrency=_CONCURRENCY)
    images: dict[tuple[Reference, WalkRules], ImageCopy] = {}
    policies: defaultdict[Reference, list[SignaturePolicy]] = defaultdict(list)
    for done, entry in pairs:
        for reference in done.references:
            signed = () if entry.signed is None else (entry.signed,)
            besides = () if _is_attachment(reference) else rules(reference.repository)
            if needed := (*signed, *besides):
                policies[reference] += needed
            copy = ImageCopy(reference, _local_name(reference), entry.walk, entry.referrers)
            images.setdefault((reference, entry.walk), copy)
    return Selection(
        tuple(images.values()),
        tuple(choice for done in choosing for choice in done.choices),
        tuple(failure for done in choosing for failure in done.failures),
        attachment_tags,
        dict(policies),
    )


class _Listings:
    """The tags of repositories, each listed once, however many entries ask."""

    def __init__(self, upstream: Upstream, attachment_tags: AttachmentTags) -> None:
        self._upstream = upstream
        self._attachment_tags = attachment_tags
        self._known: dict[Repository, Sequence[str]] = {}
        self._locks: defaultdict[Repository, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, repository: Repository) -> Sequence[str]:
        """Return every tag of a repository."""
        async with self._locks[repository]:
            if repository not in self._known:
                listing = [tag async for tag in self._upstream.tags(repository)]
                self._attachment_tags.learn(repository, listing)
                self._known[repository] = listing
            return self._known[repository]


class _Choosing:
    """What one entry wants, while it is found out."""

    def __init__(self, upstream: Upstream, listings: _Listings) -> None:
        self.references: list[Reference] = []
        self.choices: list[RepositoryChoice] = []
        self.failures: list[ImageResult] = []
        self._upstream = upstream
        self._listings = listings

    async def choose(self, entry: Wanted) -> None:
        """Find the references of an entry."""
        self.references += entry.references
        if isinstance(entry.repository, RepositoryPattern):
            self.references += await self.in_namespace(entry.repository, entry.tags)
        elif entry.repository is not None:
            self.references += await self.in_repository(entry.repository, entry.tags)

    async def in_repository(self, repository: Repository, tags: TagSelection) -> list[Reference]:
        """Choose tags of one repository; none at all is a failure, and so is an absent name."""
        # Names alone are asked for one by one; copying finds out whether they are there.
        listed = tags.needs_listing
        try:
            available = await self._listings.of(repository) if listed else tags.names
            chosen = await self._choose(repository, tags, available)
        except AirgapError as error:
            self._fail(repository, error)
            return []
        self.choices.append(RepositoryChoice(repository, chosen))
        self.failures += (_absent(repository, tag) for tag in chosen.absent)
        if not (chosen.taken or chosen.absent):
            self._fail(repository, _nothing_chosen(str(repository), len(chosen.rejected)))
        return [Reference(repository, tag) for tag in chosen.taken]

    async def in_namespace(self, pattern: RepositoryPattern, tags: TagSelection) -> list[Reference]:
        """Choose tags of every repository that matches; not each of them must have one."""
        try:
            catalog = self._upstream.catalog(pattern.domain).repositories()
            repositories = sorted([found async for found in catalog if pattern.matches(found)])
        except AirgapError as error:
            self._fail(pattern.anchor, error)
            return []
        chosen: dict[Repository, ChosenTags] = {}

        async def look(repository: Repository) -> None:
            try:
                available = await self._listings.of(repository)
                chosen[repository] = await self._choose(repository, tags, available)
            except AirgapError as error:
                self._fail(repository, error)

        before = len(self.failures)
        await for_each(repositories, look, concurrency=_CONCURRENCY)
        in_order = [(found, chosen[found]) for found in repositories if found in chosen]
        self.choices += (RepositoryChoice(found, choice) for found, choice in in_order)
        taken = [Reference(found, tag) for found, choice in in_order for tag in choice.taken]
        if not taken and len(self.failures) == before:
            rejected = sum(len(choice.rejected) for choice in chosen.values())
            self._fail(
                pattern.anchor,
                _nothing_chosen(f"{pattern} ({len(repositories)} repositories)", rejected),
            )
        return taken

    async def _choose(
        self, repository: Repository, tags: TagSelection, available: Sequence[str]
    ) -> ChosenTags:
        candidates = choose_candidates(tags, available)
        created = await creation_times(self._upstream, repository, candidates.undated)
        return choose_tags(candidates, created)

    def _fail(self, repository: Repository, error: AirgapError) -> None:
        self.failures.append(_failed(Reference(repository), error))


async def mirror(
    selection: Selection,
    upstream: Upstream,
    store: Target,
    limits: CopyLimits = CopyLimits(),
    emit: Emit = events.discard,
    *,
    mirrored: Source | None = None,
) -> CopyReport:
    """Copy what was selected; what could not be looked up is among the report's failures.

    Args:
        selection: what to copy.
        upstream: where it is.
        store: where it goes.
        limits: how much at once.
        emit: is told what happens.
        mirrored: the store as a source: signatures that were carried along by an earlier run are
            looked for there first, and cost upstream no request.

    Raises:
        NoSpace, StoreUnusable: the store cannot take in anything more; no name has moved.
    """
    for failure in selection.failures:
        if failure.error is not None:
            emit(events.ImageFailed(failure.source, failure.error))
    places = (upstream,) if mirrored is None else (mirrored, upstream)
    images = [
        replace(image, admit=_admission(selection.policies[image.source], image, places))
        if image.source in selection.policies
        else image
        for image in selection.images
    ]
    report = await copy_images(
        upstream, store, images, limits, emit, attachment_tags=selection.attachment_tags
    )
    return CopyReport((*report.images, *selection.failures), report.traffic)


def _admission(
    policies: Sequence[SignaturePolicy], image: ImageCopy, places: Sequence[Source]
) -> Admit:
    async def admit(root: Descriptor) -> None:
        for policy in policies:
            await require_signature(policy, places, image.source, root)

    return admit


def _is_attachment(reference: Reference) -> bool:
    """Tell whether a tag names a signature or the like: those are not signed themselves."""
    return reference.tag is not None and parse_attachment_tag(reference.tag) is not None


def _local_name(reference: Reference) -> Reference:
    """Return the name in the store: the tag where there is one, even beside a digest."""
    if reference.tag is not None:
        return Reference(reference.repository, reference.tag)
    return reference.tagged()


def _nothing_chosen(where: str, rejected: int) -> AirgapError:
    return InvalidReference(
        where,
        f"none of its {rejected} tags is selected",
        "`airgap mirror --dry-run` says of each why not",
    )


def _absent(repository: Repository, tag: str) -> ImageResult:
    hint = "see which tags there are with `airgap mirror --dry-run`"
    reference = Reference(repository, tag)
    return _failed(reference, NotFound(str(reference), "no such tag upstream", hint))


def _failed(reference: Reference, error: AirgapError) -> ImageResult:
    return ImageResult(reference, reference, Outcome.FAILED, error=error)
