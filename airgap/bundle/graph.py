"""What is below what in a bundle: pure, from its manifests without their bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airgap.bundle.format import BundleManifest
from airgap.content.plan import CopyPlan, PlannedItem
from airgap.content.ports import TagMove
from airgap.errors import NotFound
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Child, Manifest, Role
from airgap.oci.platform_filter import Platforms, select_entries


@dataclass(frozen=True, slots=True)
class BundleGraph:
    """The graph of a bundle's content.

    Attributes:
        bundle: what ``bundle.json`` says.
        manifests: every manifest inside, its raw bytes left out.
        items: every piece inside, by digest.
        referrers: the manifests inside whose subject a digest is.
    """

    bundle: BundleManifest
    manifests: Mapping[Digest, Manifest]
    items: Mapping[Digest, PlannedItem] = field(init=False)
    referrers: Mapping[Digest, tuple[Descriptor, ...]] = field(init=False)

    def __post_init__(self) -> None:
        """Derive what is looked up by digest."""
        items = {item.descriptor.digest: item for item in self.bundle.blobs}
        object.__setattr__(self, "items", items)
        found: dict[Digest, list[Descriptor]] = defaultdict(list)
        for manifest in self.manifests.values():
            if manifest.subject is not None:
                found[manifest.subject.digest].append(_as_referrer(manifest))
        referrers = {digest: tuple(descriptors) for digest, descriptors in found.items()}
        object.__setattr__(self, "referrers", referrers)

    @classmethod
    def of(cls, bundle: BundleManifest, manifests: Iterable[Manifest]) -> BundleGraph:
        """Build the graph from manifests that come one at a time."""
        return cls(bundle, {m.descriptor.digest: replace(m, raw=b"") for m in manifests})

    def plan(self, roots: Sequence[TagMove], platforms: Platforms, *, referrers: bool) -> CopyPlan:
        """Return what of the bundle is below the roots; see ``KnowsGraphs``.

        Raises:
            NotFound: something that is wanted is neither inside nor left out on purpose.
        """
        walk = _Walk(self, platforms, referrers=referrers)
        for root in roots:
            walk.visit(Child(root.descriptor, Role.MANIFEST))
        items = tuple(i for i in self.bundle.blobs if i.descriptor.digest in walk.taken)
        return CopyPlan(tuple(roots), items, tuple(walk.omitted.values()))

    def problems(self) -> Iterator[str]:
        """Yield what is missing from the graph, and what no reference leads to."""
        reached = set[Digest]()
        for root in self.bundle.present:
            walk = _Walk(self, frozenset(), referrers=True)
            try:
                walk.visit(Child(root.descriptor, Role.MANIFEST))
            except NotFound as error:
                yield f"{root.reference} is incomplete: {error}"
            reached |= walk.taken
        yield from (
            f"{digest} is inside, and no reference leads to it"
            for digest in self.items
            if digest not in reached
        )


def _as_referrer(manifest: Manifest) -> Descriptor:
    return replace(
        manifest.descriptor,
        artifact_type=manifest.artifact_type,
        annotations=manifest.annotations or {},
    )


class _Walk:
    def __init__(self, graph: BundleGraph, platforms: Platforms, *, referrers: bool) -> None:
        base = graph.bundle.base
        self.taken = set[Digest]()
        self.omitted: dict[Digest, Descriptor] = {}
        self._graph = graph
        self._platforms = platforms
        self._referrers = referrers
        self._left_out = frozenset(graph.bundle.omitted)
        self._elsewhere = frozenset(base.digests if base is not None else ())

    def visit(self, start: Child) -> None:
        """Take in one manifest and everything below it, and what refers to it."""
        waiting = [start]
        while waiting:
            child = waiting.pop()
            digest = child.descriptor.digest
            if digest in self.taken or not self._is_inside(child):
                continue
            self.taken.add(digest)
            manifest = self._graph.manifests.get(digest)
            if manifest is None:
                continue
            waiting.extend(self._children(manifest))
            if self._referrers:
                found = self._graph.referrers.get(digest, ())
                waiting.extend(Child(descriptor, Role.MANIFEST) for descriptor in found)

    def _is_inside(self, child: Child) -> bool:
        descriptor = child.descriptor
        item = self._graph.items.get(descriptor.digest)
        if item is not None:
            is_manifest = item.role is Role.MANIFEST
            if item.descriptor.size != descriptor.size or (
                child.role is Role.MANIFEST and not is_manifest
            ):
                raise NotFound(
                    str(descriptor.digest), "is inside as something else than it is named for"
                )
            return True
        if descriptor.digest in self._elsewhere:
            return False
        if descriptor.digest in self._left_out or media_types.is_foreign_layer(
            descriptor.media_type
        ):
            self.omitted[descriptor.digest] = descriptor
            return False
        raise NotFound(str(descriptor.digest), f"a {child.role} that is needed is not inside")

    def _children(self, manifest: Manifest) -> Iterator[Child]:
        if not manifest.is_index:
            yield from manifest.children()
            return
        selection = select_entries(manifest, self._platforms)
        for entry in selection.left_out:
            self.omitted[entry.digest] = entry
        yield from (Child(entry, Role.MANIFEST) for entry in selection.taken)
