"""The time and the id of a bundle can be pinned."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airgap.bundle.identity import BundleIdentity, creation_time
from airgap.errors import UsageError

NOW = datetime(2026, 11, 24, 12, 30, 15, 999_999, tzinfo=UTC)


@pytest.mark.parametrize(
    "pinned, environment, expected",
    [
        (None, {}, "2026-11-24T12:30:15+00:00"),
        (None, {"SOURCE_DATE_EPOCH": "0"}, "1970-01-01T00:00:00+00:00"),
        (None, {"SOURCE_DATE_EPOCH": ""}, "2026-11-24T12:30:15+00:00"),
        ("2026-01-02T03:04:05Z", {"SOURCE_DATE_EPOCH": "0"}, "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05+02:00", {}, "2026-01-02T01:04:05+00:00"),
        ("2026-01-02", {}, "2026-01-02T00:00:00+00:00"),
    ],
)
def test_a_pinned_time_wins(pinned: str | None, environment: dict[str, str], expected: str) -> None:
    """The option comes before SOURCE_DATE_EPOCH, and that before the clock."""
    assert creation_time(pinned, environment, NOW).isoformat() == expected


@pytest.mark.parametrize(
    "pinned, environment",
    [
        ("yesterday", {}),
        ("", {}),
        (None, {"SOURCE_DATE_EPOCH": "x"}),
        (None, {"SOURCE_DATE_EPOCH": "9" * 30}),
    ],
)
def test_a_time_that_is_none_is_refused(pinned: str | None, environment: dict[str, str]) -> None:
    """The message says how a time is written."""
    with pytest.raises(UsageError, match="not a time"):
        creation_time(pinned, environment, NOW)


@pytest.mark.parametrize("bad", ["", "a b", "../x", "x" * 200])
def test_ids_and_channels_have_a_grammar(bad: str) -> None:
    """They become file names and columns of a table later."""
    with pytest.raises(UsageError):
        BundleIdentity(NOW, id=bad)
    with pytest.raises(UsageError):
        BundleIdentity(NOW, channel=bad, sequence=1)
