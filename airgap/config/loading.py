"""Finding the config file, and reading it with errors that say where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from airgap.config.document import MAX_LENGTH, Document, KeyPath, dotted, read_document
from airgap.config.model import Config
from airgap.config.problems import ConfigProblems, Problem, did_you_mean, raise_config_error
from airgap.config.section import section_at
from airgap.errors import ConfigError, NotFound, NotPermitted

VARIABLE = "AIRGAP_CONFIG"
DEFAULT_PLACES = (Path("airgap.yaml"), Path("/etc/airgap/airgap.yaml"))

_KEY_MARK = "[key]"
_MAX_BYTES = 4 * MAX_LENGTH
_WANTED = {
    "model_type": "must be a mapping of keys",
    "model_attributes_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
    "mapping_type": "must be a mapping of keys",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
}


def find_config(
    explicit: Path | None,
    environ: Mapping[str, str],
    places: Sequence[Path] = DEFAULT_PLACES,
) -> Path | None:
    """Return the config file to read, or None where there is none.

    The one named on the command line goes first, then ``$AIRGAP_CONFIG``; neither is looked at, so
    that a wrong name is an error when it is read. Then come the places where one may or may not be.
    """
    if explicit is not None:
        return explicit
    if named := environ.get(VARIABLE):
        return Path(named)
    return next((place for place in places if place.is_file()), None)


def load_config(path: Path) -> Config:
    """Read a config file.

    Raises:
        ConfigError: the file does not say what it must; every problem is listed with its line.
        NotFound: there is no such file.
        NotPermitted: the file may not be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "`airgap config example` prints one to begin with"
        raise NotFound(str(path), "there is no such config file", hint) from None
    except PermissionError:
        raise NotPermitted(str(path), "the config file may not be read") from None
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise ConfigError(str(path), f"cannot be read: {cause}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}", "is not UTF-8 text") from None
    return parse_config(text, str(path), path.absolute().parent)


def parse_config(text: str, file: str, folder: Path | None = None) -> Config:
    """Read a config from text.

    Args:
        text: YAML.
        file: what errors call it.
        folder: where relative paths begin; None leaves them relative.

    Raises:
        ConfigError: the text does not say what it must; every problem is listed with its line.
    """
    try:
        document = read_document(text)
        config, problems = _validate(document, folder)
    except ConfigProblems as found:
        raise_config_error(file, found.problems)
    if config is None or problems:
        raise_config_error(file, problems)
    return config


def _validate(document: Document, folder: Path | None) -> tuple[Config | None, list[Problem]]:
    problems = list(document.problems)
    try:
        config = Config.model_validate(
            document.value, context={"folder": folder}, by_alias=True, by_name=False
        )
    except ValidationError as error:
        known = {problem.key for problem in problems}
        found = [_problem(item, document) for item in error.errors(include_url=False)]
        problems += [problem for problem in found if problem.key not in known]
        return None, problems
    return config, problems


def _problem(error: Mapping[str, Any], document: Document) -> Problem:
    path = tuple(part for part in error["loc"] if part != _KEY_MARK)
    cause, hint = _cause_of(error, path)
    known = _known(path, document)
    return Problem(document.line_of(known), dotted(known), cause, hint)


def _cause_of(error: Mapping[str, Any], path: KeyPath) -> tuple[str, str]:
    context = error.get("ctx", {})
    match error["type"]:
        case "airgap":
            return context["cause"], context["hint"]
        case "extra_forbidden":
            return "is not a key here", _about_unknown(path)
        case "missing":
            return "is missing", ""
        case "enum" | "literal_error":
            shown = str(error["input"])
            hint = did_you_mean(shown, _quoted(context["expected"]))
            return f"{shown!r} is not one of {context['expected']}", hint
        case kind:
            return _WANTED.get(kind, str(error["msg"])), ""


def _about_unknown(path: KeyPath) -> str:
    key = str(path[-1])
    section = section_at(Config, path[:-1])
    if section is None:
        return ""
    if key in section.explained:
        return section.explained[key]
    keys = list(section.keys())
    return did_you_mean(key.replace("_", "-"), keys) or f"keys are {', '.join(keys)}"


def _known(path: KeyPath, document: Document) -> KeyPath:
    """Return what of a path stands in the file; short forms stand for keys that do not."""
    longest = max((n for n in range(len(path) + 1) if path[:n] in document.lines), default=0)
    missing = path[longest:]
    is_short_form = longest and not isinstance(_at(document, path[:longest]), dict)
    return path[:longest] if is_short_form else path[:longest] + missing[:1]


def _at(document: Document, path: KeyPath) -> Any:
    value: Any = document.value
    for part in path:
        value = value[part]
    return value


def _quoted(expected: str) -> Iterator[str]:
    """Yield the values in pydantic's ``'a', 'b' or 'c'``."""
    yield from expected.split("'")[1::2]
