"""Times as crontab has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.config.cron import CronTimes
from airgap.config.quantities import parse_duration
from airgap.errors import UsageError


def test_weekdays_count_from_sunday_and_seven_is_sunday_too() -> None:
    """As in every crontab; the scheduler below counts from Monday."""
    assert CronTimes.parse("0 0 * * 0").weekdays == (0,)
    assert CronTimes.parse("0 0 * * 7").weekdays == (0,)
    assert CronTimes.parse("0 0 * * sun").weekdays == (0,)
    assert CronTimes.parse("0 0 * * 5-7").weekdays == (0, 5, 6)
    assert CronTimes.parse("0 0 * * fri-sun").weekdays == (0, 5, 6)


def test_lists_ranges_steps_and_names_are_read() -> None:
    """What people write in crontabs."""
    times = CronTimes.parse("*/20 8-18/4,23 1,15 jan,MAR *")
    assert times.minutes == (0, 20, 40)
    assert times.hours == (8, 12, 16, 23)
    assert times.days == (1, 15)
    assert times.months == (1, 3)
    assert times.weekdays is None
    assert CronTimes.parse("5/20 * * * *").minutes == (5, 25, 45)


def test_shortcuts_stand_for_five_fields() -> None:
    """``@daily`` is midnight."""
    assert CronTimes.parse("@daily").minutes == CronTimes.parse("0 0 * * *").minutes
    assert str(CronTimes.parse("@weekly")) == "@weekly"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "* * * * monday",
        "0 0 31 2 *",
        "0 0 30 feb *",
        "@never",
        "\u00b2 * * * *",
    ],
)
def test_what_never_comes_or_is_no_time_is_refused(text: str) -> None:
    """A schedule that never fires is a mistake, and says so when the config is read."""
    with pytest.raises(UsageError):
        CronTimes.parse(text)


@given(st.text(alphabet="0123456789*/,-@ abcdefnrstuvy", max_size=30))
def test_any_text_is_times_or_refused(text: str) -> None:
    """Nothing else comes out, and what comes out lies within the bounds."""
    try:
        times = CronTimes.parse(text)
    except UsageError:
        return
    assert times.minutes
    assert set(times.minutes) <= set(range(60))
    assert set(times.hours) <= set(range(24))
    assert set(times.months) <= set(range(1, 13))
    assert set(times.days or ()) <= set(range(1, 32))
    assert set(times.weekdays or ()) <= set(range(7))


def test_durations_are_seconds() -> None:
    """``h``, ``d`` and ``w`` as in spans, and shorter ones."""
    assert [parse_duration(text) for text in ("90s", "5min", "6h", "2d", "1w")] == [
        90.0,
        300.0,
        21600.0,
        172800.0,
        604800.0,
    ]
    for text in ("0s", "5", "5m", "-1s", "1.5h", "\u00b2s"):
        with pytest.raises(UsageError):
            parse_duration(text)
