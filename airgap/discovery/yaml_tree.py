"""YAML (and JSON) as a tree in which every scalar is text and knows its line.

Nothing is built from tags, and a node that aliases repeat is visited once: neither hostile tags nor
a "billion laughs" do anything here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

MAX_DEPTH = 100
"""Levels; the deepest real manifests have some twenty."""

_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A single value, as text; the empty text is null too."""

    text: str
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """A list."""

    items: tuple[Tree, ...]
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class Keyed:
    """A mapping; of a key that stands there twice the last value counts, as with other readers."""

    entries: dict[str, Tree]
    line: int

    def text(self, key: str) -> str:
        """Return a single value, or the empty text where there is none."""
        value = self.entries.get(key)
        return value.text if isinstance(value, Scalar) else ""

    def at(self, *keys: str) -> Tree | None:
        """Return what stands below keys, or None."""
        here: Tree | None = self
        for key in keys:
            here = here.entries.get(key) if isinstance(here, Keyed) else None
        return here


Tree: TypeAlias = Scalar | Many | Keyed


class NotYaml(Exception):
    """The text is no YAML.

    Attributes:
        line: where that shows, from 1; 0 where nobody knows.
    """

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def read_documents(text: str) -> Iterator[Tree]:
    """Yield every document that has something in it.

    Raises:
        NotYaml: it is no YAML, nests too deeply, or contains itself. Documents before that point
            were yielded.
    """
    try:
        for node in yaml.compose_all(text, Loader=_loader()):
            tree = _Reading().tree(node, 0)
            if not (isinstance(tree, Scalar) and not tree.text):
                yield tree
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(error.problem or "is no YAML", mark.line + 1 if mark else 0) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise NotYaml(f"is no YAML ({type(error).__name__})", 0) from None


def _loader() -> type[yaml.SafeLoader]:
    # The one on top of libyaml is ten times as fast; wheels of PyYAML have it.
    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader


class _Reading:
    def __init__(self) -> None:
        self._known: dict[int, Tree] = {}
        self._open: set[int] = set()

    def tree(self, node: yaml.Node, depth: int) -> Tree:
        """Turn a node into a tree; one that aliases repeat stays one."""
        number = id(node)
        if number in self._known:
            return self._known[number]
        line = node.start_mark.line + 1
        if number in self._open or depth > MAX_DEPTH:
            raise NotYaml("contains itself, or nests too deeply", line)
        self._open.add(number)
        made = self._made(node, line, depth)
        self._open.discard(number)
        self._known[number] = made
        return made

    def _made(self, node: yaml.Node, line: int, depth: int) -> Tree:
        match node:
            case yaml.MappingNode():
                entries: dict[str, Tree] = {}
                for key, value in node.value:
                    if isinstance(key, yaml.ScalarNode):
                        self._enter(entries, str(key.value), self.tree(value, depth + 1))
                return Keyed(entries, line)
            case yaml.SequenceNode():
                return Many(tuple(self.tree(item, depth + 1) for item in node.value), line)
            case _:
                return Scalar("" if node.tag == _NULL else str(node.value), line)

    def _enter(self, entries: dict[str, Tree], key: str, value: Tree) -> None:
        if key != "<<":
            entries[key] = value
            return
        for merged in value.items if isinstance(value, Many) else (value,):
            if isinstance(merged, Keyed):
                for name, inner in merged.entries.items():
                    entries.setdefault(name, inner)


def walk(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield every node once, each with the way to it: ``spec.containers[0].image``."""
    seen: set[int] = set()
    waiting: list[tuple[str, Tree]] = [("", tree)]
    while waiting:
        path, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield path, node
        if isinstance(node, Keyed):
            below = [(f"{path}.{key}".lstrip("."), value) for key, value in node.entries.items()]
        elif isinstance(node, Many):
            below = [(f"{path}[{number}]", item) for number, item in enumerate(node.items)]
        else:
            continue
        waiting.extend(reversed(below))
