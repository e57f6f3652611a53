"""What was done is remembered, whatever happens to the daemon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from airgap.daemon.history import History
from airgap.daemon.history_schema import HISTORY
from airgap.daemon.records import Arrival, Outcome
from airgap.errors import StoreUnusable

RELEASED = {path.stem: path for path in (Path(__file__).parent / "released").glob("history-*.sql")}


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """An empty history."""
    with closing(History.at(tmp_path / "daemon.sqlite", sync=False)) as opened:
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
    History.at(path, sync=False).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99'")
    with pytest.raises(StoreUnusable, match="newer airgap"):
        History.at(path, sync=False)


def test_a_newer_history_is_left_as_it_is(tmp_path: Path) -> None:
    """Not even a table that it has given up is made again."""
    path = tmp_path / "daemon.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE meta (key TEXT, value TEXT);"
            "INSERT INTO meta VALUES ('schema_version', '99');"
        )
    with pytest.raises(StoreUnusable, match="history version 99"):
        History.at(path, sync=False)
    assert _shape(path).keys() == {"meta"}


def test_a_damaged_history_is_told_apart_from_a_damaged_catalog(tmp_path: Path) -> None:
    """It can go without any harm, and the error says so."""
    path = tmp_path / "daemon.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnusable, match="is damaged") as damage:
        History.at(path, sync=False)
    assert "move this file away" in damage.value.hint


def test_every_released_schema_has_been_put_by() -> None:
    """A new version comes with a script of what it makes, so that later ones are held to it."""
    assert set(RELEASED) == {f"history-{number}" for number in range(1, HISTORY.version + 1)}


@pytest.mark.parametrize("released", RELEASED)
def test_a_history_of_each_released_version_is_brought_up_to_this_one(
    released: str, tmp_path: Path
) -> None:
    """With everything in it; and its tables are like those of a new one."""
    path, new = tmp_path / "daemon.sqlite", tmp_path / "new.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(RELEASED[released].read_text())
    with closing(History.at(path, sync=False)) as history:
        nightly, inbox, first = history.runs()
        assert (nightly.name, nightly.outcome, nightly.ended) == ("nightly", Outcome.RUNNING, None)
        assert (inbox.outcome, inbox.summary) == (Outcome.REFUSED, "signature")
        assert (first.seconds, first.report) == (60.5, {"steps": [{"what": "mirror", "images": 3}]})
        assert history.marks()["nightly"].succeeded == 1700000060.5
        assert history.marks()["inbox"].told_late == 1700000200.0
        (arrival,) = history.arrivals("inbox")
        assert (arrival.fingerprint, arrival.run) == ("9f2c-1", inbox.number)
        assert history.cut_off(1700000400.0) == ["nightly"]
    History.at(new, sync=False).close()
    assert _shape(path) == _shape(new)


def _shape(path: Path) -> dict[str, list[str]]:
    """Return the columns and indexes of each table."""
    engine = create_engine(f"sqlite:///{path}")
    inspector = inspect(engine)
    shape = {
        table: [
            *(f"{c['name']} {c['type']} {c['nullable']}" for c in inspector.get_columns(table)),
            *(f"{index['name']} {index['column_names']}" for index in inspector.get_indexes(table)),
            *inspector.get_pk_constraint(table)["constrained_columns"],
        ]
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return shape
