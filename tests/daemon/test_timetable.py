"""When jobs are done, by clocks that the tests set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from airgap.config.cron import CronTimes
from airgap.daemon.timetable import Timetable

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2024, 5, 31, 12, 0, tzinfo=UTC)
MOMENTS = st.integers(946684800, 2840140800).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def cron(text: str, zone: ZoneInfo = BERLIN, *, makes_up: bool = True) -> Timetable:
    """Return a timetable of crontab's times."""
    return Timetable(zone, times=CronTimes.parse(text), makes_up=makes_up)


def after(text: str, moment: str) -> str:
    """Return the local time in Berlin of the first time after a local time there."""
    found = cron(text).next_after(datetime.fromisoformat(moment).replace(tzinfo=BERLIN))
    return found.astimezone(BERLIN).isoformat(timespec="minutes")[:16]


def test_weekdays_are_those_of_cron() -> None:
    """``0`` is Sunday, and not the scheduler's Monday; 2024-06-02 was one."""
    assert after("0 4 * * 0", "2024-05-31T12:00") == "2024-06-02T04:00"
    assert after("0 4 * * mon-fri", "2024-05-31T12:00") == "2024-06-03T04:00"


def test_either_kind_of_day_will_do() -> None:
    """As in cron: the first of the month, and every Monday besides."""
    assert after("0 4 1 * mon", "2024-05-31T12:00") == "2024-06-01T04:00"
    assert after("0 4 1 * mon", "2024-06-01T12:00") == "2024-06-03T04:00"


def test_times_hang_on_the_clock_of_their_zone() -> None:
    """Half past two is so in summer and in winter, whatever the clock of the machine says."""
    assert cron("30 2 * * *").next_after(NOW) == datetime(2024, 6, 1, 0, 30, tzinfo=UTC)
    winter = datetime(2024, 12, 1, 12, 0, tzinfo=UTC)
    assert cron("30 2 * * *").next_after(winter) == datetime(2024, 12, 2, 1, 30, tzinfo=UTC)


def test_clocks_that_are_put_forward_or_back_lose_and_repeat_nothing() -> None:
    """The hour that is missing in March, and the one that comes twice in October."""
    spring = datetime(2030, 3, 30, 12, 0, tzinfo=UTC)
    assert cron("30 2 * * *").next_after(spring) == datetime(2030, 3, 31, 1, 30, tzinfo=UTC)
    autumn = datetime(2030, 10, 26, 12, 0, tzinfo=UTC)
    first = cron("30 2 * * *").next_after(autumn)
    assert first == datetime(2030, 10, 27, 0, 30, tzinfo=UTC)
    assert cron("30 2 * * *").next_after(first) == datetime(2030, 10, 28, 1, 30, tzinfo=UTC)


def test_a_time_is_not_due_twice() -> None:
    """What was begun at its time is next due at the next one."""
    due = cron("30 2 * * *").next_after(NOW)
    assert cron("30 2 * * *").next_after(due) == due + timedelta(days=1)


def test_one_run_makes_up_for_all_that_were_missed() -> None:
    """After a week without daemon the nightly job is due at once, and then the next night."""
    last = NOW - timedelta(days=7)
    assert cron("30 2 * * *").first(last, last, NOW) == NOW
    skipping = cron("30 2 * * *", makes_up=False)
    assert skipping.first(last, last, NOW) == datetime(2024, 6, 1, 0, 30, tzinfo=UTC)


def test_a_nightly_job_that_is_new_waits_for_the_night() -> None:
    """Nothing was missed before anybody knew of it; but what went by since then was."""
    assert cron("30 2 * * *").first(None, NOW, NOW) == datetime(2024, 6, 1, 0, 30, tzinfo=UTC)
    assert cron("30 2 * * *").first(None, NOW - timedelta(days=2), NOW) == NOW


def test_an_interval_begins_at_once_and_goes_on_from_the_last_run() -> None:
    """A restart neither loses nor repeats runs."""
    six_hours = Timetable(BERLIN, every=6 * 3600.0)
    assert six_hours.first(None, NOW, NOW) == NOW
    last = NOW - timedelta(hours=2)
    assert six_hours.first(last, last, NOW) == NOW + timedelta(hours=4)
    assert six_hours.first(NOW - timedelta(hours=7), last, NOW) == NOW


@given(MOMENTS, st.sampled_from(["* * * * *", "30 2 * * *", "0 4 1 * mon", "0 0 29 2 *"]))
def test_the_next_time_is_later_and_the_scheduler_agrees(moment: datetime, text: str) -> None:
    """What is due is computed by the same triggers that the scheduler goes by."""
    table = cron(text)
    found = table.next_after(moment)
    assert found > moment
    fires = table.trigger(found).get_next_fire_time(None, moment + timedelta(microseconds=1))
    assert fires.astimezone(UTC) == found


def test_a_clock_that_jumps_costs_one_run_and_no_time() -> None:
    """A board without a battery wakes up in 1970 and learns later what year it is."""
    table = Timetable(BERLIN, every=5.0)
    begun = datetime(1970, 1, 1, tzinfo=UTC)
    trigger = table.trigger(begun)
    assert NOW < trigger.get_next_fire_time(begun, NOW) <= NOW + timedelta(seconds=5)
    assert table.first(NOW + timedelta(days=9999), NOW, NOW) == NOW + timedelta(seconds=5)


def test_jitter_makes_runs_later_and_never_earlier() -> None:
    """By at most as much as the config says."""
    table = Timetable(BERLIN, every=100.0, jitter=10.0)
    for _ in range(50):
        fires = table.trigger(NOW).get_next_fire_time(NOW, NOW)
        assert timedelta(seconds=100) <= fires - NOW <= timedelta(seconds=110)


@given(MOMENTS, st.integers(1, 10**6), st.integers(0, 10**6))
def test_intervals_fire_first_when_they_are_due(moment: datetime, every: int, ago: int) -> None:
    """The scheduler begins where the plan says."""
    table = Timetable(BERLIN, every=float(every))
    last = moment - timedelta(seconds=ago)
    first = table.first(last, last, moment)
    assert first == max(moment, last + timedelta(seconds=every))
    assert table.trigger(first).get_next_fire_time(None, moment) == first
