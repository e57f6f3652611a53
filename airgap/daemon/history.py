"""What was done, kept in a small database beside the catalog, so that it outlives the daemon.

Where daemons on several machines share a store they share its history, too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    delete,
    func,
    insert,
    select,
    true,
    update,
)

from airgap.daemon.history_schema import arrivals as _arrivals
from airgap.daemon.history_schema import marks as _marks
from airgap.daemon.history_schema import prepare
from airgap.daemon.history_schema import runs as _runs
from airgap.daemon.records import Arrival, Document, Mark, Outcome, Run
from airgap.store.database import Database, insert_new, insert_or_replace, open_sqlite

REMEDY = "move this file away: what was done is forgotten then, and nothing else"


class History:
    """The history of one store's daemon. Everything here blocks; use it in worker threads."""

    def __init__(self, database: Database, name: str) -> None:
        """Prepare it; this closes the database in the end.

        Args:
            database: where it is, or is to be.
            name: what a person knows that by.

        Raises:
            StoreUnusable: a newer version has written it, or it is damaged.
            NotPermitted, NoSpace: it cannot be written.
        """
        self._database = database
        try:
            with self._database.writing() as connection:
                prepare(connection, name)
        except BaseException:
            self._database.close()
            raise

    @classmethod
    def at(cls, path: Path, *, sync: bool = True) -> Self:
        """Open the one in a file, which is made where it is not there."""
        database = open_sqlite(path, sync=sync, writable=True, remedy=REMEDY)
        return cls(database, str(path))

    def close(self) -> None:
        """Close it."""
        self._database.close()

    # Runs

    def begin(self, name: str, title: str, now: float) -> int:
        """Write down that something has begun; return its number.

        A name is never run twice at a time, so a run of it that is open still has died.
        """
        with self._database.writing() as connection:
            _close_open(connection, _runs.c.name == name, now)
            done = connection.execute(
                insert(_runs).values(
                    name=name,
                    title=title,
                    started=now,
                    outcome=Outcome.RUNNING.value,
                    summary="",
                    report="{}",
                )
            )
            insert_new(connection, _marks, [{"name": name, "since": now}])
            connection.execute(update(_marks).where(_marks.c.name == name).values(begun=now))
            (number,) = done.inserted_primary_key or (0,)
        return int(number)

    def end(
        self,
        number: int,
        outcome: Outcome,
        summary: str,
        report: Document,
        now: float,
        *,
        keep: int = 200,
    ) -> Run:
        """Write down how it ended; older runs of the same name than ``keep`` go."""
        with self._database.writing() as connection:
            connection.execute(
                update(_runs)
                .where(_runs.c.id == number)
                .values(
                    ended=now,
                    outcome=outcome.value,
                    summary=summary,
                    report=json.dumps(report),
                )
            )
            run = _run(connection.execute(select(_runs).where(_runs.c.id == number)).one())
            if outcome.is_good:
                connection.execute(
                    update(_marks)
                    .where(_marks.c.name == run.name)
                    .values(succeeded=now, told_late=None)
                )
            oldest = (
                select(_runs.c.id)
                .where(_runs.c.name == run.name)
                .order_by(_runs.c.id.desc())
                .limit(1)
                .offset(keep)
                .scalar_subquery()
            )
            connection.execute(delete(_runs).where(_runs.c.name == run.name, _runs.c.id <= oldest))
        return run

    def running(self) -> Mapping[int, str]:
        """Return the runs that are open: their numbers and names."""
        query = select(_runs).where(_runs.c.outcome == Outcome.RUNNING.value)
        return {run.number: run.name for run in self._select(query)}

    def cut_off(self, now: float, dead: Collection[int] | None = None) -> Sequence[str]:
        """Close the runs that a killed daemon has left open; return whose they were.

        Also those that the last daemon has cut off itself and that have not run since.

        Args:
            now: seconds since 1970.
            dead: which of the open runs; all where None.
        """
        newest = select(func.max(_runs.c.id)).group_by(_runs.c.name)
        with self._database.writing() as connection:
            _close_open(connection, true() if dead is None else _runs.c.id.in_(dead), now)
            rows = connection.execute(
                select(_runs.c.name).where(
                    _runs.c.id.in_(newest), _runs.c.outcome == Outcome.CUT_OFF.value
                )
            )
            return [str(name) for name in rows.scalars()]

    def run(self, number: int) -> Run | None:
        """Return one run."""
        found = self._select(select(_runs).where(_runs.c.id == number))
        return found[0] if found else None

    def runs(self, name: str | None = None, limit: int = 50) -> Sequence[Run]:
        """Return the newest runs, newest first."""
        query = select(_runs).order_by(_runs.c.id.desc()).limit(limit)
        return self._select(query if name is None else query.where(_runs.c.name == name))

    def newest(self) -> Mapping[str, Run]:
        """Return the newest run of each name that has ended."""
        ended = select(func.max(_runs.c.id)).where(_runs.c.ended.is_not(None))
        found = self._select(select(_runs).where(_runs.c.id.in_(ended.group_by(_runs.c.name))))
        return {run.name: run for run in found}

    def _select(self, query: Select[Any]) -> list[Run]:
        with self._database.reading() as connection:
            return [_run(row) for row in connection.execute(query)]

    # Marks

    def mark(self, name: str, now: float) -> Mark:
        """Return what is remembered of a name; from now on, where nothing was."""
        with self._database.writing() as connection:
            insert_new(connection, _marks, [{"name": name, "since": now}])
        return self.marks()[name]

    def marks(self) -> Mapping[str, Mark]:
        """Return what is remembered of each name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_marks))
            return {
                row.name: Mark(row.since, row.begun, row.succeeded, row.told_late) for row in rows
            }

    def told_late(self, name: str, now: float | None) -> None:
        """Remember that somebody was told that a name is late."""
        with self._database.writing() as connection:
            connection.execute(update(_marks).where(_marks.c.name == name).values(told_late=now))

    # Arrivals

    def arrived(self, arrival: Arrival) -> None:
        """Remember what became of a bundle.

        Once it is taken in, what it waited for or failed of before is forgotten.
        """
        row = {
            "folder": arrival.folder,
            "fingerprint": arrival.fingerprint,
            "path": arrival.path,
            "outcome": arrival.outcome.value,
            "reason": arrival.reason,
            "seen": arrival.seen,
            "run": arrival.run,
        }
        changing = ("path", "outcome", "reason", "seen", "run")
        with self._database.writing() as connection:
            if arrival.outcome is Outcome.SUCCEEDED:
                bundle = arrival.fingerprint.partition("-")[0]
                connection.execute(
                    delete(_arrivals).where(
                        _arrivals.c.folder == arrival.folder,
                        _arrivals.c.fingerprint.startswith(bundle, autoescape=True),
                        _arrivals.c.outcome != Outcome.REFUSED.value,
                    )
                )
            insert_or_replace(connection, _arrivals, [row], replaced=changing)

    def arrivals(self, folder: str | None = None) -> Sequence[Arrival]:
        """Return what became of all bundles, newest first."""
        query = select(_arrivals).order_by(_arrivals.c.seen.desc(), _arrivals.c.path)
        if folder is not None:
            query = query.where(_arrivals.c.folder == folder)
        with self._database.reading() as connection:
            return [
                Arrival(
                    row.folder,
                    row.fingerprint,
                    row.path,
                    Outcome(row.outcome),
                    row.reason,
                    row.seen,
                    row.run,
                )
                for row in connection.execute(query)
            ]


def _close_open(connection: Connection, which: ColumnElement[bool], now: float) -> None:
    connection.execute(
        update(_runs)
        .where(_runs.c.outcome == Outcome.RUNNING.value, which)
        .values(
            ended=now,
            outcome=Outcome.CUT_OFF.value,
            summary="the daemon ended before it did",
        )
    )


def _run(row: Row[Any]) -> Run:
    report: Document = {}
    with suppress(ValueError):
        report = json.loads(row.report)
    return Run(
        row.id,
        row.name,
        row.title,
        row.started,
        row.ended,
        Outcome(row.outcome),
        row.summary,
        report,
    )
