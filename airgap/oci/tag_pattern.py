"""Patterns that tags are held against: shell globs, and regular expressions in linear time.

Tags come from a registry that may be hostile, and a regular expression with nested repeats takes
a backtracking engine hours for one tag of 128 characters. RE2 has no such expressions: its time is
linear in the text, and it has no back-references and no look-around to pay for that.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import re2  # type: ignore[import-untyped] # it ships neither annotations nor stubs

from airgap.errors import InvalidReference

MAX_PATTERN_LENGTH = 1024
"""Characters of a pattern."""

_MAX_REGEX_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TagPattern:
    """A pattern that a whole tag matches or does not; two are equal when they are written alike.

    Attributes:
        kind: ``glob`` or ``regex``.
        text: the pattern as it was written.
    """

    kind: str
    text: str
    _matches: Callable[[str], bool] = field(repr=False, compare=False)

    @classmethod
    def glob(cls, text: str) -> Self:
        """Read a shell pattern: ``*``, ``?``, ``[a-c]``, ``[!x]``; case counts.

        Raises:
            InvalidReference: the pattern is empty or too long.
        """
        _bound(text)
        return cls("glob", text, lambda tag: fnmatch.fnmatchcase(tag, text))

    @classmethod
    def regex(cls, text: str) -> Self:
        """Read a regular expression in RE2's syntax; it must match the whole tag.

        Raises:
            InvalidReference: not an expression, or one that RE2 does not have.
        """
        _bound(text)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MAX_REGEX_MEMORY
        try:
            compiled = re2.compile(text, options)
        except re2.error as error:
            reason = error.args[0] if error.args else ""
            shown = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise InvalidReference(
                repr(text),
                f"is not a regular expression: {shown}",
                "there are no look-around and no back-references; exclude says what not to take",
            ) from None
        return cls("regex", text, lambda tag: compiled.fullmatch(tag) is not None)

    def matches(self, tag: str) -> bool:
        """Tell whether the whole tag matches."""
        return self._matches(tag)

    def __str__(self) -> str:
        return f"{self.kind} {self.text!r}"


def _bound(text: str) -> None:
    if not text:
        raise InvalidReference(repr(text), "is an empty pattern")
    if len(text) > MAX_PATTERN_LENGTH:
        raise InvalidReference(
            repr(text[:40] + "…"), f"a pattern has at most {MAX_PATTERN_LENGTH} characters"
        )
