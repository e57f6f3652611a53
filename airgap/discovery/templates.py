"""The little of Go's templates that charts write images with: values, defaults, quotes.

``{{ .Values.image.name }}:{{ .Values.image.tag | default .Chart.AppVersion }}`` is understood, a
chart's own helpers are not: what they do only Helm knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Lookup = Callable[[str], str | None]
"""Returns the value of a field such as ``.Values.image.tag``; None where there is none."""

_ACTION = re.compile(r"\{\{-?\s*(?P<pipeline>.*?)\s*-?\}\}")
_TERM = re.compile(
    r"\"(?P<text>(?:[^\"\\]|\\.)*)\"|(?P<raw>`[^`]*`)|(?P<field>\$?(?:\.\w+)+)", re.ASCII
)
_DEFAULT_FIRST = re.compile(r"default\s+(?P<default>\S+)\s+(?P<value>\S+)")
_DEFAULT = re.compile(r"default\s+(?P<default>\S+)")
_HARMLESS = frozenset({"quote", "squote", "trim", "toString", "lower"})


class NotUnderstood(Exception):
    """The template does more than is understood here."""


def rendered(text: str, lookup: Lookup) -> str:
    """Fill in a template.

    Raises:
        NotUnderstood: it calls helpers, or has fields without value.
    """

    def fill(match: re.Match[str]) -> str:
        value = _pipeline(match["pipeline"], lookup)
        if value is None:
            raise NotUnderstood(match["pipeline"])
        return value

    filled = _ACTION.sub(fill, text)
    if "{{" in filled:
        raise NotUnderstood(text)
    return filled.strip().strip("\"'")


def _pipeline(text: str, lookup: Lookup) -> str | None:
    first, *filters = (part.strip() for part in text.split("|"))
    match = _DEFAULT_FIRST.fullmatch(first)
    if match is not None:
        value = _term(match["value"], lookup) or _term(match["default"], lookup)
    else:
        value = _term(first, lookup)
    for step in filters:
        match = _DEFAULT.fullmatch(step)
        if match is not None:
            value = value or _term(match["default"], lookup)
        elif step not in _HARMLESS:
            raise NotUnderstood(step)
    return value


def _term(text: str, lookup: Lookup) -> str | None:
    match = _TERM.fullmatch(text.removeprefix("(").removesuffix(")").strip())
    if match is None:
        raise NotUnderstood(text)
    if match["field"] is not None:
        return lookup(match["field"].removeprefix("$"))
    return match["text"] if match["text"] is not None else match["raw"].strip("`")
