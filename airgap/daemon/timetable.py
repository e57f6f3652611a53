"""When a job is done. Pure: whoever asks brings the clock."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from airgap.config.cron import WEEKDAYS, CronTimes
from airgap.config.daemon import JobSection, Missed

_INSTANT = timedelta(microseconds=1)
_HOURS = 24


@dataclass(frozen=True, slots=True)
class Timetable:
    """When something is done.

    Attributes:
        zone: where the clock of ``times`` hangs.
        every: seconds between two runs; None where there are times.
        times: as crontab has them; None where there is an interval.
        jitter: seconds by which a run may begin later, by chance.
        makes_up: runs whose time went by while nobody was there are made up for, by one.
    """

    zone: ZoneInfo
    every: float | None = None
    times: CronTimes | None = None
    jitter: float | None = None
    makes_up: bool = True

    @classmethod
    def of(cls, job: JobSection, zone: ZoneInfo) -> Timetable:
        """Return when a job of the config is done; ``zone`` is the daemon's."""
        return cls(job.timezone or zone, job.every, job.cron, job.jitter, job.missed is Missed.RUN)

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after a moment, without jitter."""
        if self.times is None:
            return moment + timedelta(seconds=self.every or 0)
        return CrontabTrigger(self.times, self.zone).get_next_fire_time(None, moment + _INSTANT)

    def first(self, last: datetime | None, known_since: datetime, now: datetime) -> datetime:
        """Return when the job is done next, as seen when the daemon starts.

        Args:
            last: when it was begun last; None where it never was.
            known_since: when the job was first seen.
            now: the time.
        """
        if last is None and self.every is not None:
            return now
        # A clock that was wrong once must not put things off for years.
        due = self.next_after(min(last or known_since, now))
        if due > now:
            return due
        if self.makes_up:
            return now
        return self.next_after(now)

    def is_done(self, last: datetime, due: datetime) -> bool:
        """Tell whether a run that began at ``last`` is the one that was due at ``due``.

        Two machines fire at about the same time by clocks of their own, so it need not be later.
        """
        following = self.next_after(last)
        return following - due > (following - last) / 2

    def trigger(self, first: datetime) -> BaseTrigger:
        """Return what the scheduler goes by, from the first run on."""
        if self.times is not None:
            return CrontabTrigger(self.times, self.zone, self.jitter)
        return EveryTrigger(self.every or 0, first, self.jitter)


class EveryTrigger(BaseTrigger):  # type: ignore[misc]  # it has no types
    """Fires every so many seconds, counted from the first time.

    However far the clock jumps (a laptop that slept, a board that finds out what year it is), the
    next time is one step away, where the scheduler's own trigger would count all those in between.
    """

    def __init__(self, seconds: float, first: datetime, jitter: float | None = None) -> None:
        self._every = timedelta(seconds=seconds)
        self._first = first
        self._jitter = jitter

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the next time, as the scheduler asks for it."""
        if previous_fire_time is None and self._first >= now:
            found = self._first
        else:
            last = self._first if previous_fire_time is None else previous_fire_time
            found = last + self._every
            if found <= now:
                found += self._every * ((now - found) // self._every + 1)
        return found + _late(self._jitter)


class CrontabTrigger(BaseTrigger):  # type: ignore[misc]  # it has no types
    """Fires when crontab would: on either kind of day, and once where an hour comes twice."""

    def __init__(self, times: CronTimes, zone: ZoneInfo, jitter: float | None = None) -> None:
        self._zone = zone
        self._jitter = jitter
        self._once = len(times.hours) < _HOURS
        days = _listed(times.days) if times.days is not None else None
        weekdays = None
        if times.weekdays is not None:
            weekdays = ",".join(WEEKDAYS[day] for day in times.weekdays)
        either = {(days, None), (None, weekdays)} if days and weekdays else {(days, weekdays)}
        self._either = [
            CronTrigger(
                month=_listed(times.months),
                day=day,
                day_of_week=weekday,
                hour=_listed(times.hours),
                minute=_listed(times.minutes),
                second=0,
                timezone=zone,
            )
            for day, weekday in either
        ]

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the next time, as the scheduler asks for it."""
        moment = now
        if previous_fire_time is not None:
            moment = max(now, previous_fire_time.astimezone(UTC) + _INSTANT)
        found = self._from(moment)
        while self._once and found.astimezone(self._zone).fold:
            found = self._from(found + _INSTANT)
        return found + _late(self._jitter)

    def _from(self, moment: datetime) -> datetime:
        fires: list[datetime] = [t.get_next_fire_time(None, moment) for t in self._either]
        # Times that a clock skips compare unequal to what they mean, unless in UTC.
        return min(fire.astimezone(UTC) for fire in fires)


def _late(jitter: float | None) -> timedelta:
    return timedelta(seconds=random.uniform(0, jitter or 0))  # noqa: S311 - no secret


def _listed(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))
