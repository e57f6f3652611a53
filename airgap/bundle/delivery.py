"""What the next bundle of a channel carries, relies on and changes. Pure: sets in, a plan out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from airgap.bundle.format import BundleBase, BundleReference, Change
from airgap.content.homes import Edges
from airgap.content.plan import CopyPlan
from airgap.content.ports import TagMove
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference

Names = Mapping[Reference, Descriptor]
"""What each name stands for."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a destination holds once it has taken in a bundle of its channel.

    Attributes:
        sequence: the bundle's place in the channel.
        id: the bundle's id.
        names: the channel's names.
        content: digests of everything below them, and of what refers to that.
    """

    sequence: int
    id: str
    names: Names
    content: frozenset[Digest]


@dataclass(frozen=True, slots=True)
class Increment:
    """What a bundle says of its channel.

    Attributes:
        references: every name of the channel with the change that it makes; tombstones last.
        base: what the bundle stands on; None where it stands alone.
    """

    references: tuple[BundleReference, ...]
    base: BundleBase | None = None

    def of(self, change: Change) -> tuple[BundleReference, ...]:
        """Return the references with one kind of change."""
        return tuple(r for r in self.references if r.change is change)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The next bundle of a channel.

    Attributes:
        carried: what travels; its roots are all names of the channel, moved or not.
        increment: what it changes, and what it stands on.
        content: everything that the destination holds for the channel afterwards.
    """

    carried: CopyPlan
    increment: Increment
    content: frozenset[Digest] = field(repr=False)


def plan_delivery(
    whole: CopyPlan, edges: Mapping[Digest, Edges], holding: Holding | None, known: Names
) -> Delivery:
    """Find out what must travel so that a destination comes to hold all of a plan.

    A bundle lists every name of its channel, also those that stay as they are, so that whoever
    missed one bundle learns everything from the next that it can take in.

    Args:
        whole: everything that the channel's names stand for.
        edges: what each manifest of the plan names.
        holding: what the bundle may rely on; None makes it a full one.
        known: names that the destination may have from this channel; those that are gone become
            tombstones. They include ``holding``'s.
    """
    needed = frozenset(whole.digests())
    lacking = needed - holding.content if holding is not None else needed
    carried = lacking | manifests_above(lacking, edges)
    relied_on = tuple(sorted(needed - carried))
    base = None
    if holding is not None and relied_on:
        base = BundleBase(holding.sequence, holding.id, relied_on)
    items = tuple(item for item in whole.items if item.descriptor.digest in carried)
    before = holding.names if holding is not None else known
    return Delivery(
        CopyPlan(whole.roots, items, whole.omitted),
        Increment(changes(whole.roots, before, known), base),
        needed,
    )


def manifests_above(digests: Iterable[Digest], edges: Mapping[Digest, Edges]) -> frozenset[Digest]:
    """Return the manifests through which some content is reached from the names.

    They travel along even where the destination has them: they are small, and so a reader finds
    the way from a name to every piece inside. To a referrer the way leads through its subject.
    """
    above: dict[Digest, list[Digest]] = defaultdict(list)
    for digest, edge in edges.items():
        for child in edge.children:
            above[child].append(digest)
        if edge.subject is not None and edge.subject in edges:
            above[digest].append(edge.subject)
    found: set[Digest] = set()
    waiting = list(digests)
    while waiting:
        for parent in above.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return frozenset(found)


def changes(roots: Sequence[TagMove], before: Names, known: Names) -> tuple[BundleReference, ...]:
    """Return what happens to each name, in the order of the roots, then tombstones by name.

    Args:
        roots: the names that there shall be.
        before: what they stand for at the destination.
        known: all names that it may have.
    """
    present = {root.reference for root in roots}
    gone = sorted((name for name in known if name not in present), key=str)
    return (
        *(_change(root, before.get(root.reference)) for root in roots),
        *(BundleReference(name, known[name], Change.REMOVED) for name in gone),
    )


def _change(root: TagMove, named: Descriptor | None) -> BundleReference:
    if named is None:
        return BundleReference(root.reference, root.descriptor, Change.ADDED)
    if named.digest == root.descriptor.digest:
        return BundleReference(root.reference, root.descriptor, Change.UNCHANGED)
    return BundleReference(root.reference, root.descriptor, Change.MOVED, named.digest)
