"""Image references as the distribution project defines and normalises them.

``[domain[:port]/]path[:tag][@digest]``; the grammar is that of the distribution project's
``reference`` package, normalisation included: no domain means Docker Hub, one path component on
Docker Hub means ``library/``, ``index.docker.io`` is ``docker.io``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

from airgap.errors import InvalidReference
from airgap.oci.digest import Digest

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
_DOCKER_HUB_NAMES = frozenset({DOCKER_HUB, f"index.{DOCKER_HUB}"})
MAX_PATH_LENGTH = 255
"""Characters of a repository path, the domain not counted."""

_HOST_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[\w][\w.-]{0,127}"

_DOMAIN_RE = re.compile(_DOMAIN, re.ASCII)
_PATH_RE = re.compile(_PATH, re.ASCII)
_TAG_RE = re.compile(_TAG, re.ASCII)
_IMAGE_ID_RE = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_tag(text: str) -> bool:
    """Tell whether ``text`` is a tag: a word character, then at most 127 of ``[A-Za-z0-9_.-]``."""
    return _TAG_RE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A repository: the domain of its registry (port included) and its path there."""

    domain: str
    path: str

    def __post_init__(self) -> None:
        """Hold the grammar for values that did not come through :meth:`parse`.

        Raises:
            InvalidReference: domain or path is outside the grammar, the path is over 255 long, or
                the name written out would be read back as another one.
        """
        if not _DOMAIN_RE.fullmatch(self.domain) or not names_a_host(self.domain):
            raise InvalidReference(repr(self.domain), "is not a registry host")
        if not _PATH_RE.fullmatch(self.path):
            lowered = self.path.lower()
            hint = f"write it in lower case: {lowered}" if _PATH_RE.fullmatch(lowered) else ""
            raise InvalidReference(repr(self.path), "is not a repository path", hint)
        if len(self.path) > MAX_PATH_LENGTH:
            raise InvalidReference(
                repr(self.path[:40] + "…"),
                f"a repository path has at most {MAX_PATH_LENGTH} characters",
            )
        if self.domain in _DOCKER_HUB_NAMES and (self.domain, "/" in self.path) != (
            DOCKER_HUB,
            True,
        ):
            raise InvalidReference(
                repr(f"{self.domain}/{self.path}"),
                "is not a full name on Docker Hub",
                f"write {Repository.parse(f'{self.domain}/{self.path}')}",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a repository name, with Docker Hub's defaults.

        Raises:
            InvalidReference: the text is outside the grammar, or is a bare image id.
        """
        if _IMAGE_ID_RE.fullmatch(text):
            raise InvalidReference(repr(text), "is an image id, not a repository")
        first, slash, rest = text.partition("/")
        if slash and names_a_host(first):
            domain, path = first, rest
        else:
            domain, path = DOCKER_HUB, text
        if domain in _DOCKER_HUB_NAMES:
            domain = DOCKER_HUB
        if domain == DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        return cls(domain, path)

    @property
    def familiar(self) -> str:
        """The name as people write it: without ``docker.io/`` and ``library/``."""
        if self.domain != DOCKER_HUB:
            return str(self)
        head, _, tail = self.path.partition("/")
        if head == "library" and "/" not in tail and not _IMAGE_ID_RE.fullmatch(tail):
            return tail
        return self.path if not names_a_host(head) or not tail else str(self)

    def __str__(self) -> str:
        return f"{self.domain}/{self.path}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository with a tag, a digest, both, or neither (then it names the whole repository)."""

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        """Hold the tag's grammar for values that did not come through :meth:`parse`.

        Raises:
            InvalidReference: the tag is outside the grammar.
        """
        if self.tag is not None and not is_tag(self.tag):
            raise InvalidReference(
                repr(self.tag),
                "is not a tag",
                "a tag has at most 128 letters, digits, '_', '.', '-'",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; a missing tag stays missing, see :meth:`tagged`.

        Raises:
            InvalidReference: the text is outside the grammar, or is a bare image id.
        """
        try:
            name, at, digest_text = text.partition("@")
            digest = Digest(digest_text) if at else None
            tag: str | None = None
            # A colon before the last slash belongs to a port, not to a tag.
            head, colon, tail = name.rpartition(":")
            if colon and "/" not in tail:
                name, tag = head, tail
            return cls(Repository.parse(name), tag, digest)
        except InvalidReference as error:
            shown = text if len(text) <= MAX_PATH_LENGTH else text[:MAX_PATH_LENGTH] + "…"
            cause = error.cause
            if error.thing != repr(text):
                cause = f"is not a reference: {error.thing} {error.cause}"
            raise InvalidReference(repr(shown), cause, error.hint) from None

    def tagged(self) -> Reference:
        """Return the reference with the default tag where it has neither tag nor digest."""
        if self.tag is None and self.digest is None:
            return replace(self, tag=DEFAULT_TAG)
        return self

    @property
    def name(self) -> str:
        """What stands for the content within the repository: the digest, else the tag.

        Raises:
            InvalidReference: the reference names a whole repository.
        """
        if self.digest is not None:
            return self.digest
        if self.tag is None:
            raise InvalidReference(str(self), "names a repository, not an image", "add a tag")
        return self.tag

    @property
    def familiar(self) -> str:
        """The reference as people write it: without ``docker.io/`` and ``library/``."""
        return self.repository.familiar + self._suffix()

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return tag + digest

    def __str__(self) -> str:
        return f"{self.repository}{self._suffix()}"


def names_a_host(first: str) -> bool:
    """Tell whether the first component of a name is a registry's host, and no path."""
    return first == "localhost" or any(c in ".:" or c.isupper() for c in first)
