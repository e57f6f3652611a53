"""Reading ``WWW-Authenticate`` (RFC 9110, section 11.6.1): what a registry wants to see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(
    rf"({_NAME})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|({_NAME}))", re.ASCII | re.DOTALL
)
_SCHEME = re.compile(rf"({_NAME})(?:[ \t]+(.*))?", re.ASCII | re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to be let in.

    Attributes:
        scheme: in lower case: ``bearer``, ``basic``, or something that we do not speak.
        parameters: by name in lower case.
    """

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Read every challenge of all headers, in order; what is malformed is left out."""
    return tuple(challenge for header in headers for challenge in _challenges(header))


def _challenges(header: str) -> Iterator[Challenge]:
    scheme = ""
    parameters: dict[str, str] = {}
    for item in _items(header):
        rest = item
        if not _PARAMETER.fullmatch(item):
            named = _SCHEME.fullmatch(item)
            if named is None:
                continue
            if scheme:
                yield Challenge(scheme, parameters)
            scheme, parameters = named[1].lower(), {}
            rest = (named[2] or "").strip()
        found = _PARAMETER.fullmatch(rest)
        if found is not None and scheme:
            value = _ESCAPE.sub(r"\1", found[2]) if found[2] is not None else found[3]
            # A parameter that stands twice is an attack or an accident; the first one counts.
            parameters.setdefault(found[1].lower(), value)
    if scheme:
        yield Challenge(scheme, parameters)


def _items(header: str) -> Iterator[str]:
    """Split at the commas that are not within quotes."""
    start, quoted, escaped = 0, False, False
    for position, character in enumerate(header):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            if item := header[start:position].strip():
                yield item
            start = position + 1
    if item := header[start:].strip():
        yield item


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge to answer: Bearer before Basic, and of each the first; else None."""
    known = [c for c in challenges if c.scheme == "basic" or c.parameters.get("realm")]
    for scheme in ("bearer", "basic"):
        for challenge in known:
            if challenge.scheme == scheme:
                return challenge
    return None
