"""The retry policy: what to do after a failure, decided without I/O and without a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from airgap.registry.failures import Failure, FailureKind
from airgap.registry.settings import RetryRules

TRANSIENT_STATUSES = frozenset({408, 429, 499, 500, 502, 503, 504, 522})
"""What may go away by itself; 499 and 522 are those of nginx and Cloudflare."""

_OVERLOADED = frozenset({429, 503})
_MISMATCH_ATTEMPTS = 3
_EARLIEST_EPOCH = 1_000_000_000
"""Numbers from here on are points in time, not spans: as a span it would be 31 years."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again after a while.

    Attributes:
        seconds: how long.
        whole_host: every other request to the host had better wait too.
    """

    seconds: float
    whole_host: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again.

    Attributes:
        asked_to_wait: seconds, where the registry asked for longer than the rules allow.
    """

    asked_to_wait: float | None = None


Decision: TypeAlias = Wait | GiveUp


def decide(
    rules: RetryRules, failure: Failure, attempt: int, now: float, jitter: float = 1.0
) -> Decision:
    """Decide what follows a failure.

    Args:
        rules: how stubborn to be.
        failure: what happened.
        attempt: which try it was, from 1 on.
        now: seconds since the epoch, to read points in time in ``Retry-After`` against.
        jitter: 0 to 1; it spreads the delays of many clients over their upper half.
    """
    asked = parse_retry_after(failure.retry_after, now)
    if failure.status in _OVERLOADED and asked is not None and asked > rules.longest_wait:
        return GiveUp(asked_to_wait=asked)
    if attempt >= _most_attempts(rules, failure):
        return GiveUp()
    ceiling = min(rules.longest_delay, rules.first_delay * 2.0 ** min(attempt - 1, 60))
    delay = ceiling * (0.5 + 0.5 * jitter)
    whole_host = failure.status in _OVERLOADED or failure.kind is FailureKind.NO_CONNECTION
    if asked is not None:
        delay = max(delay, min(asked, rules.longest_wait))
    return Wait(delay, whole_host)


def _most_attempts(rules: RetryRules, failure: Failure) -> int:
    match failure.kind:
        case FailureKind.BROKEN | FailureKind.STALLED:
            return rules.attempts
        case FailureKind.NO_CONNECTION:
            return min(rules.connect_attempts, rules.attempts)
        case FailureKind.STATUS:
            return rules.attempts if failure.status in TRANSIENT_STATUSES else 1
        case FailureKind.MISMATCH:
            return min(_MISMATCH_ATTEMPTS, rules.attempts)
        case FailureKind.UNKNOWN_NAME | FailureKind.TLS:
            return 1


def parse_retry_after(text: str | None, now: float) -> float | None:
    """Return how many seconds a ``Retry-After`` header asks to wait, or None where it says nothing.

    It is a number of seconds or an HTTP date (RFC 9110, section 10.2.3), or, as Docker Hub has been
    seen to send, a point in time as seconds since the epoch. What lies in the past is 0.
    """
    if text is None:
        return None
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return _until_date(text, now)
    if not math.isfinite(number):
        return None
    return max(0.0, number - now if number >= _EARLIEST_EPOCH else number)


def _until_date(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
    except OverflowError:
        return None
