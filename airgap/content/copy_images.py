"""The graph copy, image by image: one that fails does not stop the others.

For each image: resolve, ask the target what it holds, walk the rest, move the missing blobs, then
the manifests, children before parents. The names move last, for all images that went through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airgap.content import events
from airgap.content.attachments import Attachment, AttachmentTags, attachments_of
from airgap.content.events import Emit
from airgap.content.parallel import for_each
from airgap.content.ports import SomeTagsFailed, Source, TagMove, Target
from airgap.content.report import CopyReport, ImageResult, Outcome
from airgap.content.transfer import BlobTransfer, opener
from airgap.content.walk import ImageGraph, WalkRules, walk_image
from airgap.errors import AirgapError, NoSpace, PartialFailure, StoreUnusable
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference
from airgap.oci.tag_policy import OnExisting, must_skip

_FATAL = (NoSpace, StoreUnusable)
"""Failures of the target itself: no other image can fare better."""


Admit = Callable[[Descriptor], Awaitable[None]]
"""Lets an image pass, by what it resolves to, or raises the reason why it must not be copied."""


@dataclass(frozen=True, slots=True)
class ImageCopy:
    """One image to copy.

    Attributes:
        source: the name it is read under.
        target: the name it gets; by digest alone it stays untagged.
        walk: which part of its graph is wanted.
        referrers: carry along what belongs to its manifests (signatures, SBOMs, attestations).
        on_existing: what is done where the target's name stands for another digest.
        admit: is asked before anything of the image is copied.
    """

    source: Reference
    target: Reference
    walk: WalkRules = field(default_factory=WalkRules)
    referrers: bool = True
    on_existing: OnExisting = OnExisting.OVERWRITE
    admit: Admit | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CopyLimits:
    """How much a copy does at once, and how closely it looks.

    Attributes:
        images: images worked on at once.
        blobs: blobs moving at once, over all images.
        recheck: look for what belongs to unchanged images too. Without it an unchanged image costs
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
    *,
    attachment_tags: AttachmentTags | None = None,
) -> CopyReport:
    """Copy images from one place to another and move the names of those that went through.

    Args:
        source: where they are.
        target: where they go.
        images: which ones, and under which names.
        limits: how much at once.
        emit: is told what happens.
        attachment_tags: what is known of the source's tags already.

    Returns:
        The fate of every image, in the order given; see ``CopyReport.error`` for the end of a run.

    Raises:
        NoSpace, StoreUnusable: the target cannot take in anything more; no name has moved.
    """
    run = _Run(source, target, limits, emit, attachment_tags or AttachmentTags(source, emit))
    results: dict[int, ImageResult] = {}

    async def copy(item: tuple[int, ImageCopy]) -> None:
        position, image = item
        results[position] = await run.copy_one(image)

    await for_each(enumerate(images), copy, concurrency=limits.images)
    in_order = tuple(results[position] for position in range(len(images)))
    return CopyReport(await run.move_tags(in_order), run.transfer.traffic)


class _Run:
    def __init__(
        self, source: Source, target: Target, limits: CopyLimits, emit: Emit, tags: AttachmentTags
    ) -> None:
        self.source = source
        self.target = target
        self.limits = limits
        self.emit = emit
        self.tags = tags
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
        # What a new index will be nobody knows before it is written.
        if not image.walk.rewrite_index and self._leaves(image, image.target, named, root):
            return _skipped(image, named)
        if image.admit is not None:
            await image.admit(root)
        graph = await self._copy_graph(image, root, image.walk, named)
        if self._leaves(image, image.target, named, graph.root):
            return _skipped(image, named)
        omitted = dict(graph.omitted)
        unchanged = not graph.manifests and named is not None and named.digest == graph.root.digest
        attached: list[Attachment] = []
        for attachment in await self._attachments(image, graph, unchanged=unchanged):
            extra = await self._copy_attachment(image, attachment)
            if extra is None:
                continue
            attached.append(attachment)
            omitted |= extra.graph.omitted
            unchanged = unchanged and not (extra.graph.manifests or extra.moves)
        return ImageResult(
            image.source,
            image.target,
            Outcome.UNCHANGED if unchanged else Outcome.COPIED,
            graph.root,
            previous=named.digest if named is not None else None,
            size=sum(descriptor.size for descriptor, _ in graph.blobs.values()),
            omitted=tuple(omitted.values()),
            attached=tuple(attached),
        )

    def _leaves(
        self, image: ImageCopy, name: Reference, named: Descriptor | None, wanted: Descriptor
    ) -> bool:
        """Tell whether the target's name is to be left as it is, and say so.

        Raises:
            Refused: it would be moved, and must not be.
        """
        existing = named.digest if named is not None else None
        skip = must_skip(image.on_existing, name, existing, wanted.digest)
        if skip and named is not None:
            self.emit(events.ImageSkipped(image.source, name, named))
        return skip

    async def _copy_attachment(
        self, image: ImageCopy, attachment: Attachment
    ) -> _CopiedAttachment | None:
        """Copy something that belongs to an image, all of it; None where its name is kept."""
        named: Descriptor | None = None
        if attachment.tag is not None:
            name = Reference(image.target.repository, attachment.tag)
            named = await self.target.find(name)
            if self._leaves(image, name, named, attachment.descriptor):
                return None
        self.emit(
            events.Note(
                "info",
                f"with {image.source}: {attachment.kind} "
                f"{attachment.tag or attachment.descriptor.digest}",
            )
        )
        graph = await self._copy_graph(image, attachment.descriptor, WalkRules(), named)
        is_named = named is not None and named.digest == attachment.descriptor.digest
        return _CopiedAttachment(graph, moves=attachment.tag is not None and not is_named)

    async def _copy_graph(
        self, image: ImageCopy, root: Descriptor, rules: WalkRules, named: Descriptor | None
    ) -> ImageGraph:
        """Copy a manifest and what is below it; ``named`` is what its name stands for by now."""
        repository = image.target.repository

        async def holds(descriptor: Descriptor) -> bool:
            return await self.target.holds(repository, descriptor, rules.platforms)

        graph = await walk_image(self.source, image.source.repository, root, rules, holds)
        if named is not None and [*graph.manifests] == [named.digest] and not graph.blobs:
            # A registry does not say of an index whether it is whole; but all below this one is.
            graph.reused[named.digest] = graph.manifests.pop(named.digest).descriptor
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

    async def _attachments(
        self, image: ImageCopy, graph: ImageGraph, *, unchanged: bool
    ) -> list[Attachment]:
        if not image.referrers or (unchanged and not self.limits.recheck):
            return []
        digests = (*graph.manifests, *graph.reused)
        return await attachments_of(self.source, image.source.repository, digests, self.tags)

    async def move_tags(self, results: Sequence[ImageResult]) -> tuple[ImageResult, ...]:
        """Let the names of all images that went through stand for what was copied.

        Returns:
            The results, with those failed of whose names the target would not move one.
        """
        failed = [result for result in results if result.outcome is Outcome.FAILED]
        if failed and self.limits.together:
            return tuple(_held_back(result, len(failed)) for result in results)
        moves = {move.reference: move for result in results for move in _moves(result)}
        failures: Mapping[Reference, AirgapError] = {}
        try:
            if moves:
                await self.target.move_tags(list(moves.values()))
        except SomeTagsFailed as partial:
            failures = partial.failures
        for move in moves.values():
            if move.reference not in failures:
                self.emit(events.TagMoved(move.reference, move.descriptor))
        return tuple(_after_moving(result, failures) for result in results)


@dataclass(frozen=True, slots=True)
class _CopiedAttachment:
    graph: ImageGraph
    moves: bool


def _skipped(image: ImageCopy, named: Descriptor | None) -> ImageResult:
    previous = named.digest if named is not None else None
    return ImageResult(image.source, image.target, Outcome.SKIPPED, previous=previous)


def _moves(result: ImageResult) -> Iterator[TagMove]:
    """Yield the names that a copied image brings: its own, and those of what belongs to it."""
    if result.descriptor is None or result.outcome is not Outcome.COPIED:
        return
    for attachment in result.attached:
        if attachment.tag is not None:
            name = Reference(result.target.repository, attachment.tag)
            yield TagMove(name, attachment.descriptor)
    yield TagMove(result.target, result.descriptor)


def _after_moving(result: ImageResult, failures: Mapping[Reference, AirgapError]) -> ImageResult:
    for move in _moves(result):
        if move.reference in failures:
            error = failures[move.reference]
            return replace(result, outcome=Outcome.FAILED, error=error)
    return result


def _held_back(result: ImageResult, failures: int) -> ImageResult:
    if result.outcome is not Outcome.COPIED:
        return result
    error = PartialFailure(
        str(result.target),
        f"its content is there; its name waits, since {failures} of the images failed",
        "do it again when what they failed of is mended; what is there does not move again",
    )
    return replace(result, outcome=Outcome.FAILED, descriptor=None, error=error)
