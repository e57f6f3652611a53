"""The graph of manifests, as sets in the catalog: what is below an image, in which order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CTE, Connection, Select, false, select, true

from airgap.content.plan import CopyPlan, PlannedItem, in_travel_order
from airgap.content.ports import TagMove
from airgap.content.walk import MAX_DEPTH
from airgap.errors import ContentMismatch, NotFound
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import Manifest, Role
from airgap.oci.platform import Platform
from airgap.oci.platform_filter import Platforms, select_entries
from airgap.oci.reference import Repository
from airgap.store import schema
from airgap.store.database import chunks
from airgap.store.lookups import repository_id

_MANIFEST = Role.MANIFEST.value


def reachable_manifests(start: Select[Any]) -> CTE:
    """Return the digests of some manifests and of all manifests below them, present or not."""
    reached = start.cte("reached", recursive=True)
    return reached.union(
        select(schema.edges.c.child)
        .join(reached, schema.edges.c.parent == reached.c.digest)
        .where(schema.edges.c.role == _MANIFEST)
    )


def below(root: Digest) -> Select[Any]:
    """Select digest and is-manifest of a manifest and of all below it that is there."""
    reached = reachable_manifests(
        select(schema.manifests.c.digest).where(schema.manifests.c.digest == root)
    )
    here = select(reached.c.digest, true().label("is_manifest")).join(
        schema.manifests, schema.manifests.c.digest == reached.c.digest
    )
    children = (
        select(schema.edges.c.child, false().label("is_manifest"))
        .join(reached, schema.edges.c.parent == reached.c.digest)
        .join(schema.blobs, schema.blobs.c.digest == schema.edges.c.child)
        .where(schema.edges.c.role != _MANIFEST)
    )
    both = here.union(children).subquery()
    return select(both.c.digest, both.c.is_manifest)


@dataclass(slots=True)
class Graph:
    """Manifests at hand and how they hang together.

    Attributes:
        manifests: those that are in the store.
        indexes: which of them are indexes.
        entries: what each index names, in its order, present or not.
    """

    manifests: dict[Digest, Descriptor] = field(default_factory=dict)
    indexes: set[Digest] = field(default_factory=set)
    entries: dict[Digest, list[Descriptor]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def load(cls, connection: Connection, roots: Iterable[Digest]) -> Graph:
        """Read all manifests at and below ``roots``; two statements for each 500 roots."""
        graph = cls()
        manifest, edge = schema.manifests.c, schema.edges.c
        for chunk in chunks(roots):
            reached = reachable_manifests(select(manifest.digest).where(manifest.digest.in_(chunk)))
            rows = connection.execute(
                select(manifest.digest, manifest.media_type, schema.blobs.c.size, manifest.is_index)
                .join(reached, manifest.digest == reached.c.digest)
                .join(schema.blobs, schema.blobs.c.digest == manifest.digest)
            )
            fresh = set[Digest]()
            for text, media_type, size, is_index in rows:
                digest = Digest(text)
                if digest in graph.manifests:
                    continue
                graph.manifests[digest] = Descriptor(media_type, digest, size)
                if is_index:
                    graph.indexes.add(digest)
                    fresh.add(digest)
            if not fresh:
                continue
            named = connection.execute(
                select(
                    edge.parent,
                    edge.child,
                    edge.media_type,
                    edge.size,
                    edge.platform,
                    edge.annotations,
                )
                .join(reached, edge.parent == reached.c.digest)
                .where(edge.role == _MANIFEST)
                .order_by(edge.parent, edge.position)
            )
            for parent, *entry in named:
                if parent in fresh:
                    graph.entries[Digest(parent)].append(_entry(*entry))
        return graph

    def select(self, index: Digest, platforms: Platforms) -> tuple[Sequence[Descriptor], ...]:
        """Return which entries of an index are wanted, and which are left out."""
        manifest = Manifest(self.manifests[index], b"", manifests=tuple(self.entries[index]))
        selection = select_entries(manifest, platforms)
        return selection.taken, selection.left_out


def _entry(
    digest: str, media_type: str, size: int, platform: str | None, annotations: str | None
) -> Descriptor:
    return Descriptor(
        media_type,
        Digest(digest),
        size,
        platform=Platform.from_json(JsonObject(json.loads(platform), digest)) if platform else None,
        annotations=json.loads(annotations) if annotations else {},
    )


@dataclass(slots=True)
class _Selection:
    """A walk over a loaded graph: children before parents, each once."""

    graph: Graph
    platforms: Platforms
    taken: dict[Digest, None] = field(default_factory=dict)
    omitted: dict[Digest, Descriptor] = field(default_factory=dict)

    def visit(self, digest: Digest, depth: int = 0) -> bool:
        """Take a manifest and what is wanted below it; False where nothing of it is wanted.

        Raises:
            ContentMismatch: indexes nest deeper than anything honest does.
        """
        if depth > MAX_DEPTH:
            raise ContentMismatch(digest, f"indexes nest over {MAX_DEPTH} deep")
        if digest in self.taken:
            return True
        if digest in self.graph.indexes:
            wanted, left_out = self.graph.select(digest, self.platforms)
            there = [e for e in wanted if e.digest in self.graph.manifests]
            absent = [e for e in wanted if e.digest not in self.graph.manifests]
            for entry in (*left_out, *absent):
                self.omitted[entry.digest] = entry
            went = [entry for entry in there if self.visit(entry.digest, depth + 1)]
            self.omitted |= {entry.digest: entry for entry in there if entry not in went}
            # An index of which nothing is here is of no use to anybody.
            if self.graph.entries[digest] and not went:
                return False
        self.taken[digest] = None
        return True


def plan(
    connection: Connection, roots: Sequence[TagMove], platforms: Platforms, *, referrers: bool
) -> CopyPlan:
    """Return everything below the roots; see ``KnowsGraphs.plan``.

    The order is that of the roots, then that of the entries in their indexes; referrers come
    sorted by digest after all that they can refer to.

    Raises:
        NotFound: a root, a config or a layer is not in the store, or an index has nothing of the
            wanted platforms.
    """
    taken: dict[Digest, Descriptor] = {}
    omitted: dict[Digest, Descriptor] = {}
    digests = list(dict.fromkeys(root.descriptor.digest for root in roots))
    names = {root.descriptor.digest: root.reference for root in reversed(roots)}
    waiting = digests
    while waiting:
        graph = Graph.load(connection, waiting)
        selection = _Selection(graph, platforms, taken=dict.fromkeys(taken))
        for digest in waiting:
            if digest not in graph.manifests:
                raise NotFound(
                    str(names[digest]), f"the store has no manifest {digest}", "mirror it first"
                )
            if not selection.visit(digest) and digest in names:
                wanted = " or ".join(sorted(map(str, platforms))) or "any platform"
                raise NotFound(str(names[digest]), f"the store does not have it for {wanted}")
        fresh = [digest for digest in selection.taken if digest not in taken]
        taken |= {digest: graph.manifests[digest] for digest in fresh}
        omitted |= selection.omitted
        waiting = []
        if referrers:
            found = _referrers_of(connection, fresh, roots)
            waiting = [digest for digest in found if digest not in taken]
    items = [PlannedItem(descriptor, Role.MANIFEST) for descriptor in taken.values()]
    for item, is_there in _blobs_of(connection, list(taken)):
        if media_types.is_foreign_layer(item.descriptor.media_type):
            omitted[item.descriptor.digest] = item.descriptor
        elif not is_there:
            raise NotFound(
                item.descriptor.digest,
                f"the store lacks this {item.role}",
                "mirror the image again, or run `airgap store fsck`",
            )
        else:
            items.append(item)
    left_out = tuple(entry for digest, entry in omitted.items() if digest not in taken)
    return CopyPlan(tuple(roots), in_travel_order(items), left_out)


def _referrers_of(
    connection: Connection, subjects: Iterable[Digest], roots: Sequence[TagMove]
) -> list[Digest]:
    """Return what refers to the subjects in one of the roots' repositories, sorted."""
    homes = {(r.reference.repository.domain, r.reference.repository.path) for r in roots}
    found: set[Digest] = set()
    manifest, repository = schema.manifests.c, schema.repositories.c
    for chunk in chunks(subjects):
        rows = connection.execute(
            select(manifest.digest, repository.domain, repository.path)
            .join(schema.members, schema.members.c.digest == manifest.digest)
            .join(schema.repositories, repository.id == schema.members.c.repository)
            .where(manifest.subject.in_(chunk), schema.members.c.is_manifest)
        )
        found |= {Digest(digest) for digest, domain, path in rows if (domain, path) in homes}
    return sorted(found)


def _blobs_of(
    connection: Connection, parents: Sequence[Digest]
) -> Iterator[tuple[PlannedItem, bool]]:
    """Yield configs and layers in the order of their manifests, and whether they are there."""
    edge = schema.edges.c
    for chunk in chunks(parents):
        by_parent: dict[str, list[tuple[PlannedItem, bool]]] = defaultdict(list)
        rows = connection.execute(
            select(
                edge.parent, edge.role, edge.child, edge.media_type, edge.size, schema.blobs.c.size
            )
            .outerjoin(schema.blobs, schema.blobs.c.digest == edge.child)
            .where(edge.parent.in_(chunk), edge.role != _MANIFEST)
            .order_by(edge.parent, edge.position, edge.role)
        )
        for parent, role, child, media_type, size, actual in rows:
            item = PlannedItem(Descriptor(media_type, Digest(child), size), Role(role))
            by_parent[parent].append((item, actual is not None))
        for digest in chunk:
            yield from by_parent[digest]


def holds(
    connection: Connection, repository: Repository, root: Descriptor, platforms: Platforms
) -> float | None:
    """Return a manifest's last use if it and all that is wanted below it belong to a repository.

    An index entry that is absent makes the answer None, even where its publisher left it out: only
    its source can tell.
    """
    number = repository_id(connection, repository)
    graph = Graph.load(connection, [root.digest] if number is not None else [])
    if number is None or root.digest not in graph.manifests:
        return None
    selection = _Selection(graph, platforms)
    if not selection.visit(root.digest):
        return None
    wanted = [
        entry.digest
        for i in graph.indexes & selection.taken.keys()
        for entry in graph.select(i, platforms)[0]
    ]
    if any(digest not in selection.taken for digest in wanted):
        return None
    if not _all_belong(connection, number, list(selection.taken)):
        return None
    used = select(schema.blobs.c.used).where(schema.blobs.c.digest == root.digest)
    return connection.execute(used).scalar()


def _all_belong(connection: Connection, repository: int, manifests: Sequence[Digest]) -> bool:
    edge, member = schema.edges.c, schema.members.c
    belonging = 0
    for chunk in chunks(manifests):
        rows = connection.execute(
            select(member.digest).where(
                member.repository == repository, member.digest.in_(chunk), member.is_manifest
            )
        )
        belonging += len(rows.all())
        lacking = connection.execute(
            select(edge.media_type).where(
                edge.parent.in_(chunk),
                edge.role != _MANIFEST,
                ~select(member.digest)
                .where(
                    member.repository == repository,
                    member.digest == edge.child,
                    ~member.is_manifest,
                )
                .exists(),
            )
        )
        if not all(media_types.is_foreign_layer(media_type) for media_type in lacking.scalars()):
            return False
    return belonging == len(manifests)
