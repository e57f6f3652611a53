"""Images in text that is no YAML by itself: a template, a file within a ConfigMap, a list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from airgap.discovery.findings import Found, Place, Unread
from airgap.discovery.names import named

_IMAGE_LINE = re.compile(
    r"^[ \t]*(?:-[ \t]+)?[\"']?image[\"']?[ \t]*:[ \t]*(?P<value>[^#\n]*?)[ \t]*(?:[ \t]#.*)?$",
    re.MULTILINE,
)
_COMMENT = re.compile(r"(?:^|[ \t])(?:#|//).*")
_BULLET = re.compile(r"^[ \t]*[-*][ \t]+")


def image_lines(text: str, place: Place) -> Iterator[Found | Unread]:
    """Yield what stands on lines ``image: …``; templates are not for this to understand."""
    for line, value in raw_image_lines(text):
        if "{{" in value or value in {"", "|", ">", "|-", ">-"}:
            continue
        where = replace(place, line=place.line + line if place.line else line)
        if (item := named(value.strip("\"',"), where)) is not None:
            yield item


def raw_image_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line (from 1) and the text of each ``image:``."""
    for match in _IMAGE_LINE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match["value"]


def listed_images(text: str, file: str) -> Iterator[Found | Unread]:
    """Yield the references of a plain list: one a line, blank lines and comments left out."""
    for number, line in enumerate(text.splitlines(), 1):
        name = _BULLET.sub("", _COMMENT.sub("", line)).strip().strip("\"',")
        if name and (item := named(name, Place(file, number))) is not None:
            yield item
