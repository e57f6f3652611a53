"""Telling references from other text."""

from __future__ import annotations

import re

from airgap.discovery.findings import Found, Place, Unread, unread
from airgap.errors import InvalidReference
from airgap.oci.reference import Reference

_TEMPLATE = re.compile(r"\{\{|\$\{|\$\(|<[A-Za-z_ -]+>|%[sv]|@@")
_SCHEMES = ("docker://", "docker.io://", "oci://")
_NO_IMAGE = re.compile(r"://|\.git$|\.(?:png|jpe?g|svg|gif|ico|webp|iso|qcow2|vmdk|img|raw)$")
_UNMISTAKABLE = re.compile(
    r"(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::[0-9]+)?/[^\s:@]+(?::[\w][\w.-]*|@sha256:[0-9a-f]{64})"
    r"(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


def named(text: str, place: Place) -> Found | Unread | None:
    """Read what stands where an image must stand; None where nothing does.

    A file system's name for a disk image, or an address, is no reference.
    """
    name = text.strip()
    for scheme in _SCHEMES:
        name = name.removeprefix(scheme)
    if not name or _NO_IMAGE.search(name):
        return None
    if _TEMPLATE.search(name):
        return unread(text, "is filled in later; give the rendered output", place)
    try:
        return Found(Reference.parse(name).tagged(), place)
    except InvalidReference as error:
        return unread(text, error.cause, place)


def unmistakable(text: str, place: Place) -> Found | None:
    """Read what may stand anywhere: only a host with a dot, a path and a tag or digest will do."""
    match = _UNMISTAKABLE.fullmatch(text.strip())
    if match is None:
        return None
    try:
        return Found(Reference.parse(match[0]), place)
    except InvalidReference:
        return None


def likely(text: str, place: Place) -> Found | None:
    """Read what stands below a key whose name ends in "image": a path, a tag or a digest."""
    name = text.strip()
    if not ({"/", ":", "@"} & set(name)) or _TEMPLATE.search(name):
        return None
    found = named(name, place)
    return found if isinstance(found, Found) else None
