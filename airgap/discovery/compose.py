"""Images of docker-compose files (compose-spec): services, and their variables' defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from airgap.discovery.findings import Found, Place, Unread, unread
from airgap.discovery.names import named
from airgap.discovery.yaml_tree import Keyed, Scalar, Tree

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<word>[^{}]*))?\})",
    re.ASCII,
)
_ENV_LINE = re.compile(
    r"(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*=[ \t]*(?P<value>.*)", re.ASCII
)


def is_compose(tree: Tree) -> bool:
    """Tell whether a document is a docker-compose file: services, and nothing of Kubernetes."""
    if not isinstance(tree, Keyed) or "apiVersion" in tree.entries:
        return False
    services = tree.entries.get("services")
    return isinstance(services, Keyed) and any(
        isinstance(service, Keyed) and not {"image", "build", "extends"}.isdisjoint(service.entries)
        for service in services.entries.values()
    )


def compose_images(tree: Tree, file: str, variables: Mapping[str, str]) -> Iterator[Found | Unread]:
    """Yield the image of every service; one that is built from source has none to fetch.

    Args:
        tree: the document.
        file: what it is called.
        variables: what a ``.env`` file beside it says.
    """
    services = tree.entries.get("services") if isinstance(tree, Keyed) else None
    if not isinstance(services, Keyed):
        return
    for name, service in services.entries.items():
        image = service.entries.get("image") if isinstance(service, Keyed) else None
        if not isinstance(image, Scalar) or not isinstance(service, Keyed):
            continue
        place = Place(file, image.line, f"services.{name}.image")
        if "build" in service.entries:
            yield unread(image.text, "is built here, not fetched; save it where it is built", place)
            continue
        filled, missing = interpolated(image.text, variables)
        if missing:
            yield unread(image.text, f"wants ${missing}, which no .env beside it sets", place)
        elif (item := named(filled, place)) is not None:
            yield item


def interpolated(text: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """Fill in variables as docker-compose does.

    Returns:
        The text, and the name of a variable that has no value; empty where all have one.
    """
    missing = ""

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        if match["escaped"]:
            return "$"
        name = match["plain"] or match["name"]
        how, word = match["how"] or "", match["word"] or ""
        value = variables.get(name)
        is_set = bool(value) if how.startswith(":") else value is not None
        if how.endswith("+"):
            return word if is_set else ""
        if is_set:
            return value or ""
        if how.endswith("-"):
            return word
        missing = missing or name
        return ""

    return _VARIABLE.sub(fill, text), missing


def env_variables(text: str) -> dict[str, str]:
    """Read a ``.env`` file; what is no assignment is left out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _ENV_LINE.fullmatch(line.strip())
        if match is None:
            continue
        value = match["value"].strip()
        if value[:1] in {'"', "'"} and value.endswith(value[:1]) and len(value) > 1:
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].strip()
        found[match["name"]] = value
    return found
