"""Drop folders: what arrives is taken in, once, and put where the config wants it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiofiles

from airgap.app import App
from airgap.bundle.volumes import MAX_INDEX_SIZE
from airgap.config.daemon import Done, FolderSection, HooksSection, Unwanted
from airgap.daemon import folder_files
from airgap.daemon.arrivals import (
    Candidate,
    Delivery,
    Kind,
    Look,
    candidates,
    deliveries,
    is_settled,
    sending_channel,
)
from airgap.daemon.records import Arrival, Outcome, Run
from airgap.daemon.runner import Runner, Work
from airgap.daemon.steps import Action, import_action, receipt_action, request_action
from airgap.errors import AirgapError
from airgap.operations.importing import opened_bundle

_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 3600.0
_LAST = ("\uffff", 0)
"""Sorts behind every channel."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last try to take in a bundle, as far as it is remembered.

    Attributes:
        outcome: how it ended.
        news: how much had been taken in everywhere by then.
        failures: how many tries in a row have failed.
        again: when to try again after a failure; seconds since 1970.
    """

    outcome: Outcome
    news: int
    failures: int = 0
    again: float = 0.0

    def is_over(self, news: int, now: float) -> bool:
        """Tell whether there is no reason to try again now.

        What was refused or waits may be right once something else has come in or the config has
        changed; what failed gets another chance after a while.
        """
        if self.outcome is Outcome.SUCCEEDED:
            return True
        if self.outcome in {Outcome.FAILED, Outcome.CUT_OFF}:
            return now < self.again
        return news == self.news


@dataclass(slots=True)
class News:
    """Counts what may change the fate of bundles that were refused or wait.

    Attributes:
        count: bundles that were taken in, and configs that were read, since the daemon began.
    """

    count: int = 0


class FolderWatch:
    """One drop folder.

    Attributes:
        name: what the config calls it.
        section: what the config says of it.
        hooks: programs around each import.
        has_unsettled: whether the last look found something that another one may find complete.
    """

    def __init__(
        self, name: str, section: FolderSection, hooks: HooksSection, runner: Runner, news: News
    ) -> None:
        self.name = name
        self.section = section
        self.hooks = section.hooks or hooks
        self._runner = runner
        self._news = news
        self.has_unsettled = False
        self._lock = asyncio.Lock()
        self._before: Look = {}
        self._attempts: dict[str, Attempt] | None = None
        self._taken_in: set[str] = set()

    async def look(self, app: App) -> list[Run]:
        """Look once, and take in whatever is complete; return what was done."""
        async with self._lock:
            return await self._look(app)

    async def _look(self, app: App) -> list[Run]:
        look = await self._take_look()
        self.has_unsettled = False
        if look is None:
            return []
        before, self._before = self._before, look
        found = _wanted(app, look)
        settled = [c for c in found if is_settled(c, before, look)]
        self.has_unsettled = len(settled) < len(found)
        attempts = await self._remembered()
        arrived = deliveries(await _fingerprints(settled), look)
        wanted = [d for d in arrived if not self._is_over(d, attempts)]
        return [await self._take_in(app, d, attempts) for d in await _in_order(app, wanted)]

    async def _take_look(self) -> Look | None:
        section = self.section
        spare = [path for path in (section.done_to, section.quarantine) if path is not None]
        absent = self._runner.board.absent
        try:
            look = await asyncio.to_thread(folder_files.take_look, section.path, spare)
        except AirgapError as error:
            # A stick that is not in, a share that is down: both come back.
            if absent.get(self.name) != str(error):
                self._runner.logger.info(
                    "folder cannot be seen", folder=self.name, cause=f"{error}"
                )
            absent[self.name] = str(error)
            self._before = {}
            return None
        if absent.pop(self.name, None) is not None:
            self._runner.logger.info("folder can be seen again", folder=self.name)
        return look

    def _is_over(self, delivery: Delivery, attempts: Mapping[str, Attempt]) -> bool:
        if delivery.bundle in self._taken_in:
            return True
        attempt = attempts.get(delivery.fingerprint)
        if attempt is None:
            return False
        return attempt.is_over(self._news.count, self._runner.clock())

    async def _remembered(self) -> dict[str, Attempt]:
        if self._attempts is None:
            known = await asyncio.to_thread(self._runner.history.arrivals, self.name)
            self._attempts = {
                arrival.fingerprint: Attempt(arrival.outcome, self._news.count) for arrival in known
            }
            self._taken_in = {
                arrival.fingerprint.partition("-")[0]
                for arrival in known
                if arrival.outcome is Outcome.SUCCEEDED
            }
        return self._attempts

    async def _take_in(self, app: App, delivery: Delivery, attempts: dict[str, Attempt]) -> Run:
        run = await self._runner.run(app, Work(self.name, (_action(delivery),), self.hooks))
        if run.outcome is Outcome.SUCCEEDED:
            self._news.count += 1
            self._taken_in.add(delivery.bundle)
        attempts[delivery.fingerprint] = self._attempt(run, delivery, attempts)
        trouble = await self._put_away(run, delivery)
        reason = "" if run.outcome is Outcome.SUCCEEDED else run.summary
        await asyncio.to_thread(
            self._runner.history.arrived,
            Arrival(
                self.name,
                delivery.fingerprint,
                str(delivery.path),
                run.outcome,
                "; ".join(text for text in (reason, trouble) if text),
                self._runner.clock(),
                run.number,
            ),
        )
        return run

    def _attempt(self, run: Run, delivery: Delivery, attempts: Mapping[str, Attempt]) -> Attempt:
        before = attempts.get(delivery.fingerprint)
        failures = (before.failures if before is not None else 0) + 1
        pause = min(_FIRST_PAUSE * 2 ** min(failures - 1, 10), _LONGEST_PAUSE)
        return Attempt(
            run.outcome,
            self._news.count,
            failures,
            self._runner.clock() + pause,
        )

    async def _put_away(self, run: Run, delivery: Delivery) -> str:
        """Do with the files what the config wants; return what went wrong."""
        section = self.section
        files = [path for member in delivery.members for path in member.files]
        try:
            if run.outcome is Outcome.SUCCEEDED:
                if section.done is Done.MOVE and section.done_to is not None:
                    await asyncio.to_thread(folder_files.move_into, section.done_to, files)
                elif section.done is Done.DELETE:
                    await asyncio.to_thread(folder_files.delete, files)
            elif run.outcome is Outcome.REFUSED and section.refused is Unwanted.QUARANTINE:
                await self._quarantine(run, delivery, files)
        except AirgapError as error:
            # A medium that can only be read keeps what it has; that is no reason to complain twice.
            self._runner.logger.warning("bundle stays", folder=self.name, cause=str(error))
            return f"it stays where it is: {error}"
        return ""

    async def _quarantine(self, run: Run, delivery: Delivery, files: Sequence[Path]) -> None:
        folder = self.section.quarantine
        if folder is None:
            return
        await asyncio.to_thread(folder_files.move_into, folder, files)
        await asyncio.to_thread(folder_files.write_reason, folder, delivery.path.name, run.summary)


def _wanted(app: App, look: Look) -> list[Candidate]:
    """Return what may be for us: what comes back is, of the channels that are sent from here."""
    return [
        candidate
        for candidate in candidates(look)
        if not candidate.kind.comes_back or sending_channel(candidate.path) in app.config.exports
    ]


def _action(delivery: Delivery) -> Action:
    if delivery.kind is Kind.RECEIPT:
        return receipt_action(delivery.path)
    if delivery.kind is Kind.REQUEST:
        return request_action(delivery.path)
    in_volumes = delivery.kind is Kind.VOLUMES
    return import_action(delivery.paths, delivery.path.name, in_volumes=in_volumes)


async def _fingerprints(found: Sequence[Candidate]) -> Mapping[Candidate, str]:
    """Return a digest of each candidate's key; what cannot be read is left for the next look."""
    digests: dict[Candidate, str] = {}
    for candidate in found:
        try:
            async with aiofiles.open(candidate.key, "rb") as file:
                content = await file.read(MAX_INDEX_SIZE + 1)
        except OSError:
            continue
        digests[candidate] = hashlib.sha256(content).hexdigest()
    return digests


async def _in_order(app: App, arrived: Sequence[Delivery]) -> Sequence[Delivery]:
    """Return bundles of a channel in the order in which they were made."""
    if len(arrived) == 1:
        return arrived
    places = [await _place(app, delivery) for delivery in arrived]
    numbered = sorted(enumerate(places), key=lambda item: (item[1], item[0]))
    return [arrived[number] for number, _ in numbered]


async def _place(app: App, delivery: Delivery) -> tuple[str, int]:
    if delivery.kind.comes_back:
        return _LAST
    try:
        async with opened_bundle(app, delivery.paths) as (_, bundle):
            return bundle.manifest.channel or "", bundle.manifest.sequence or 0
    except AirgapError:
        # What is wrong with it, the import says.
        return _LAST
