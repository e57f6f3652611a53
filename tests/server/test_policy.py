"""Who may do what in which repository."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.server.policy import (
    EVERYBODY,
    EVERYTHING,
    NOTHING,
    READING,
    SIGNED_IN,
    AccessPolicy,
    Action,
    Rule,
)


def rule(pattern: str, users: str, *actions: Action) -> Rule:
    """Write a rule in one line."""
    return Rule(pattern, frozenset(users.split()), frozenset(actions))


@pytest.mark.parametrize(
    "pattern, name, covered",
    [
        ("team/*", "team/app", True),
        ("team/*", "team/app/web", False),
        ("team/**", "team/app/web", True),
        ("team/**", "teams/app", False),
        ("**", "docker.io/library/alpine", True),
        ("docker.io/library/*", "docker.io/library/alpine", True),
        ("docker.io/*", "dockerxio/alpine", False),
        ("app?", "app1", True),
        ("app?", "app/", False),
        ("app", "app1", False),
    ],
)
def test_a_pattern_covers_names(pattern: str, name: str, *, covered: bool) -> None:
    """One star stays within a component, two cross them, and a dot is a dot."""
    assert rule(pattern, EVERYBODY).covers(name) is covered


def test_the_first_rule_for_the_user_decides() -> None:
    """Rules are asked in order, and the first that concerns the user has the word."""
    policy = AccessPolicy(
        (
            rule("team/secret", "ann", Action.PULL),
            rule("team/**", "ann", *Action),
            rule("team/**", EVERYBODY, Action.PULL),
        )
    )
    assert not policy.allows("ann", "team/secret", Action.PUSH)
    assert policy.allows("ann", "team/app", Action.DELETE)
    assert policy.allows(None, "team/app", Action.PULL)
    assert not policy.allows("bob", "team/app", Action.PUSH)


def test_a_covered_repository_is_closed_to_everybody_else() -> None:
    """Rules that cover a repository leave nothing to the defaults."""
    policy = AccessPolicy((rule("team/**", "ann", *Action),))
    assert not policy.allows("bob", "team/app", Action.PULL)
    assert not policy.allows(None, "team/app", Action.PULL)
    assert policy.allows("bob", "other", Action.PUSH)


def test_signed_in_is_everybody_with_a_password() -> None:
    """The sign for users leaves out who has not signed in."""
    policy = AccessPolicy((rule("**", SIGNED_IN, Action.PULL),))
    assert policy.allows("ann", "app", Action.PULL)
    assert not policy.allows(None, "app", Action.PULL)


def test_without_rules_the_defaults_hold() -> None:
    """Anonymous readers and signed-in writers need no rule."""
    policy = AccessPolicy((), READING, EVERYTHING)
    assert policy.allows(None, "app", Action.PULL)
    assert not policy.allows(None, "app", Action.PUSH)
    assert policy.allows("ann", "app", Action.PUSH)
    assert policy.reads_all(None)
    assert not AccessPolicy((), NOTHING, EVERYTHING).reads_all(None)
    assert not AccessPolicy((rule("x", "ann"),)).reads_all("ann")


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_pattern_is_a_pattern(pattern: str, name: str) -> None:
    """No pattern breaks the matching, and one without wildcards matches itself only."""
    covered = rule(pattern, EVERYBODY).covers(name)
    if not set(pattern) & set("*?"):
        assert covered is (pattern == name)
