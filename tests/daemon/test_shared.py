"""Daemons on two machines that share a store by a real PostgreSQL do each thing once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airgap.daemon.records import Outcome
from airgap.daemon.unattended import Surroundings, opened_daemon
from airgap.operations.turns import Busy
from tests.daemon.places import Place
from tests.support.postgres import PostgresServer, running_postgres

DAY = 86400.0
TIDY = "daemon: {jobs: {tidy: {do: collect, cron: '30 2 * * *'}}}\n"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, postgres: PostgresServer) -> Iterator[Place]:
    """A store with its catalog in that, and a nightly job."""
    made = Place(tmp_path)
    with postgres.new_database() as found:
        database = f"database: {{url: '{found.url}'}}"
        made.config_file.write_text(f"store: {{path: store, {database}}}\n{TIDY}")
        yield made


def machine(place: Place, name: str) -> Surroundings:
    """Return one of the machines that have the same config."""
    return replace(place.surroundings(), machine=name)


async def test_what_is_due_on_two_machines_is_done_once(place: Place) -> None:
    """Whichever is quicker does it, and both show it."""
    app = place.load()
    async with (
        opened_daemon(machine(place, "one"), app) as one,
        opened_daemon(machine(place, "two"), app) as two,
    ):
        for _ in range(2):
            # At the first sight a nightly job is not due yet.
            await asyncio.gather(one.run_once(), two.run_once())
            place.clock.now += DAY
        (run,) = one.history.runs("tidy")
        assert run.outcome is Outcome.SUCCEEDED
        assert two.history.runs("tidy") == [run]
        assert len(await two.run_once(["tidy"])) == 1


async def test_a_machine_that_starts_leaves_the_runs_of_another_alone(place: Place) -> None:
    """And makes up for those of one that has died."""
    app = place.load()
    async with opened_daemon(machine(place, "one"), app) as one:
        async with one.runner.others.alone("tidy"):
            one.history.begin("tidy", "collect", place.clock())
            async with opened_daemon(machine(place, "two"), app) as two:
                assert await two.run_once() == []
                assert list(two.history.running().values()) == ["tidy"]
        async with opened_daemon(machine(place, "two"), app) as two:
            (made_up,) = await two.run_once()
            assert two.history.running() == {}
            assert [run.outcome for run in two.history.runs("tidy")] == [
                made_up.outcome,
                Outcome.CUT_OFF,
            ]


async def test_each_machine_has_one_daemon(place: Place) -> None:
    """A second one there is refused."""
    app = place.load()
    async with opened_daemon(machine(place, "one"), app):
        with pytest.raises(Busy):
            async with opened_daemon(machine(place, "one"), app):
                pass
