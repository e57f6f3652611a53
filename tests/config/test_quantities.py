"""Sizes and rates as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airgap.config.quantities import (
    MAX_BYTES,
    MEDIA_SIZES,
    parse_rate,
    parse_size,
)
from airgap.errors import UsageError


@pytest.mark.parametrize(
    "text, size",
    [
        ("1", 1),
        ("512B", 512),
        ("1k", 1000),
        ("1kB", 1000),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("1Ki", 1024),
        ("700MB", 700_000_000),
        ("700 MiB", 700 * 1024**2),
        ("4GiB-1", 4 * 1024**3 - 1),
        ("4gib - 1", 4 * 1024**3 - 1),
        ("1.5GiB", 1536 * 1024**2),
        ("0.001kB", 1),
        ("2TB", 2 * 10**12),
        ("7PiB", 7 * 2**50),
        ("fat32", 4 * 1024**3 - 1),
        ("DVD", MEDIA_SIZES["dvd"]),
        (" bd ", MEDIA_SIZES["bd"]),
        (str(MAX_BYTES), MAX_BYTES),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    """Decimal and binary units, a few bytes less, media by name."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0MB",
        "-1",
        "+1",
        "MB",
        "1XB",
        "1iB",
        "1.B",
        ".5MB",
        "1,5MB",
        "1e3",
        "1KiB-1024",
        "1.5",
        "1.0001kB",
        "9EiB",
        "9" * 30,
        "1 MB MB",
        "4GiB+1",
        "1MBit",
        "٣MB",
        "1MB\nx",
        "nan",
    ],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    """Nothing is rounded, nothing is nothing, nothing overflows."""
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize(
    "text, rate",
    [
        ("20MiB/s", 20 * 1024**2),
        ("300MB/min", 5_000_000),
        ("36GB/hour", 10_000_000),
        ("1 kB / s", 1000),
        ("100/min", 1),
    ],
)
def test_rates_are_bytes_per_second(text: str, rate: int) -> None:
    """Whatever time they were written for."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "20MiB", "/s", "20MiB/", "20MiB/week", "1/min", "20Mbit/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """A rate says per what; less than a byte per second would be standing still."""
    with pytest.raises(UsageError):
        parse_rate(text)


def test_media_leave_room_for_their_file_system() -> None:
    """A volume of the medium's full size would not fit on it."""
    assert MEDIA_SIZES["dvd"] < 4_700_372_992
    assert MEDIA_SIZES["cd"] < 700 * 1024**2 < 360_000 * 2048


@given(st.integers(2, 9000), st.sampled_from("kmgtp"), st.integers(0, 1000))
def test_units_multiply_and_bytes_come_off(number: int, unit: str, less: int) -> None:
    """Exactly, for every unit; the letter's case does not matter."""
    power = "kmgtp".index(unit) + 1
    assume(number * 1024**power <= MAX_BYTES)
    assert parse_size(f"{number}{unit.upper()}iB-{less}") == number * 1024**power - less
    assert parse_size(f"{number}{unit}B-{less}") == number * 1000**power - less


@given(st.text(max_size=30) | st.from_regex(r"[0-9.]+ ?[kKMGTPi]*[bB]?-?[0-9]*", fullmatch=True))
def test_any_text_is_a_size_or_an_error_of_ours(text: str) -> None:
    """And a size fits a file offset."""
    with contextlib.suppress(UsageError):
        assert 0 < parse_size(text) <= MAX_BYTES
