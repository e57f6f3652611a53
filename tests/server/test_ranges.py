"""Byte ranges of pulls and pushes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.server.ranges import (
    Span,
    UnsatisfiableRangeError,
    announced_span,
    received_range,
    requested_span,
)


@pytest.mark.parametrize(
    "header, span",
    [
        ("bytes=500-1499", Span(500, 1000)),
        ("bytes=500-", Span(500, 1548)),
        ("bytes=-500", Span(1548, 500)),
        ("bytes=2000-5000", Span(2000, 48)),
        ("bytes=-5000", Span(0, 2048)),
        ("bytes=0-0", Span(0, 1)),
        (" Bytes= 0-1 ", Span(0, 2)),
        ("bytes=0-" + "9" * 40, Span(0, 2048)),
        ("bytes=-" + "9" * 40, Span(0, 2048)),
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_a_range_is_clamped_or_ignored(header: str | None, span: Span | None) -> None:
    """A range is cut to the blob; what is not one byte range asks for the whole blob."""
    assert requested_span(header, 2048) == span


@pytest.mark.parametrize(
    "header", ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0", f"bytes={'9' * 40}-"]
)
def test_an_impossible_range_is_refused(header: str) -> None:
    """A range without a single byte of the blob cannot be satisfied."""
    with pytest.raises(UnsatisfiableRangeError):
        requested_span(header, 2048)


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 4000))
def test_a_span_is_what_slicing_gives(first: int, last: int, size: int) -> None:
    """A satisfiable range selects the bytes that Python's own slice does."""
    content = bytes(index % 251 for index in range(size))
    expected = content[first : last + 1]
    if not expected:
        with pytest.raises(UnsatisfiableRangeError):
            requested_span(f"bytes={first}-{last}", size)
    else:
        span = requested_span(f"bytes={first}-{last}", size)
        assert span is not None
        assert content[span.start : span.start + span.length] == expected


@given(st.text(max_size=30), st.integers(0, 100))
def test_any_header_is_read_or_refused(text: str, size: int) -> None:
    """No header breaks the reading, and no span leaves the blob."""
    try:
        span = requested_span(text, size)
    except UnsatisfiableRangeError:
        return
    assert span is None or 0 <= span.start < span.start + span.length <= size
    assert announced_span(text) is None or text.strip()


@pytest.mark.parametrize(
    "header, span",
    [
        ("0-9", Span(0, 10)),
        ("bytes 10-19/*", Span(10, 10)),
        ("bytes=10-19", Span(10, 10)),
        ("10-19/100", Span(10, 10)),
        ("9-0", None),
        ("-5", None),
        ("5-", None),
        ("x", None),
        ("9" * 30 + "-" + "9" * 31, None),
    ],
)
def test_the_position_of_a_chunk_is_read(header: str, span: Span | None) -> None:
    """The specification's own form is read, and those of HTTP."""
    assert announced_span(header) == span


def test_the_range_of_an_upload_ends_at_its_last_byte() -> None:
    """The end of the range is a position, not a count."""
    assert [received_range(size) for size in (0, 1, 10)] == ["0-0", "0-0", "0-9"]
