"""Bundles of a channel that are lost, repeated, reordered or forked, each over five deliveries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from airgap.bundle.format import Change, Kind
from airgap.bundle.ledger import Standing
from airgap.config.transfer import DeliveryPolicy, Removals
from airgap.content.ports import TagMove
from airgap.errors import Refused, StoreUnusable
from airgap.oci.reference import Reference
from airgap.store.fsck import check_store
from airgap.usecases.delivery import DeliveryReport
from airgap.usecases.reception import BaseMissing
from tests.journeys.two_sides import CHANNEL, Sides, images, two_sides
from tests.support.images import artifact, index

CONFIRMED, ASSUMED = DeliveryPolicy.CONFIRMED, DeliveryPolicy.ASSUME_DELIVERED
WEEKS = [
    images(app=(1, 2), db=(1, 3)),
    images(app=(1, 4), db=(1, 3)),
    images(app=(1, 4), db=(1, 3), web=(1, 5)),
    images(app=(1, 6), web=(1, 5)),
    images(app=(1, 6), web=(1, 5, 7), db=(1, 3)),
]
"""What is published in five weeks: names come, move, go, and come again."""


@pytest.fixture
async def sides(tmp_path: Path) -> AsyncIterator[Sides]:
    """Two empty stores; the destination confirms what it takes in."""
    async with two_sides(tmp_path, CONFIRMED) as opened:
        yield opened


@pytest.fixture
async def blind(tmp_path: Path) -> AsyncIterator[Sides]:
    """Two empty stores; the destination sends nothing back, and is taken to hold everything."""
    async with two_sides(tmp_path, ASSUMED) as opened:
        yield opened


async def weekly(sides: Sides) -> list[DeliveryReport]:
    """Export a bundle in each of five weeks, without importing any."""
    reports = []
    for week in WEEKS:
        await sides.publish(week)
        reports.append(await sides.export())
    return reports


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "zstd"])
async def test_five_deliveries_bring_what_changed(sides: Sides, *, compressed: bool) -> None:
    """After each one the other side has exactly the names, and each but the first is small."""
    sides.compressed = compressed
    for number, week in enumerate(WEEKS, 1):
        await sides.publish(week)
        report = await sides.export()
        assert report.record.sequence == number
        assert report.record.kind is (Kind.FULL if number == 1 else Kind.INCREMENTAL)
        await sides.take_in(report)
        assert await sides.held() == await sides.offered()
        assert (await sides.confirm(report)).is_news
    full = await sides.plan(sides.request(full=True))
    assert all(
        record.bytes < full.delivery.carried.size for record in (await sides.status()).history[1:]
    )
    assert (await sides.status()).outstanding == ()


async def test_a_lost_bundle_is_made_up_for_without_counting(sides: Sides) -> None:
    """What was never confirmed travels again with the next bundle, whatever got lost."""
    await sides.publish(WEEKS[0])
    first = await sides.export()
    await sides.take_in(first)
    await sides.confirm(first)
    for week in WEEKS[1:4]:
        await sides.publish(week)
        await sides.export()
    assert [r.sequence for r in (await sides.status()).outstanding] == [2, 3, 4]
    await sides.publish(WEEKS[4])
    last = await sides.export()
    assert (last.record.kind, last.record.base) == (Kind.INCREMENTAL, 1)
    await sides.take_in(last)
    assert await sides.held() == await sides.offered()
    assert (await sides.confirm(last)).status.outstanding == ()


async def test_a_lost_bundle_is_noticed_and_asked_for(blind: Sides) -> None:
    """The base guard names every missing digest, and the answer to its request makes up for it."""
    reports = await weekly(blind)
    for report in reports[:2]:
        await blind.take_in(report)
    missing = await blind.refusal(reports[3])
    assert missing.last is not None
    assert (missing.last.sequence, missing.refused.sequence) == (2, 4)
    lost = {item.descriptor.digest for item in reports[2].bundle.manifest.blobs}
    assert missing.missing
    assert set(missing.missing) <= lost
    answer = await blind.export(blind.request(asked=missing))
    assert (answer.record.sequence, answer.record.base) == (6, 2)
    layer = WEEKS[2]["team/web:1"].root.layers[1].digest
    assert layer in missing.missing
    assert layer in {item.descriptor.digest for item in answer.bundle.manifest.blobs}
    await blind.take_in(answer)
    assert await blind.held() == await blind.offered()


async def test_a_lost_bundle_that_nothing_needs_is_no_loss(blind: Sides) -> None:
    """What counts is the content that a bundle stands on, not the number before it."""
    await blind.publish(WEEKS[0])
    await blind.take_in(await blind.export())
    for _ in range(3):
        await blind.export()
    fifth = await blind.export()
    await blind.take_in(fifth)
    assert (await blind.journal.lineage(CHANNEL)).last == 5
    assert await blind.held() == await blind.offered()


async def test_since_relies_on_the_bundle_that_a_person_names(blind: Sides) -> None:
    """Who knows that bundle 2 was the last to arrive says so, and needs no request."""
    reports = await weekly(blind)
    for report in reports[:2]:
        await blind.take_in(report)
    made_up = await blind.export(blind.request(since=2))
    assert made_up.record.base == 2
    await blind.take_in(made_up)
    assert await blind.held() == await blind.offered()


async def test_a_full_bundle_needs_nothing(blind: Sides) -> None:
    """It is taken in whatever was lost before, and has its number like all others."""
    reports = await weekly(blind)
    await blind.take_in(reports[0])
    full = await blind.export(blind.request(full=True))
    assert (full.record.sequence, full.record.kind) == (6, Kind.FULL)
    await blind.take_in(full)
    assert await blind.held() == await blind.offered()


async def test_reordered_bundles_wait_for_each_other(blind: Sides) -> None:
    """One that comes too early is refused, changes nothing, and is taken in at its turn."""
    reports = await weekly(blind)
    await blind.take_in(reports[0])
    for early in (reports[4], reports[2]):
        await blind.refusal(early)
    for report in reports[1:]:
        await blind.take_in(report)
    assert await blind.held() == await blind.offered()


async def test_what_was_overtaken_is_refused(sides: Sides) -> None:
    """A bundle whose successor stood on the same base comes late: names never go back."""
    await sides.publish(WEEKS[0])
    first = await sides.export()
    await sides.take_in(first)
    await sides.confirm(first)
    late = []
    for week in WEEKS[1:]:
        await sides.publish(week)
        late.append(await sides.export())
    await sides.take_in(late[-1])
    before = await sides.held()
    for report in late[:-1]:
        with pytest.raises(Refused, match="never came, and bundle 5 after it"):
            await sides.take_in(report)
    assert await sides.held() == before == await sides.offered()


async def test_a_repeated_bundle_changes_nothing(blind: Sides) -> None:
    """The newest one again is no error, and gives its receipt anew; an older one is refused."""
    reports = await weekly(blind)
    for report in reports:
        first = await blind.take_in(report)
        again = await blind.take_in(report)
        assert again.copied is None
        assert again.entry.number == first.entry.number
    assert (blind.folder / "receipts" / "plant-5.receipt").exists()
    for report in reports[:-1]:
        with pytest.raises(Refused, match="going back is refused"):
            await blind.take_in(report)
    assert len(await blind.journal.entries()) == 5
    assert await blind.held() == await blind.offered()


async def test_two_stores_that_export_as_one_channel_are_told_apart(
    blind: Sides, tmp_path: Path
) -> None:
    """A bundle of another history is refused by its number, and by the base that it stands on."""
    reports = await weekly(blind)
    async with _twin(tmp_path / "twin", blind) as twin:
        others = []
        for week in (*WEEKS[::-1], WEEKS[0]):
            await twin.publish(week)
            others.append(await twin.export())
    for report in reports:
        await blind.take_in(report)
    before = await blind.held()
    for other in others[:5]:
        with pytest.raises(Refused, match="two histories"):
            await blind.take_in(other)
    with pytest.raises(Refused, match="stands on bundle 5 with id"):
        await blind.take_in(others[5])
    assert await blind.held() == before


async def test_a_receipt_of_another_history_is_refused(sides: Sides, tmp_path: Path) -> None:
    """The ledger believes only what its own bundles can have brought about."""
    async with _twin(tmp_path / "twin", sides) as twin:
        await twin.publish(WEEKS[1])
        foreign = await twin.export()
    await sides.publish(WEEKS[0])
    await sides.export()
    await sides.take_in(foreign)
    with pytest.raises(Refused, match="two histories"):
        await sides.confirm(foreign)
    assert (await sides.status()).confirmed is None


async def test_a_lost_ledger_goes_on_from_a_receipt(sides: Sides, tmp_path: Path) -> None:
    """A store that has forgotten its channel learns from the receipt what is over there."""
    for week in WEEKS[:3]:
        await sides.publish(week)
        last = await sides.export()
        await sides.take_in(last)
    async with _twin(tmp_path / "new", sides) as new:
        assert (await new.confirm(last)).is_adopted
        await new.publish(WEEKS[3])
        report = await new.export()
        assert (report.record.sequence, report.record.base) == (4, 3)
        await new.take_in(report)
        assert await new.held() == await new.offered()


async def test_late_and_repeated_receipts_change_nothing(sides: Sides) -> None:
    """Receipts arrive in any order; the newest one that came counts."""
    reports = []
    for week in WEEKS:
        await sides.publish(week)
        reports.append(await sides.export())
        await sides.take_in(reports[-1])
    assert (await sides.confirm(reports[3])).is_news
    assert (await sides.confirm(reports[1])).is_news
    assert not (await sides.confirm(reports[3])).is_news
    status = await sides.status()
    assert status.confirmed is not None
    assert status.confirmed.sequence == 4
    assert [r.standing for r in status.history] == [
        Standing.EXPORTED,
        Standing.CONFIRMED,
        Standing.EXPORTED,
        Standing.CONFIRMED,
        Standing.EXPORTED,
    ]


async def test_removals_go_only_where_they_are_allowed(sides: Sides) -> None:
    """A tombstone takes the name; where the config keeps names it is told, and the name stays."""
    sides.removals = Removals.KEEP
    for week in WEEKS[:4]:
        await sides.publish(week)
        report = await sides.export()
        received = await sides.take_in(report)
        await sides.confirm(report)
    assert [r.reference.familiar for r in report.bundle.manifest.references][-1] == "team/db:1"
    assert report.bundle.manifest.references[-1].change is Change.REMOVED
    assert [gone.name for gone in received.admission.gone] == ["docker.io/team/db:1"]
    assert received.admission.removed == ()
    assert "team/db:1" in await sides.held()
    sides.removals = Removals.APPLY
    again = await sides.export()
    assert (await sides.take_in(again)).admission.removed
    assert await sides.held() == await sides.offered()


async def test_removals_survive_the_loss_of_their_bundle(blind: Sides) -> None:
    """The bundle with the tombstone is lost; the next one lists all names, and that is enough."""
    reports = await weekly(blind)
    for report in reports[:3]:
        await blind.take_in(report)
    await blind.publish(WEEKS[3])
    await blind.take_in(await blind.export(blind.request(since=3)))
    assert "team/db:1" not in await blind.held()


async def test_a_name_that_was_moved_here_is_not_removed(sides: Sides) -> None:
    """What somebody on this side has put under a name is theirs."""
    await sides.publish(WEEKS[0])
    first = await sides.export()
    await sides.take_in(first)
    await sides.confirm(first)
    name = Reference.parse("team/db:1")
    other = await sides.isolated.resolve(Reference.parse("team/app:1"))
    await sides.isolated.move_tags([TagMove(name, other)])
    await sides.publish(images(app=(1, 2)))
    received = await sides.take_in(await sides.export())
    assert received.admission.removed == ()
    assert received.admission.gone[0].kept_because == "it was moved here since"
    assert "team/db:1" in await sides.held()


async def test_names_of_another_channel_are_left_alone(blind: Sides, tmp_path: Path) -> None:
    """A channel takes away only what it has brought itself, and what no other one brought too."""
    await blind.publish(WEEKS[0])
    await blind.take_in(await blind.export())
    async with _twin(tmp_path / "other", blind) as other:
        await other.publish({**images(db=(1, 3)), **images(own=(8,))})
        other.channel = "laboratory"
        await other.take_in(await other.export())
        await blind.publish(images(app=(1, 2)))
        received = await blind.take_in(await blind.export())
    assert [gone.kept_because for gone in received.admission.gone] == [
        "channel laboratory brought it too"
    ]
    assert set(await blind.held()) == {"team/app:1", "team/db:1", "team/own:1"}


async def test_a_new_signature_of_an_old_image_travels(sides: Sides) -> None:
    """What refers to an image that is over there comes along, and is found there."""
    platforms = {"linux/amd64": WEEKS[0]["team/app:1"], "linux/arm64": WEEKS[0]["team/db:1"]}
    multi = index(platforms)
    await sides.publish({"team/multi:1": multi})
    first = await sides.export()
    await sides.take_in(first)
    await sides.confirm(first)
    child = multi.manifests[0].descriptor
    signature = artifact(b"signed", subject=child)
    await sides.publish({"team/multi:1": multi, "team/multi:sig": signature})
    await sides.connected.remove_tag(Reference.parse("team/multi:sig"))
    second = await sides.export()
    await sides.take_in(second)
    repository = Reference.parse("team/multi:1").repository
    found = await sides.isolated.referrers(repository, child.digest)
    assert [d.digest for d in found] == [signature.root.descriptor.digest]
    assert await sides.isolated.holds(repository, signature.root.descriptor, frozenset())


async def test_a_layer_of_another_repository_belongs_to_the_new_one(sides: Sides) -> None:
    """What is over there under one name only is served under the other name, too."""
    await sides.publish(images(app=(1, 2)))
    first = await sides.export()
    await sides.take_in(first)
    await sides.confirm(first)
    both = images(app=(1, 2), tool=(1, 2, 9))
    await sides.publish(both)
    second = await sides.export()
    assert len(second.bundle.manifest.blobs) == 3  # manifest, config, one layer
    await sides.take_in(second)
    tool = Reference.parse("team/tool:1")
    for layer in both["team/tool:1"].root.layers:
        assert await sides.isolated.blob_size(tool.repository, layer.digest) is not None


async def test_a_base_that_was_damaged_here_is_noticed(sides: Sides) -> None:
    """Content that has gone from the disk is missing, though the catalog has it."""
    await sides.publish(WEEKS[0])
    first = await sides.export()
    await sides.take_in(first)
    await sides.confirm(first)
    gone = WEEKS[0]["team/app:1"].root.layers[0].digest
    sides.isolated.places.blob(gone).unlink()
    await sides.publish(WEEKS[1])
    with pytest.raises(BaseMissing, match=gone[:20]) as caught:
        await sides.take_in(await sides.export())
    answer = await sides.export(sides.request(asked=caught.value.request))
    with pytest.raises(StoreUnusable, match="lost from the disk"):
        await sides.take_in(answer)
    await check_store(sides.isolated, repair=True)
    await sides.take_in(answer)
    assert await sides.held() == await sides.offered()


@asynccontextmanager
async def _twin(folder: Path, sides: Sides) -> AsyncIterator[Sides]:
    """Open another connected store that exports to the same isolated one."""
    folder.mkdir()
    async with two_sides(folder, sides.policy) as other:
        yield Sides(other.connected, sides.isolated, folder, sides.policy)
