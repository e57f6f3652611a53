"""Ranges of versions, written as node and Cargo write them.

``>=1.2 <2``, ``^1.4``, ``~1.2``, ``1.x``, ``1.2 - 1.4``, ``=1.2.3``, ``1.2`` (which is ``1.2.x``),
``*``; spaces or commas mean *and*, ``||`` means *or*. A part that is missing in ``<=``, ``>`` and
at the end of a hyphen range covers all of it: ``<=1.4`` takes 1.4.9, ``>1.4`` begins at 1.5.

Prereleases come in only where the alternative names one itself: ``>=1.3.0-rc1 <2``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self, TypeAlias

from airgap.errors import InvalidReference
from airgap.oci.version import NaturalKey, TagVersion, natural_key, padded

MAX_RANGE_LENGTH = 512
"""Characters of a range."""

_Bound: TypeAlias = tuple[tuple[int, ...], bool, NaturalKey]
_LOWEST: NaturalKey = ()

_VERSION = r"[vV]?(?:\d+|[xX*])(?:\.(?:\d+|[xX*])){0,3}(?:-[0-9A-Za-z.]+)?"
_HYPHEN = re.compile(rf"\s*({_VERSION})\s+-\s+({_VERSION})\s*", re.ASCII)
_COMPARATOR = re.compile(rf"\s*(\^|~>?|>=|<=|>|<|==?|)\s*({_VERSION})(?:\s*,\s*|\s+|\Z)", re.ASCII)
_MEANING = "ranges look like >=1.2 <2, ^1.4, ~1.2, 1.x or 1.2 - 1.4"


@dataclass(frozen=True, slots=True)
class _Partial:
    """A version of which parts may be missing: ``1``, ``1.4.x``, ``1.4.0-rc1``."""

    release: tuple[int, ...]
    prerelease: str

    @classmethod
    def parse(cls, text: str) -> Self:
        version, _, prerelease = text.lstrip("vV").partition("-")
        numbers: list[int] = []
        for part in version.split("."):
            if part in {"x", "X", "*"}:
                break
            numbers.append(int(part))
        return cls(tuple(numbers), prerelease.lower())

    @property
    def floor(self) -> _Bound:
        """The first version that it covers."""
        return padded(self.release), not self.prerelease, natural_key(self.prerelease)

    def past(self, keep: int) -> _Bound | None:
        """Return the first version past those that agree in ``keep`` parts; None: there is none."""
        if keep == 0:
            return None
        kept = self.release[:keep]
        # False sorts below every release, and an empty key below every prerelease: 2.0.0's own
        # prereleases are past 1.x already.
        return padded((*kept[:-1], kept[-1] + 1)), False, _LOWEST


@dataclass(frozen=True, slots=True)
class _Interval:
    """From ``low`` (included) up to ``high`` (excluded); None has no end."""

    low: _Bound | None
    high: _Bound | None

    def __contains__(self, bound: _Bound) -> bool:
        return (self.low is None or bound >= self.low) and (self.high is None or bound < self.high)


@dataclass(frozen=True, slots=True)
class _Alternative:
    intervals: tuple[_Interval, ...]
    prereleases: bool

    def admits(self, version: TagVersion) -> bool:
        if version.is_prerelease and not self.prereleases:
            return False
        return all(version.precedence in interval for interval in self.intervals)


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A range of versions; packaging revisions and suffixes do not count.

    Attributes:
        text: the range as it was written.
    """

    text: str
    _alternatives: tuple[_Alternative, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a range.

        Raises:
            InvalidReference: the text is not a range.
        """
        if len(text) > MAX_RANGE_LENGTH:
            raise InvalidReference(
                repr(text[:40] + "…"), f"a range has at most {MAX_RANGE_LENGTH} characters"
            )
        return cls(text, tuple(_alternative(part, text) for part in text.split("||")))

    def __contains__(self, version: TagVersion) -> bool:
        return any(alternative.admits(version) for alternative in self._alternatives)

    def __str__(self) -> str:
        return self.text


def _alternative(part: str, text: str) -> _Alternative:
    if hyphen := _HYPHEN.fullmatch(part):
        first, last = _Partial.parse(hyphen[1]), _Partial.parse(hyphen[2])
        intervals = [_Interval(first.floor, None), _interval("<=", last)]
        return _Alternative(tuple(intervals), bool(first.prerelease or last.prerelease))
    intervals, prereleases, position = [], False, 0
    while position < len(part) or not intervals:
        match = _COMPARATOR.match(part, position)
        partial = _Partial.parse(match[2]) if match else None
        if match is None or partial is None or (match[1] in {"<", ">"} and not partial.release):
            raise InvalidReference(repr(text), "is not a range of versions", _MEANING)
        intervals.append(_interval(match[1], partial))
        prereleases = prereleases or bool(partial.prerelease)
        position = match.end()
    return _Alternative(tuple(intervals), prereleases)


def _interval(operator: str, partial: _Partial) -> _Interval:
    low: _Bound | None = partial.floor
    high: _Bound | None = None
    match operator:
        case "<":
            low, high = None, partial.floor if partial.prerelease else _before(partial)
        case ">":
            low = _after(partial)
        case "<=":
            low, high = None, _after(partial)
        case "^":
            # The leftmost number that is not zero stays as it is.
            numbers = partial.release
            fixed = next((n for n, part in enumerate(numbers, 1) if part), len(numbers))
            high = partial.past(fixed)
        case "~" | "~>":
            high = partial.past(min(len(partial.release), 2))
        case "" | "=" | "==":
            high = _after(partial)
    return _Interval(low, high)


def _before(partial: _Partial) -> _Bound:
    """Return the end of what is below a version: ``<2`` does not take 2.0.0-rc1."""
    return padded(partial.release), False, _LOWEST


def _after(partial: _Partial) -> _Bound | None:
    """Return the first version above everything that a partial version covers."""
    if partial.prerelease:
        release, _, key = partial.floor
        return release, False, (*key, (0, -1, ""))
    return partial.past(len(partial.release))
