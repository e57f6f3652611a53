"""Any history of a channel between real stores ends in what was exported, or in a refusal."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.config.transfer import DeliveryPolicy
from airgap.errors import Refused
from airgap.oci.digest import Digest
from airgap.store.collection import GcRules, collect_garbage
from airgap.usecases.delivery import DeliveryReport
from airgap.usecases.reception import BaseMissing
from tests.journeys.two_sides import Sides, two_sides
from tests.support.images import BuiltImage, image, random_layer

LAYERS = st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True)
STATES = st.dictionaries(st.sampled_from("abc"), LAYERS, min_size=1, max_size=3)
FATES = st.sampled_from(["arrives", "arrives", "is lost", "comes late"])
WEEKS = st.lists(st.tuples(STATES, FATES, st.booleans(), st.booleans()), min_size=2, max_size=6)


def published(state: dict[str, list[int]]) -> dict[str, BuiltImage]:
    """Return images whose layers the numbers make."""
    return {
        f"team/{name}:1": image([random_layer(number, 600) for number in layers])
        for name, layers in state.items()
    }


@given(st.sampled_from(DeliveryPolicy), st.booleans(), WEEKS)
@settings(max_examples=25, deadline=None)
async def test_the_isolated_side_is_what_was_exported_or_refuses(
    policy: DeliveryPolicy,
    compressed: bool,  # noqa: FBT001 - hypothesis gives it by position
    weeks: list[tuple[dict[str, list[int]], str, bool, bool]],
) -> None:
    """Lost, late, unconfirmed, collected in between; in the end one request makes up for all."""
    with tempfile.TemporaryDirectory() as folder:
        async with two_sides(Path(folder), policy) as sides:
            sides.compressed = compressed
            late: list[tuple[DeliveryReport, dict[str, Digest]]] = []
            for state, fate, confirms, collects in weeks:
                await sides.publish(published(state))
                report, offered = await sides.export(), await sides.offered()
                if fate == "comes late":
                    late.append((report, offered))
                if fate == "arrives" and await _arrives(sides, report, offered) and confirms:
                    await sides.confirm(report)
                if collects:
                    await collect_garbage(sides.isolated, GcRules(grace=-600))
            for report, offered in late:
                await _arrives(sides, report, offered)
            await _catches_up(sides)


async def _arrives(sides: Sides, report: DeliveryReport, offered: dict[str, Digest]) -> bool:
    before = await sides.held()
    try:
        await sides.take_in(report)
    except Refused:
        assert await sides.held() == before
        return False
    assert await sides.held() == offered
    return True


async def _catches_up(sides: Sides) -> None:
    report = await sides.export()
    try:
        await sides.take_in(report)
    except BaseMissing as refusal:
        answer = await sides.export(sides.request(asked=refusal.request))
        await sides.take_in(answer)
    assert await sides.held() == await sides.offered()
