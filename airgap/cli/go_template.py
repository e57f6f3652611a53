"""The part of Go's templates that people write behind ``docker inspect --format``.

Fields (``{{.Config.Cmd}}``), literals, pipelines, ``range``, ``if`` and ``with`` with ``else``,
``{{-`` and ``-}}``, and the functions of :data:`FUNCTIONS`. Values print as Go prints them:
``[a b]``, ``map[key:value]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from airgap.cli.go_functions import FUNCTIONS, go_text, is_true
from airgap.errors import UsageError

_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:"
    r'(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)'
    r"|(?P<number>-?\d+)"
    r"|(?P<path>\$?(?:\.\w+)+|\$|\.)"
    r"|(?P<word>[A-Za-z]\w*)"
    r"|(?P<sign>[()|])"
    r")",
    re.ASCII,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BLOCKS = {"range", "if", "with"}
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class _Path:
    fields: tuple[str, ...]
    from_root: bool


@dataclass(frozen=True, slots=True)
class _Literal:
    value: Any


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: tuple[_Operand, ...]


@dataclass(frozen=True, slots=True)
class _Pipeline:
    commands: tuple[_Operand, ...]


_Operand: TypeAlias = _Path | _Literal | _Call | _Pipeline


@dataclass(slots=True)
class _Block:
    kind: str
    pipeline: _Pipeline
    body: list[_Node] = field(default_factory=list)
    otherwise: list[_Node] | None = None


_Node: TypeAlias = str | _Pipeline | _Block


@dataclass(frozen=True, slots=True)
class Template:
    """A template that has been read."""

    text: str
    _nodes: Sequence[_Node]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template.

        Raises:
            UsageError: it is none, or uses what is not known here.
        """
        return cls(text, _Parser(text).nodes())

    def render(self, value: Any) -> str:
        """Fill the template in.

        Raises:
            UsageError: it asks for a field that is not there.
        """
        return "".join(_Evaluation(self.text, value).nodes(self._nodes, value))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text

    def nodes(self) -> list[_Node]:
        root: list[_Node] = []
        places: list[list[_Node]] = [root]
        open_blocks: list[_Block] = []
        for piece in self._pieces():
            if isinstance(piece, str):
                places[-1].append(piece)
                continue
            word, rest = piece
            if word in _BLOCKS:
                if len(open_blocks) == _MAX_DEPTH:
                    raise self._wrong("nests too deeply")
                block = _Block(word, self._pipeline(rest))
                places[-1].append(block)
                open_blocks.append(block)
                places.append(block.body)
            elif word == "else" and open_blocks and open_blocks[-1].otherwise is None:
                open_blocks[-1].otherwise = places[-1] = []
            elif word == "end" and open_blocks:
                open_blocks.pop()
                places.pop()
            elif word in {"else", "end"}:
                raise self._wrong(f"has an {{{{{word}}}}} that belongs to nothing")
            else:
                places[-1].append(self._pipeline(f"{word}{rest}"))
        if open_blocks:
            raise self._wrong(f"has a {{{{{open_blocks[-1].kind}}}}} without {{{{end}}}}")
        return root

    def _pieces(self) -> Iterator[str | tuple[str, str]]:
        position, trim = 0, False
        for match in _ACTION.finditer(self._text):
            literal = self._text[position : match.start()]
            literal = literal.lstrip() if trim else literal
            yield self._literal(literal.rstrip() if match[1] else literal)
            inside = match[2].strip()
            word = re.match(r"[a-z]*", inside)
            length = word.end() if word is not None else 0
            yield inside[:length], inside[length:]
            position, trim = match.end(), match[3] is not None
        rest = self._text[position:]
        yield self._literal(rest.lstrip() if trim else rest)

    def _literal(self, text: str) -> str:
        if "{{" in text or "}}" in text:
            raise self._wrong("has braces that do not fit together")
        return text

    def _pipeline(self, text: str) -> _Pipeline:
        tokens = list(self._tokens(text.strip()))
        if not tokens:
            raise self._wrong("has an action that says nothing")
        pipeline, rest = self._commands(tokens, 0)
        if rest != len(tokens):
            raise self._wrong(f"has {tokens[rest][1]!r} where nothing should be")
        return pipeline

    def _commands(self, tokens: list[tuple[str, str]], position: int) -> tuple[_Pipeline, int]:
        commands: list[_Operand] = []
        while True:
            command, position = self._command(tokens, position)
            if commands and not isinstance(command, _Call):
                raise self._wrong("pipes into something that is no function")
            commands.append(command)
            if position == len(tokens) or tokens[position] != ("sign", "|"):
                return _Pipeline(tuple(commands)), position
            position += 1

    def _command(self, tokens: list[tuple[str, str]], position: int) -> tuple[_Operand, int]:
        operands: list[_Operand] = []
        while position < len(tokens) and tokens[position] not in {("sign", "|"), ("sign", ")")}:
            operand, position = self._operand(tokens, position)
            operands.append(operand)
        if not operands:
            raise self._wrong("has an empty command")
        first, *arguments = operands
        if isinstance(first, _Call):
            return _Call(first.name, tuple(arguments)), position
        if arguments:
            raise self._wrong("gives arguments to something that is no function")
        return first, position

    def _operand(self, tokens: list[tuple[str, str]], position: int) -> tuple[_Operand, int]:
        kind, text = tokens[position]
        match kind:
            case "path":
                from_root = text.startswith("$")
                fields = tuple(part for part in text.lstrip("$").split(".") if part)
                return _Path(fields, from_root), position + 1
            case "text":
                quoted = text[0] == '"'
                value = _ESCAPE.sub(_unescaped, text[1:-1]) if quoted else text[1:-1]
                return _Literal(value), position + 1
            case "number":
                return _Literal(int(text)), position + 1
            case "word" if text in {"true", "false"}:
                return _Literal(text == "true"), position + 1
            case "word" if text in FUNCTIONS:
                return _Call(text, ()), position + 1
            case "word":
                raise self._wrong(f"uses {text}", "known are " + ", ".join(sorted(FUNCTIONS)))
        if text != "(":
            raise self._wrong(f"has {text!r} where a value should be")
        if sum(token == ("sign", "(") for token in tokens) > _MAX_DEPTH:
            raise self._wrong("nests too deeply")
        inner, position = self._commands(tokens, position + 1)
        if position == len(tokens):
            raise self._wrong("has a parenthesis that is never closed")
        return inner, position + 1

    def _tokens(self, text: str) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._wrong(f"has {text[position : position + 20]!r}, which means nothing")
            yield match.lastgroup, match[match.lastgroup]
            position = match.end()

    def _wrong(self, cause: str, hint: str = "") -> UsageError:
        return UsageError(f"--format {self._text}", cause, hint)


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[0])


@dataclass(frozen=True, slots=True)
class _Evaluation:
    text: str
    root: Any

    def nodes(self, nodes: Sequence[_Node], dot: Any) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, str):
                yield node
            elif isinstance(node, _Pipeline):
                yield go_text(self._value(node, dot))
            else:
                yield from self._block(node, dot)

    def _block(self, block: _Block, dot: Any) -> Iterator[str]:
        value = self._value(block.pipeline, dot)
        if not is_true(value):
            yield from self.nodes(block.otherwise or (), dot)
        elif block.kind == "range":
            items = [value[key] for key in sorted(value)] if isinstance(value, Mapping) else value
            if not isinstance(items, list):
                raise self._wrong(f"ranges over {go_text(value)[:40]!r}, which is no list")
            for item in items:
                yield from self.nodes(block.body, item)
        else:
            yield from self.nodes(block.body, value if block.kind == "with" else dot)

    def _value(self, operand: _Operand, dot: Any) -> Any:
        match operand:
            case _Literal(value):
                return value
            case _Path(fields, from_root):
                return self._field(self.root if from_root else dot, fields)
            case _Call():
                return self._call(operand, [], dot)
            case _Pipeline(commands):
                value = self._value(commands[0], dot)
                for command in commands[1:]:
                    if isinstance(command, _Call):
                        value = self._call(command, [value], dot)
                return value

    def _call(self, call: _Call, piped: list[Any], dot: Any) -> Any:
        arguments = [self._value(argument, dot) for argument in call.arguments]
        try:
            return FUNCTIONS[call.name](*arguments, *piped)
        except (TypeError, ValueError, LookupError) as error:
            raise self._wrong(f"{call.name} cannot do this ({error})") from None

    def _field(self, value: Any, fields: Sequence[str]) -> Any:
        for name in fields:
            if not isinstance(value, Mapping) or name not in value:
                known = ", ".join(sorted(value)) if isinstance(value, Mapping) else ""
                raise self._wrong(f"there is no field .{name}", known and f"there are {known}")
            value = value[name]
        return value

    def _wrong(self, cause: str, hint: str = "") -> UsageError:
        return UsageError(f"--format {self.text}", cause, hint)
