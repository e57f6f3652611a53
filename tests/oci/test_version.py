"""Versions as tags spell them, and ranges of them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import InvalidReference
from airgap.oci.version import TagVersion, natural_key, parse_tag_version
from airgap.oci.version_range import VersionRange
from tests.oci import strategies


def _version(tag: str) -> TagVersion:
    version = parse_tag_version(tag)
    assert version is not None
    return version


@pytest.mark.parametrize(
    "tag, read",
    [
        ("1", TagVersion((1,))),
        ("1.10", TagVersion((1, 10))),
        ("v1.2.3", TagVersion((1, 2, 3))),
        ("V1.2.3", TagVersion((1, 2, 3))),
        ("1.2.3.4", TagVersion((1, 2, 3, 4))),
        ("20.04", TagVersion((20, 4))),
        ("1.10-alpine", TagVersion((1, 10), suffix="alpine")),
        ("1.27.1-alpine3.19-slim", TagVersion((1, 27, 1), suffix="alpine3.19-slim")),
        ("3.19.1-r0", TagVersion((3, 19, 1), revision=(0,))),
        ("1.2.3-5", TagVersion((1, 2, 3), revision=(5,))),
        ("1.2.3-debian-12-r4", TagVersion((1, 2, 3), revision=(4,), suffix="debian-12")),
        ("11.0.21_9-jre", TagVersion((11, 0, 21), revision=(9,), suffix="jre")),
        ("v1.27.3-k3s1", TagVersion((1, 27, 3), suffix="k3s1")),
        ("1.2.3-4-gabcdef0", TagVersion((1, 2, 3), revision=(4,), suffix="gabcdef0")),
        ("6.1.0.Final", TagVersion((6, 1, 0), suffix="Final")),
        ("3.13.0rc1", TagVersion((3, 13, 0), "rc1")),
        ("3.13.0a2-slim", TagVersion((3, 13, 0), "a2", suffix="slim")),
        ("1.0.0-rc.1", TagVersion((1, 0, 0), "rc.1")),
        ("1.0-RC1-alpine", TagVersion((1, 0), "rc1", suffix="alpine")),
        ("2.0.0-beta-3", TagVersion((2, 0, 0), "beta", (3,))),
        ("1.0-m2", TagVersion((1, 0), "m2")),
        ("1.0-SNAPSHOT", TagVersion((1, 0), "snapshot")),
        ("1.0-arm64", TagVersion((1, 0), suffix="arm64")),
        ("1.0-bookworm", TagVersion((1, 0), suffix="bookworm")),
        ("1.0-devel", TagVersion((1, 0), suffix="devel")),
        ("12345", TagVersion((12345,))),
    ],
)
def test_tags_are_taken_apart(tag: str, read: TagVersion) -> None:
    """Version, prerelease, the packager's counter, and what sort of build it is."""
    version = _version(tag)
    assert version == read
    assert version.release == read.release


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "latest",
        "stable-1",
        "v",
        "vv1",
        "20240807",
        "1234567",
        "1a2b3c4",
        "alpine-3.19",
        "sha256-abc",
        "1.2.3\n",
        "1x",
        "²",
        "1٣",
    ],
)
def test_what_is_no_version_is_none(tag: str) -> None:
    """Words, dates, commit ids."""
    assert parse_tag_version(tag) is None


def test_versions_are_ordered_as_people_count() -> None:
    """Numbers as numbers, prereleases first, revisions and more precise spellings later."""
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc1",
        "1.0.0-rc10",
        "1",
        "1.0",
        "1.0.0",
        "1.0.0-alpine",
        "1.0.0-r1",
        "1.0.0-r10",
        "1.2",
        "1.9",
        "1.10",
        "1.10.1",
        "2",
    ]
    assert sorted(ordered, key=_version) == ordered


@given(st.text(max_size=130) | strategies.tags)
def test_any_text_is_a_version_or_none(text: str) -> None:
    """Nothing a registry lists as a tag raises."""
    version = parse_tag_version(text)
    assert version is None or version == version.__class__(
        version.release, version.prerelease, version.revision, version.suffix
    )


_versions = st.builds(
    TagVersion,
    st.lists(st.integers(0, 2), min_size=1, max_size=4).map(tuple),
    st.sampled_from(["", "rc1", "rc10", "beta.2"]),
    st.lists(st.integers(0, 12), max_size=1).map(tuple),
    st.sampled_from(["", "alpine", "r2d2"]),
)


@given(st.lists(_versions, min_size=3, max_size=5))
def test_the_order_is_total(versions: list[TagVersion]) -> None:
    """Sorting gives one result, whatever it began with."""
    assert sorted(versions) == sorted(versions)


@given(st.text(max_size=30), st.text(max_size=30))
def test_natural_keys_can_be_compared_whatever_the_text(one: str, other: str) -> None:
    """Two keys are always comparable, and equal for equal texts."""
    assert (natural_key(one) <= natural_key(other)) or (natural_key(one) > natural_key(other))


@pytest.mark.parametrize(
    "text, inside, outside",
    [
        (">=1.2 <2", "1.2 1.2.0 1.99.99 v1.5 1.5-alpine 1.2-r3", "1.1.9 2 2.0.0 2.0.0-rc1 1.3-rc1"),
        (">=1.2, <2", "1.2 1.9", "2"),
        (">= 1.2  < 2", "1.2", "2"),
        (">1.4", "1.5 1.5.0 2", "1.4 1.4.9"),
        (">1.4.2", "1.4.3 1.5", "1.4.2 1.4.2-r7"),
        ("<=1.4", "1.4 1.4.9 1", "1.5"),
        ("<1.4", "1.3.9 0", "1.4 1.4.0-rc1"),
        ("^1.4", "1.4 1.9.9", "1.3 2 2.0-rc1"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3 0.2.2"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^0", "0 0.9", "1"),
        ("~1.2", "1.2 1.2.9", "1.3"),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3"),
        ("~1", "1 1.9", "2"),
        ("1.x", "1 1.0 1.9.9", "2 0.9"),
        ("1.2.*", "1.2 1.2.9", "1.3"),
        ("1.2", "1.2 1.2.9", "1.3 1.1"),
        ("=1.2.3", "1.2.3 v1.2.3 1.2.3-r4 1.2.3.4", "1.2.4 1.2"),
        ("1.2 - 1.4", "1.2 1.3 1.4 1.4.9", "1.1 1.5"),
        ("1.2.3 - 1.4.5", "1.2.3 1.4.5", "1.2.2 1.4.6"),
        ("^1 || ^3", "1.5 3.0", "2 4"),
        ("*", "0 1 99.9", "1.0-rc1"),
        (">=0", "0 1", ""),
        (">=1.3.0-rc1", "1.3.0-rc1 1.3.0-rc2 1.3.0 1.4-beta1", "1.3.0-beta1 1.2"),
        (">=1.3.0-rc1 <1.3.0-rc3", "1.3.0-rc1 1.3.0-rc2", "1.3.0-rc3 1.3.0"),
        ("<=1.3.0-rc1 >=1-0", "1.3.0-rc1 1.3.0-beta", "1.3.0-rc2 1.3.0"),
        ("=1.3.0-rc1", "1.3.0-rc1", "1.3.0 1.3.0-rc2 1.3.0-rc1.1"),
        ("v1.2", "1.2.3", "1.3"),
    ],
)
def test_ranges_take_what_node_and_cargo_take(text: str, inside: str, outside: str) -> None:
    """Operators, carets, tildes, wildcards, hyphens, alternatives, prereleases."""
    wanted = VersionRange.parse(text)
    assert [tag for tag in inside.split() if _version(tag) not in wanted] == []
    assert [tag for tag in outside.split() if _version(tag) in wanted] == []
    assert str(wanted) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "latest",
        ">",
        ">=",
        "1.2.3.4.5",
        "=>1",
        "1 -",
        "^^1",
        "1 || ",
        "||",
        ">*",
        "<x",
        ">=1.2 and <2",
        "1.2 <2 foo",
        "~>=1",
        "1" * 600,
        "1\n2x!",
        "1<2",
        ">=1,,<2",
        "!1",
    ],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    """Never read as something else, and the advice shows what ranges look like."""
    with pytest.raises(InvalidReference):
        VersionRange.parse(text)


@given(st.text(alphabet="0123456789.x*<>=^~|- vrc,", max_size=30), strategies.tags)
def test_any_text_is_a_range_or_an_error_of_ours(text: str, tag: str) -> None:
    """And a range answers for every version without raising."""
    version = parse_tag_version(tag)
    with contextlib.suppress(InvalidReference):
        wanted = VersionRange.parse(text)
        assert version is None or (version in wanted) in {True, False}


_numbers = st.integers(0, 30)
_triples = st.tuples(_numbers, _numbers, _numbers)


@given(_triples, _triples)
def test_operators_agree_with_the_order_of_versions(
    one: tuple[int, ...], two: tuple[int, ...]
) -> None:
    """For full versions each operator is the comparison that it looks like."""
    tag = _version(".".join(map(str, one)))
    bound = ".".join(map(str, two))
    assert (tag in VersionRange.parse(f">={bound}")) is (one >= two)
    assert (tag in VersionRange.parse(f">{bound}")) is (one > two)
    assert (tag in VersionRange.parse(f"<={bound}")) is (one <= two)
    assert (tag in VersionRange.parse(f"<{bound}")) is (one < two)
    assert (tag in VersionRange.parse(f"={bound}")) is (one == two)
    assert (tag in VersionRange.parse(f"~{bound}")) is (one >= two and one[:2] == two[:2])
