"""What a person can look up about the config: every key, an example with all, a JSON schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from airgap.config.meanings import meanings
from airgap.config.model import Config
from airgap.config.scalars import Placeholder, Words
from airgap.config.section import Section, essence

_REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """One key of the file.

    Attributes:
        path: dotted, with ``[]`` for an item of a list and ``HOST`` for a name of one's own.
        values: what it takes, in words.
        default: what holds when it is not set, in YAML; ``required`` where it has to be set; empty
            where nothing does.
        meaning: what it is for.
        is_section: whether it holds further keys.
    """

    path: str
    values: str
    default: str
    meaning: str
    is_section: bool


def describe_keys(section: type[Section] = Config, prefix: str = "") -> Iterator[KeyDescription]:
    """Yield every key that the file may have, in the order of the model."""
    texts = meanings(section)
    for name, field in section.model_fields.items():
        annotation = section.keys()[field.alias or name]
        path = f"{prefix}{field.alias or name}"
        inner, suffix = _innermost(annotation)
        is_section = isinstance(inner, type) and issubclass(inner, Section)
        yield KeyDescription(
            path,
            _words(annotation),
            _default(field, is_section=is_section),
            texts[name],
            is_section,
        )
        if is_section:
            yield from describe_keys(inner, f"{path}{suffix}.")


def reference_tables() -> dict[str, str]:
    """Return for each top-level section its keys as a Markdown table."""
    tables: dict[str, list[str]] = {}
    for key in describe_keys():
        top = key.path.partition(".")[0].partition("[")[0]
        rows = tables.setdefault(top, ["| key | takes | default | meaning |", "|---|---|---|---|"])
        default = f"`{key.default}`" if key.default not in {"", _REQUIRED} else key.default
        cells = (f"`{key.path}`", key.values, default, key.meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return {top: "\n".join(rows) + "\n" for top, rows in tables.items()}


def example_config() -> str:
    """Return a commented config in which every key stands once."""
    return resources.files("airgap.config").joinpath("example.yaml").read_text("utf-8")


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) that editors check a config file with."""
    schema = Config.model_json_schema(by_alias=True, mode="validation")
    for section in _sections(Config):
        described = schema if section is Config else schema["$defs"][section.__name__]
        # A section with short forms is the last of its alternatives.
        properties = [described, *described.get("anyOf", ())][-1]["properties"]
        for name, text in meanings(section).items():
            key = section.model_fields[name].alias or name
            properties[key]["description"] = text
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_as_files_are(schema),
        "title": "airgap config",
    }


def _sections(section: type[Section]) -> set[type[Section]]:
    """Return a section and every one below it."""
    found = {section}
    for annotation in section.keys().values():
        inner, _ = _innermost(annotation)
        if isinstance(inner, type) and issubclass(inner, Section):
            found |= _sections(inner)
    return found


def _as_files_are(schema: Any) -> Any:
    """Return a schema as it holds for a file: nothing is null, a list of one needs no brackets."""
    if isinstance(schema, list):
        return [_as_files_are(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: _as_files_are(value)
        for key, value in schema.items()
        if not (key == "default" and (value is None or isinstance(value, dict)))
        and not (key == "title" and isinstance(value, str))
    }
    if "anyOf" in kept:
        choices = [choice for choice in kept.pop("anyOf") if choice != {"type": "null"}]
        kept |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    if kept.get("type") == "array" and "$ref" not in kept.get("items", {"$ref": ""}):
        array = {key: kept.pop(key) for key in ("type", "items")}
        kept["anyOf"] = [array["items"], array]
    return kept


def _innermost(annotation: Any) -> tuple[Any, str]:
    """Return what stands inside maps and lists, and how a path goes on to it."""
    inner = essence(annotation)
    arguments = [argument for argument in get_args(inner) if argument is not ...]
    if not arguments or _note(annotation, Words):
        return inner, ""
    item, rest = _innermost(arguments[-1])
    named = _note(annotation, Placeholder)
    return item, (f".{named.text}" if named else "[]") + rest


def _words(annotation: Any) -> str:
    words: Words | None = _note(annotation, Words)
    if words is not None:
        return words.text
    inner = essence(annotation)
    if inner is not annotation and get_origin(annotation) is not Annotated:
        return _words(next(arg for arg in get_args(annotation) if arg is not type(None)))
    arguments = [argument for argument in get_args(inner) if argument is not ...]
    if named := _note(annotation, Placeholder):
        return f"a section for each {named.text}"
    if arguments:
        item = _words(arguments[-1])
        is_section = item.endswith("a section")
        return f"a list, each item {item}" if is_section else f"{item}; or a list"
    if issubclass(inner, StrEnum):
        return ", ".join(f"`{member}`" for member in inner)
    short: str = inner.short_forms
    return f"{short} or a section" if short else "a section"


def _note(annotation: Any, kind: type[Any]) -> Any:
    if get_origin(annotation) is not Annotated:
        return None
    return next((note for note in get_args(annotation)[1:] if isinstance(note, kind)), None)


def _default(field: FieldInfo, *, is_section: bool) -> str:
    if field.is_required():
        return _REQUIRED
    default = field.get_default()
    if is_section:
        return ""
    if default is None or default in {(), ""}:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)
