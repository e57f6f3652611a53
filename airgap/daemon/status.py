"""How everything stands, read together for the pages, for machines and for metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import airgap
from airgap.bundle.ledger import ChannelStatus, DeliveryRecord
from airgap.daemon.board import Activity
from airgap.daemon.records import Arrival, Outcome, Run
from airgap.daemon.service import Daemon, Entry
from airgap.errors import AirgapError
from airgap.store.figures import StoreFigures, store_figures
from airgap.store.journal import StoreJournal
from airgap.store.ledger import StoreLedger
from airgap.usecases.status import StoreStatus, read_status

_SHOWN_RUNS = 30
_SHOWN_ARRIVALS = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One job, folder or stick.

    Attributes:
        entry: what the config says of it.
        last: its last run that has ended.
        succeeded: when it went well last; seconds since 1970.
        next: when it is done next.
        activity: what of it is being done right now.
        is_late: whether the last success is too long ago.
        absent: why a folder cannot be looked into.
    """

    entry: Entry
    last: Run | None
    succeeded: float | None
    next: datetime | None
    activity: Activity | None
    is_late: bool
    absent: str | None

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should look."""
        return self.is_late or (self.last is not None and self.last.outcome.is_bad)


@dataclass(frozen=True, slots=True)
class Status:
    """How everything stands at one moment.

    Attributes:
        now: that moment.
        started: when the daemon began; seconds since 1970.
        lines: jobs, folders and sticks.
        runs: the newest runs, newest first.
        arrivals: what became of the newest bundles of all folders.
        problem: why the config on the disk is not the one in use.
        store: what the store holds; None where it cannot be opened.
        store_problem: why not.
        channels: where the channels stand.
        bytes_moved: bytes of content that have moved since the daemon began.
    """

    now: datetime
    started: float
    lines: Sequence[Line]
    runs: Sequence[Run]
    arrivals: Sequence[Arrival]
    problem: str | None
    store: StoreFigures | None
    store_problem: str | None
    channels: StoreStatus
    bytes_moved: int
    version: str = field(default=airgap.__version__)

    @property
    def troubles(self) -> list[str]:
        """What somebody should look at, each in a sentence."""
        found = [f"the config on the disk is not in use: {self.problem}"] if self.problem else []
        if self.store_problem:
            found.append(self.store_problem)
        for line in self.lines:
            if line.is_late:
                found.append(f"{line.entry.name} is late")
            if line.last is not None and line.last.outcome.is_bad:
                found.append(f"{line.entry.name}: {line.last.outcome}")
        return found

    @property
    def refusals(self) -> list[Arrival]:
        """Bundles that were not taken in."""
        return [arrival for arrival in self.arrivals if arrival.outcome is not Outcome.SUCCEEDED]

    def document(self) -> dict[str, Any]:
        """Return it for a machine."""
        return {
            "version": self.version,
            "now": self.now.isoformat(timespec="seconds"),
            "started": moment(self.started),
            "ok": not self.troubles,
            "troubles": self.troubles,
            "jobs": [_line_document(line) for line in self.lines],
            "running": [activity_document(a) for line in self.lines if (a := line.activity)],
            "runs": [run_document(run, report=False) for run in self.runs],
            "channels": _channels_document(self.channels),
            "arrivals": [_arrival_document(arrival) for arrival in self.arrivals],
            "store": _figures_document(self.store) if self.store is not None else None,
            "bytes_moved": self.bytes_moved,
        }


class StatusReader:
    """Reads how everything stands; what costs a look into the store is kept for a moment."""

    def __init__(self, daemon: Daemon, started: float, *, fresh_for: float = 10.0) -> None:
        self._daemon = daemon
        self._started = started
        self._fresh_for = fresh_for
        self._read_at = float("-inf")
        self._store: tuple[StoreFigures | None, str | None, StoreStatus] | None = None
        self._lock = asyncio.Lock()

    async def read(self) -> Status:
        """Return how everything stands."""
        daemon = self._daemon
        history = daemon.history
        now = daemon.runner.clock()
        newest = await asyncio.to_thread(history.newest)
        marks = await asyncio.to_thread(history.marks)
        runs = await asyncio.to_thread(history.runs, None, _SHOWN_RUNS)
        arrivals = await asyncio.to_thread(history.arrivals)
        figures, store_problem, channels = await self._of_store()
        late = await late_names(daemon)
        lines = [
            Line(
                entry,
                newest.get(entry.name),
                marks[entry.name].succeeded if entry.name in marks else None,
                daemon.next_run(entry.name),
                daemon.board.activities.get(entry.name),
                entry.name in late,
                daemon.board.absent.get(entry.name),
            )
            for entry in daemon.entries()
        ]
        return Status(
            datetime.fromtimestamp(now, UTC),
            self._started,
            lines,
            runs,
            arrivals[:_SHOWN_ARRIVALS],
            daemon.board.problem,
            figures,
            store_problem,
            channels,
            daemon.board.bytes_moved,
        )

    async def _of_store(self) -> tuple[StoreFigures | None, str | None, StoreStatus]:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._store is None or now - self._read_at > self._fresh_for:
                self._store = await self._look_into_store()
                self._read_at = now
            return self._store

    async def _look_into_store(self) -> tuple[StoreFigures | None, str | None, StoreStatus]:
        app = self._daemon.app
        try:
            async with app.open_store() as store:
                channels = await read_status(
                    StoreLedger(store), StoreJournal(store), tuple(app.config.exports), only=False
                )
                return await store_figures(store), None, channels
        except AirgapError as error:
            return None, str(error), StoreStatus((), (), ())


def to_carry(channel: ChannelStatus) -> list[DeliveryRecord]:
    """Return the bundles that bring a destination up to date: the newest, and what it stands on."""
    confirmed = channel.confirmed.sequence if channel.confirmed is not None else 0
    numbered = {record.sequence: record for record in channel.history}
    found: list[DeliveryRecord] = []
    record = channel.last
    while record is not None and record.sequence > confirmed:
        found.append(record)
        record = numbered.get(record.base) if record.base is not None else None
    return list(reversed(found))


async def late_names(daemon: Daemon) -> Mapping[str, float]:
    """Return what is late, each with the moment of its last success, or of its first sight."""
    marks = await asyncio.to_thread(daemon.history.marks)
    now = daemon.runner.clock()
    late: dict[str, float] = {}
    for entry in daemon.entries():
        mark = marks.get(entry.name)
        if entry.late_after is None or mark is None:
            continue
        last = mark.succeeded if mark.succeeded is not None else mark.since
        if now - last > entry.late_after:
            late[entry.name] = last
    return late


def moment(seconds: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def run_document(run: Run, *, report: bool = True) -> dict[str, Any]:
    """Return a run for a machine."""
    document: dict[str, Any] = {
        "run": run.number,
        "name": run.name,
        "title": run.title,
        "started": moment(run.started),
        "ended": moment(run.ended),
        "seconds": round(run.seconds, 3) if run.seconds is not None else None,
        "outcome": str(run.outcome),
        "summary": run.summary,
    }
    return {**document, "report": run.report} if report else document


def activity_document(activity: Activity) -> dict[str, Any]:
    """Return what is being done for a machine."""
    return {
        "name": activity.name,
        "run": activity.number,
        "step": activity.step,
        "started": moment(activity.started),
        "images": {
            "begun": activity.images_started,
            "done": activity.images_done,
            "failed": activity.images_failed,
        },
        "bytes": {"done": activity.bytes_done, "begun": activity.bytes_expected},
        "moving": [
            {"blob": digest, "size": size, "done": done}
            for digest, (size, done) in activity.moving.items()
        ],
        "notes": list(activity.notes),
    }


def _line_document(line: Line) -> dict[str, Any]:
    return {
        "name": line.entry.name,
        "kind": line.entry.kind,
        "does": line.entry.title,
        "when": line.entry.when,
        "next": line.next.astimezone(UTC).isoformat(timespec="seconds") if line.next else None,
        "last": run_document(line.last, report=False) if line.last is not None else None,
        "last_success": moment(line.succeeded),
        "running": line.activity is not None,
        "late": line.is_late,
        "absent": line.absent,
    }


def _arrival_document(arrival: Arrival) -> dict[str, Any]:
    return {
        "folder": arrival.folder,
        "path": arrival.path,
        "outcome": str(arrival.outcome),
        "reason": arrival.reason,
        "seen": moment(arrival.seen),
        "run": arrival.run,
    }


def _channels_document(channels: StoreStatus) -> dict[str, Any]:
    return {
        "sending": {
            channel.channel: {
                "last": _record_document(channel.last),
                "confirmed": _record_document(channel.confirmed),
                "outstanding": len(channel.outstanding),
                "to_carry": [
                    str(file.path) for record in to_carry(channel) for file in record.files
                ],
            }
            for channel in channels.sending
        },
        "receiving": {
            bundle.channel: {"sequence": bundle.sequence, "received": moment(bundle.received)}
            for bundle in channels.receiving
        },
        "unfinished": [entry.number for entry in channels.unfinished],
    }


def _record_document(record: DeliveryRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "sequence": record.sequence,
        "kind": str(record.kind),
        "created": record.created.isoformat(),
        "standing": str(record.standing),
        "bytes": record.bytes,
        "files": [str(file.path) for file in record.files],
    }


def _figures_document(figures: StoreFigures) -> dict[str, Any]:
    return {
        "blobs": figures.blobs,
        "bytes": figures.bytes,
        "bytes_without_deduplication": figures.named_bytes,
        "repositories": figures.repositories,
        "names": figures.names,
        "free_bytes": figures.free_bytes,
    }
