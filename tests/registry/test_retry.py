"""The retry policy and what registries say about waiting."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.registry.failures import Failure, FailureKind
from airgap.registry.retry import TRANSIENT_STATUSES, GiveUp, Wait, decide, parse_retry_after
from airgap.registry.settings import RetryRules

NOW = 1_700_000_000.0
RULES = RetryRules()
BROKEN = Failure(FailureKind.BROKEN, "the connection broke off")

failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    detail=st.just("detail"),
    status=st.sampled_from([0, 404, 429, 500, 503]),
    retry_after=st.none() | st.text(max_size=40) | st.integers().map(str),
)


def status(code: int, retry_after: str | None = None) -> Failure:
    """Return the failure that a status is."""
    return Failure(FailureKind.STATUS, str(code), code, retry_after)


@pytest.mark.parametrize("code", sorted(TRANSIENT_STATUSES))
def test_a_transient_status_is_tried_again(code: int) -> None:
    """What may go away by itself is worth waiting for."""
    assert isinstance(decide(RULES, status(code), 1, NOW), Wait)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 413, 416, 501])
def test_a_permanent_status_fails_at_once(code: int) -> None:
    """Nobody waits for what will not change."""
    assert decide(RULES, status(code), 1, NOW) == GiveUp()


@pytest.mark.parametrize("kind", [FailureKind.UNKNOWN_NAME, FailureKind.TLS])
def test_a_wrong_name_or_certificate_fails_at_once(kind: FailureKind) -> None:
    """A name that does not exist and a certificate that is not trusted stay so."""
    assert decide(RULES, Failure(kind, "no"), 1, NOW) == GiveUp()


def test_delays_double_up_to_their_ceiling() -> None:
    """Each try waits twice as long as the one before, 30 s at most."""
    rules = RetryRules(attempts=20, first_delay=1, longest_delay=30)
    delays = [decide(rules, BROKEN, attempt, NOW) for attempt in range(1, 8)]
    assert delays == [Wait(seconds, whole_host=False) for seconds in (1, 2, 4, 8, 16, 30, 30)]


def test_where_nobody_listens_few_tries_are_enough() -> None:
    """A wrong port is told within a second, not after half a minute."""
    refused = Failure(FailureKind.NO_CONNECTION, "connection refused")
    assert isinstance(decide(RULES, refused, RULES.connect_attempts - 1, NOW), Wait)
    assert decide(RULES, refused, RULES.connect_attempts, NOW) == GiveUp()


@pytest.mark.parametrize("code", [429, 503])
def test_an_overloaded_registry_slows_the_whole_host_down(code: int) -> None:
    """Its other requests would only make things worse."""
    assert decide(RULES, status(code, "7"), 1, NOW) == Wait(7, whole_host=True)


def test_a_wait_beyond_the_rules_is_not_waited_for() -> None:
    """Docker Hub asks for hours: better to say so and stop."""
    assert decide(RULES, status(429, "21600"), 1, NOW) == GiveUp(asked_to_wait=21600)


def test_retry_after_is_read_in_all_its_forms() -> None:
    """Seconds, an HTTP date, and an epoch mean the same."""
    date = format_datetime(datetime.fromtimestamp(NOW + 30, UTC), usegmt=True)
    for text in ("30", " 30 ", "30.0", date, str(int(NOW) + 30)):
        assert parse_retry_after(text, NOW) == pytest.approx(30)


@pytest.mark.parametrize("text", [None, "", "soon", "nan", "inf", "Mon, 99 Foo"])
def test_a_retry_after_that_says_nothing_is_no_wait(text: str | None) -> None:
    """What cannot be read is as if it were not there."""
    assert parse_retry_after(text, NOW) is None


def test_a_moment_in_the_past_is_now() -> None:
    """A clock that is ahead of the registry's does not make the wait negative."""
    assert parse_retry_after("Mon, 01 Jan 2001 00:00:00 GMT", NOW) == 0


@given(st.text(max_size=60), st.floats(0, 4e9))
def test_reading_retry_after_never_fails(text: str, now: float) -> None:
    """Whatever a registry sends there, it is a wait or nothing."""
    seconds = parse_retry_after(text, now)
    assert seconds is None or seconds >= 0


@given(failures, st.integers(1, 1000), st.floats(0, 1))
def test_every_wait_is_bounded_and_every_failure_ends(
    failure: Failure, attempt: int, jitter: float
) -> None:
    """No failure is waited for longer than the rules allow, and none is tried for ever."""
    decision = decide(RULES, failure, attempt, NOW, jitter)
    if isinstance(decision, Wait):
        assert 0 <= decision.seconds <= max(RULES.longest_delay, RULES.longest_wait)
        assert attempt < RULES.attempts
