"""Who may do what in which repository: ordered rules, and a default where none speaks; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

EVERYBODY = "*"
"""Stands for everybody, signed in or not, among the users of a rule."""

SIGNED_IN = "@"
"""Stands for everybody with a password, among the users of a rule."""


class Action(StrEnum):
    """What a request wants to do with a repository."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


READING = frozenset({Action.PULL})
EVERYTHING = frozenset(Action)
NOTHING: frozenset[Action] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """What some users may do in some repositories.

    Attributes:
        pattern: a glob over the name that the catalog shows: ``*`` and ``?`` stay within a path
            component, ``**`` crosses them.
        users: names of the password file, :data:`EVERYBODY` or :data:`SIGNED_IN`.
        actions: what they may do; empty denies everything.
    """

    pattern: str
    users: frozenset[str]
    actions: frozenset[Action]
    _matcher: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the glob once."""
        object.__setattr__(self, "_matcher", _compiled(self.pattern))

    def covers(self, name: str) -> bool:
        """Tell whether the rule speaks about a repository."""
        return self._matcher.fullmatch(name) is not None

    def concerns(self, user: str | None) -> bool:
        """Tell whether the rule speaks about a user; None is somebody not signed in."""
        if EVERYBODY in self.users:
            return True
        return user is not None and (user in self.users or SIGNED_IN in self.users)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Ordered rules and what holds without them.

    The first rule that covers the repository and concerns the user decides. A repository that rules
    cover, but none for this user, is closed to him. A repository that no rule covers has the
    defaults.

    Attributes:
        rules: in the order in which they are asked.
        anonymous: what somebody not signed in may do where no rule covers.
        signed_in: what somebody with a password may do where no rule covers.
    """

    rules: tuple[Rule, ...] = ()
    anonymous: frozenset[Action] = EVERYTHING
    signed_in: frozenset[Action] = EVERYTHING

    def allows(self, user: str | None, name: str, action: Action) -> bool:
        """Tell whether a user may do something in a repository."""
        return action in self._granted(user, name)

    def reads_all(self, user: str | None) -> bool:
        """Tell whether a user may pull every repository there can be."""
        default = self.anonymous if user is None else self.signed_in
        return not self.rules and Action.PULL in default

    def _granted(self, user: str | None, name: str) -> frozenset[Action]:
        covered = False
        for rule in self.rules:
            if rule.covers(name):
                covered = True
                if rule.concerns(user):
                    return rule.actions
        if covered:
            return NOTHING
        return self.anonymous if user is None else self.signed_in


def _compiled(pattern: str) -> re.Pattern[str]:
    translated = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*|\*|\?)", pattern)
    return re.compile("".join(translated.get(piece, re.escape(piece)) for piece in pieces))
