"""The ledger tells every state that a channel has had, whatever was exported in between."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgap.bundle.delivery import Holding
from airgap.bundle.format import BundleManifest, Kind
from airgap.bundle.ledger import (
    DeliveryRecord,
    KeepRules,
    Standing,
    WrittenBundle,
    WrittenFile,
    superseded,
)
from airgap.errors import Refused
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store.ledger import StoreLedger
from airgap.store.store import Store
from tests.support.postgres import ON_BOTH

NAMES = [Reference.parse(f"team/{name}:1") for name in "abc"]
DIGESTS = [Digest.of(bytes([number])) for number in range(5)]
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
STATES = st.tuples(
    st.frozensets(st.sampled_from(DIGESTS)),
    st.dictionaries(
        st.sampled_from(NAMES),
        st.sampled_from(DIGESTS).map(lambda d: Descriptor("application/json", d, 7)),
    ),
)


def record(sequence: int, channel: str = "plant") -> DeliveryRecord:
    """Return a bundle that was exported."""
    return DeliveryRecord(
        channel,
        sequence,
        f"id-{sequence}",
        DIGESTS[0],
        NOON,
        Kind.FULL,
        blobs=2,
        bytes=20,
        path=Path(f"/out/{sequence}.tar"),
        files=(WrittenFile(Path(f"/out/{sequence}.tar"), 30),),
    )


@ON_BOTH
@given(st.lists(STATES, min_size=1, max_size=6), st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
async def test_every_state_can_be_told_again(
    store: Store,
    states: list[tuple[frozenset[Digest], dict[Reference, Descriptor]]],
    data: st.DataObject,
) -> None:
    """Content and names of each bundle; the last one can be taken back, and comes again."""
    ledger = StoreLedger(store)
    channel = f"channel-{uuid.uuid4()}"
    for sequence, (content, names) in enumerate(states, 1):
        holding = Holding(sequence, f"id-{sequence}", names, content)
        await ledger.announce(record(sequence, channel), content, holding)
        if data.draw(st.booleans()):
            await ledger.withdraw(record(sequence, channel))
            await ledger.announce(record(sequence, channel), content, holding)
    history = (await ledger.status(channel)).history
    assert [found.sequence for found in history] == list(range(1, len(states) + 1))
    for found, (content, names) in zip(history, states, strict=True):
        assert found == record(found.sequence, channel)
        held = await ledger.holding(found)
        assert (held.content, held.names) == (content, names)
        assert await ledger.carried(found) == content
        later = [content for content, _ in states[found.sequence - 1 :]]
        surely = await ledger.holding(found, len(states))
        assert surely.content == frozenset.intersection(*later)
        ever = {name for _, names in states[found.sequence - 1 :] for name in names}
        assert set(await ledger.names_since(channel, found.sequence)) == ever


async def test_how_a_bundle_was_written_is_kept(store: Store) -> None:
    """So that it can be written again; what was withdrawn is forgotten with all else."""
    ledger = StoreLedger(store)
    holding = Holding(1, "id-1", {}, frozenset())
    docker = Descriptor("application/json", DIGESTS[0], 3)
    said = BundleManifest("id-1", NOON, "airgap 0", docker, (), (), channel="plant", sequence=1)
    for written in (WrittenBundle(said, is_compressed=True), None, WrittenBundle(said)):
        await ledger.announce(record(1), [], holding, written)
        assert await ledger.written(record(1)) == written
        await ledger.withdraw(record(1))
        assert await ledger.written(record(1)) is None


@ON_BOTH
async def test_a_number_is_given_once(store: Store) -> None:
    """Of two exports at once the slower one is refused, before its bundle has a name."""
    ledger = StoreLedger(store)
    holding = Holding(1, "id-1", {}, frozenset())
    await ledger.announce(record(1), [], holding)
    with pytest.raises(Refused, match="another process has exported"):
        await ledger.announce(record(1), [], holding)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 100)), min_size=1, max_size=8),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 40),
    st.none() | st.integers(1, 300),
)
def test_what_goes_breaks_a_rule_and_the_newest_stays(
    bundles: list[tuple[int, int]], count: int | None, age: int | None, size: int | None
) -> None:
    """By count, by age and by bytes, oldest first."""
    now = NOON.timestamp()
    history = [
        DeliveryRecord(
            "plant",
            number,
            "id",
            DIGESTS[0],
            datetime.fromtimestamp(now - old, UTC),
            Kind.FULL,
            standing=Standing.EXPORTED,
            files=(WrittenFile(Path("/x"), length),),
        )
        for number, (old, length) in enumerate(sorted(bundles, key=lambda bundle: -bundle[0]), 1)
    ]
    going = superseded(history, KeepRules(count, age, size), now)
    staying = [found for found in history if found not in going]
    assert staying[-1] is history[-1]
    assert list(going) == sorted(going, key=lambda found: found.sequence)
    if count is not None:
        assert len(staying) <= count
    others = staying[:-1]
    if age is not None:
        assert all(now - found.created.timestamp() <= age for found in others)
    if size is not None and others:
        assert sum(found.files[0].size for found in staying) <= size
    if (count, age, size) == (None, None, None):
        assert not going
