"""The daemon: what the config says, at the times that it says, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from airgap.app import App
from airgap.config.daemon import FolderSection, JobSection, Step, StickSection, Verb
from airgap.daemon.board import Board
from airgap.daemon.folders import FolderWatch, News
from airgap.daemon.history import History
from airgap.daemon.logs import Logger
from airgap.daemon.records import Outcome, Run
from airgap.daemon.runner import Runner, Work
from airgap.daemon.steps import Action, StepEnd, action_of
from airgap.daemon.sticks import StickWatch
from airgap.daemon.timetable import EveryTrigger, Timetable
from airgap.errors import NotFound
from airgap.operations.sizes import counted, human_span
from airgap.operations.turns import Busy
from airgap.operations.watching import Watcher

_LAST_BREATH = 10.0
"""Seconds in which what was cut off must come to its end."""

BETWEEN_LOOKS = 2.0
"""Seconds between the two looks that a single pass takes into a drop folder, at most."""

Watch = TypeVar("Watch", FolderWatch, StickWatch)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is done again and again.

    Attributes:
        name: the job, folder or stick.
        kind: which of the three.
        title: what is done, in words.
        when: when, in words.
        late_after: seconds after the last success from which on it is late; None for never.
    """

    name: str
    kind: str
    title: str
    when: str
    late_after: float | None


class Daemon:
    """Everything that is done by itself.

    Attributes:
        app: the config in use, and its places.
        runner: does what is done, one after the other where the name is the same.
    """

    def __init__(self, app: App, runner: Runner) -> None:
        self.app = app
        self.runner = runner
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._folders: dict[str, FolderWatch] = {}
        self._sticks: dict[str, StickWatch] = {}
        self._news = News()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._cut_off: frozenset[str] = frozenset()

    @property
    def board(self) -> Board:
        """What is being done."""
        return self.runner.board

    @property
    def history(self) -> History:
        """What was done."""
        return self.runner.history

    @property
    def logger(self) -> Logger:
        """What is said about it."""
        return self.runner.logger

    # Beginning and end

    async def start(self) -> None:
        """Begin; what a daemon before was cut off from is made up for."""
        await self._find_cut_off()
        self._scheduler.start()
        await self._plan()

    async def reload(self, app: App) -> None:
        """Go on by another config; what is being done comes to its end by the old one."""
        self.app = app
        self._news.count += 1
        await self._plan()
        self.logger.info("config read", jobs=len(app.config.daemon.jobs))

    async def stop(self, within: float) -> None:
        """Begin nothing more, let what is being done end in time, and cut off the rest."""
        self._scheduler.shutdown(wait=False)
        tasks = set(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_LAST_BREATH)

    async def run_once(
        self, names: Sequence[str] = (), *, between_looks: float = BETWEEN_LOOKS
    ) -> list[Run]:
        """Do what is due, or what is named, one after the other; return what was done.

        Args:
            names: jobs, folders and sticks; none means what is due, and a look everywhere.
            between_looks: seconds between the two looks into a folder where something lies.

        Raises:
            NotFound: a name is not in the config.
        """
        await self._find_cut_off()
        self._make_watches()
        unknown = set(names) - {entry.name for entry in self.entries()}
        if unknown:
            raise _unknown(min(unknown))
        runs: list[Run] = []
        for name, job in self.app.config.daemon.jobs.items():
            now = self._now()
            is_due = await self._first(name, job) <= now
            if name in names or (not names and is_due):
                run = await self._run_job(name, job, None if name in names else now)
                runs += [run] if run is not None else []
        for name, folder in self._folders.items():
            if not names or name in names:
                runs += await folder.look(self.app)
                if folder.has_unsettled:
                    await asyncio.sleep(min(folder.section.every, between_looks))
                    runs += await folder.look(self.app)
        for name, stick in self._sticks.items():
            if not names or name in names:
                runs += await stick.look(self.app)
        return runs

    async def _find_cut_off(self) -> None:
        running = await asyncio.to_thread(self.history.running)
        # Asked for in this order: a run that was open, and whose name nobody is at now, is dead.
        alive = await self.runner.others.busy_with(running.values())
        dead = [number for number, name in running.items() if name not in alive]
        found = await asyncio.to_thread(self.history.cut_off, self.runner.clock(), dead)
        self._cut_off = frozenset(found)

    # Planning

    def entries(self) -> list[Entry]:
        """Return everything that the config wants to be done."""
        section = self.app.config.daemon
        return [
            *(_job_entry(name, job) for name, job in section.jobs.items()),
            *(_folder_entry(name, folder) for name, folder in section.folders.items()),
            *(_stick_entry(name, stick) for name, stick in section.sticks.items()),
        ]

    def next_run(self, name: str) -> datetime | None:
        """Return when something is done next; None where that is not planned."""
        planned = self._scheduler.get_job(name)
        found: datetime | None = planned.next_run_time if planned is not None else None
        return found

    async def _plan(self) -> None:
        self._make_watches()
        for name, job in self.app.config.daemon.jobs.items():
            first = await self._first(name, job)
            self._schedule(name, self._timetable(job).trigger(first), first)
        watches: dict[str, FolderWatch | StickWatch] = {**self._folders, **self._sticks}
        for name, watch in watches.items():
            await asyncio.to_thread(self.history.mark, name, self.runner.clock())
            now = self._now()
            self._schedule(name, EveryTrigger(watch.section.every, now), now)
        wanted = {entry.name for entry in self.entries()}
        for planned in self._scheduler.get_jobs():
            if planned.id not in wanted:
                planned.remove()

    def _schedule(self, name: str, trigger: object, first: datetime) -> None:
        self._scheduler.add_job(
            self._fire,
            trigger,
            args=(name,),
            id=name,
            replace_existing=True,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=first,
        )

    def _make_watches(self) -> None:
        section = self.app.config.daemon
        folders = {
            name: FolderWatch(name, folder, section.hooks, self.runner, self._news)
            for name, folder in section.folders.items()
        }
        sticks = {
            name: StickWatch(name, stick, section.hooks, self.runner)
            for name, stick in section.sticks.items()
        }
        # What has not changed goes on knowing what it has seen.
        self._folders = {name: _kept(self._folders.get(name), new) for name, new in folders.items()}
        self._sticks = {name: _kept(self._sticks.get(name), new) for name, new in sticks.items()}

    def _timetable(self, job: JobSection) -> Timetable:
        return Timetable.of(job, self.app.config.daemon.timezone)

    async def _first(self, name: str, job: JobSection) -> datetime:
        mark = await asyncio.to_thread(self.history.mark, name, self.runner.clock())
        now = self._now()
        if name in self._cut_off:
            return now
        last = datetime.fromtimestamp(mark.begun, UTC) if mark.begun is not None else None
        since = datetime.fromtimestamp(mark.since, UTC)
        return self._timetable(job).first(last, since, now)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.runner.clock(), UTC)

    # Doing

    def begin(self, name: str, due: datetime | None = None) -> bool:
        """Begin something now; False where it is being done already.

        Args:
            name: a job, folder or stick.
            due: since when it is due; None where somebody wants it now, due or not.

        Raises:
            NotFound: nothing has this name.
        """
        if name not in {entry.name for entry in self.entries()}:
            raise _unknown(name)
        if name in self._tasks:
            return False
        self._tasks[name] = asyncio.create_task(self._do(name, due), name=name)
        self._tasks[name].add_done_callback(partial(self._done, name))
        return True

    async def _fire(self, name: str) -> None:
        try:
            if not self.begin(name, self._now()) and name in self.app.config.daemon.jobs:
                self.logger.warning("still running, so this time is left out", job=name)
        except NotFound:
            # The config has just changed.
            return

    async def _do(self, name: str, due: datetime | None) -> None:
        job = self.app.config.daemon.jobs.get(name)
        try:
            if job is not None:
                await self._run_job(name, job, due)
            elif name in self._folders:
                await self._folders[name].look(self.app)
            elif name in self._sticks:
                await self._sticks[name].look(self.app)
        except Busy as busy:
            self.logger.warning("this time is left out", job=name, cause=str(busy))

    async def _run_job(self, name: str, job: JobSection, due: datetime | None) -> Run | None:
        """Run a job, unless another daemon has done meanwhile what was due."""

        async def is_wanted() -> bool:
            marks = await asyncio.to_thread(self.history.marks)
            begun = marks[name].begun if name in marks else None
            if due is None or begun is None or name in cut_off or not others.can_be:
                return True
            last = datetime.fromtimestamp(begun, UTC)
            return not self._timetable(job).is_done(last, due)

        others = self.runner.others
        cut_off, self._cut_off = self._cut_off, self._cut_off - {name}
        return await self.runner.run_if(self.app, self._work(name, job), is_wanted)

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        if not task.cancelled() and task.exception() is not None:
            self.logger.error("unexpected error", job=name, exc_info=task.exception())

    def _work(self, name: str, job: JobSection) -> Work:
        actions = tuple(self._action(step) for step in job.do)
        return Work(name, actions, job.hooks or self.app.config.daemon.hooks)

    def _action(self, step: Step) -> Action:
        if step.verb is not Verb.IMPORT:
            return action_of(step)
        wanted = [self._folders[step.what]] if step.what else list(self._folders.values())
        return Action(str(step), partial(_look_into, wanted))


async def _look_into(folders: Sequence[FolderWatch], app: App, watcher: Watcher) -> StepEnd:
    del watcher
    runs = [run for folder in folders for run in await folder.look(app)]
    if not runs:
        return StepEnd(Outcome.NOTHING, "no new bundle")
    good = all(run.outcome.is_good for run in runs)
    return StepEnd(
        Outcome.SUCCEEDED if good else Outcome.PARTIAL,
        f"{counted(len(runs), 'bundle')}: " + "; ".join(run.summary for run in runs),
        {"runs": [run.number for run in runs]},
    )


def _kept(old: Watch | None, new: Watch) -> Watch:
    """Return the watch that is there, if the new one would do the same."""
    if old is not None and (old.section, old.hooks) == (new.section, new.hooks):
        return old
    return new


def _job_entry(name: str, job: JobSection) -> Entry:
    when = str(job.cron) if job.cron is not None else f"every {human_span(job.every or 0)}"
    return Entry(name, "job", ", ".join(map(str, job.do)), when, job.late_after)


def _folder_entry(name: str, folder: FolderSection) -> Entry:
    when = f"looked into every {human_span(folder.every)}"
    return Entry(name, "folder", f"import from {folder.path}", when, folder.late_after)


def _stick_entry(name: str, stick: StickSection) -> Entry:
    when = f"looked for every {human_span(stick.every)}"
    return Entry(name, "stick", f"export {stick.export} to sticks", when, None)


def _unknown(name: str) -> NotFound:
    return NotFound(name, "is no job, folder or stick of the config", "see the section `daemon`")
