"""Doing what is to be done, one run of a name at a time, with everything around it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airgap.app import App
from airgap.config.daemon import HooksSection, Occasion
from airgap.content.events import Emit
from airgap.daemon.board import Activity, Board
from airgap.daemon.history import History
from airgap.daemon.logs import Logger, cleaned, without_secrets
from airgap.daemon.memory import trimmer
from airgap.daemon.notices import Notice, tell
from airgap.daemon.others import Others
from airgap.daemon.programs import ProgramEnd, run_program
from airgap.daemon.records import Outcome, Run
from airgap.daemon.steps import Action, StepEnd, failed
from airgap.errors import AirgapError, Refused
from airgap.operations.watching import Proposal, Watcher

Clock = Callable[[], float]

PATIENCE = 3600.0
"""Seconds that a run waits for somebody else who does the same thing."""

_WORST_LAST = (
    Outcome.NOTHING,
    Outcome.SUCCEEDED,
    Outcome.WAITING,
    Outcome.PARTIAL,
    Outcome.REFUSED,
    Outcome.FAILED,
)
_END_OF_A_JOB = {Outcome.REFUSED, Outcome.FAILED, Outcome.WAITING}


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do, as one run.

    Attributes:
        name: the job, folder or stick.
        actions: what is done, in this order.
        hooks: programs around it.
    """

    name: str
    actions: Sequence[Action]
    hooks: HooksSection

    @property
    def title(self) -> str:
        """What is done, in words."""
        return ", ".join(action.title for action in self.actions)


@dataclass(slots=True)
class _Report:
    steps: list[dict[str, Any]] = field(default_factory=list)
    programs: list[dict[str, Any]] = field(default_factory=list)
    outcome: Outcome = Outcome.NOTHING
    summaries: list[str] = field(default_factory=list)

    def add(self, action: Action, end: StepEnd, seconds: float) -> None:
        self.outcome = max(self.outcome, end.outcome, key=_WORST_LAST.index)
        self.summaries.append(without_secrets(end.summary))
        self.steps.append(
            {
                "step": action.title,
                "outcome": str(end.outcome),
                "summary": without_secrets(end.summary),
                "seconds": round(seconds, 3),
                **end.document,
            }
        )

    def ran(self, when: str, ended: ProgramEnd) -> None:
        self.programs.append({"when": when, **ended.document()})

    @property
    def summary(self) -> str:
        return "; ".join(self.summaries)


class Runner:
    """Runs work; what it does is shown on the board and kept in the history.

    Attributes:
        history: what was done.
        board: what is being done.
        logger: what is said about it.
        clock: the time in seconds since 1970.
        others: those who run the same on other machines.
    """

    def __init__(
        self,
        history: History,
        board: Board,
        logger: Logger,
        clock: Clock = time.time,
        others: Others | None = None,
    ) -> None:
        self.history = history
        self.board = board
        self.logger = logger
        self.clock = clock
        self.others = others or Others()
        self._locks: dict[str, asyncio.Lock] = {}
        self._give_back_memory = trimmer()

    async def run(self, app: App, work: Work) -> Run:
        """Do something, after whatever of the same name is being done.

        What goes wrong is in the run that is returned. A run that is cancelled is written down as
        cut off.

        Raises:
            Busy: on another machine it is being done for longer than we wait.
        """
        async with self._alone(work.name):
            return await self._run(app, work)

    async def run_if(
        self, app: App, work: Work, is_wanted: Callable[[], Awaitable[bool]]
    ) -> Run | None:
        """Do the same, unless it turns out not to be wanted any more when its turn comes."""
        async with self._alone(work.name):
            return await self._run(app, work) if await is_wanted() else None

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        async with self._locks.setdefault(name, asyncio.Lock()), self.others.alone(name):
            try:
                yield
            finally:
                await asyncio.shield(asyncio.to_thread(self._give_back_memory))

    async def _run(self, app: App, work: Work) -> Run:
        logger = self.logger.bind(job=work.name)
        number = await asyncio.to_thread(self.history.begin, work.name, work.title, self.clock())
        activity = Activity(work.name, work.title, number, self.clock())
        emit = self.board.begin(activity)
        logger.info("run begins", run=number, doing=work.title)
        report = _Report()
        try:
            await self._perform(app, work, activity, emit, report)
            after = await self._after(app, work, number, report)
        except asyncio.CancelledError:
            summary = f"cut off while it was at: {activity.step}"
            await asyncio.shield(self._end(app, number, Outcome.CUT_OFF, summary, report))
            logger.warning("run cut off", run=number, step=activity.step)
            raise
        except BaseException as error:
            # A mistake of ours: the scheduler logs where, and others go on.
            summary = f"ended in an unexpected way: {type(error).__name__}"
            await asyncio.shield(self._end(app, number, Outcome.FAILED, summary, report))
            raise
        finally:
            self.board.end(work.name)
        run = await self._end(app, number, report.outcome, report.summary, report)
        say = logger.info if run.outcome.is_good else logger.warning
        say("run ended", run=number, outcome=str(run.outcome), summary=run.summary)
        if after is not None and not after.is_good:
            logger.warning("after-hook failed", exit_code=after.code, trouble=after.trouble)
        await self._tell(app, run)
        return run

    async def _perform(
        self, app: App, work: Work, activity: Activity, emit: Emit, report: _Report
    ) -> None:
        async def ask(proposal: Proposal) -> None:
            await self._ask(work, proposal, report)

        watcher = Watcher(emit, ask, PATIENCE)
        loop = asyncio.get_running_loop()
        for action in work.actions:
            activity.step = action.title
            started = loop.time()
            try:
                end = await action.act(app, watcher)
            except AirgapError as error:
                end = failed(error)
            report.add(action, end, loop.time() - started)
            if end.outcome in _END_OF_A_JOB:
                break

    async def _ask(self, work: Work, proposal: Proposal, report: _Report) -> None:
        command = work.hooks.before_publish
        if not command:
            return
        document = {"when": "before-publish", "job": work.name, **proposal}
        ended = await run_program(command, document, within=work.hooks.within)
        report.ran("before-publish", ended)
        if not ended.is_good:
            cause = ended.trouble or f"ended with {ended.code}"
            raise Refused(
                f"before-publish hook {command[0]}",
                cause,
                "its output is kept with the run; nothing was published",
            )

    async def _after(self, app: App, work: Work, number: int, report: _Report) -> ProgramEnd | None:
        command = work.hooks.after
        if not command:
            return None
        document = {
            "when": "after",
            "job": work.name,
            "run": number,
            **self._document(report),
        }
        ended = await run_program(command, document, within=work.hooks.within)
        report.ran("after", ended)
        return ended

    async def _end(
        self, app: App, number: int, outcome: Outcome, summary: str, report: _Report
    ) -> Run:
        document = cleaned("", {**self._document(report), "programs": report.programs})
        return await asyncio.to_thread(
            self.history.end,
            number,
            outcome,
            summary,
            document,
            self.clock(),
            keep=app.config.daemon.history,
        )

    def _document(self, report: _Report) -> Mapping[str, Any]:
        return {
            "outcome": str(report.outcome),
            "summary": report.summary,
            "ended": datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="seconds"),
            "steps": report.steps,
        }

    async def _tell(self, app: App, run: Run) -> None:
        if run.outcome.is_bad:
            occasion = Occasion.FAILURE
        elif run.outcome is Outcome.SUCCEEDED:
            occasion = Occasion.SUCCESS
        else:
            return
        notice = Notice(occasion, run.name, run.summary, {"run": run.number, **run.report})
        await tell(app.config.daemon.notify, notice, self.logger)
