"""YAML in which every scalar is text, and every key knows its line.

YAML itself would read the tag ``1.10`` as the number 1.1, ``on`` as true and ``012`` as ten; here
nothing is typed before the model types it. Pure: text in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from airgap.config.problems import ConfigProblems, Problem

Plain: TypeAlias = "str | list[Plain] | dict[str, Plain]"
KeyPath: TypeAlias = tuple[str | int, ...]

MAX_LENGTH = 1024 * 1024
"""Characters of a config file."""

MAX_VALUES = 100_000
"""Values after every alias is written out; "billion laughs" has a billion."""

MAX_DEPTH = 32

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge", "map", "seq")
)
"""What YAML takes plain text, mappings and lists for; all of it is text here."""

_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where.

    Attributes:
        value: the outermost mapping; empty for an empty file.
        lines: the line (from 1) of each key and each list item.
        problems: what can be reported beside what the model has to say: a key twice, an empty
            value.
    """

    value: dict[str, Plain]
    lines: Mapping[KeyPath, int]
    problems: tuple[Problem, ...] = ()

    def line_of(self, path: KeyPath) -> int:
        """Return the line of a key, or of the nearest thing around it that has one."""
        for length in range(len(path), 0, -1):
            if line := self.lines.get(path[:length]):
                return line
        return 1


def read_document(text: str) -> Document:
    """Read YAML.

    Raises:
        ConfigProblems: not YAML, no mapping, or over the bounds.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigProblems([Problem(1, "", f"has more than {MAX_LENGTH} characters")])
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigProblems([_syntax_problem(error)]) from None
    except yaml.YAMLError as error:
        raise ConfigProblems([Problem(1, "", f"is not YAML: {_first_line(error)}")]) from None
    except RecursionError:
        raise ConfigProblems([Problem(1, "", "is nested too deeply")]) from None
    if root is None:
        return Document({}, {})
    if not isinstance(root, yaml.MappingNode):
        raise ConfigProblems([Problem(1, "", "is not a mapping of keys to values")])
    reading = _Reading()
    value = reading.mapping(root, ())
    return Document(value, reading.lines, tuple(reading.problems))


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: ``mirror[0].tags.semver``."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}"
    return shown.removeprefix(".")


@dataclass(slots=True)
class _Reading:
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    open_nodes: set[int] = field(default_factory=set)
    count: int = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Plain:
        self.count += 1
        if self.count > MAX_VALUES:
            line = self.lines.get(path, 1)
            found = Problem(line, dotted(path), f"aliases make more than {MAX_VALUES} values")
            raise ConfigProblems([found])
        if id(node) in self.open_nodes or len(path) > MAX_DEPTH:
            cause = "contains itself" if id(node) in self.open_nodes else "is nested too deeply"
            raise ConfigProblems([Problem(self.lines.get(path, 1), dotted(path), cause)])
        if node.tag not in _PLAIN_TAGS:
            self.problem(node, path, f"the YAML tag {node.tag} means nothing here")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return self.sequence(node, path)
        if isinstance(node, yaml.ScalarNode) and not node.value and node.style is None:
            self.problem(node, path, "has no value", "give it one, or take the line out")
        return str(node.value)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Plain]:
        self.open_nodes.add(id(node))
        found: dict[str, Plain] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, path, "a key must be a single word")
                continue
            key = str(key_node.value)
            below = (*path, key)
            if key == _MERGE and key_node.style is None:
                self.problem(key_node, path, "merge keys (<<) are not read", "repeat the keys")
                continue
            line = key_node.start_mark.line + 1
            if key in found:
                self.problem(
                    key_node, below, f"stands here twice, first in line {first_lines[key]}"
                )
                continue
            self.lines[below] = first_lines[key] = line
            found[key] = self.value(value_node, below)
        self.open_nodes.discard(id(node))
        return found

    def sequence(self, node: yaml.SequenceNode, path: KeyPath) -> list[Plain]:
        self.open_nodes.add(id(node))
        items: list[Plain] = []
        for position, item in enumerate(node.value):
            below = (*path, position)
            self.lines[below] = item.start_mark.line + 1
            items.append(self.value(item, below))
        self.open_nodes.discard(id(node))
        return items

    def problem(self, node: yaml.Node, path: KeyPath, cause: str, hint: str = "") -> None:
        self.problems.append(Problem(node.start_mark.line + 1, dotted(path), cause, hint))


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    cause = f"is not YAML: {_first_line(error.problem or error.context or error)}"
    if mark is None:
        return Problem(1, "", cause)
    return Problem(mark.line + 1, "", f"{cause}, column {mark.column + 1}", _quoting_hint(mark))


def _quoting_hint(mark: yaml.Mark) -> str:
    """Advise quotes where text begins with what YAML keeps for itself, as ranges and globs do."""
    if mark.buffer is None:
        return ""
    around = mark.buffer[max(mark.pointer - 1, 0) : mark.pointer + 1]
    special = next((character for character in around if character in ">*%@`&!|"), "")
    return f"text that begins with {special} needs quotes around it" if special else ""


def _first_line(value: object) -> str:
    return str(value).partition("\n")[0]
