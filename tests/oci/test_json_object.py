"""Reading hostile JSON: bounded, typed, with errors that name the field."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ContentMismatch
from airgap.oci.json_object import JsonObject

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"1",
        b"null",
        b'"{}"',
        b"{",
        b"{}{}",
        b"{} trailing",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xff"}',
        rb'{"a": "\ud800"}',
        rb'{"\udc00": 1}',
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_what_is_not_one_utf8_json_object_is_refused(raw: bytes) -> None:
    """Other encodings, half characters, other values, depth bombs and number bombs."""
    with pytest.raises(ContentMismatch):
        JsonObject.parse(raw, "thing", limit=1_000_000)


def test_length_is_bounded_before_anything_is_read() -> None:
    """The limit is in bytes and exact."""
    assert JsonObject.parse(b"{}", "thing", limit=2).what == "thing"
    with pytest.raises(ContentMismatch, match="has 3 bytes where 2 are allowed"):
        JsonObject.parse(b"{ }", "thing", limit=2)


def test_whole_characters_may_be_escaped() -> None:
    """A surrogate pair is a character as any other."""
    assert JsonObject.parse(rb'{"a": "\ud83d\ude00"}', "thing", limit=99).text("a") == "😀"


@pytest.mark.parametrize(
    "field, read",
    [
        (1, lambda o: o.text("f")),
        (None, lambda o: o.text("f")),
        ([], lambda o: o.optional_text("f")),
        ("1", lambda o: o.integer("f")),
        (1.0, lambda o: o.integer("f")),
        (True, lambda o: o.integer("f")),
        (-1, lambda o: o.integer("f")),
        ([], lambda o: o.object("f")),
        (None, lambda o: o.object("f")),
        ({}, lambda o: list(o.objects("f"))),
        ([1], lambda o: list(o.objects("f"))),
        ("text", lambda o: o.texts("f")),
        (["a", 1], lambda o: o.texts("f")),
        ([], lambda o: o.mapping("f")),
        ({"a": 1}, lambda o: o.mapping("f")),
    ],
)
def test_a_field_of_the_wrong_type_is_named(
    field: object, read: Callable[[JsonObject], object]
) -> None:
    """The error says which thing and which field, so that somebody can find it."""
    with pytest.raises(ContentMismatch, match=r"manifest x.*f"):
        read(JsonObject({"f": field}, "manifest x"))


def test_missing_and_null_are_the_same_nothing() -> None:
    """Registries write both where they mean an empty list."""
    for fields in ({}, {"f": None}):
        thing: JsonObject = JsonObject(fields, "thing")
        assert "f" not in thing
        assert thing.optional_text("f") is None
        assert list(thing.objects("f")) == []
        assert thing.texts("f") == ()
        assert thing.mapping("f") == {}


@given(st.dictionaries(st.text(), _json, max_size=5))
def test_every_read_gives_the_type_or_our_error(fields: dict[str, Any]) -> None:
    """Whatever a document holds, reading it ends in a value of the type or in ContentMismatch."""
    thing = JsonObject.parse(json.dumps(fields).encode(), "thing", limit=1_000_000)
    for key in fields:
        for read in (thing.text, thing.integer, thing.object, thing.texts, thing.mapping):
            with contextlib.suppress(ContentMismatch):
                read(key)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_our_error(raw: bytes) -> None:
    """No bytes raise anything else."""
    with contextlib.suppress(ContentMismatch):
        assert JsonObject.parse(raw, "thing", limit=1000).what == "thing"
