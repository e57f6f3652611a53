"""The graph copy, image by image: one that fails does not stop the others.

For each image: resolve, ask the target what it holds, walk the rest, move the missing blobs, then
the manifests, children before parents. The names move last, for all images that went through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from airgap.content import events
from airgap.content.events import Emit
from airgap.content.parallel import for_each
from airgap.content.ports import (
    HasReferrers,
    SomeTagsFailed,
    Source,
    TagMove,
    Target,
    capability,
)
from airgap.content.report import CopyReport, ImageResult, Outcome
from airgap.content.transfer import BlobTransfer, opener
from airgap.content.walk import ImageGraph, WalkRules, referrers_below, walk_image
from airgap.errors import AirgapError, NoSpace, PartialFailure, StoreUnusable
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference

_FATAL = (NoSpace, StoreUnusable)
"""Failures of the target itself: no other image can fare better."""


@dataclass(frozen=True, slots=True)
class ImageCopy:
    """One image to copy.

    Attributes:
        source: the name it is read under.
        target: the name it gets; by digest alone it stays untagged.
        walk: which part of its graph is wanted.
        referrers: carry what refers to its manifests too (signatures, SBOMs, attestations).
    """

    source: Reference
    target: Reference
    walk: WalkRules = field(default_factory=WalkRules)
    referrers: bool = True


@dataclass(frozen=True, slots=True)
class CopyLimits:
    """How much a copy does at once, and how closely it looks.

    Attributes:
        images: images worked on at once.
        blobs: blobs moving at once, over all images.
        recheck: ask for the referrers of unchanged images too. Without it an unchanged image costs
            the source one request; a signature added since the last copy goes unnoticed.
        together: where one image fails, the names of the others do not move either.
    """

    images: int = 16
    blobs: int = 4
    recheck: bool = False
    together: bool = False


async def copy_images(
    source: Source,
    target: Target,
    images: Sequence[ImageCopy],
    limits: CopyLimits = CopyLimits(),
    emit: Emit = events.discard,
) -> CopyReport:
    """Copy images from one place to another and move the names of those that went through.

    Returns:
        The fate of every image, in the order given; see ``CopyReport.error`` for the end of a run.

    Raises:
        NoSpace, StoreUnusable: the target cannot take in anything more; no name has moved.
    """
    run = _Run(source, target, limits, emit)
    results: dict[int, ImageResult] = {}

    async def copy(item: tuple[int, ImageCopy]) -> None:
        position, image = item
        results[position] = await run.copy_one(image)

    await for_each(enumerate(images), copy, concurrency=limits.images)
    in_order = tuple(results[position] for position in range(len(images)))
    return CopyReport(await run.move_tags(in_order), run.transfer.traffic)


class _Run:
    def __init__(self, source: Source, target: Target, limits: CopyLimits, emit: Emit) -> None:
        self.source = source
        self.target = target
        self.limits = limits
        self.emit = emit
        self.transfer = BlobTransfer(target, emit, concurrency=limits.blobs)

    async def copy_one(self, image: ImageCopy) -> ImageResult:
        """Copy one image; an expected failure becomes its result."""
        self.emit(events.ImageStarted(image.source))
        try:
            result = await self._copy(image)
        except _FATAL:
            raise
        except AirgapError as error:
            self.emit(events.ImageFailed(image.source, error))
            return ImageResult(image.source, image.target, Outcome.FAILED, error=error)
        if result.descriptor is not None:
            unchanged = result.outcome is Outcome.UNCHANGED
            self.emit(events.ImageFinished(image.source, result.descriptor, unchanged))
        return result

    async def _copy(self, image: ImageCopy) -> ImageResult:
        root = await self.source.resolve(image.source)
        named = await self.target.find(image.target)
        graph = await self._copy_graph(image, root)
        omitted = dict(graph.omitted)
        unchanged = not graph.manifests and named is not None and named.digest == graph.root.digest
        for referrer in await self._referrers(image, graph, unchanged=unchanged):
            extra = await self._copy_graph(image, referrer)
            omitted |= extra.omitted
            unchanged = unchanged and not extra.manifests
        return ImageResult(
            image.source,
            image.target,
            Outcome.UNCHANGED if unchanged else Outcome.COPIED,
            graph.root,
            previous=named.digest if named is not None else None,
            size=sum(descriptor.size for descriptor, _ in graph.blobs.values()),
            omitted=tuple(omitted.values()),
        )

    async def _copy_graph(self, image: ImageCopy, root: Descriptor) -> ImageGraph:
        repository = image.target.repository
        platforms = image.walk.platforms

        async def holds(descriptor: Descriptor) -> bool:
            return await self.target.holds(repository, descriptor, platforms)

        graph = await walk_image(self.source, image.source.repository, root, image.walk, holds)
        blobs = [descriptor for descriptor, _ in graph.blobs.values()]
        missing = await self.target.missing(repository, blobs)
        for blob in blobs:
            if blob.digest not in missing:
                self.transfer.count_reused(blob)

        async def put(blob: Descriptor) -> None:
            open_at = opener(self.source, image.source.repository, blob)
            await self.transfer.put(repository, blob, open_at)

        travelling = (blob for blob in blobs if blob.digest in missing)
        await for_each(travelling, put, concurrency=self.limits.blobs)
        for manifest in graph.manifests.values():
            await self.target.put_manifest(repository, manifest)
        return graph

    async def _referrers(
        self, image: ImageCopy, graph: ImageGraph, *, unchanged: bool
    ) -> list[Descriptor]:
        place = capability(self.source, HasReferrers)
        if place is None or not image.referrers or (unchanged and not self.limits.recheck):
            return []
        digests = (*graph.manifests, *graph.reused)
        return await referrers_below(place, image.source.repository, digests)

    async def move_tags(self, results: Sequence[ImageResult]) -> tuple[ImageResult, ...]:
        """Let the names of all images that went through stand for what was copied.

        Returns:
            The results, with those failed whose name the target would not move.
        """
        failed = [result for result in results if result.outcome is Outcome.FAILED]
        if failed and self.limits.together:
            return tuple(_held_back(result, len(failed)) for result in results)
        moves = [
            TagMove(result.target, result.descriptor)
            for result in results
            if result.descriptor is not None and result.outcome is Outcome.COPIED
        ]
        failures: Mapping[Reference, AirgapError] = {}
        try:
            if moves:
                await self.target.move_tags(moves)
        except SomeTagsFailed as partial:
            failures = partial.failures
        for move in moves:
            if move.reference not in failures:
                self.emit(events.TagMoved(move.reference, move.descriptor))
        return tuple(
            replace(result, outcome=Outcome.FAILED, error=failures[result.target])
            if result.target in failures
            else result
            for result in results
        )


def _held_back(result: ImageResult, failures: int) -> ImageResult:
    if result.outcome is not Outcome.COPIED:
        return result
    error = PartialFailure(
        str(result.target),
        f"its content is there; its name waits, since {failures} of the images failed",
        "do it again when what they failed of is mended; what is there does not move again",
    )
    return replace(result, outcome=Outcome.FAILED, descriptor=None, error=error)
