"""Which tags of a repository to take, and for each of the others why not. Pure.

The choice has two stages, because only the second one can cost a request a tag:

1. :func:`choose_candidates` looks at names alone.
2. :func:`choose_tags` keeps the newest; by ``created`` it wants times for ``Candidates.undated``.

A tag is taken where it is one of ``names``, or where it passes *every* filter that is given (glob,
regex, range); within one filter any of the alternatives will do. What ``exclude`` matches is never
taken. The newest are counted among what passed the filters; ``names`` come on top. Tags that name a
signature, an attestation or an SBOM of an image are no images: they go where that goes, and are
taken for themselves only by name.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from airgap.oci.attachment_tag import parse_attachment_tag
from airgap.oci.reference import is_tag
from airgap.oci.tag_pattern import TagPattern
from airgap.oci.version import TagVersion, natural_key, parse_tag_version
from airgap.oci.version_range import VersionRange

ANY_SUFFIX = "*"
"""The suffix pattern that takes every sort of build."""

_BEFORE_CONTAINERS = datetime(2010, 1, 1, tzinfo=UTC)
"""Reproducible builds date their images to 1970 or to the year 1: that is no date at all."""


class Order(StrEnum):
    """What newest means."""

    SEMVER = "semver"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Newest:
    """Keep so many of the tags that passed the filters.

    Attributes:
        count: at least 1; by version, so many for each suffix pattern.
        by: version, or the time in the image's config.
    """

    count: int
    by: Order = Order.SEMVER


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Ways to match a tag; empty ones say nothing."""

    names: tuple[str, ...] = ()
    patterns: tuple[TagPattern, ...] = ()
    ranges: tuple[VersionRange, ...] = ()

    def excludes(self, tag: str) -> str | None:
        """Return what matches the tag, in words, or None: any single match will do."""
        if tag in self.names:
            return "name"
        for pattern in self.patterns:
            if pattern.matches(tag):
                return str(pattern)
        version = parse_tag_version(tag) if self.ranges else None
        for wanted in self.ranges:
            if version is not None and version in wanted:
                return f"range {wanted.text!r}"
        return None


@dataclass(frozen=True, slots=True)
class TagSelection:
    """Which tags of a repository to take; see the module's description.

    Attributes:
        names: tags to take in any case; one that is not there is reported, never skipped.
        globs: shell patterns.
        regexes: regular expressions for whole tags.
        ranges: version ranges.
        suffixes: the sorts of build (``alpine``, ``k3s*``; the empty one is the plain build) that
            ranges and the newest by version look at. Empty: plain builds only, or every sort where
            a glob or a regex says what the tag looks like.
        newest: how many to keep.
        exclude: what not to take.
    """

    names: tuple[str, ...] = ()
    globs: tuple[TagPattern, ...] = ()
    regexes: tuple[TagPattern, ...] = ()
    ranges: tuple[VersionRange, ...] = ()
    suffixes: tuple[str, ...] = ()
    newest: Newest | None = None
    exclude: TagFilter = field(default_factory=TagFilter)

    @property
    def needs_listing(self) -> bool:
        """Whether the repository's tags must be listed; names alone are asked for one by one."""
        return not self.names or bool(self.globs or self.regexes or self.ranges or self.newest)

    @property
    def reads_versions(self) -> bool:
        """Whether a tag that spells no version cannot be taken (but by name)."""
        return bool(self.ranges) or (self.newest is not None and self.newest.by is Order.SEMVER)

    @property
    def suffix_patterns(self) -> tuple[str, ...]:
        """The suffixes that count, defaults filled in."""
        if self.suffixes:
            return self.suffixes
        return (ANY_SUFFIX,) if self.globs or self.regexes else ("",)


ALL_TAGS = TagSelection()


@dataclass(frozen=True, slots=True)
class Rejection:
    """A tag that is not taken, and why, in words."""

    tag: str
    reason: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """The tags that are left once names were looked at.

    Attributes:
        selection: what was asked for.
        pinned: tags taken by name, sorted.
        matching: tags that passed every filter, sorted.
        rejected: all other tags.
        absent: names that were asked for and are not there.
    """

    selection: TagSelection
    pinned: tuple[str, ...]
    matching: tuple[str, ...]
    rejected: tuple[Rejection, ...]
    absent: tuple[str, ...]

    @property
    def undated(self) -> tuple[str, ...]:
        """The tags whose creation time decides; empty where no time does."""
        newest = self.selection.newest
        if newest is None or newest.by is not Order.CREATED or len(self.matching) <= newest.count:
            return ()
        return self.matching


@dataclass(frozen=True, slots=True)
class ChosenTags:
    """The outcome: what is taken, what is not and why, what is missing.

    Attributes:
        taken: in natural order (``1.9`` before ``1.10``), each once.
        rejected: in natural order.
        absent: names that were asked for and that the repository does not have.
    """

    taken: tuple[str, ...]
    rejected: tuple[Rejection, ...]
    absent: tuple[str, ...]


def choose_candidates(selection: TagSelection, tags: Iterable[str]) -> Candidates:
    """Hold every tag of a repository against names, filters and exclusions."""
    available = sorted(set(tags), key=_natural_order)
    pinned: list[str] = []
    matching: list[str] = []
    rejected: list[Rejection] = []
    names_only = not selection.needs_listing
    for tag in available:
        reason = None if is_tag(tag) else "is not a tag"
        if reason is None and (match := selection.exclude.excludes(tag)):
            reason = f"excluded by {match}"
        if reason is None and tag in selection.names:
            pinned.append(tag)
            continue
        if reason is None and (attached := parse_attachment_tag(tag)):
            reason = f"is {attached}, and goes with it"
        if reason is None:
            reason = "is not among the names" if names_only else _why_not(selection, tag)
        if reason is None:
            matching.append(tag)
        else:
            rejected.append(Rejection(tag, reason))
    present = set(available)
    absent = tuple(name for name in dict.fromkeys(selection.names) if name not in present)
    return Candidates(selection, tuple(pinned), tuple(matching), tuple(rejected), absent)


def choose_tags(
    candidates: Candidates, created: Mapping[str, str | None] | None = None
) -> ChosenTags:
    """Keep the newest of the candidates, where so many were asked for.

    Args:
        candidates: the first stage's outcome.
        created: for each of ``candidates.undated`` the RFC 3339 time in its image's config. A tag
            without a time, or with one from before there were containers, counts as the oldest.
    """
    newest = candidates.selection.newest
    surplus: tuple[Rejection, ...] = ()
    if newest is None:
        kept = candidates.matching
    elif newest.by is Order.SEMVER:
        kept, surplus = _newest_by_version(candidates, newest.count)
    else:
        kept, surplus = _newest_by_time(candidates, newest.count, created or {})
    return ChosenTags(
        taken=tuple(sorted((*candidates.pinned, *kept), key=_natural_order)),
        rejected=tuple(
            sorted((*candidates.rejected, *surplus), key=lambda item: _natural_order(item.tag))
        ),
        absent=candidates.absent,
    )


def _why_not(selection: TagSelection, tag: str) -> str | None:
    """Return why a tag does not pass the filters, or None where it does."""
    for patterns in (selection.globs, selection.regexes):
        if patterns and not any(pattern.matches(tag) for pattern in patterns):
            return f"does not match {_any_of(patterns)}"
    if not selection.reads_versions:
        return None
    version = parse_tag_version(tag)
    if version is None:
        return "is not a version"
    return _why_not_version(selection, version)


def _why_not_version(selection: TagSelection, version: TagVersion) -> str | None:
    ranges = selection.ranges
    if ranges and not any(version in wanted for wanted in ranges):
        if version.is_prerelease and any(_released(version) in wanted for wanted in ranges):
            return "is a prerelease, and the range names none"
        return f"is outside {' || '.join(wanted.text for wanted in ranges)}"
    if not ranges and version.is_prerelease:
        return "is a prerelease, and no range names one"
    if _suffix_group(selection, version) is not None:
        return None
    build = f"the build {version.suffix!r}" if version.suffix else "the plain build"
    return f"is {build}, which suffixes does not name"


def _newest_by_version(
    candidates: Candidates, count: int
) -> tuple[tuple[str, ...], tuple[Rejection, ...]]:
    groups: dict[str, list[tuple[TagVersion, str]]] = {}
    for tag in candidates.matching:
        version = parse_tag_version(tag)
        group = _suffix_group(candidates.selection, version) if version is not None else None
        if version is not None and group is not None:
            groups.setdefault(group, []).append((version, tag))
    kept: list[str] = []
    surplus: list[Rejection] = []
    for group, members in groups.items():
        # Two spellings of one version (1.2 and v1.2) are told apart by the tag, for a stable order.
        members.sort(reverse=True)
        kept.extend(tag for _, tag in members[:count])
        among = f" of the builds {group!r}" if group not in {"", ANY_SUFFIX} else ""
        surplus.extend(
            Rejection(tag, f"is number {place}{among} by version, and {count} are taken")
            for place, (_, tag) in enumerate(members[count:], count + 1)
        )
    return tuple(kept), tuple(surplus)


def _newest_by_time(
    candidates: Candidates, count: int, created: Mapping[str, str | None]
) -> tuple[tuple[str, ...], tuple[Rejection, ...]]:
    times = {tag: _parse_time(created.get(tag)) for tag in candidates.matching}
    ranked = sorted(
        candidates.matching,
        key=lambda tag: (times[tag] or _BEFORE_CONTAINERS, _natural_order(tag)),
        reverse=True,
    )
    return tuple(ranked[:count]), tuple(
        Rejection(
            tag,
            f"is number {place} by time"
            + ("" if times[tag] else " (its image has none)")
            + f", and {count} are taken",
        )
        for place, tag in enumerate(ranked[count:], count + 1)
    )


def _suffix_group(selection: TagSelection, version: TagVersion) -> str | None:
    for pattern in selection.suffix_patterns:
        if fnmatch.fnmatchcase(version.suffix, pattern):
            return pattern
    return None


def _released(version: TagVersion) -> TagVersion:
    return TagVersion(version.release, revision=version.revision, suffix=version.suffix)


def _any_of(patterns: Sequence[TagPattern]) -> str:
    first, *others = patterns
    if not others:
        return str(first)
    return f"any {first.kind} of " + ", ".join(repr(pattern.text) for pattern in patterns)


def _natural_order(tag: str) -> tuple[object, ...]:
    return natural_key(tag[:256]), tag


def _parse_time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return time if time > _BEFORE_CONTAINERS else None
