"""The report of an import, and names that would like to be more than text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airgap.usecases.import_report import report_page

HOSTILE = "<script>alert(1)</script>\"'&</td>"


class Tags(HTMLParser):
    """Collects the elements of a page, and what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        self.found.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]


def document(text: str) -> dict[str, Any]:
    """Return a report in which everything from outside is ``text``."""
    return {
        "format": 1,
        "import": 1,
        "state": "receipted",
        "tool": text,
        "bundle": {
            "id": text,
            "digest": text,
            "channel": text,
            "sequence": 3,
            "kind": "incremental",
            "created": text,
            "tool": text,
            "base": {"sequence": 2, "id": text, "pieces": 4},
            "pieces": 5,
            "bytes": 123_456_789,
            "content": {"count": 9, "sha256": text},
        },
        "signatures": {
            "required": 1,
            "trusted": [{"id": text, "name": text}],
            "valid": [{"id": text, "name": text}],
            "unknown": [text],
        },
        "checks": [text],
        "content": {"blobs_copied": 1, "bytes_copied": 2, "blobs_reused": 3, "bytes_reused": 4},
        "names": [{"name": text, "change": "moved", "digest": text, "previous": text}],
        "removals": [{"name": text, "digest": text, "removed": True, "because": text}],
        "push": {
            "to": text,
            "blobs_copied": 1,
            "bytes_copied": 2,
            "blobs_reused": 3,
            "bytes_reused": 4,
            "names": [{"name": text, "error": text}],
        },
        "audit": {
            "present": 1,
            "missing": 1,
            "changed": 1,
            "names": [{"name": text, "finding": "changed", "expected": text, "actual": text}],
        },
        "times": {"received": text},
    }


def test_what_came_with_a_bundle_is_text_whatever_it_looks_like() -> None:
    """No element of the page comes from outside, and it loads nothing."""
    plain, hostile = Tags(), Tags()
    plain.feed(report_page(document("plain")))
    page = report_page(document(HOSTILE))
    hostile.feed(page)
    assert hostile.found == plain.found
    assert "script" not in hostile.found
    assert plain.links == hostile.links == []
    assert "123.5 MB" in page


@given(st.text(min_size=1, max_size=40))
def test_any_text_makes_a_page(text: str) -> None:
    """With the same elements."""
    plain, other = Tags(), Tags()
    plain.feed(report_page(document("plain")))
    other.feed(report_page(document(text)))
    assert other.found == plain.found
