"""The types of single values: how text becomes one, and what a person is told where it does not.

Every scalar arrives as text. A type here is a parser, the words that the reference says for it, and
the JSON schema that an editor checks by; an editor reads YAML's own numbers and truth values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, ValidationInfo
from pydantic import WithJsonSchema as Schema
from pydantic_core import PydanticCustomError

from airgap.config.quantities import parse_rate, parse_size, parse_span
from airgap.errors import AirgapError
from airgap.oci.name_mapping import Destination
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference, Repository, is_tag, names_a_host
from airgap.oci.repository_pattern import RepositoryPattern, has_wildcard
from airgap.oci.tag_pattern import TagPattern
from airgap.oci.version_range import VersionRange

T = TypeVar("T")

_COUNT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_CHANNEL = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_MIRROR_PATH = re.compile(r"(?:/[a-zA-Z0-9][a-zA-Z0-9._-]*)*", re.ASCII)
_DATABASE_FORM = "write it as postgresql://USER@HOST/DATABASE"
_TRUTH = {"true": True, "false": False}
_NEARLY_TRUE = {"yes", "y", "on", "1"}
_NEARLY_FALSE = {"no", "n", "off", "0"}

_TEXT = {"type": "string"}
_TEXT_OR_NUMBER = {"type": ["string", "number"]}


@dataclass(frozen=True, slots=True)
class Words:
    """What the reference calls the values of a type."""

    text: str


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What the reference writes for the names that a person chooses (``HOST``)."""

    text: str


def value_error(cause: str, hint: str = "") -> PydanticCustomError:
    """Return an error that says what is wrong with a value, and what to do."""
    return PydanticCustomError("airgap", "{cause}", {"cause": cause, "hint": hint})


def parsed(parse: Callable[[str], T], kind: type[T]) -> PlainValidator:
    """Return a validator that reads text, and lets through what is of the type already."""

    def validate(value: Any) -> T:
        if isinstance(value, kind) and kind is not str:
            return value
        return parse_text(parse, value)

    return PlainValidator(validate)


def parse_text(parse: Callable[[str], T], value: object) -> T:
    """Read one scalar with a parser that raises our errors."""
    if not isinstance(value, str):
        raise value_error("must be a single value, and is a list or a mapping")
    try:
        return parse(value)
    except AirgapError as error:
        raise value_error(str(error), error.hint) from None


def _flag(text: str) -> bool:
    truth = _TRUTH.get(text)
    if truth is not None:
        return truth
    lowered = text.lower()
    near = "write true or false"
    if lowered in _NEARLY_TRUE or lowered == "true":
        near = "write true"
    elif lowered in _NEARLY_FALSE or lowered == "false":
        near = "write false"
    raise value_error(f"{text!r} is neither true nor false", near)


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise value_error(f"{text!r} is not a whole number from 1 to 999999")
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not float(text):
        raise value_error(f"{text!r} is not a number above 0")
    return float(text)


def read_path(value: Any, info: ValidationInfo) -> Path:
    """Read a path; ``~`` is the home folder, and a relative one begins at the config's folder."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise value_error("must be a single value, and is a list or a mapping")
    if not value or "\0" in value:
        raise value_error(f"{value!r} is not a path")
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise value_error(f"nobody knows the home folder in {value!r}") from None
    folder = (info.context or {}).get("folder")
    return folder / path if folder is not None else path


def _host(text: str) -> str:
    host = _without_scheme(text)
    if host in {"index.docker.io", "registry-1.docker.io"}:
        raise value_error(f"{text!r} is called docker.io in references", "write docker.io")
    if not names_a_host(host):
        raise value_error(
            f"{text!r} is not a registry host as references name it",
            f"write it with its domain or port, such as {host}:5000",
        )
    Repository(host, "any/path")
    return host


def _pull_mirror(text: str) -> str:
    place = _without_scheme(text)
    host, slash, path = place.partition("/")
    _host(host)
    if not _MIRROR_PATH.fullmatch(slash + path):
        raise value_error(f"{text!r} is not host[:port][/path]")
    return place


def _without_scheme(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if separator:
        plain = " and plain-http: true below it" if scheme == "http" else ""
        raise value_error(f"{text!r} is a URL", f"write {rest.rstrip('/')}{plain}")
    return text


def _tag(text: str) -> str:
    if not is_tag(text):
        raise value_error(
            f"{text!r} is not a tag", "a tag has at most 128 letters, digits, '_', '.', '-'"
        )
    return text


def _image(text: str) -> Reference:
    return Reference.parse(text).tagged()


def _repository(text: str) -> Repository:
    reference = Reference.parse(text)
    if reference.tag is not None or reference.digest is not None:
        raise value_error(
            f"{text!r} names an image, not a repository",
            f"write {reference.repository} here, and the tag below tags",
        )
    return reference.repository


def _repositories(text: str) -> Repository | RepositoryPattern:
    return RepositoryPattern.parse(text) if has_wildcard(text) else _repository(text)


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise value_error("is not the name of an environment variable", "write the name alone")
    return text


def _database_url(text: str) -> str:
    """Read a URL of PostgreSQL; what is wrong is said without it, as it may hold a password."""
    try:
        parts = urlsplit(text)
        has_password = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        raise value_error("is not a URL", _DATABASE_FORM) from None
    if has_password:
        raise value_error(
            "has a password in it, and a config gets copied and shown",
            "take it out, and name a file with password-file",
        )
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        raise value_error("is not a URL of a PostgreSQL database", _DATABASE_FORM)
    return text


def _helper(text: str) -> str:
    name = text.removeprefix("docker-credential-")
    if not _HELPER.fullmatch(name):
        raise value_error(f"{text!r} is not the name of a credential helper")
    return name


def _channel(text: str) -> str:
    if not _CHANNEL.fullmatch(text):
        raise value_error(
            f"{text!r} is not the name of a channel",
            "at most 64 lower-case letters, digits, '.', '_', '-'",
        )
    return text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Text: TypeAlias = Annotated[str, parsed(str, str), Schema(_TEXT), Words("text")]
Flag: TypeAlias = Annotated[
    bool, parsed(_flag, bool), Schema({"type": "boolean"}), Words("`true` or `false`")
]
Count: TypeAlias = Annotated[
    int, parsed(_count, int), Schema({"type": "integer", "minimum": 1}), Words("a whole number")
]
Number: TypeAlias = Annotated[
    float,
    parsed(_number, float),
    Schema({"type": "number", "exclusiveMinimum": 0}),
    Words("a number"),
]
Rate: TypeAlias = Annotated[
    int, parsed(parse_rate, int), Schema(_TEXT), Words("bytes and a time, such as `20MiB/s`")
]
Size: TypeAlias = Annotated[
    int, parsed(parse_size, int), Schema(_TEXT_OR_NUMBER), Words("bytes, such as `500GB`")
]
Span: TypeAlias = Annotated[
    int, parsed(parse_span, int), Schema(_TEXT), Words("hours, days or weeks, such as `30d`")
]
FilePath: TypeAlias = Annotated[Path, PlainValidator(read_path), Schema(_TEXT), Words("a path")]
Host: TypeAlias = Annotated[str, parsed(_host, str), Schema(_TEXT), Words("`host[:port]`")]
PullMirror: TypeAlias = Annotated[
    str, parsed(_pull_mirror, str), Schema(_TEXT), Words("`host[:port][/path]`")
]
Variable: TypeAlias = Annotated[
    str, parsed(_variable, str), Schema(_TEXT), Words("the name of an environment variable")
]
DatabaseUrl: TypeAlias = Annotated[
    str,
    parsed(_database_url, str),
    Schema(_TEXT),
    Words("`postgresql://user@host[:port]/database`"),
]
Helper: TypeAlias = Annotated[
    str, parsed(_helper, str), Schema(_TEXT), Words("NAME of `docker-credential-NAME`")
]
Channel: TypeAlias = Annotated[str, parsed(_channel, str), Schema(_TEXT), Words("a name")]
Tag: TypeAlias = Annotated[str, parsed(_tag, str), Schema(_TEXT_OR_NUMBER), Words("a tag")]
Image: TypeAlias = Annotated[
    Reference,
    parsed(_image, Reference),
    PlainSerializer(str),
    Schema(_TEXT),
    Words("a reference with tag or digest"),
]
Repositories: TypeAlias = Annotated[
    Repository | RepositoryPattern,
    PlainValidator(
        lambda value: (
            value
            if isinstance(value, Repository | RepositoryPattern)
            else parse_text(_repositories, value)
        )
    ),
    PlainSerializer(str),
    Schema(_TEXT),
    Words("a repository, or a pattern of several"),
]
PlatformName: TypeAlias = Annotated[
    Platform,
    parsed(Platform.parse, Platform),
    PlainSerializer(str),
    Schema(_TEXT),
    Words("`os/architecture[/variant]`"),
]
Glob: TypeAlias = Annotated[
    TagPattern,
    parsed(TagPattern.glob, TagPattern),
    PlainSerializer(lambda pattern: pattern.text),
    Schema(_TEXT_OR_NUMBER),
    Words("a shell pattern"),
]
Regex: TypeAlias = Annotated[
    TagPattern,
    parsed(TagPattern.regex, TagPattern),
    PlainSerializer(lambda pattern: pattern.text),
    Schema(_TEXT_OR_NUMBER),
    Words("a regular expression for the whole tag"),
]
Range: TypeAlias = Annotated[
    VersionRange,
    parsed(VersionRange.parse, VersionRange),
    PlainSerializer(str),
    Schema(_TEXT_OR_NUMBER),
    Words("a version range"),
]
PushDestination: TypeAlias = Annotated[
    Destination,
    parsed(Destination.parse, Destination),
    PlainSerializer(str),
    Schema(_TEXT),
    Words("`host[:port][/path]`"),
]

OneOrMany = BeforeValidator(_as_list)
"""Lets a list of one be written without its brackets."""
