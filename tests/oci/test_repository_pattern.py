"""Patterns over the repositories of one registry."""

from __future__ import annotations

import time

import pytest
from hypothesis import given

from airgap.errors import InvalidReference
from airgap.oci.reference import Repository
from airgap.oci.repository_pattern import RepositoryPattern, has_wildcard
from tests.oci import strategies


@pytest.mark.parametrize(
    "pattern,matching,others",
    [
        ("quay.io/team/*", ["team/a", "team/b-c"], ["team", "team/a/b", "other/a", "teams/a"]),
        ("quay.io/team/**", ["team/a", "team/a/b"], ["team", "other/a"]),
        ("quay.io/**", ["a", "a/b/c"], []),
        ("quay.io/*/app", ["a/app", "b/app"], ["app", "a/b/app", "a/application"]),
        ("quay.io/team/app-?", ["team/app-1"], ["team/app-12", "team/app"]),
        ("quay.io/team/app.x*", ["team/app.x1"], ["team/appyx1"]),
        ("localhost:5000/*", ["a"], ["a/b"]),
    ],
)
def test_a_star_stays_within_a_component(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    """Two stars cross them; everything else stands for itself."""
    parsed = RepositoryPattern.parse(pattern)
    for path in matching:
        assert parsed.matches(Repository(parsed.domain, path)), path
    for path in others:
        assert not parsed.matches(Repository(parsed.domain, path)), path
    assert not parsed.matches(Repository("other.example", (matching or ["a"])[0]))


def test_docker_hub_is_meant_where_no_host_stands() -> None:
    """As in references."""
    assert str(RepositoryPattern.parse("bitnami/*")) == "docker.io/bitnami/*"
    assert str(RepositoryPattern.parse("alp*")) == "docker.io/library/alp*"


@pytest.mark.parametrize(
    "text",
    ["*.io/app", "quay.io/Team/*", "quay.io/team//*", "quay.io/", "quay.io/a:*", "a b/*", ""],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    """Wildcards in hosts, tags, capitals, empty components."""
    with pytest.raises(InvalidReference):
        RepositoryPattern.parse(text)


def test_a_pattern_has_a_name_for_reports() -> None:
    """The components before the first wildcard, or all there are."""
    assert str(RepositoryPattern.parse("quay.io/a/b/*").anchor) == "quay.io/a/b"
    assert str(RepositoryPattern.parse("quay.io/**").anchor) == "quay.io/all-repositories"
    assert str(RepositoryPattern.parse("alp*").anchor) == "docker.io/library/all-repositories"


@given(strategies.repositories)
def test_a_repository_matches_itself_and_its_host(repository: Repository) -> None:
    """A name without wildcards is a pattern of one."""
    assert RepositoryPattern.parse(str(repository)).matches(repository)
    assert RepositoryPattern.parse(f"{repository.domain}/**").matches(
        Repository(repository.domain, f"deep/{repository.path}"[:255].rstrip("/._-"))
    )
    assert not has_wildcard(str(repository))


def test_a_hostile_name_costs_no_time() -> None:
    """Matching is linear, whatever the pattern."""
    pattern = RepositoryPattern.parse("quay.io/" + "**a" * 60)
    started = time.monotonic()
    assert not pattern.matches(Repository("quay.io", "a" * 254 + "b"))
    assert time.monotonic() - started < 1
