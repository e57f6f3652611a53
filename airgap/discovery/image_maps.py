"""Images written in parts: ``{registry, repository, tag, digest}``, as Helm's values are."""

from __future__ import annotations

from dataclasses import dataclass

from airgap.discovery.findings import Found, Place, Unread, unread
from airgap.discovery.names import named
from airgap.discovery.yaml_tree import Keyed
from airgap.oci.reference import names_a_host

_REPOSITORY_KEYS = ("newName", "repository", "repo", "image", "name", "reference")
_TAG_KEYS = ("newTag", "tag", "imageTag", "image_tag", "version")
_DIGEST_KEYS = ("digest", "sha", "sha256", "imageDigest")
_REGISTRY_KEYS = ("registry", "imageRegistry", "hub", "host")
_TAG_BESIDE = frozenset({"tag", "imageTag", "image_tag"})
_RENAMED = frozenset({"newName", "newTag"})
"""How kustomize's ``images`` change a name."""

_SURELY_PARTS = frozenset({*_TAG_KEYS, *_DIGEST_KEYS, "pullPolicy", "pullSecrets"})


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where an image map does not say.

    Attributes:
        tag: of an image without one: a chart's ``appVersion``; None where nothing is known.
        registry: that a whole chart is told to use (``global.imageRegistry``).
    """

    tag: str | None = None
    registry: str = ""


def is_image_map(key: str, node: Keyed) -> bool:
    """Tell whether a mapping below a key is an image in parts."""
    if node.text("image") and not _TAG_BESIDE.isdisjoint(node.entries):
        return True
    if not _RENAMED.isdisjoint(node.entries) and node.text("name"):
        return True
    below_image = key.lower().endswith("image")
    if node.text("repository"):
        return below_image or not _SURELY_PARTS.isdisjoint(node.entries)
    if not below_image:
        return False
    return any(node.text(name) for name in _REPOSITORY_KEYS)


def image_of(node: Keyed, place: Place, defaults: Defaults) -> Found | Unread | None:
    """Put an image together from its parts.

    The registry is the map's own, or else the one for the whole chart; a repository that has a host
    of its own needs none.
    """
    repository = _first(node, _REPOSITORY_KEYS).strip("/")
    if not repository:
        return None
    head, slash, _ = repository.partition("/")
    registry = (_first(node, _REGISTRY_KEYS) or defaults.registry).rstrip("/")
    name = repository
    if registry and not (slash and names_a_host(head)):
        name = f"{registry}/{repository}"
    digest = _first(node, _DIGEST_KEYS)
    if digest and ":" not in digest:
        digest = f"sha256:{digest}"
    tag = _first(node, _TAG_KEYS)
    if not tag and not digest and ":" not in repository.rpartition("/")[2]:
        if defaults.tag is None:
            return unread(
                name,
                "has no tag here; its chart's appVersion is meant: give the chart, not its values",
                place,
            )
        tag = defaults.tag
    tagged = f"{name}:{tag}" if tag else name
    return named(f"{tagged}@{digest}" if digest else tagged, place)


def _first(node: Keyed, keys: tuple[str, ...]) -> str:
    return next((text for key in keys if (text := node.text(key).strip())), "")
