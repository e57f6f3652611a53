"""Walking the graph below a manifest: what there is to carry, and what is left out on purpose."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from airgap.content.ports import HasReferrers, Source
from airgap.errors import ContentMismatch, InvalidReference, NotFound
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Child, Manifest, Role, parse_manifest
from airgap.oci.platform_filter import Platforms, select_entries
from airgap.oci.reference import Repository

MAX_DEPTH = 8
"""Indexes within indexes; real ones nest once, hostile ones without end."""


@dataclass(frozen=True, slots=True)
class WalkRules:
    """What of a graph is wanted.

    Attributes:
        platforms: the platforms to take of an index; empty means all.
        rewrite_index: write a new index of only the platforms taken, instead of carrying the
            index byte for byte with entries whose content stays behind. Its digest is a new one.
        foreign_layers: carry layers that their licence lets only the vendor hand out.
    """

    platforms: Platforms = frozenset()
    rewrite_index: bool = False
    foreign_layers: bool = False


@dataclass(slots=True)
class ImageGraph:
    """Everything below one manifest.

    Attributes:
        root: the manifest that a tag shall stand for.
        manifests: children before parents, each once; held ones are not among them.
        blobs: configs and layers with their roles, each once, in manifest order.
        omitted: what a manifest names and is left out on purpose.
        reused: manifests that the target holds already, with all below them.
    """

    root: Descriptor
    manifests: dict[Digest, Manifest] = field(default_factory=dict)
    blobs: dict[Digest, tuple[Descriptor, Role]] = field(default_factory=dict)
    omitted: dict[Digest, Descriptor] = field(default_factory=dict)
    reused: dict[Digest, Descriptor] = field(default_factory=dict)


Holds = Callable[[Descriptor], Awaitable[bool]]
"""Tells whether the target has a manifest with everything wanted below it."""


async def read_verified(
    source: Source, repository: Repository, descriptor: Descriptor, *, sized: bool = True
) -> Manifest:
    """Read one manifest from a source and check its digest, type and size.

    Args:
        source: where it is.
        repository: where it belongs there.
        descriptor: what it shall be.
        sized: the size is a parent's word and must be right. What a registry answers to HEAD may
            differ from what it sends (Harbor); then the digest alone decides.

    Raises:
        ContentMismatch: the source's bytes are not what the descriptor promises.
    """
    raw = await source.read_manifest(repository, descriptor)
    if sized and len(raw) != descriptor.size:
        raise ContentMismatch(
            f"{repository}@{descriptor.digest}",
            f"the manifest has {len(raw)} bytes where {descriptor.size} were announced",
        )
    return parse_manifest(raw, descriptor.media_type, digest=descriptor.digest)


async def walk_image(
    source: Source, repository: Repository, root: Descriptor, rules: WalkRules, holds: Holds
) -> ImageGraph:
    """Read the manifests below ``root`` that the target does not hold.

    Raises:
        ContentMismatch: a manifest does not have the bytes that its parent promises.
        InvalidReference: the wanted platforms select nothing of an index.
        NotFound: a manifest that is wanted is not at the source.
    """
    walker = _Walker(source, repository, rules, holds, ImageGraph(root))
    walker.graph.root = await walker.visit(root, depth=0)
    return walker.graph


async def referrers_below(
    place: HasReferrers, repository: Repository, digests: Iterable[Digest]
) -> list[Descriptor]:
    """Return what refers to the given manifests, and what refers to that, each once."""
    found: dict[Digest, Descriptor] = {}
    waiting = list(digests)
    while waiting:
        for descriptor in await place.referrers(repository, waiting.pop()):
            if descriptor.digest not in found:
                found[descriptor.digest] = descriptor
                waiting.append(descriptor.digest)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Walker:
    source: Source
    repository: Repository
    rules: WalkRules
    holds: Holds
    graph: ImageGraph

    async def visit(self, descriptor: Descriptor, depth: int) -> Descriptor:
        """Take in one manifest and all below it; return what stands for it in the copy."""
        graph = self.graph
        if descriptor.digest in graph.manifests or descriptor.digest in graph.reused:
            return descriptor
        # A rewritten index has another digest than the one at hand, so the latter says nothing.
        if not self.rules.rewrite_index and await self.holds(descriptor):
            graph.reused[descriptor.digest] = descriptor
            return descriptor
        if depth > MAX_DEPTH:
            raise ContentMismatch(
                f"{self.repository}@{descriptor.digest}", f"indexes nest over {MAX_DEPTH} deep"
            )
        manifest = await read_verified(self.source, self.repository, descriptor, sized=depth > 0)
        if manifest.is_index:
            manifest = await self._visit_entries(manifest, depth)
        for child in manifest.children():
            if child.role is not Role.MANIFEST:
                self._take_blob(child)
        graph.manifests[manifest.descriptor.digest] = manifest
        return manifest.descriptor

    def _take_blob(self, child: Child) -> None:
        descriptor = child.descriptor
        if media_types.is_foreign_layer(descriptor.media_type) and not self.rules.foreign_layers:
            self.graph.omitted[descriptor.digest] = descriptor
        else:
            self.graph.blobs.setdefault(descriptor.digest, (descriptor, child.role))

    async def _visit_entries(self, index: Manifest, depth: int) -> Manifest:
        selection = select_entries(index, self.rules.platforms)
        if index.manifests and not selection.taken:
            offered = ", ".join(sorted({str(e.platform) for e in index.manifests if e.platform}))
            wanted = ", ".join(sorted(map(str, self.rules.platforms)))
            raise InvalidReference(
                f"{self.repository}@{index.descriptor.digest}",
                f"has no platform {wanted}",
                f"it offers {offered}" if offered else "",
            )
        for entry in selection.left_out:
            self.graph.omitted[entry.digest] = entry
        for entry in selection.taken:
            try:
                await self.visit(entry, depth + 1)
            except NotFound:
                # A sparse index: its publisher left the entry out. That is no failure unless the
                # person asked for just this platform.
                if self.rules.platforms:
                    raise
                self.graph.omitted[entry.digest] = entry
        if self.rules.rewrite_index and selection.left_out:
            return _rewritten(index, selection.taken)
        return index


def _rewritten(index: Manifest, taken: tuple[Descriptor, ...]) -> Manifest:
    document = json.loads(index.raw)
    kept = {entry.digest for entry in taken}
    document["manifests"] = [e for e in document["manifests"] if e["digest"] in kept]
    raw = json.dumps(document, indent=2, ensure_ascii=False).encode()
    return parse_manifest(raw, index.descriptor.media_type)
