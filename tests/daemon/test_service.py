"""The daemon in one process with the test: planning, making up, reloading, stopping, being late."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from airgap.daemon.records import Outcome, Run
from airgap.daemon.unattended import (
    opened_daemon,
    read_config_again,
    run_once,
    tell_late,
)
from airgap.errors import NotFound
from airgap.operations.mirroring import mirror_configured
from airgap.operations.turns import Busy, turn
from tests.daemon.places import APP, Place, begun, carry, settled, small_image
from tests.support.scripted_registry import scripted_registry

DAY = 86400.0
TIDY = "daemon: {jobs: {tidy: {do: collect, cron: '30 2 * * *'}}}\n"


async def once(place: Place, *names: str) -> list[Run]:
    """Do what is due, as a timer does."""
    return await run_once(place.surroundings(), place.load(), names, between_looks=0)


async def test_a_timer_does_what_has_become_due(connected: Place) -> None:
    """Not at the first sight of a nightly job, then once for any number of nights, then not."""
    connected.configure(TIDY)
    assert await once(connected) == []
    connected.clock.now += 3 * DAY
    (run,) = await once(connected)
    assert run.outcome is Outcome.SUCCEEDED
    assert await once(connected) == []
    connected.clock.now += DAY
    assert len(await once(connected)) == 1


async def test_a_job_can_be_done_by_name_at_any_time(connected: Place) -> None:
    """And a name that is not in the config is told so."""
    connected.configure(TIDY)
    (run,) = await once(connected, "tidy")
    assert run.name == "tidy"
    with pytest.raises(NotFound, match="no job, folder or stick"):
        await once(connected, "tydi")


async def test_a_timer_looks_into_folders(connected: Place, isolated: Place) -> None:
    """Twice within one run, as it takes two looks to see that a copy is complete."""
    carry(await connected.export(), isolated.folder / "inbox")
    isolated.configure("daemon: {folders: {inbox: {path: inbox, every: 1s}}}\n")
    (run,) = await once(isolated)
    assert run.outcome is Outcome.SUCCEEDED
    assert await isolated.names() == {APP: small_image(1).digest}


async def test_a_daemon_makes_up_for_what_it_was_cut_off_from(connected: Place) -> None:
    """At once, although the job skips what it has missed otherwise."""
    app = connected.configure(
        "daemon: {jobs: {tidy: {do: collect, cron: '30 2 * * *', missed: skip}}}\n"
    )
    async with opened_daemon(connected.surroundings(), app) as daemon:
        daemon.history.begin("tidy", "collect", connected.clock())
    async with opened_daemon(connected.surroundings(), app) as daemon:
        await daemon.start()
        await begun(daemon, "tidy")
        await settled(daemon)
        runs = daemon.history.runs("tidy")
        await daemon.stop(1)
    assert [run.outcome for run in runs] == [Outcome.SUCCEEDED, Outcome.CUT_OFF]


async def test_there_is_one_daemon_for_a_store(connected: Place) -> None:
    """A second one, or a timer beside it, is refused in plain words."""
    app = connected.configure(TIDY)
    async with opened_daemon(connected.surroundings(), app):
        with pytest.raises(Busy, match="is being done by process"):
            await once(connected)


async def test_jobs_wait_for_somebody_at_a_terminal_and_he_is_told_of_them(
    connected: Place,
) -> None:
    """One lock for both."""
    app = connected.configure(TIDY)
    surroundings = connected.surroundings()
    async with (
        app.open_store(create=True) as store,
        turn(store, "collect"),
        opened_daemon(surroundings, app) as daemon,
    ):
        waiting = asyncio.create_task(daemon.run_once(["tidy"]))
        await begun(daemon, "tidy")
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
    async with scripted_registry() as registry:
        registry.add("team/app:1", small_image(1))
        app = connected.configure(f"mirror: ['{registry.host}/team/app:1']\n")
        async with app.open_store() as store, turn(store, "mirror"):
            with pytest.raises(Busy):
                await mirror_configured(app)
        assert (await mirror_configured(app)).error() is None


async def test_a_changed_config_is_taken_over_and_a_bad_one_refused(connected: Place) -> None:
    """The old one goes on, and the pages say why."""
    app = connected.configure(TIDY)
    surroundings = connected.surroundings()
    async with opened_daemon(surroundings, app) as daemon:
        await daemon.start()
        assert daemon.next_run("tidy") is not None
        connected.configure("daemon: {jobs: {weekly: {do: collect, cron: '@weekly'}}}\n")
        assert await read_config_again(surroundings, daemon)
        assert [entry.name for entry in daemon.entries()] == ["weekly"]
        assert daemon.next_run("tidy") is None
        assert daemon.next_run("weekly") is not None
        connected.config_file.write_text(
            "daemon: {jobs: {weekly: {do: colect, cron: '@weekly'}}}\n"
        )
        assert not await read_config_again(surroundings, daemon)
        assert "'colect' is nothing to do" in (daemon.board.problem or "")
        assert daemon.next_run("weekly") is not None
        connected.configure("daemon: {listen: '127.0.0.1:1'}\n")
        assert not await read_config_again(surroundings, daemon)
        assert "restart the daemon" in connected.log.getvalue()
        connected.configure(TIDY)
        assert await read_config_again(surroundings, daemon)
        assert daemon.board.problem is None
        await daemon.stop(1)


async def test_a_stop_gives_time_and_then_cuts_off(connected: Place, tmp_path: Path) -> None:
    """What is in time comes to its end; what is not goes on at the next start."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    app = connected.configure(
        "daemon:\n  jobs:\n    quick: {do: collect, cron: '@weekly'}\n"
        f"    slow: {{do: collect, cron: '@weekly', hooks: {{after: [cat, '{fifo}']}}}}\n"
    )
    async with opened_daemon(connected.surroundings(), app) as daemon:
        await daemon.start()
        assert daemon.begin("quick")
        assert daemon.begin("slow")
        assert not daemon.begin("slow")
        await asyncio.wait([daemon._tasks["quick"]])
        await begun(daemon, "slow")
        await daemon.stop(0.05)
        outcomes = {name: run.outcome for name, run in daemon.history.newest().items()}
    assert outcomes == {"quick": Outcome.SUCCEEDED, "slow": Outcome.CUT_OFF}


async def test_lateness_is_told_once_until_it_went_well_again(
    connected: Place, tmp_path: Path
) -> None:
    """Also for what has never gone well since it is known."""
    told = tmp_path / "told"
    app = connected.configure(
        "daemon:\n"
        f"  notify: {{command: [sh, -c, 'cat >> {told}; echo >> {told}']}}\n"
        "  jobs: {tidy: {do: collect, cron: '30 2 * * *', late-after: 2d}}\n"
    )
    async with opened_daemon(connected.surroundings(), app) as daemon:
        await daemon.start()
        await tell_late(daemon)
        assert not told.exists()
        connected.clock.now += 3 * DAY
        await tell_late(daemon)
        await tell_late(daemon)
        (line,) = told.read_text().splitlines()
        assert json.loads(line)["occasion"] == "late"
        daemon.begin("tidy")
        await settled(daemon)
        connected.clock.now += 3 * DAY
        await tell_late(daemon)
        assert len(told.read_text().splitlines()) == 2
        await daemon.stop(1)


async def test_a_job_may_look_into_folders_and_go_on_with_what_came(
    connected: Place, isolated: Place
) -> None:
    """``import`` as a step, for those who want it at certain times only."""
    carry(await connected.export(), isolated.folder / "inbox")
    isolated.configure(
        "daemon:\n  folders: {inbox: {path: inbox, every: 1d}}\n"
        "  jobs: {nightly: {do: [import inbox, collect], every: 1d}}\n"
    )
    runs = await once(isolated, "nightly")
    assert [run.outcome for run in runs] == [Outcome.SUCCEEDED]
    runs = await once(isolated, "nightly", "inbox")
    assert await isolated.names() == {APP: small_image(1).digest}


async def test_a_stick_with_label_and_marker_gets_the_next_bundle_once(connected: Place) -> None:
    """One without marker or with another label is left alone; no stick gets the same twice."""
    media = connected.folder / "media"
    for name in ("PLANT-1", "PLANT-2", "HOLIDAY"):
        (media / name).mkdir(parents=True)
    (media / "PLANT-1" / "plant.txt").touch()
    (media / "HOLIDAY" / "plant.txt").touch()
    connected.configure(
        "export: {plant: {output: outbox/plant.tar}}\n"
        "daemon: {sticks: {s: {path: media, label: PLANT-*, marker: plant.txt, export: plant}}}\n"
    )
    (run,) = await once(connected)
    assert run.outcome is Outcome.SUCCEEDED
    assert {path.name for path in media.rglob("*.tar*")} == {"plant.tar", "plant.tar.sha256"}
    assert (media / "PLANT-1" / "plant.tar").exists()
    (run,) = await once(connected)
    assert run.outcome is Outcome.NOTHING
