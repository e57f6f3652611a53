"""What was done is remembered, whatever happens to the daemon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airgap.daemon.history import History
from airgap.daemon.records import Arrival, Outcome
from airgap.errors import StoreUnusable


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """An empty history."""
    with closing(History(tmp_path / "daemon.sqlite", sync=False)) as opened:
        yield opened


def test_a_run_is_told_as_it_was_written(history: History) -> None:
    """With its times, its outcome and its whole report."""
    number = history.begin("nightly", "mirror", 100.0)
    assert history.runs()[0].outcome is Outcome.RUNNING
    history.end(number, Outcome.SUCCEEDED, "3 images", {"images": [1]}, 160.0)
    run = history.run(number)
    assert run is not None
    assert (run.name, run.seconds, run.summary, run.report) == (
        "nightly",
        60.0,
        "3 images",
        {"images": [1]},
    )
    mark = history.marks()["nightly"]
    assert (mark.since, mark.begun, mark.succeeded) == (100.0, 100.0, 160.0)


def test_old_runs_of_a_job_go_and_those_of_others_stay(history: History) -> None:
    """The history does not grow over the years."""
    other = history.begin("other", "push", 1.0)
    history.end(other, Outcome.FAILED, "", {}, 2.0, keep=3)
    for moment in range(10):
        number = history.begin("nightly", "mirror", float(moment))
        history.end(number, Outcome.SUCCEEDED, "", {}, moment + 0.5, keep=3)
    assert [run.started for run in history.runs("nightly")] == [9.0, 8.0, 7.0]
    assert len(history.runs("other")) == 1


def test_a_killed_run_is_found_and_made_up_for_once(history: History) -> None:
    """Until the job has run again it counts as cut off, also over several restarts."""
    history.begin("nightly", "mirror", 100.0)
    assert history.cut_off(200.0) == ["nightly"]
    assert history.cut_off(300.0) == ["nightly"]
    assert history.newest()["nightly"].outcome is Outcome.CUT_OFF
    number = history.begin("nightly", "mirror", 300.0)
    history.end(number, Outcome.SUCCEEDED, "", {}, 301.0)
    assert history.cut_off(400.0) == []


def test_a_success_ends_being_late(history: History) -> None:
    """Lateness is told once, until the job went well again."""
    history.mark("nightly", 1.0)
    history.told_late("nightly", 50.0)
    assert history.marks()["nightly"].told_late == 50.0
    history.end(history.begin("nightly", "", 60.0), Outcome.FAILED, "", {}, 61.0)
    assert history.marks()["nightly"].told_late == 50.0
    history.end(history.begin("nightly", "", 70.0), Outcome.NOTHING, "", {}, 71.0)
    assert history.marks()["nightly"].told_late is None


def test_what_became_of_a_bundle_is_replaced_by_what_becomes_of_it_later(history: History) -> None:
    """A refused bundle that is taken in after all is not refused any more."""
    first = Arrival("inbox", "abc", "/in/a.tar", Outcome.REFUSED, "no", 1.0, 1)
    history.arrived(first)
    history.arrived(Arrival("inbox", "abc", "/in/a.tar", Outcome.SUCCEEDED, "", 2.0, 2))
    assert [(found.outcome, found.seen) for found in history.arrivals("inbox")] == [
        (Outcome.SUCCEEDED, 2.0)
    ]


def test_a_newer_history_is_refused_in_plain_words(tmp_path: Path) -> None:
    """A downgrade does not garble it."""
    path = tmp_path / "daemon.sqlite"
    History(path, sync=False).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99'")
    with pytest.raises(StoreUnusable, match="newer airgap"):
        History(path, sync=False)
