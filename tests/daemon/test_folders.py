"""Drop folders with real bundles on real file systems."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airgap.bundle.keys import write_key_pair
from airgap.config.daemon import HooksSection
from airgap.daemon import folder_files
from airgap.daemon.folders import FolderWatch, News
from airgap.daemon.records import Outcome, Run
from airgap.errors import NotFound
from tests.daemon.places import APP, Place, carry, small_image, touch_later
from tests.support.command import run, succeed


@contextmanager
def watching(place: Place, *, options: str = "", config: str = "") -> Iterator[FolderWatch]:
    """Watch the inbox of a place, as its config says."""
    app = place.configure(f"daemon: {{folders: {{inbox: {{path: inbox{options}}}}}}}\n{config}")
    with place.runner() as runner:
        section = app.config.daemon.folders["inbox"]
        yield FolderWatch("inbox", section, HooksSection(), runner, News())


async def looks(watch: FolderWatch, place: Place, count: int = 2) -> list[Run]:
    """Look as often; return what the last look did."""
    runs: list[Run] = []
    for _ in range(count):
        runs = await watch.look(place.load())
    return runs


async def test_a_complete_bundle_is_taken_in_once(connected: Place, isolated: Place) -> None:
    """At the second look that finds it so, and not again, also after a restart."""
    carry(await connected.export(), isolated.folder / "inbox")
    with watching(isolated) as watch:
        assert await looks(watch, isolated, 1) == []
        (done,) = await looks(watch, isolated, 1)
        assert done.outcome is Outcome.SUCCEEDED
        assert await looks(watch, isolated, 3) == []
    assert await isolated.names() == {APP: small_image(1).digest}
    with watching(isolated) as watch:
        assert await looks(watch, isolated, 3) == []


async def test_half_a_copy_is_left_alone(connected: Place, isolated: Place) -> None:
    """While the checksum is missing, and while the file still grows."""
    inbox = isolated.folder / "inbox"
    path = carry(await connected.export(), inbox)
    checksum = path.with_name(f"{path.name}.sha256")
    text, whole = checksum.read_bytes(), path.read_bytes()
    checksum.unlink()
    with watching(isolated) as watch:
        assert await looks(watch, isolated, 3) == []
        checksum.write_bytes(text)
        for size in (1000, 2000, 3000):
            path.write_bytes(whole[:size])
            assert await looks(watch, isolated, 1) == []
        path.write_bytes(whole)
        (done,) = await looks(watch, isolated)
        assert done.outcome is Outcome.SUCCEEDED


async def test_a_damaged_bundle_is_refused_once_and_taken_when_it_is_copied_anew(
    connected: Place, isolated: Place
) -> None:
    """It stays where it is; a good copy under the same name is looked at afresh."""
    path = carry(await connected.export(), isolated.folder / "inbox")
    whole = path.read_bytes()
    path.write_bytes(whole[:2000])
    with watching(isolated) as watch:
        (refused,) = await looks(watch, isolated)
        assert refused.outcome is Outcome.REFUSED
        assert await looks(watch, isolated, 3) == []
        path.write_bytes(whole)
        touch_later(path)
        (done,) = await looks(watch, isolated)
        assert done.outcome is Outcome.SUCCEEDED


async def test_bundles_of_a_channel_are_taken_in_the_order_in_which_they_were_made(
    connected: Place, isolated: Place
) -> None:
    """Whatever they are called: the second one would make the first one old."""
    inbox = isolated.folder / "inbox"
    carry(await connected.export(), inbox, "z-first.tar")
    await connected.publish({APP: small_image(2)})
    carry(await connected.export(), inbox, "a-second.tar")
    with watching(isolated) as watch:
        runs = await looks(watch, isolated)
    assert [run.outcome for run in runs] == [Outcome.SUCCEEDED] * 2
    assert await isolated.names() == {APP: small_image(2).digest}


async def test_done_bundles_are_moved_or_deleted_as_the_config_has_it(
    connected: Place, isolated: Place
) -> None:
    """With everything that belongs to them; a name that is taken there is not replaced."""
    exported = await connected.export()
    inbox, there = isolated.folder / "inbox", isolated.folder / "done"
    path = carry(exported, inbox)
    there.mkdir()
    (there / path.name).write_text("an older one")
    with watching(isolated, options=", done: move, done-to: done") as watch:
        await looks(watch, isolated)
    assert list(inbox.iterdir()) == []
    assert (there / path.name).read_text() == "an older one"
    assert {p.name for p in there.iterdir()} == {
        path.name,
        f"{path.name}.2",
        f"{path.name}.sha256",
    }
    carry(exported, isolated.folder / "inbox", "copy.tar")
    await connected.publish({APP: small_image(2)})
    carry(await connected.export(), inbox, "second.tar")
    with watching(isolated, options=", done: delete") as watch:
        await looks(watch, isolated)
    assert {p.name for p in inbox.iterdir()} == {"copy.tar", "copy.tar.sha256"}


async def test_refused_bundles_go_to_quarantine_with_the_reason(
    connected: Place, isolated: Place
) -> None:
    """Where somebody can look at them."""
    path = carry(await connected.export(), isolated.folder / "inbox")
    path.write_bytes(path.read_bytes()[:2000])
    with watching(isolated, options=", refused: quarantine, quarantine: bad") as watch:
        await looks(watch, isolated)
        (arrival,) = watch._runner.history.arrivals("inbox")
    assert arrival.outcome is Outcome.REFUSED
    bad = isolated.folder / "bad"
    assert {p.name for p in bad.iterdir()} == {
        path.name,
        f"{path.name}.sha256",
        f"{path.name}.refused.txt",
    }
    assert "the bundle ends at byte 2000" in (bad / f"{path.name}.refused.txt").read_text()


async def test_what_waits_for_its_base_is_taken_in_when_the_base_has_come(
    connected: Place, isolated: Place
) -> None:
    """It is neither refused for good nor put away, and a request is written for the way back."""
    first = await connected.export()
    connected.configure("export: {plant: {output: outbox/plant.tar, policy: assume-delivered}}\n")
    await connected.publish({"docker.io/team/web:1": small_image(3)})
    second = await connected.export()
    inbox = isolated.folder / "inbox"
    carry(second, inbox, "second.tar")
    with watching(isolated, options=", refused: quarantine, quarantine: bad") as watch:
        (waiting,) = await looks(watch, isolated)
        assert waiting.outcome is Outcome.WAITING
        assert await looks(watch, isolated) == []
        assert (inbox / "second.tar").exists()
        assert list((isolated.store / "airgap" / "receipts").glob("*.request"))
        carry(first, inbox, "first.tar")
        (taken,) = await looks(watch, isolated)
        assert taken.outcome is Outcome.SUCCEEDED
        (late,) = await looks(watch, isolated, 1)
        assert late.outcome is Outcome.SUCCEEDED
    assert set(await isolated.names()) == {APP, "docker.io/team/web:1"}


async def test_volumes_on_sticks_in_turn_are_collected(connected: Place, isolated: Place) -> None:
    """The first stick waits, the last one completes the bundle; all are folders below."""
    connected.configure("export: {plant: {output: outbox/b.tar, volumes: {size: 4kB}}}\n")
    exported = await connected.export()
    assert exported.report is not None
    outbox, inbox = exported.report.bundle.path.parent, isolated.folder / "inbox"
    volumes = sorted(outbox.glob("b.tar.[0-9]*"))
    assert len(volumes) > 1
    with watching(isolated) as watch:
        for number, volume in enumerate(volumes, 1):
            # Other sticks stay in meanwhile, as volumes on one file system are only linked.
            stick = inbox / f"STICK-{number}"
            stick.mkdir()
            for path in (volume, outbox / "b.tar.volumes.json"):
                (stick / path.name).write_bytes(path.read_bytes())
            (run,) = await looks(watch, isolated)
            last = volume == volumes[-1]
            assert run.outcome is (Outcome.SUCCEEDED if last else Outcome.WAITING)
        assert await looks(watch, isolated, 3) == []
        kept = watch._runner.history.arrivals("inbox")
    assert [arrival.outcome for arrival in kept] == [Outcome.SUCCEEDED]
    assert await isolated.names() == {APP: small_image(1).digest}


async def test_a_read_only_medium_keeps_what_it_has(connected: Place, isolated: Place) -> None:
    """It is taken in all the same, once, and the pages say why it was not moved."""
    inbox = isolated.folder / "inbox"
    carry(await connected.export(), inbox)
    await succeed("mount", "--bind", str(inbox), str(inbox))
    try:
        await succeed("mount", "-o", "remount,ro,bind", str(inbox))
        with watching(isolated, options=", done: move, done-to: done") as watch:
            (done,) = await looks(watch, isolated)
            assert done.outcome is Outcome.SUCCEEDED
            assert await looks(watch, isolated, 3) == []
            (arrival,) = watch._runner.history.arrivals("inbox")
            assert "read-only" in arrival.reason.lower()
    finally:
        await run("umount", str(inbox))
    assert await isolated.names() == {APP: small_image(1).digest}


async def test_receipts_that_come_back_are_taken_into_the_ledger(
    connected: Place, isolated: Place
) -> None:
    """Of channels that are sent from here; those of others are not ours."""
    carry(await connected.export(), isolated.folder / "inbox")
    with watching(isolated) as watch:
        await looks(watch, isolated)
    (receipt,) = (isolated.store / "airgap" / "receipts").glob("*.receipt")
    inbox = connected.folder / "inbox"
    inbox.mkdir()
    (inbox / receipt.name).write_bytes(receipt.read_bytes())
    (inbox / "elsewhere-1.receipt").write_bytes(receipt.read_bytes())
    exports = "export: {plant: {output: outbox/plant.tar}}\n"
    with watching(connected, config=exports) as watch:
        (done,) = await looks(watch, connected)
    assert done.summary == "plant, bundle 1: confirmed"
    assert (await connected.export()).report is None


async def test_requests_that_come_back_are_answered_where_it_is_known_who_asks(
    connected: Place, isolated: Place
) -> None:
    """With the signers' keys the next bundle brings what was missing; without, a person decides."""
    write_key_pair(isolated.folder / "plant", None)
    sign = "import: {plant: {sign: {with: plant.key}}}\n"
    await connected.export()
    await connected.publish({"docker.io/team/web:1": small_image(2)})
    exports = "export: {plant: {output: '{channel}-{time}.tar', policy: assume-delivered%s}}\n"
    connected.configure(exports % "")
    carry(await connected.export(), isolated.folder / "inbox")
    with watching(isolated, config=sign) as watch:
        (refused,) = await looks(watch, isolated)
        assert refused.outcome is Outcome.WAITING
    (request,) = (isolated.store / "airgap" / "receipts").glob("*.request")
    inbox = connected.folder / "inbox"
    inbox.mkdir()
    (inbox / request.name).write_bytes(request.read_bytes())
    with watching(connected, config=exports % "") as watch:
        (waiting,) = await looks(watch, connected)
        assert waiting.outcome is Outcome.WAITING
        assert "airgap export plant --request" in waiting.summary
    trusted = exports % f", signers: {isolated.folder / 'plant.pub'}"
    with watching(connected, config=trusted) as watch:
        assert await looks(watch, connected, 1) == []
        # The daemon counts a config that was read anew as news.
        watch._news.count += 1
        (answered,) = await looks(watch, connected, 1)
        assert answered.outcome is Outcome.SUCCEEDED, answered.summary
        assert answered.summary.startswith("bundle 3 for plant, full")
        assert await looks(watch, connected) == []


async def test_a_folder_that_is_not_there_is_shown_and_comes_back(isolated: Place) -> None:
    """A stick that is not in is no failure."""
    inbox = isolated.folder / "inbox"
    inbox.rmdir()
    with watching(isolated) as watch:
        board = watch._runner.board
        assert await looks(watch, isolated) == []
        assert "inbox" in board.absent
        inbox.mkdir()
        assert await looks(watch, isolated) == []
        assert board.absent == {}


async def test_what_fails_is_tried_again_after_a_while(connected: Place, isolated: Place) -> None:
    """A registry that is away is no reason to refuse a bundle; nor to ask it every ten seconds."""
    carry(await connected.export(), isolated.folder / "inbox")
    unreachable = "import: {plant: {to: 127.0.0.1:9/mirror}}\n"
    with watching(isolated, config=unreachable) as watch:
        (failed,) = await looks(watch, isolated)
        assert failed.outcome is Outcome.FAILED
        assert await looks(watch, isolated, 3) == []
        isolated.clock.now += 61
        (again,) = await looks(watch, isolated, 1)
        assert again.outcome is Outcome.FAILED
        isolated.clock.now += 61
        assert await looks(watch, isolated, 1) == []
        isolated.configure("daemon: {folders: {inbox: {path: inbox}}}\n")
        isolated.clock.now += 61
        (done,) = await looks(watch, isolated, 1)
        assert done.outcome is Outcome.SUCCEEDED


def test_links_and_hidden_files_are_not_seen(tmp_path: Path) -> None:
    """A stick cannot lead anywhere else."""
    (tmp_path / "inbox" / "stick").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.tar").write_bytes(b"")
    inbox = tmp_path / "inbox"
    (inbox / "link.tar").symlink_to(tmp_path / "elsewhere" / "a.tar")
    (inbox / "linked").symlink_to(tmp_path / "elsewhere")
    (inbox / ".hidden").write_bytes(b"")
    (inbox / "stick" / "b.tar").write_bytes(b"12")
    os.mkfifo(inbox / "pipe")
    look = folder_files.take_look(inbox)
    assert [(path.name, seen.size) for path, seen in look.items()] == [("b.tar", 2)]
    assert folder_files.take_look(inbox, [inbox / "stick"]) == {}
    with pytest.raises(NotFound):
        folder_files.take_look(tmp_path / "nowhere")
