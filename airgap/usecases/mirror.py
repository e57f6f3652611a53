"""``mirror``: from upstream registries into the local store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airgap.content import events
from airgap.content.copy_images import CopyLimits, ImageCopy, copy_images
from airgap.content.events import Emit
from airgap.content.ports import Target
from airgap.content.report import CopyReport, ImageResult, Outcome
from airgap.content.walk import WalkRules
from airgap.errors import AirgapError, InvalidReference, NotFound
from airgap.oci.reference import Reference, Repository
from airgap.oci.selection import ChosenTags, TagSelection, choose_candidates, choose_tags
from airgap.usecases.created import Upstream, creation_times


@dataclass(frozen=True, slots=True)
class Wanted:
    """Images to mirror: references as they are, or tags of one repository.

    Attributes:
        references: each with a tag or a digest.
        repository: where to choose tags; None for references alone.
        tags: which ones.
        walk: which part of each graph is wanted.
        referrers: take signatures, SBOMs and attestations along.
    """

    references: tuple[Reference, ...] = ()
    repository: Repository | None = None
    tags: TagSelection = field(default_factory=TagSelection)
    walk: WalkRules = field(default_factory=WalkRules)
    referrers: bool = True


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
    """

    images: tuple[ImageCopy, ...]
    choices: tuple[RepositoryChoice, ...]
    failures: tuple[ImageResult, ...]


async def select(wanted: Sequence[Wanted], upstream: Upstream) -> Selection:
    """Find out which images are wanted; a repository that cannot be listed is one failure."""
    images: dict[tuple[Reference, WalkRules], ImageCopy] = {}
    choices: list[RepositoryChoice] = []
    failures: list[ImageResult] = []
    for entry in wanted:
        references = list(entry.references)
        if entry.repository is not None:
            try:
                choice = await _choose(entry.repository, entry.tags, upstream)
            except AirgapError as error:
                failures.append(_failed(Reference(entry.repository), error))
                continue
            choices.append(choice)
            references += (Reference(entry.repository, tag) for tag in choice.chosen.taken)
            failures += (_absent(entry.repository, tag) for tag in choice.chosen.absent)
            if not (choice.chosen.taken or choice.chosen.absent):
                failures.append(_failed(Reference(entry.repository), _nothing_chosen(choice)))
        for reference in references:
            copy = ImageCopy(reference, _local_name(reference), entry.walk, entry.referrers)
            images.setdefault((reference, entry.walk), copy)
    return Selection(tuple(images.values()), tuple(choices), tuple(failures))


async def mirror(
    selection: Selection,
    upstream: Upstream,
    store: Target,
    limits: CopyLimits = CopyLimits(),
    emit: Emit = events.discard,
) -> CopyReport:
    """Copy what was selected; what could not be looked up is among the report's failures.

    Raises:
        NoSpace, StoreUnusable: the store cannot take in anything more; no name has moved.
    """
    for failure in selection.failures:
        if failure.error is not None:
            emit(events.ImageFailed(failure.source, failure.error))
    report = await copy_images(upstream, store, selection.images, limits, emit)
    return CopyReport((*report.images, *selection.failures), report.traffic)


async def _choose(
    repository: Repository, tags: TagSelection, upstream: Upstream
) -> RepositoryChoice:
    if tags.needs_listing:
        available = [tag async for tag in upstream.tags(repository)]
    else:
        # Names alone are asked for one by one; copying finds out whether they are there.
        available = list(tags.names)
    candidates = choose_candidates(tags, available)
    created = await creation_times(upstream, repository, candidates.undated)
    return RepositoryChoice(repository, choose_tags(candidates, created))


def _local_name(reference: Reference) -> Reference:
    """Return the name in the store: the tag where there is one, even beside a digest."""
    if reference.tag is not None:
        return Reference(reference.repository, reference.tag)
    return reference.tagged()


def _nothing_chosen(choice: RepositoryChoice) -> AirgapError:
    return InvalidReference(
        str(choice.repository),
        f"none of its {len(choice.chosen.rejected)} tags is selected",
        "`airgap mirror --dry-run` says of each why not",
    )


def _absent(repository: Repository, tag: str) -> ImageResult:
    hint = "see which tags there are with `airgap mirror --dry-run`"
    reference = Reference(repository, tag)
    return _failed(reference, NotFound(str(reference), "no such tag upstream", hint))


def _failed(reference: Reference, error: AirgapError) -> ImageResult:
    return ImageResult(reference, reference, Outcome.FAILED, error=error)
