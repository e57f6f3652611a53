"""What every section of the config is: closed, frozen, with its keys written with hyphens."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict


def _key_of(attribute: str) -> str:
    return attribute.strip("_").replace("_", "-")


def also_written_as(*json_types: str) -> ConfigDict:
    """Return the configuration of a section that has short forms of these JSON types."""

    def widen(schema: dict[str, Any]) -> None:
        section = dict(schema)
        schema.clear()
        schema["anyOf"] = [*({"type": name} for name in json_types), section]

    return ConfigDict(json_schema_extra=widen)


class Section(BaseModel):
    """A mapping in the file whose keys are known."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=_key_of,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        arbitrary_types_allowed=True,
        # Most runs read few sections, and a validator costs milliseconds to build.
        defer_build=True,
    )

    short_forms: ClassVar[str] = ""
    """What may stand in place of the section, in words."""

    explained: ClassVar[Mapping[str, str]] = {}
    """Keys that people may expect and that are left out on purpose, each with the reason."""

    @classmethod
    def keys(cls) -> dict[str, Any]:
        """Return the annotation of each key, by its name in the file."""
        return {
            field.alias or name: (
                Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            )
            for name, field in cls.model_fields.items()
        }


def section_at(root: type[Section], path: tuple[str | int, ...]) -> type[Section] | None:
    """Return the section class that a path leads to, or None where it leads elsewhere."""
    annotation: Any = root
    for part in path:
        inner = essence(annotation)
        if isinstance(inner, type) and issubclass(inner, Section):
            annotation = inner.keys().get(str(part))
        else:
            annotation = next((arg for arg in reversed(get_args(inner)) if arg is not ...), None)
    inner = essence(annotation)
    return inner if isinstance(inner, type) and issubclass(inner, Section) else None


def essence(annotation: Any) -> Any:
    """Return an annotation without ``Annotated`` and without ``None``."""
    if get_origin(annotation) is Annotated:
        return essence(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        return essence(next(arg for arg in get_args(annotation) if arg is not types.NoneType))
    return annotation
