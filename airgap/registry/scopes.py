"""Scopes: what a request needs a token for (distribution's token authentication)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

_ORDER = ("pull", "push", "delete", "*")


@dataclass(frozen=True, slots=True)
class Scope:
    """Actions on one resource: ``repository:library/alpine:pull,push``."""

    kind: str
    name: str
    actions: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Scope | None:
        """Read a scope, or return None for what is none; a name may have colons (a port)."""
        kind, colon, rest = text.partition(":")
        name, second, actions = rest.rpartition(":")
        wanted = frozenset(filter(None, actions.split(",")))
        return cls(kind, name, wanted) if colon and second and kind and name and wanted else None

    def __str__(self) -> str:
        known = [action for action in _ORDER if action in self.actions]
        others = sorted(self.actions.difference(_ORDER))
        return f"{self.kind}:{self.name}:{','.join([*known, *others])}"


Scopes: TypeAlias = tuple[Scope, ...]
"""The needed scope first: some registries heed only that one."""

CATALOG: Scopes = (Scope("registry", "catalog", frozenset({"*"})),)


def pull(path: str) -> Scope:
    """Return the scope to read a repository."""
    return Scope("repository", path, frozenset({"pull"}))


def push(path: str) -> Scope:
    """Return the scope to write a repository; registries want the right to read with it."""
    return Scope("repository", path, frozenset({"pull", "push"}))


def merged(scopes: Iterable[Scope]) -> Scopes:
    """Return one scope for each resource, with the actions of all, in order of appearance."""
    actions: dict[tuple[str, str], frozenset[str]] = {}
    for scope in scopes:
        key = (scope.kind, scope.name)
        actions[key] = actions.get(key, frozenset()) | scope.actions
    return tuple(Scope(kind, name, wanted) for (kind, name), wanted in actions.items())


def parse_scopes(text: str) -> Scopes:
    """Read space-separated scopes; what is none is left out."""
    return merged(scope for part in text.split() if (scope := Scope.parse(part)))


def covers(have: Scopes, need: Scopes) -> bool:
    """Tell whether a token for ``have`` does for ``need``."""
    granted = {(scope.kind, scope.name): scope.actions for scope in have}
    return all(
        scope.actions <= granted.get((scope.kind, scope.name), frozenset()) for scope in need
    )
