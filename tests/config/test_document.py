"""YAML in which every scalar is text, every key has a line, and nothing blows up."""

from __future__ import annotations

import contextlib
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airgap.config.document import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_VALUES,
    Plain,
    dotted,
    read_document,
)
from airgap.config.problems import ConfigProblems, Problem


def _problems(text: str) -> tuple[Problem, ...]:
    try:
        return read_document(text).problems
    except ConfigProblems as found:
        return found.problems


@pytest.mark.parametrize(
    "scalar",
    [
        "1.10",
        "1",
        "012",
        "0x10",
        "1e3",
        "yes",
        "on",
        "true",
        "null",
        "~",
        "2024-05-31",
        "1_000",
        "12:30:45",
        ".inf",
        "latest",
        "a b",
    ],
)
def test_every_scalar_stays_the_text_that_was_written(scalar: str) -> None:
    """The tag 1.10 is not the number 1.1, and ``on`` is a word."""
    assert read_document(f"key: {scalar}").value == {"key": scalar}
    assert read_document(f"- {scalar}\n".replace("- ", "key: [") + "]").value == {"key": [scalar]}
    assert read_document(f"{scalar}: x").value == {scalar: "x"}


def test_every_key_and_item_knows_its_line() -> None:
    """Also below comments and in flow style; what has no line has that of what is around it."""
    document = read_document("# one\na: 1\nb:\n  # four\n  c: [x,\n    y]\n  d: {e: f}\n")
    assert document.line_of(("a",)) == 2
    assert document.line_of(("b", "c")) == 5
    assert document.line_of(("b", "c", 1)) == 6
    assert document.line_of(("b", "d", "e")) == 7
    assert document.line_of(("b", "d", "e", "more")) == 7
    assert document.line_of(("missing",)) == 1


def test_an_empty_file_says_nothing() -> None:
    """Neither do comments."""
    assert read_document("").value == {}
    assert read_document("# nothing\n").value == {}


@pytest.mark.parametrize(
    "text, line, key, cause",
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a", "stands here twice, first in line 1"),
        ("a:\n  b: 1\n  b: 2\n", 3, "a.b", "stands here twice, first in line 2"),
        ("a: 1\nb:\nc: 3\n", 2, "b", "has no value"),
        ("a: [x, ]\nb:\n- y\n-\n", 4, "b[1]", "has no value"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "c", "merge keys (<<) are not read"),
        ("? [a, b]\n: c\n", 1, "", "a key must be a single word"),
        ("a: !include other.yaml\n", 1, "a", "the YAML tag !include means nothing here"),
        ("a: !!python/name:os.system x\n", 1, "a", "python/name:os.system means nothing here"),
        ("- a\n- b\n", 1, "", "is not a mapping of keys to values"),
        ("just text\n", 1, "", "is not a mapping of keys to values"),
        ("a: 1\n---\nb: 2\n", 2, "", "is not YAML"),
        ("a: 1\n\tb: 2\n", 2, "", "is not YAML"),
        ("a: [1, 2\n", 2, "", "is not YAML"),
        ("a: 1\nb: \x00\n", 1, "", "is not YAML"),
        ("a: *nowhere\n", 1, "", "is not YAML: found undefined alias 'nowhere'"),
        ("a: &x [*x]\n", 1, "a[0]", "contains itself"),
        ("a: &x {b: *x}\n", 1, "a.b", "contains itself"),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_line(
    text: str, line: int, key: str, cause: str
) -> None:
    """Nothing is guessed, nothing is overridden in silence, nothing is constructed."""
    (found,) = _problems(text)
    assert (found.line, found.key) == (line, key)
    assert cause in found.cause


def test_quoted_nothing_is_a_value() -> None:
    """``''`` is how one writes the empty text."""
    assert read_document("a: ''\nb: [\"\"]\n").value == {"a": "", "b": [""]}


@pytest.mark.parametrize("text", ["a: >=1.2 <2", "a: *-alpine", "a: [*x]", "a: %x", "a: @x"])
def test_text_that_needs_quotes_gets_that_advice(text: str) -> None:
    """Ranges and globs begin with what YAML keeps for itself."""
    (found,) = _problems(text)
    assert found.hint.endswith("needs quotes around it")


def test_aliases_may_be_used() -> None:
    """Twice the same list is no bomb."""
    assert read_document("a: &p [x, y]\nb: *p\n").value == {"a": ["x", "y"], "b": ["x", "y"]}


def test_a_billion_laughs_end_early() -> None:
    """Aliases of aliases are counted as what they become."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    started = time.process_time()
    (found,) = _problems("\n".join(rows))
    assert f"more than {MAX_VALUES} values" in found.cause
    assert time.process_time() - started < 10


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 3000])
def test_depth_is_bounded(depth: int) -> None:
    """Whether our own walk or the parser's comes to its end first."""
    (found,) = _problems("a: " + "[" * depth + "]" * depth)
    assert found.cause == "is nested too deeply"


def test_length_is_bounded() -> None:
    """Nobody writes a megabyte of config."""
    (found,) = _problems("#" * (MAX_LENGTH + 1))
    assert "more than" in found.cause


def test_paths_are_shown_with_dots_and_brackets() -> None:
    """As people write them."""
    assert dotted(("mirror", 0, "tags", "glob", 1)) == "mirror[0].tags.glob[1]"
    assert dotted(()) == ""


_words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1)
_values: st.SearchStrategy[Plain] = st.recursive(
    _words,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(_words.filter("<<".__ne__), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(_words.filter("<<".__ne__), _values, max_size=4), st.booleans())
def test_what_is_written_as_yaml_is_read_as_text(value: dict[str, Plain], flow: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
    """In block and in flow style, quoted where the library quotes it."""
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True, default_style="'")
    document = read_document(text)
    assert document.value == value
    assert document.problems == ()


@given(st.text(st.sampled_from("ab:- \n[]{}&*!|>'\"#%@,?<\t\\é\x00\x85"), max_size=40))
def test_any_text_is_a_document_or_problems(text: str) -> None:
    """The library's errors all end as ours."""
    with contextlib.suppress(ConfigProblems):
        assert isinstance(read_document(text).value, dict)
