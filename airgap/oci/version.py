"""Versions as tags spell them: ``v1.2.3``, ``1.27-alpine``, ``3.19.1-r0``, ``3.13.0rc1``.

Tags are not semver: parts are missing, builds hang on with hyphens, and what semver calls a
prerelease (``-alpine``) is mostly a product of its own. So a tag is read as

    ``[v]N[.N[.N[.N]]]  [prerelease]  [revision…]  [suffix]  [-rN]``

where a *prerelease* begins with a word that says so (``rc1``, ``-beta.2``), a *revision* is a
number that the packager counts (``-2``, ``-r0``, ``_9``), and the *suffix* is the rest
(``alpine``, ``debian-12``, ``k3s1``): another product of the same version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import TypeAlias

NaturalKey: TypeAlias = tuple[tuple[int, int, str], ...]

_PRERELEASE_WORDS = (
    "alpha",
    "beta",
    "canary",
    "dev",
    "ea",
    "eap",
    "experimental",
    "milestone",
    "next",
    "nightly",
    "pre",
    "preview",
    "rc",
    "snapshot",
    "test",
    "unstable",
)
_WORDS = "|".join(sorted(_PRERELEASE_WORDS, key=len, reverse=True))
_TAG = re.compile(
    rf"[vV]?(?P<release>\d+(?:\.\d+){{0,3}})"
    rf"(?P<glued>(?:{_WORDS})\.?\d*|[abm]\d+)?"
    r"(?P<rest>(?:[-_.+].*)?)",
    re.ASCII | re.IGNORECASE,
)
_PRERELEASE = re.compile(rf"(?:(?:{_WORDS})|[abm](?=\d))[.\d]*", re.ASCII | re.IGNORECASE)
_REVISION = re.compile(r"r?(\d+)", re.ASCII)
_TRAILING_REVISION = re.compile(r"r(\d+)", re.ASCII)
_DIGITS = re.compile(r"(\d+)", re.ASCII)
_RELEASE_PARTS = 4
_DATE_LENGTH = 6


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class TagVersion:
    """A version, and what else the tag says.

    Ordered by version (missing parts are zero), then prerelease before release, then revision,
    then the more precise spelling (``1.27.0`` after ``1.27``), then suffix.

    Attributes:
        release: one to four numbers.
        prerelease: such as ``rc1``; empty for a release.
        revision: the packager's own counters; empty where there are none.
        suffix: what sort of build it is, such as ``alpine``; empty for the plain one.
    """

    release: tuple[int, ...]
    prerelease: str = ""
    revision: tuple[int, ...] = ()
    suffix: str = ""

    @property
    def is_prerelease(self) -> bool:
        """Whether the version comes before the release that it names."""
        return bool(self.prerelease)

    @property
    def precedence(self) -> tuple[tuple[int, ...], bool, NaturalKey]:
        """What ranges compare: the version and the prerelease, nothing of the packaging."""
        return padded(self.release), not self.prerelease, natural_key(self.prerelease)

    def _order(self) -> tuple[object, ...]:
        return self.precedence, self.revision, len(self.release), natural_key(self.suffix)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TagVersion) and self._order() == other._order()

    def __hash__(self) -> int:
        return hash(self._order())

    def __lt__(self, other: TagVersion) -> bool:
        return self._order() < other._order()


def parse_tag_version(tag: str) -> TagVersion | None:
    """Return the version that a tag spells, or None where it spells none.

    A lone number of six or more digits (``20240807``) is a date or a build number, no version.
    """
    match = _TAG.fullmatch(tag)
    if match is None:
        return None
    numbers = match["release"].split(".")
    if len(numbers) == 1 and len(numbers[0]) >= _DATE_LENGTH:
        return None
    prerelease = match["glued"] or ""
    tokens = [token for token in re.split(r"[-_+]", match["rest"].lstrip(".-_+")) if token]
    if tokens and not prerelease and _PRERELEASE.fullmatch(tokens[0]):
        prerelease = tokens.pop(0)
    revision: list[int] = []
    while tokens and (counted := _REVISION.fullmatch(tokens[0])):
        revision.append(int(counted[1]))
        tokens.pop(0)
    if tokens and (counted := _TRAILING_REVISION.fullmatch(tokens[-1])):
        revision.append(int(counted[1]))
        tokens.pop()
    return TagVersion(
        tuple(int(number) for number in numbers),
        prerelease.lower(),
        tuple(revision),
        "-".join(tokens),
    )


def padded(release: tuple[int, ...]) -> tuple[int, ...]:
    """Return the four numbers of a version whose missing parts are zero."""
    return release + (0,) * (_RELEASE_PARTS - len(release))


def natural_key(text: str) -> NaturalKey:
    """Return a sort key by which numbers in text count as numbers: ``rc2`` before ``rc10``."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in _DIGITS.split(text)
        if part
    )
