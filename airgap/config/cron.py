"""Times as crontab has them (IEEE Std 1003.1, "crontab", and the shortcuts of Vixie's cron). Pure.

Everything is read here rather than by the scheduler, which counts weekdays from Monday where cron
counts from Sunday, and takes both kinds of day together where cron takes either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from airgap.errors import UsageError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SHORTCUTS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_PART = re.compile(
    r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,3}))?", re.ASCII
)
_FIVE = 5
_NUMBER_OF_WEEKDAYS = 7
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: Sequence[str] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, ("", *_MONTHS)),
    _Field("day of the week", 0, 7, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class CronTimes:
    """When something is done; each field is the values that fit.

    Attributes:
        minutes: 0 to 59.
        hours: 0 to 23.
        days: days of the month; None where any will do.
        months: 1 to 12.
        weekdays: 0, Sunday, to 6; None where any will do. Where ``days`` are given too, a day that
            fits either of them does.
        text: as it was written.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...] | None
    months: tuple[int, ...]
    weekdays: tuple[int, ...] | None
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read five fields, or a shortcut.

        Raises:
            UsageError: the text is neither, or no day is ever so.
        """
        fields = _SHORTCUTS.get(text.strip().lower(), text).split()
        if len(fields) != _FIVE:
            raise UsageError(
                repr(text),
                "has not the five fields of crontab",
                "minute, hour, day of the month, month, day of the week: '30 2 * * *', or @daily",
            )
        values = [_values(field, text) for field, text in zip(_FIELDS, fields, strict=True)]
        minutes, hours, days, months, weekdays = values
        times = cls(
            minutes,
            hours,
            None if fields[2] == "*" else days,
            months,
            None if fields[4] == "*" else tuple(sorted({day % 7 for day in weekdays})),
            " ".join(text.split()),
        )
        if times.weekdays is None and all(days[0] > _LONGEST.get(m, 31) for m in months):
            raise UsageError(repr(text), "never comes: no such month has such a day")
        return times

    def __str__(self) -> str:
        return self.text


def _values(field: _Field, text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.lower().split(","):
        found.update(_part(field, part))
    return tuple(sorted(found))


def _part(field: _Field, part: str) -> Iterator[int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise _wrong(field, part)
    step = int(match["step"] or 1)
    low, high = field.low, field.high
    if not match["all"]:
        low = _number(field, match["first"])
        high = _number(field, match["last"]) if match["last"] else low
        if match["step"] and not match["last"]:
            high = field.high
        if field.names is WEEKDAYS and high == 0 and low > high:
            high = _NUMBER_OF_WEEKDAYS
    elif field.names is WEEKDAYS:
        high = field.high - 1
    if low > high or not step:
        raise _wrong(field, part)
    yield from range(low, high + 1, step)


def _number(field: _Field, word: str) -> int:
    if word in field.names and word:
        return list(field.names).index(word)
    if not word.isascii() or not word.isdigit() or not field.low <= int(word) <= field.high:
        raise _wrong(field, word)
    return int(word)


def _wrong(field: _Field, part: str) -> UsageError:
    return UsageError(
        repr(part),
        f"is no {field.name} of crontab",
        f"{field.low} to {field.high}, lists (1,2), ranges (1-5), steps (*/2)",
    )
