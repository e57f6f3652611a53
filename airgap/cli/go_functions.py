"""The functions of Go's templates, as the docker command has them, and Go's way of printing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any


def go_text(value: Any) -> str:
    """Return a value as Go's ``%v`` prints it."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return f"[{' '.join(map(go_text, value))}]"
        case Mapping():
            return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
        case _:
            return str(value)


def is_true(value: Any) -> bool:
    """Tell whether Go's templates take a value for true: not empty, not zero."""
    return bool(value)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            # Go gives the zero value for a key that a map does not have.
            value = value.get(key, "")
        elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            raise LookupError(f"nothing at {go_text(key)}")
    return value


def _join(items: list[Any], separator: str = "") -> str:
    if not isinstance(items, list):
        raise TypeError("join wants a list")
    return separator.join(map(go_text, items))


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator)


def _print_line(*values: Any) -> str:
    return " ".join(map(go_text, values)) + "\n"


def _print(*values: Any) -> str:
    return " ".join(map(go_text, values))


def _and(*values: Any) -> Any:
    return next((value for value in values if not is_true(value)), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if is_true(value)), values[-1])


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": _and,
    "eq": lambda first, *others: first in others,
    "index": _index,
    "join": _join,
    "json": _json,
    "len": len,
    "lower": lambda text: str(text).lower(),
    "ne": lambda first, second: first != second,
    "not": lambda value: not is_true(value),
    "or": _or,
    "print": _print,
    "println": _print_line,
    "split": _split,
    "title": lambda text: str(text).title(),
    "upper": lambda text: str(text).upper(),
}
"""By name; the value that is piped in comes last."""
