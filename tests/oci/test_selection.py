"""Which tags are taken, and what is said of the others."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import InvalidReference
from airgap.oci.selection import (
    ALL_TAGS,
    ChosenTags,
    Newest,
    Order,
    TagFilter,
    TagSelection,
    choose_candidates,
    choose_tags,
)
from airgap.oci.tag_pattern import MAX_PATTERN_LENGTH, TagPattern
from airgap.oci.version_range import VersionRange
from tests.oci import strategies

NGINX = [
    "1.25",
    "1.25.0",
    "1.25.1",
    "1.25-alpine",
    "1.26",
    "1.26.0-alpine",
    "1.27.0rc1",
    "1.27-alpine",
    "latest",
    "alpine",
]


def _choose(selection: TagSelection, tags: list[str]) -> ChosenTags:
    return choose_tags(choose_candidates(selection, tags))


def _globs(*texts: str) -> tuple[TagPattern, ...]:
    return tuple(TagPattern.glob(text) for text in texts)


def _regexes(*texts: str) -> tuple[TagPattern, ...]:
    return tuple(TagPattern.regex(text) for text in texts)


def _ranges(*texts: str) -> tuple[VersionRange, ...]:
    return tuple(VersionRange.parse(text) for text in texts)


def _reasons(chosen: ChosenTags) -> dict[str, str]:
    return {rejection.tag: rejection.reason for rejection in chosen.rejected}


def test_everything_is_taken_in_natural_order() -> None:
    """Numbers count as numbers, so the order is the one that people expect."""
    chosen = _choose(ALL_TAGS, ["1.10", "b", "1.9", "a", "1.9"])
    assert chosen.taken == ("1.9", "1.10", "a", "b")
    assert chosen.rejected == ()


def test_names_are_taken_and_missing_ones_are_told() -> None:
    """A name that is not there is never skipped in silence."""
    selection = TagSelection(names=("1.9", "gone"))
    chosen = _choose(selection, ["1.9", "1.10"])
    assert chosen.taken == ("1.9",)
    assert chosen.absent == ("gone",)
    assert _reasons(chosen) == {"1.10": "is not among the names"}
    assert not selection.needs_listing


def test_a_tag_must_pass_every_filter_and_names_come_on_top() -> None:
    """Glob and range together mean both; a name is taken whatever they say."""
    selection = TagSelection(names=("latest",), globs=_globs("*-alpine"), ranges=_ranges(">=1.26"))
    chosen = _choose(selection, NGINX)
    assert chosen.taken == ("1.26.0-alpine", "1.27-alpine", "latest")
    assert _reasons(chosen)["1.25-alpine"] == "is outside >=1.26"
    assert _reasons(chosen)["1.26"] == "does not match glob '*-alpine'"
    assert _reasons(chosen)["alpine"] == "does not match glob '*-alpine'"
    assert selection.needs_listing


def test_within_one_filter_any_alternative_will_do() -> None:
    """Two globs are one or the other."""
    chosen = _choose(TagSelection(globs=_globs("late*", "alp*")), NGINX)
    assert chosen.taken == ("alpine", "latest")
    assert _reasons(chosen)["1.25"] == "does not match any glob of 'late*', 'alp*'"


def test_a_range_takes_plain_builds_unless_told_otherwise() -> None:
    """1.25-alpine is another product than 1.25."""
    chosen = _choose(TagSelection(ranges=_ranges("1.25")), NGINX)
    assert chosen.taken == ("1.25", "1.25.0", "1.25.1")
    assert _reasons(chosen)["1.25-alpine"] == "is the build 'alpine', which suffixes does not name"
    assert _reasons(chosen)["latest"] == "is not a version"
    chosen = _choose(TagSelection(ranges=_ranges(">=1.25"), suffixes=("alp*",)), NGINX)
    assert chosen.taken == ("1.25-alpine", "1.26.0-alpine", "1.27-alpine")
    assert _reasons(chosen)["1.26"] == "is the plain build, which suffixes does not name"


def test_prereleases_need_a_range_that_names_one() -> None:
    """Nobody gets a release candidate who did not ask for one."""
    tags = ["1.26.0", "1.27.0-rc1"]
    chosen = _choose(TagSelection(ranges=_ranges(">=1.26")), tags)
    assert chosen.taken == ("1.26.0",)
    assert _reasons(chosen) == {"1.27.0-rc1": "is a prerelease, and the range names none"}
    assert _choose(TagSelection(ranges=_ranges(">=1.26.0-0")), tags).taken == tuple(tags)
    newest = _choose(TagSelection(newest=Newest(1)), tags)
    assert newest.taken == ("1.26.0",)
    assert _reasons(newest) == {"1.27.0-rc1": "is a prerelease, and no range names one"}


def test_exclusion_goes_before_everything() -> None:
    """By name, pattern or range; even what is named is not taken."""
    exclude = TagFilter(("latest",), _globs("*rc*") + _regexes(r".*-alpine"), _ranges("1.25.x"))
    chosen = _choose(TagSelection(names=("latest",), exclude=exclude), NGINX)
    assert chosen.taken == ()
    assert chosen.absent == ()
    reasons = _reasons(chosen)
    assert reasons["latest"] == "excluded by name"
    assert reasons["1.27.0rc1"] == "excluded by glob '*rc*'"
    assert reasons["1.26.0-alpine"] == "excluded by regex '.*-alpine'"
    assert reasons["1.25.1"] == "excluded by range '1.25.x'"


def test_the_newest_by_version_are_counted_for_each_sort_of_build() -> None:
    """Two plain ones and two alpine ones; what falls out is told its place."""
    tags = ["1.9", "1.10", "1.11", "1.9-alpine", "1.10-alpine", "1.11-alpine", "2-windows"]
    chosen = _choose(TagSelection(newest=Newest(2), suffixes=("", "alpine")), tags)
    assert set(chosen.taken) == {"1.10", "1.11", "1.10-alpine", "1.11-alpine"}
    reasons = _reasons(chosen)
    assert reasons["1.9"] == "is number 3 by version, and 2 are taken"
    assert reasons["1.9-alpine"] == "is number 3 of the builds 'alpine' by version, and 2 are taken"
    assert reasons["2-windows"] == "is the build 'windows', which suffixes does not name"


def test_names_do_not_count_among_the_newest() -> None:
    """They come on top."""
    chosen = _choose(TagSelection(names=("3",), newest=Newest(1)), ["1", "2", "3"])
    assert chosen.taken == ("2", "3")


def test_the_newest_by_time_wait_for_the_second_stage() -> None:
    """The first stage says whose times it needs; only candidates cost a request."""
    selection = TagSelection(globs=_globs("b*"), newest=Newest(2, Order.CREATED))
    candidates = choose_candidates(selection, ["a1", "b1", "b2", "b3", "b4"])
    assert candidates.undated == ("b1", "b2", "b3", "b4")
    chosen = choose_tags(
        candidates,
        {
            "b1": "2024-05-01T00:00:00.123456789Z",
            "b2": "2024-05-01T02:00:00+02:00",
            "b3": "0001-01-01T00:00:00Z",
            "b4": None,
        },
    )
    assert chosen.taken == ("b1", "b2")
    assert _reasons(chosen) == {
        "a1": "does not match glob 'b*'",
        "b3": "is number 4 by time (its image has none), and 2 are taken",
        "b4": "is number 3 by time (its image has none), and 2 are taken",
    }


def test_no_time_is_asked_for_that_cannot_matter() -> None:
    """As many candidates as wanted, another order, or no count: nothing to look up."""
    by_time = TagSelection(newest=Newest(2, Order.CREATED))
    assert choose_candidates(by_time, ["a", "b"]).undated == ()
    assert choose_candidates(TagSelection(newest=Newest(1)), ["1", "2"]).undated == ()
    assert choose_candidates(ALL_TAGS, ["a", "b"]).undated == ()


@pytest.mark.parametrize("written", ["", "yesterday", "2024-13-01", "9" * 5000, "2024-05-01"])
def test_a_time_that_cannot_be_read_is_no_error(written: str) -> None:
    """Configs come from anybody; what has no time counts as the oldest."""
    candidates = choose_candidates(TagSelection(newest=Newest(1, Order.CREATED)), ["a", "b"])
    assert choose_tags(candidates, {"a": "2025-01-01T00:00:00Z", "b": written}).taken == ("a",)


def test_what_a_registry_lists_and_is_no_tag_is_rejected() -> None:
    """Some list digests among the tags, and a hostile one anything at all."""
    hostile = ["sha256:abc", "../../etc", "", "x" * 129, "a\n", "a b"]
    chosen = _choose(ALL_TAGS, [*hostile, "fine"])
    assert chosen.taken == ("fine",)
    assert set(_reasons(chosen).values()) == {"is not a tag"}


def test_globs_and_regexes_match_the_whole_tag() -> None:
    """Anchored and grouped: an alternative does not open one end."""
    assert TagPattern.regex("a|b").matches("a")
    assert not TagPattern.regex("a|b").matches("ab")
    assert not TagPattern.regex("1.2").matches("1.2.3")
    assert not TagPattern.regex("a").matches("a\n")
    assert TagPattern.glob("1.[0-4]*").matches("1.2.3")
    assert not TagPattern.glob("1.?").matches("1.10")
    assert not TagPattern.glob("A*").matches("a1")


@pytest.mark.parametrize("text", ["", "(", "a**", "(?!x)y", r"(a)\1", "[z-a]", "a{2000}"])
def test_what_is_no_regular_expression_is_refused(text: str) -> None:
    """Also what only a backtracking engine has."""
    with pytest.raises(InvalidReference):
        TagPattern.regex(text)


def test_patterns_are_bounded() -> None:
    """Nobody writes a kilobyte."""
    for make in (TagPattern.glob, TagPattern.regex):
        with pytest.raises(InvalidReference, match="at most"):
            make("a" * (MAX_PATTERN_LENGTH + 1))


def test_no_expression_takes_long_for_any_tag() -> None:
    """Nested repeats that take a backtracking engine hours are linear here."""
    hostile = "a" * 127 + "!"
    started = time.process_time()
    for text in ("(a+)+", "(a|a)*", "(a|aa)+", "(.*a){20}", "(((a*)*)*)*b"):
        assert not TagPattern.regex(text).matches(hostile)
    for text in ("*a*a*a*a*a*a*a*a*b", "[a-z]*" * 20 + "0"):
        assert not TagPattern.glob(text).matches(hostile)
    assert time.process_time() - started < 5


_selections = st.builds(
    TagSelection,
    names=st.lists(strategies.tags, max_size=2).map(tuple),
    globs=st.sampled_from([(), _globs("*"), _globs("1*", "*-alpine")]),
    regexes=st.sampled_from([(), _regexes(r"[0-9.]+"), _regexes(r"\w+")]),
    ranges=st.sampled_from([(), _ranges(">=1"), _ranges("1.x", ">=2.0.0-0")]),
    suffixes=st.sampled_from([(), ("",), ("alpine", ""), ("*",)]),
    newest=st.none() | st.builds(Newest, st.integers(1, 3), st.sampled_from(Order)),
    exclude=st.sampled_from([TagFilter(), TagFilter(patterns=_globs("*0*"))]),
)
_versions = st.builds(
    "{}{}.{}{}".format,
    st.sampled_from(["", "v"]),
    st.integers(0, 12),
    st.integers(0, 12),
    st.sampled_from(["", "-alpine", "-rc1", ".0", "-r3", "-slim"]),
)


@given(_selections, st.lists(_versions | strategies.tags, max_size=12))
def test_every_tag_is_taken_or_rejected_with_a_reason(
    selection: TagSelection, tags: list[str]
) -> None:
    """Nothing falls through, nothing is both, and the order of the listing does not matter."""
    chosen = _choose(selection, tags)
    rejected = [rejection.tag for rejection in chosen.rejected]
    assert sorted([*chosen.taken, *rejected]) == sorted(set(tags))
    assert all(rejection.reason for rejection in chosen.rejected)
    assert set(chosen.absent) == set(selection.names) - set(tags)
    assert _choose(selection, tags[::-1] + tags) == chosen
