"""What travels, what is relied on and what changes: for any history of a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import event, given, settings
from hypothesis import strategies as st

from airgap.bundle.delivery import Delivery, Holding, changes, plan_delivery
from airgap.bundle.format import BundleManifest, Change, Kind, decode_bundle_json
from airgap.bundle.format import encode_bundle_json as encode
from airgap.bundle.ledger import ChannelStatus, DeliveryRecord, Standing
from airgap.bundle.lineage import Lineage
from airgap.config.transfer import DeliveryPolicy
from airgap.content.homes import Edges
from airgap.content.plan import CopyPlan, PlannedItem, in_travel_order
from airgap.content.ports import TagMove
from airgap.errors import Refused
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.oci.reference import Reference

CHANNEL = "plant"
NAMES = [Reference.parse(f"team/{name}:1") for name in "abcd"]
DOCKER_MANIFEST = Descriptor("application/json", Digest.of(b"[]\n"), 3)

Image = frozenset[int]
"""An image in the model: the numbers of its layers; the same layers are the same image."""

IMAGES = st.frozensets(st.integers(0, 5), min_size=1, max_size=3)
STATES = st.dictionaries(st.sampled_from(NAMES), IMAGES, min_size=1)


def described(kind: str, content: str) -> Descriptor:
    """Return the descriptor of made-up content."""
    return Descriptor.of(f"{kind} {content}".encode(), f"application/vnd.test.{kind}")


def manifest_of(layers: Image) -> Descriptor:
    """Return what an image's name stands for."""
    return described("manifest", str(sorted(layers)))


def whole(state: Mapping[Reference, Image]) -> tuple[CopyPlan, dict[Digest, Edges]]:
    """Return everything that a state is made of."""
    items: list[PlannedItem] = []
    edges: dict[Digest, Edges] = {}
    for layers in state.values():
        children = [described("layer", str(number)) for number in sorted(layers)]
        items.append(PlannedItem(manifest_of(layers), Role.MANIFEST))
        items += (PlannedItem(child, Role.LAYER) for child in children)
        edges[manifest_of(layers).digest] = Edges(tuple(c.digest for c in children), None)
    roots = tuple(TagMove(name, manifest_of(layers)) for name, layers in state.items())
    return CopyPlan(roots, in_travel_order(items)), edges


@dataclass
class Sender:
    """A ledger in memory."""

    policy: DeliveryPolicy
    records: list[DeliveryRecord] = field(default_factory=list)
    holdings: dict[int, Holding] = field(default_factory=dict)

    def send(self, state: Mapping[Reference, Image]) -> bytes:
        """Make the next bundle; return its ``bundle.json``."""
        status = ChannelStatus(CHANNEL, tuple(self.records))
        base = status.base(self.policy)
        since = base.sequence if base is not None else 0
        known = {
            name: descriptor
            for sequence, holding in self.holdings.items()
            if sequence >= since
            for name, descriptor in holding.names.items()
        }
        plan, edges = whole(state)
        holding = self._surely_held(base.sequence) if base is not None else None
        delivery = plan_delivery(plan, edges, holding, known)
        manifest = self._manifest(delivery, status.next_sequence)
        raw = encode(manifest)
        names = {root.reference: root.descriptor for root in plan.roots}
        after = Holding(status.next_sequence, manifest.id, names, delivery.content)
        self.holdings[after.sequence] = after
        self.records.append(
            DeliveryRecord(
                CHANNEL, after.sequence, manifest.id, Digest.of(raw), manifest.created, Kind.FULL
            )
        )
        return raw

    def _surely_held(self, sequence: int) -> Holding:
        """Return what every destination holds that has taken in a bundle, or a later one."""
        later = [h.content for s, h in self.holdings.items() if s >= sequence]
        return replace(self.holdings[sequence], content=frozenset.intersection(*later))

    def _manifest(self, delivery: Delivery, sequence: int) -> BundleManifest:
        increment = delivery.increment
        return BundleManifest(
            id=f"id-{sequence}",
            created=datetime(2026, 11, 24, tzinfo=UTC),
            tool="test",
            docker_manifest=DOCKER_MANIFEST,
            references=increment.references,
            blobs=delivery.carried.items,
            channel=CHANNEL,
            sequence=sequence,
            kind=Kind.FULL if increment.base is None else Kind.INCREMENTAL,
            base=increment.base,
        )

    def confirm(self, sequence: int) -> None:
        """Take in a receipt."""
        found = self.records[sequence - 1]
        self.records[sequence - 1] = replace(found, standing=Standing.CONFIRMED)


@dataclass
class Receiver:
    """A destination in memory: names, content, and which bundles were taken in."""

    lineage: Lineage = field(default_factory=lambda: Lineage(CHANNEL))
    names: dict[Reference, Descriptor] = field(default_factory=dict)
    content: set[Digest] = field(default_factory=set)

    def take(self, raw: bytes) -> bool:
        """Take in a bundle, or refuse it; what a refusal leaves behind is nothing."""
        manifest = decode_bundle_json(raw)
        try:
            lineage = self.lineage.accept(manifest)
        except Refused:
            return False
        base = manifest.base.digests if manifest.base is not None else ()
        if not self.content.issuperset(base):
            return False
        self.lineage = lineage
        self.content |= {item.descriptor.digest for item in manifest.blobs}
        self.names = {r.reference: r.descriptor for r in manifest.present}
        return True

    def collect_garbage(self) -> None:
        """Forget what no name needs."""
        needed = {d.digest for d in self.names.values()}
        layers = {manifest_of(image): image for image in _all_images()}
        for descriptor in self.names.values():
            needed |= {described("layer", str(n)).digest for n in layers[descriptor]}
        self.content &= needed


def _all_images() -> list[Image]:
    numbers = range(6)
    return [
        frozenset(layers)
        for a in numbers
        for b in numbers
        for layers in ({a}, {a, b}, *({a, b, c} for c in numbers))
    ]


ARRIVALS = st.sampled_from(["arrives", "is lost", "arrives twice", "comes last"])
WEEK = st.tuples(STATES, ARRIVALS, st.booleans(), st.booleans())


@given(st.sampled_from(DeliveryPolicy), st.lists(WEEK, min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_destination_is_what_was_exported_or_refuses(
    policy: DeliveryPolicy, weeks: list[tuple[dict[Reference, Image], str, bool, bool]]
) -> None:
    """Whatever is lost, repeated, late or unconfirmed: never anything in between."""
    sender, receiver = Sender(policy), Receiver()
    late: list[tuple[bytes, int]] = []
    for state, arrival, confirms, collects in weeks:
        raw = sender.send(state)
        sequence = len(sender.records)
        if arrival == "is lost":
            continue
        if arrival == "comes last":
            late.append((raw, sequence))
            continue
        before = dict(receiver.names), set(receiver.content), receiver.lineage
        if receiver.take(raw):
            _check(receiver, sender.holdings[sequence])
            if confirms:
                sender.confirm(sequence)
            if collects:
                receiver.collect_garbage()
        else:
            event("refused")
            assert (receiver.names, receiver.content, receiver.lineage) == before
            assert policy is DeliveryPolicy.ASSUME_DELIVERED
        if arrival == "arrives twice":
            assert not receiver.take(raw)
    for raw, sequence in late:
        last = receiver.lineage.last
        took = receiver.take(raw)
        assert not (took and sequence < last)
        if took:
            _check(receiver, sender.holdings[sequence])


def _check(receiver: Receiver, exported: Holding) -> None:
    assert receiver.names == dict(exported.names)
    assert receiver.content >= exported.content


@given(STATES, STATES)
def test_nothing_travels_twice_and_nothing_is_missing(
    before: dict[Reference, Image], after: dict[Reference, Image]
) -> None:
    """Carried and relied on are everything, and have manifests on the way at most in common."""
    first = plan_delivery(*whole(before), None, {})
    held = Holding(1, "one", _names(before), first.content)
    second = plan_delivery(*whole(after), held, held.names)
    carried = frozenset(second.carried.digests())
    base = second.increment.base
    relied_on = frozenset(base.digests if base is not None else ())
    assert carried | relied_on == second.content
    assert not carried & relied_on
    assert relied_on <= held.content
    manifests = {manifest_of(layers).digest for layers in after.values()}
    assert carried & held.content <= manifests


@given(STATES, STATES)
def test_changes_lead_from_one_state_to_the_other(
    before: dict[Reference, Image], after: dict[Reference, Image]
) -> None:
    """Whoever applies them to what was there has what shall be there."""
    names = _names(before)
    listed = changes(whole(after)[0].roots, names, names)
    assert len({r.reference for r in listed}) == len(listed)
    for reference in listed:
        name = reference.reference
        if reference.change is Change.REMOVED:
            del names[name]
            continue
        known = names.get(name)
        assert (reference.change is Change.ADDED) == (known is None)
        if reference.change is Change.MOVED:
            assert known is not None
            assert reference.previous == known.digest != reference.descriptor.digest
        names[name] = reference.descriptor
    assert names == _names(after)


def _names(state: Mapping[Reference, Image]) -> dict[Reference, Descriptor]:
    return {name: manifest_of(layers) for name, layers in state.items()}


def test_what_leads_to_a_new_piece_travels_along() -> None:
    """A referrer of a child of an index that is held: child and index come with it."""
    index, child = described("manifest", "index"), described("manifest", "child")
    signature, layer = described("manifest", "signature"), described("layer", "1")
    name = NAMES[0]
    edges = {
        index.digest: Edges((child.digest,), None),
        child.digest: Edges((layer.digest,), None),
        signature.digest: Edges((), child.digest),
    }
    items = [PlannedItem(d, Role.MANIFEST) for d in (child, index, signature)]
    plan = CopyPlan(
        (TagMove(name, index),), in_travel_order([*items, PlannedItem(layer, Role.LAYER)])
    )
    content = frozenset({index.digest, child.digest, layer.digest})
    delivery = plan_delivery(plan, edges, Holding(1, "one", {name: index}, content), {})
    assert list(delivery.carried.digests()) == [child.digest, index.digest, signature.digest]
    assert delivery.increment.base is not None
    assert delivery.increment.base.digests == (layer.digest,)
