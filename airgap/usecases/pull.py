"""``pull``: images by name, from registries or from a Docker Engine, into the local store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airgap.content import events
from airgap.content.copy_images import CopyLimits
from airgap.content.events import Emit
from airgap.content.ports import Target
from airgap.content.report import CopyReport, ImageResult, Outcome, joined
from airgap.content.walk import WalkRules
from airgap.errors import AirgapError, InvalidReference, NoSpace, StoreUnusable, UsageError
from airgap.oci.digest import Digest
from airgap.oci.location import Location, Transport
from airgap.oci.reference import Reference
from airgap.oci.selection import TagSelection
from airgap.oci.tag_pattern import TagPattern
from airgap.usecases.copy import CopyRequest, copy
from airgap.usecases.local_images import UNTAGGED
from airgap.usecases.mirror import PoliciesOf, Wanted, mirror, no_policies, select
from airgap.usecases.places import Adapters, engine_images, parse_place

_EVERY_TAG = TagSelection(globs=(TagPattern.glob("*"),))
_HERE = Location(Transport.STORE)
ENGINE = f"{Transport.ENGINE}:"
"""What the name of an image in a Docker Engine begins with; alone it is the engine as a whole."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to pull.

    Attributes:
        names: references, ``docker://`` references, or ``docker-daemon:`` with a name or id.
        all_tags: take every tag of each, which is a repository then.
        walk: which part of each graph is wanted.
        referrers: take signatures, SBOMs and attestations along.
        limits: how much at once.
        rules: whose signatures the images of a registry's repository must have.
    """

    names: Sequence[str]
    all_tags: bool = False
    walk: WalkRules = field(default_factory=WalkRules)
    referrers: bool = True
    limits: CopyLimits = field(default_factory=CopyLimits)
    rules: PoliciesOf = no_policies


@dataclass(frozen=True, slots=True)
class EngineWanted:
    """An image of a Docker Engine to take in.

    Attributes:
        name: its name, or its whole id.
        walk: which part of it is wanted.
    """

    name: Reference | Digest
    walk: WalkRules = field(default_factory=WalkRules)

    @classmethod
    def parse(cls, text: str, walk: WalkRules) -> EngineWanted | None:
        """Read ``docker-daemon:NAME``; None where the text is something else.

        Raises:
            UsageError: it names the engine, and no image.
            InvalidReference: the name is no reference.
        """
        if not text.startswith(ENGINE):
            return None
        place = parse_place(text)
        name = place.image_id or place.reference
        if name is None:
            raise UsageError(text, "names no image", "write docker-daemon:NAME, or its whole id")
        return cls(name, walk)

    @property
    def shown(self) -> Reference:
        """The name by which reports know it."""
        if isinstance(self.name, Digest):
            return Reference(UNTAGGED, digest=self.name)
        return self.name


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
    pulled = await _from_registries(wanted, request, adapters, store, emit)
    taken = await from_engine(engine, adapters, store, emit)
    return joined((pulled, taken))


async def from_engine(
    wanted: Sequence[EngineWanted], adapters: Adapters, store: Target, emit: Emit = events.discard
) -> CopyReport:
    """Copy images of a Docker Engine into the store; one that fails does not stop the others.

    Raises:
        NoSpace, StoreUnusable: the store cannot take in anything more.
    """
    return joined([await _one_of_engine(one, adapters, store, emit) for one in wanted])


async def _one_of_engine(
    wanted: EngineWanted, adapters: Adapters, store: Target, emit: Emit
) -> CopyReport:
    try:
        async with engine_images([wanted.name], adapters) as (image,):
            return await copy(image, store, _HERE, CopyRequest(wanted.walk), emit)
    except (NoSpace, StoreUnusable):
        raise
    except AirgapError as error:
        emit(events.ImageFailed(wanted.shown, error))
        failed = ImageResult(wanted.shown, wanted.shown, Outcome.FAILED, error=error)
        return CopyReport((failed,))


async def _from_registries(
    wanted: Sequence[Wanted], request: PullRequest, adapters: Adapters, store: Target, emit: Emit
) -> CopyReport:
    if not wanted:
        return CopyReport(())
    async with adapters.registries(emit) as upstream:
        selection = await select(wanted, upstream, rules=request.rules)
        return await mirror(selection, upstream, store, request.limits, emit)


def _sorted_by_place(request: PullRequest) -> tuple[list[Wanted], list[EngineWanted]]:
    registry: list[Wanted] = []
    engine: list[EngineWanted] = []
    for text in request.names:
        if request.all_tags:
            registry.append(_every_tag(text, request))
            continue
        in_engine = EngineWanted.parse(text, request.walk)
        if in_engine is not None:
            engine.append(in_engine)
            continue
        place = parse_place(text)
        if place.reference is not None and not place.path:
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
