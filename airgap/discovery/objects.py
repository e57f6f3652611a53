"""Images in a document's objects: Kubernetes manifests of every kind, and Helm values.

No list of kinds: whatever is called ``image`` counts, wherever it stands, so that custom resources
are read too. What the field is called otherwise is judged by what it looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap.discovery.findings import Found, Place, Unread
from airgap.discovery.image_maps import Defaults, image_of, is_image_map
from airgap.discovery.names import likely, named, unmistakable
from airgap.discovery.text_lines import image_lines
from airgap.discovery.yaml_tree import Keyed, Many, Scalar, Tree

_SCHEMAS = frozenset({"openAPIV3Schema", "schema", "validation"})
_STATUS = frozenset({"status"})
_LIKELY_KEY = re.compile(r"(?:[iI]mage(?:[_-]?(?:Name|name|Ref|ref|URL|Url|url))?|IMAGE)$")
_LIKELY_VARIABLE = re.compile(r"^RELATED_IMAGE_|(?:^|_)IMAGE(?:_|$)")
_ARGUMENT = re.compile(r"--?[\w.-]+[= ](.+)")
_ARGUMENT_KEYS = frozenset({"args", "command"})


def images_in(
    tree: Tree, file: str, defaults: Defaults | None = None, *, title: str = ""
) -> Iterator[Found | Unread]:
    """Yield every image that a document names.

    Args:
        tree: the document.
        file: what it is called.
        defaults: what holds where an image is written in parts and one of them is missing; None
            where nothing is known.
        title: what the document is, where it does not say so itself.
    """
    seen: set[int] = set()
    yield from _Search(file, defaults or Defaults(), seen).below(tree, title, "", "")


class _Search:
    def __init__(self, file: str, defaults: Defaults, seen: set[int]) -> None:
        self._file = file
        self._defaults = defaults
        self._seen = seen

    def below(self, node: Tree, title: str, path: str, key: str) -> Iterator[Found | Unread]:
        """Search a node and all below it, each once."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        match node:
            case Keyed():
                yield from self._in_mapping(node, title, path, key)
            case Many():
                for number, item in enumerate(node.items):
                    inner = f"{path}[{number}]"
                    if isinstance(item, Scalar):
                        yield from self._in_list(item, title, inner, key)
                    else:
                        yield from self.below(item, title, inner, key)
            case Scalar():
                yield from self._in_value(node, title, path, key)

    def _in_mapping(self, node: Keyed, title: str, path: str, key: str) -> Iterator[Found | Unread]:
        kind, name = node.text("kind"), _name_of(node)
        if kind and "apiVersion" in node.entries:
            title, path = f"{kind}/{name}" if name else kind, ""
        if is_image_map(key, node):
            item = image_of(node, self._place(node, title, path), self._defaults)
            if item is not None:
                yield item
            for inner, value in node.entries.items():
                if not isinstance(value, Scalar):
                    yield from self.below(value, title, _joined(path, inner), inner)
            return
        variable = node.text("name")
        content = node.entries.get("value")
        if content is not None and _LIKELY_VARIABLE.search(variable):
            yield from self._likely(content, title, _joined(path, f"{variable}.value"))
        for inner, value in node.entries.items():
            if inner in _SCHEMAS and isinstance(value, Keyed):
                continue
            if inner in _STATUS and kind:
                continue
            yield from self.below(value, title, _joined(path, inner), inner)

    def _in_value(self, node: Scalar, title: str, path: str, key: str) -> Iterator[Found | Unread]:
        place = self._place(node, title, path)
        if "\n" in node.text:
            # A file in a ConfigMap, a template of an injector: text that has images of its own.
            yield from image_lines(node.text, place)
        elif key == "image":
            if (item := named(node.text, place)) is not None:
                yield item
        elif _LIKELY_KEY.search(key):
            yield from self._likely(node, title, path)

    def _in_list(self, node: Scalar, title: str, path: str, key: str) -> Iterator[Found | Unread]:
        if key == "images":
            yield from self._likely(node, title, path)
        elif key in _ARGUMENT_KEYS and (match := _ARGUMENT.fullmatch(node.text)):
            if (found := unmistakable(match[1], self._place(node, title, path))) is not None:
                yield found
        else:
            yield from self._in_value(node, title, path, key)

    def _likely(self, node: Tree, title: str, path: str) -> Iterator[Found]:
        if not isinstance(node, Scalar):
            return
        if (found := likely(node.text, self._place(node, title, path))) is not None:
            yield found

    def _place(self, node: Tree, title: str, path: str) -> Place:
        return Place(self._file, node.line, f"{title}: {path}" if title else path)


def _name_of(node: Keyed) -> str:
    metadata = node.entries.get("metadata")
    return metadata.text("name") if isinstance(metadata, Keyed) else ""


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
