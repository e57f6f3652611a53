"""``pull``: images by name, from registries or from a Docker Engine, into the local store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airgap.content import events
from airgap.content.copy_images import CopyLimits
from airgap.content.events import Emit
from airgap.content.ports import Target
from airgap.content.report import CopyReport, ImageResult, Traffic
from airgap.content.walk import WalkRules
from airgap.errors import InvalidReference, UsageError
from airgap.oci.location import Location, Transport
from airgap.oci.reference import Reference
from airgap.oci.selection import TagSelection
from airgap.oci.tag_pattern import TagPattern
from airgap.usecases.copy import CopyRequest, copy
from airgap.usecases.mirror import Wanted, mirror, select
from airgap.usecases.places import Adapters, engine_images, parse_place

_EVERY_TAG = TagSelection(globs=(TagPattern.glob("*"),))
_HERE = Location(Transport.STORE)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to pull.

    Attributes:
        names: references, ``docker://`` references, or ``docker-daemon:`` with a name or id.
        all_tags: take every tag of each, which is a repository then.
        walk: which part of each graph is wanted.
        referrers: take signatures, SBOMs and attestations along.
        limits: how much at once.
    """

    names: Sequence[str]
    all_tags: bool = False
    walk: WalkRules = field(default_factory=WalkRules)
    referrers: bool = True
    limits: CopyLimits = field(default_factory=CopyLimits)


async def pull(
    request: PullRequest, adapters: Adapters, store: Target, emit: Emit = events.discard
) -> CopyReport:
    """Copy images into the store; one that fails does not stop the others.

    Raises:
        InvalidReference: a name is no reference.
        UsageError: a name is of a place that is not pulled from.
        NoSpace, StoreUnusable: the store cannot take in anything more; no name has moved.
    """
    wanted, engine = _sorted_by_place(request)
    results: list[ImageResult] = []
    traffic = Traffic()
    for report in (
        await _from_registries(wanted, request, adapters, store, emit),
        *[await from_engine(place, request.walk, adapters, store, emit) for place in engine],
    ):
        results += report.images
        traffic.add(report.traffic)
    return CopyReport(tuple(results), traffic)


async def from_engine(
    place: Location,
    walk: WalkRules,
    adapters: Adapters,
    store: Target,
    emit: Emit = events.discard,
) -> CopyReport:
    """Copy one image of a Docker Engine into the store.

    Raises:
        NotFound: the engine has no such image.
        Unreachable, NotPermitted: it cannot be talked to.
    """
    name = place.image_id or place.reference
    if name is None:
        raise UsageError(str(place), "names no image", "write docker-daemon:NAME or its full id")
    async with engine_images([name], adapters) as (image,):
        return await copy(image, store, _HERE, CopyRequest(walk), emit)


async def _from_registries(
    wanted: Sequence[Wanted], request: PullRequest, adapters: Adapters, store: Target, emit: Emit
) -> CopyReport:
    if not wanted:
        return CopyReport(())
    async with adapters.registries(emit) as upstream:
        selection = await select(wanted, upstream)
        return await mirror(selection, upstream, store, request.limits, emit)


def _sorted_by_place(request: PullRequest) -> tuple[list[Wanted], list[Location]]:
    registry: list[Wanted] = []
    engine: list[Location] = []
    for text in request.names:
        if request.all_tags:
            registry.append(_every_tag(text, request))
            continue
        place = parse_place(text)
        if place.transport is Transport.ENGINE:
            engine.append(place)
        elif place.reference is not None and not place.path:
            registry.append(
                Wanted((place.reference,), walk=request.walk, referrers=request.referrers)
            )
        elif place.image_id is not None:
            raise InvalidReference(
                repr(text), "is an image id", "registries know images by name, or by NAME@DIGEST"
            )
        else:
            raise UsageError(
                text, "is not pulled, but loaded or copied", f"`airgap copy {text} NAME`"
            )
    return registry, engine


def _every_tag(text: str, request: PullRequest) -> Wanted:
    reference = Reference.parse(text.removeprefix("docker://"))
    if reference.tag is not None or reference.digest is not None:
        raise UsageError(
            text,
            "names one image, and --all-tags takes all",
            f"write {reference.repository.familiar}",
        )
    return Wanted(
        repository=reference.repository,
        tags=_EVERY_TAG,
        walk=request.walk,
        referrers=request.referrers,
    )
