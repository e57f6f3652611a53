"""Which bundles of a channel may come next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle.format import BundleBase, BundleManifest, Kind
from airgap.bundle.lineage import Lineage
from airgap.errors import Refused
from airgap.oci.descriptor import Descriptor


def bundle(
    sequence: int, name: str = "", base: tuple[int, str] | None = None, channel: str = "plant"
) -> BundleManifest:
    """Return what a bundle says of its place."""
    return BundleManifest(
        id=name or f"id-{sequence}",
        created=datetime(2026, 11, 24, tzinfo=UTC),
        tool="test",
        docker_manifest=Descriptor.of(b"[]", "application/json"),
        references=(),
        blobs=(),
        channel=channel,
        sequence=sequence,
        kind=Kind.FULL if base is None else Kind.INCREMENTAL,
        base=BundleBase(*base, ()) if base is not None else None,
    )


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from("ab"))))
def test_numbers_only_rise_and_each_has_one_id(bundles: list[tuple[int, str]]) -> None:
    """Whatever arrives in whatever order, what was taken in is a rising row."""
    lineage = Lineage("plant")
    taken: list[int] = []
    for sequence, name in bundles:
        try:
            lineage = lineage.accept(bundle(sequence, name))
        except Refused:
            assert sequence <= lineage.last
            continue
        assert sequence > max(taken, default=0)
        taken.append(sequence)
        assert lineage.has_just_passed(bundle(sequence, name))
        assert not lineage.has_just_passed(bundle(sequence, "other"))
    assert sorted(lineage.passed) == taken


@pytest.mark.parametrize(
    "passed, coming, says",
    [
        ({1: "id-1", 2: "id-2"}, bundle(1), "was taken in before, and bundle 2 after it"),
        ({1: "id-1", 2: "id-2"}, bundle(2), "was taken in before"),
        ({3: "id-3"}, bundle(2), "never came, and bundle 3 after it"),
        ({2: "id-2"}, bundle(2, "other"), "two histories"),
        ({2: "id-2"}, bundle(3, base=(2, "other")), "stands on bundle 2 with id other"),
        ({2: "id-2"}, bundle(3, channel="ship"), "not a bundle of the channel plant"),
    ],
)
def test_each_refusal_says_which_it_is(
    passed: dict[int, str], coming: BundleManifest, says: str
) -> None:
    """Replay, being overtaken, a fork of the number, a fork of the base, another channel."""
    with pytest.raises(Refused, match=says):
        Lineage("plant", passed).accept(coming)


@pytest.mark.parametrize(
    "passed, coming",
    [
        ({}, bundle(1)),
        ({}, bundle(7)),
        ({}, bundle(7, base=(6, "unknown"))),
        ({3: "id-3"}, bundle(4, base=(3, "id-3"))),
        ({3: "id-3", 5: "id-5"}, bundle(6, base=(3, "id-3"))),
        ({3: "id-3"}, bundle(9, base=(5, "never came"))),
        ({3: "id-3"}, bundle(4)),
    ],
)
def test_gaps_are_no_reason_to_refuse(passed: dict[int, str], coming: BundleManifest) -> None:
    """Whether what was lost matters is told by the content of the base, and not by its number."""
    after = Lineage("plant", passed).accept(coming)
    assert coming.sequence is not None
    assert after.passed == {**passed, coming.sequence: coming.id}
