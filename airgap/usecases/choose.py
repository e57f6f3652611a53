"""Choosing among the names that a place has: by reference with defaults, or by pattern. Pure."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from airgap.content.ports import ListsRepositories, ListsTags
from airgap.errors import InvalidReference, NotFound
from airgap.oci.reference import Reference

_WILDCARDS = re.compile(r"[*?\[]")


def choose(patterns: Sequence[str], available: Iterable[Reference]) -> list[Reference]:
    """Return the available references that the patterns name, each once, in the patterns' order.

    A pattern is a reference with the usual defaults (``alpine`` is ``docker.io/library/alpine:
    latest``), or a shell pattern over whole references, full or familiar (``*/team/*:1.*``). No
    pattern at all means everything.

    Raises:
        NotFound: a reference that is not there, with the nearest one that is.
        InvalidReference: a pattern that selects nothing, or is not a reference.
    """
    names = sorted(available, key=str)
    if not patterns:
        return names
    chosen: dict[Reference, None] = {}
    for pattern in patterns:
        chosen.update(dict.fromkeys(_matching(pattern, names)))
    return list(chosen)


def _matching(pattern: str, names: Sequence[Reference]) -> list[Reference]:
    if _WILDCARDS.search(pattern):
        matcher = re.compile(fnmatch.translate(pattern))
        found = [n for n in names if matcher.match(str(n)) or matcher.match(n.familiar)]
        if not found:
            raise InvalidReference(repr(pattern), "matches none of the images here")
        return found
    wanted = Reference.parse(pattern).tagged()
    if wanted.digest is not None:
        return [Reference(wanted.repository, digest=wanted.digest)]
    if wanted in names:
        return [wanted]
    near = difflib.get_close_matches(wanted.familiar, [n.familiar for n in names], 1)
    hint = f"did you mean {near[0]}?" if near else "`airgap images` lists what is here"
    raise NotFound(str(wanted), "no such image here", hint)


class Listing(ListsRepositories, ListsTags, Protocol):
    """A place that can list everything it has."""


async def available_references(place: Listing) -> list[Reference]:
    """Return every tagged name that a place has."""
    return [
        Reference(repository, tag)
        async for repository in place.repositories()
        async for tag in place.tags(repository)
    ]
