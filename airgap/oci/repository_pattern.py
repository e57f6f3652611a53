"""Patterns over the repositories of one registry: ``quay.io/team/*``. Pure.

``*`` and ``?`` stay within a component of the path, ``**`` crosses them; the host has no wildcard,
since nobody can list the registries of the world.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Self

import re2  # type: ignore[import-untyped] # it ships neither annotations nor stubs

from airgap.errors import InvalidReference
from airgap.oci.reference import DOCKER_HUB, MAX_PATH_LENGTH, Repository, names_a_host

_WILDCARD = re.compile(r"[*?]")
_COMPONENT = r"[a-z0-9._*?-]+"
_PATTERN = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_PIECES = re.compile(r"\*\*|\*|\?|[^*?]+")
_MEANINGS = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def has_wildcard(text: str) -> bool:
    """Tell whether a person means several repositories."""
    return _WILDCARD.search(text) is not None


@dataclass(frozen=True, slots=True)
class RepositoryPattern:
    """Some repositories of one registry; two are equal when they are written alike.

    Attributes:
        domain: the registry.
        path: the pattern that a repository's whole path must match.
    """

    domain: str
    path: str
    _matcher: Any = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern, with Docker Hub's defaults.

        Raises:
            InvalidReference: the host has a wildcard, or the path could match no repository.
        """
        first, slash, rest = text.partition("/")
        if slash and names_a_host(first):
            domain, path = first, rest
        else:
            domain, path = DOCKER_HUB, text
        if has_wildcard(domain):
            raise InvalidReference(
                repr(text), "has a wildcard in its host", "write one entry for each registry"
            )
        if domain == DOCKER_HUB and "/" not in path and "**" not in path:
            path = f"library/{path}"
        Repository(domain, "any/path")
        if not _PATTERN.fullmatch(path) or len(path) > MAX_PATH_LENGTH:
            raise InvalidReference(
                repr(text), "is not a pattern of repositories", "write host/team/* or host/**"
            )
        pieces = _PIECES.findall(path)
        # RE2, since the names come from a registry that may be hostile.
        expression = "".join(_MEANINGS.get(piece) or re.escape(piece) for piece in pieces)
        return cls(domain, path, re2.compile(expression))

    @property
    def anchor(self) -> Repository:
        """What stands for all of them in a report: the components before the first wildcard.

        Where that is not the name of a repository, one that says so is made up.
        """
        whole = []
        for component in self.path.split("/"):
            if has_wildcard(component):
                break
            whole.append(component)
        if not whole or (self.domain == DOCKER_HUB and len(whole) == 1):
            whole.append("all-repositories")
        return Repository.parse("/".join([self.domain, *whole]))

    def matches(self, repository: Repository) -> bool:
        """Tell whether a repository is one of them."""
        return (
            repository.domain == self.domain
            and self._matcher.fullmatch(repository.path) is not None
        )

    def __str__(self) -> str:
        return f"{self.domain}/{self.path}"
