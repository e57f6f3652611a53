"""The graph copy of a plan, all or nothing: for bundles and archives, on either end.

Where images stand or fall together (a delivery that crosses the gap) the whole content is known
before the first byte moves. That lets a target write it in order, lets space be checked before
anything is written, and lets the names move in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from airgap.content import events
from airgap.content.events import Emit
from airgap.content.homes import Edges, Homes, find_homes, manifest_levels
from airgap.content.parallel import for_each
from airgap.content.plan import CopyPlan, PlannedItem, in_travel_order
from airgap.content.ports import (
    HasCapacity,
    HasReferrers,
    KnowsGraphs,
    ReadsInOrder,
    Source,
    TagMove,
    Target,
    WantsPlan,
    capability,
)
from airgap.content.report import CopyReport, ImageResult, Outcome, Traffic
from airgap.content.transfer import BlobTransfer, opener
from airgap.content.walk import WalkRules, read_verified, referrers_below, walk_image
from airgap.errors import BundleDamaged, NoSpace
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest, Role, parse_manifest
from airgap.oci.reference import Repository

SPACE_RESERVE = 64 * 1024 * 1024
"""Bytes that must stay free beside the content, for catalog and file system overhead."""

MANIFEST_BATCH = 32
"""Manifests held in memory and put at once, so that a target can sync them together."""


async def plan_copy(
    source: Source, roots: Sequence[TagMove], rules: WalkRules, *, referrers: bool = True
) -> CopyPlan:
    """Find out what a set of images is made of.

    Args:
        source: where they are.
        roots: the names, and what they stand for.
        rules: which part of each graph is wanted.
        referrers: include what refers to the manifests (where the source knows).

    Raises:
        NotFound: something that is wanted is not at the source.
    """
    knowing = capability(source, KnowsGraphs)
    if knowing is not None and not (rules.rewrite_index or rules.foreign_layers):
        return await knowing.plan(roots, rules.platforms, referrers=referrers)

    asks = capability(source, HasReferrers) if referrers else None
    items: list[PlannedItem] = []
    omitted: dict[Digest, Descriptor] = {}
    moves: list[TagMove] = []
    for root in roots:
        repository = root.reference.repository
        graph = await walk_image(source, repository, root.descriptor, rules, _holds_nothing)
        moves.append(TagMove(root.reference, graph.root))
        below = [] if asks is None else await referrers_below(asks, repository, graph.manifests)
        graphs = [graph] + [
            await walk_image(source, repository, found, rules, _holds_nothing) for found in below
        ]
        for graph in graphs:
            items += (PlannedItem(m.descriptor, Role.MANIFEST) for m in graph.manifests.values())
            items += (PlannedItem(descriptor, role) for descriptor, role in graph.blobs.values())
            omitted |= graph.omitted
    return CopyPlan(tuple(moves), in_travel_order(items), tuple(omitted.values()))


async def _holds_nothing(_: Descriptor) -> bool:
    return False


async def copy_plan(
    source: Source,
    target: Target,
    plan: CopyPlan,
    *,
    blob_concurrency: int = 2,
    emit: Emit = events.discard,
) -> CopyReport:
    """Copy everything of a plan and then move all of its names at once.

    Args:
        source: where the content is; what it says is verified.
        target: a place that takes plans in order, or one that has repositories.
        plan: at least one root.
        blob_concurrency: blobs moving at once.
        emit: is told what happens.

    Raises:
        AirgapError: the first thing that failed; no name has moved.
    """
    run = _PlanRun(source, target, plan, emit, blob_concurrency)
    planned = capability(target, WantsPlan)
    if planned is not None:
        await planned.prepare(plan)
        await run.write_in_order()
    else:
        await run.take_in()
    images = [await _result(target, root) for root in plan.roots]
    await target.move_tags(plan.roots)
    for root in plan.roots:
        emit(events.TagMoved(root.reference, root.descriptor))
    return CopyReport(tuple(images), run.transfer.traffic)


@dataclass(frozen=True, slots=True)
class Staged:
    """A plan whose content is in place, and whose names have not moved yet.

    Attributes:
        images: every name with what it stands for, and shall stand for.
        homes: which repositories each piece belongs to, also what is named and was not carried.
        traffic: what moved.
    """

    images: tuple[ImageResult, ...]
    homes: Homes
    traffic: Traffic


async def stage_plan(
    source: Source,
    target: Target,
    plan: CopyPlan,
    *,
    blob_concurrency: int = 2,
    emit: Emit = events.discard,
) -> Staged:
    """Copy everything of a plan into a target that has repositories; moving names is the caller's.

    Raises:
        AirgapError: the first thing that failed.
    """
    if not plan.roots:
        return Staged((), {}, Traffic())
    run = _PlanRun(source, target, plan, emit, blob_concurrency)
    homes = await run.take_in()
    images = [await _result(target, root) for root in plan.roots]
    return Staged(tuple(images), homes, run.transfer.traffic)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a copy of a plan would do.

    Attributes:
        images: every name with what it stands for, before and after.
        new_blobs: blobs that the target lacks.
        new_bytes: their bytes.
    """

    images: tuple[ImageResult, ...]
    new_blobs: int
    new_bytes: int


async def survey_plan(source: Source, target: Target, plan: CopyPlan) -> Survey:
    """Find out what :func:`copy_plan` would do at a target that has repositories."""
    if not plan.roots:
        return Survey((), 0, 0)
    return await _PlanRun(source, target, plan, events.discard, 1).survey()


async def _result(target: Target, root: TagMove) -> ImageResult:
    named = await target.find(root.reference)
    unchanged = named is not None and named.digest == root.descriptor.digest
    return ImageResult(
        root.reference,
        root.reference,
        Outcome.UNCHANGED if unchanged else Outcome.COPIED,
        root.descriptor,
        previous=named.digest if named is not None else None,
    )


class _PlanRun:
    def __init__(
        self, source: Source, target: Target, plan: CopyPlan, emit: Emit, concurrency: int
    ) -> None:
        self.source = source
        self.target = target
        self.plan = plan
        self.concurrency = concurrency
        self.transfer = BlobTransfer(target, emit, concurrency=concurrency)
        self._in_order = capability(source, ReadsInOrder)
        # Sources of whole plans find content by digest alone, wherever it belongs.
        self._anywhere = plan.roots[0].reference.repository

    async def write_in_order(self) -> None:
        """Feed a target that writes front to back."""
        for item in self.plan.items:
            if item.role is Role.MANIFEST:
                manifest = await read_verified(self.source, self._anywhere, item.descriptor)
                await self.target.put_manifest(self._anywhere, manifest)
            else:
                open_at = opener(self.source, self._anywhere, item.descriptor)
                await self.transfer.put(self._anywhere, item.descriptor, open_at)

    async def take_in(self) -> Homes:
        """Feed a target that has repositories: blobs, then manifests level by level.

        Returns:
            Where everything belongs.
        """
        edges, homes = await self._read_graph()
        wanted = await self._wanted(homes)
        await self._check_space(wanted)
        await self._move_blobs(wanted)
        await self._put_manifests(homes, manifest_levels(edges))
        return homes

    async def survey(self) -> Survey:
        """Find out what :meth:`take_in` would move."""
        _, homes = await self._read_graph()
        wanted = await self._wanted(homes)
        new = [blob for blob in self._blobs() if blob.digest in wanted]
        images = [await _result(self.target, root) for root in self.plan.roots]
        return Survey(tuple(images), len(new), sum(blob.size for blob in new))

    async def _read_graph(self) -> tuple[dict[Digest, Edges], Homes]:
        edges = {m.descriptor.digest: Edges.of(m) async for m in self._manifests()}
        return edges, find_homes(self.plan.roots, edges)

    def _blobs(self) -> Iterator[Descriptor]:
        return (item.descriptor for item in self.plan.items if item.role is not Role.MANIFEST)

    async def _wanted(self, homes: Homes) -> dict[Digest, list[Repository]]:
        by_repository: dict[Repository, list[Descriptor]] = defaultdict(list)
        for blob in self._blobs():
            for repository in homes.get(blob.digest, ()):
                by_repository[repository].append(blob)
        wanted: dict[Digest, list[Repository]] = defaultdict(list)
        for repository, candidates in by_repository.items():
            for digest in await self.target.missing(repository, candidates):
                wanted[digest].append(repository)
        return wanted

    async def _check_space(self, wanted: dict[Digest, list[Repository]]) -> None:
        capacity = capability(self.target, HasCapacity)
        if capacity is None:
            return
        needed = sum(blob.size for blob in self._blobs() if blob.digest in wanted)
        free = await capacity.free_bytes()
        if needed and needed + SPACE_RESERVE > free:
            raise NoSpace(
                "store",
                f"{needed:,} bytes are new, and {free:,} are free",
                "free some space (`airgap store gc`), or put the store on a larger disk; "
                "nothing was written",
            )

    async def _move_blobs(self, wanted: dict[Digest, list[Repository]]) -> None:
        for blob in self._blobs():
            if blob.digest not in wanted:
                self.transfer.count_reused(blob)
        if self._in_order is not None:
            await self._move_in_order(self._in_order, wanted)
            return

        async def put(blob: Descriptor) -> None:
            for repository in wanted[blob.digest]:
                open_at = opener(self.source, repository, blob)
                await self.transfer.put(repository, blob, open_at)

        travelling = (blob for blob in self._blobs() if blob.digest in wanted)
        await for_each(travelling, put, concurrency=self.concurrency)

    async def _move_in_order(
        self, source: ReadsInOrder, wanted: dict[Digest, list[Repository]]
    ) -> None:
        async for descriptor, open_at in source.in_order(frozenset(wanted)):
            for repository in wanted.pop(descriptor.digest):
                await self.transfer.put(repository, descriptor, open_at)
        if wanted:
            raise BundleDamaged(
                next(iter(wanted)), "is promised but not inside", "bring the copy again"
            )

    async def _put_manifests(self, homes: Homes, levels: Mapping[Digest, int]) -> None:
        async def put(manifest: Manifest) -> None:
            for repository in homes.get(manifest.descriptor.digest, ()):
                await self.target.put_manifest(repository, manifest)

        # Children before parents: each level is complete before the next begins.
        for level in range(max(levels.values(), default=-1) + 1):
            batch: list[Manifest] = []
            async for manifest in self._manifests():
                if levels[manifest.descriptor.digest] == level:
                    batch.append(manifest)
                if len(batch) == MANIFEST_BATCH:
                    await for_each(batch, put, concurrency=MANIFEST_BATCH)
                    batch.clear()
            await for_each(batch, put, concurrency=MANIFEST_BATCH)

    async def _manifests(self) -> AsyncIterator[Manifest]:
        """Read the plan's manifests, one in memory at a time."""
        wanted = {i.descriptor.digest: i for i in self.plan.items if i.role is Role.MANIFEST}
        if self._in_order is None:
            for item in wanted.values():
                yield await read_verified(self.source, self._anywhere, item.descriptor)
            return
        async for descriptor, open_at in self._in_order.in_order(frozenset(wanted)):
            async with open_at(0) as reader:
                raw = b"".join([piece async for piece in reader])
            yield parse_manifest(raw, descriptor.media_type, digest=descriptor.digest)
