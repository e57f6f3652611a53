"""Which repositories the pieces of a plan belong to: pure, from the edges of its manifests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airgap.content.ports import TagMove
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.reference import Repository


@dataclass(frozen=True, slots=True)
class Edges:
    """What a manifest names, kept while its bytes are not.

    Attributes:
        children: digests of manifests, config and layers.
        subject: the manifest that it refers to.
    """

    children: tuple[Digest, ...]
    subject: Digest | None

    @classmethod
    def of(cls, manifest: Manifest) -> Edges:
        """Return the edges of a manifest."""
        return cls(
            tuple(child.descriptor.digest for child in manifest.children()),
            manifest.subject.digest if manifest.subject is not None else None,
        )


Homes = Mapping[Digest, tuple[Repository, ...]]
"""For each digest the repositories that it belongs to, sorted."""


def find_homes(roots: Iterable[TagMove], edges: Mapping[Digest, Edges]) -> Homes:
    """Let everything below a root, and everything that refers to that, belong to its repository."""
    referrers: dict[Digest, list[Digest]] = defaultdict(list)
    for digest, edge in edges.items():
        if edge.subject is not None:
            referrers[edge.subject].append(digest)
    starts: dict[Repository, list[Digest]] = defaultdict(list)
    for root in roots:
        starts[root.reference.repository].append(root.descriptor.digest)
    homes: dict[Digest, list[Repository]] = defaultdict(list)
    for repository in sorted(starts):
        waiting, seen = starts[repository], set[Digest]()
        while waiting:
            digest = waiting.pop()
            if digest in seen:
                continue
            seen.add(digest)
            homes[digest].append(repository)
            waiting.extend(referrers.get(digest, ()))
            if digest in edges:
                waiting.extend(edges[digest].children)
    return {digest: tuple(repositories) for digest, repositories in homes.items()}


def manifest_levels(edges: Mapping[Digest, Edges]) -> dict[Digest, int]:
    """Return for each manifest how many levels of manifests are below it; leaves are 0.

    Hostile manifests cannot form a cycle: that would take a digest that contains itself.
    """
    levels: dict[Digest, int] = {}
    for digest in edges:
        stack = [digest]
        while stack:
            below = [child for child in edges[stack[-1]].children if child in edges]
            unknown = [child for child in below if child not in levels]
            if unknown:
                stack.extend(unknown)
                continue
            levels[stack.pop()] = 1 + max((levels[child] for child in below), default=-1)
    return levels
