"""The Dockerfile instructions that ``docker commit --change`` takes, as changes of a config.

The grammar is that of the Dockerfile reference; the effects on the config are those of the OCI
image-spec, ``config.md``, and of Docker's own fields beside it (Healthcheck, OnBuild, Shell).
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airgap.errors import UsageError
from airgap.image.healthcheck import parse_healthcheck
from airgap.image.words import expand, split_pairs, split_words

Config = dict[str, Any]
"""The ``config`` object of an image config: ``Cmd``, ``Env`` and the like."""

_SHELL = ["/bin/sh", "-c"]
_SIGNAL = re.compile(r"SIG[A-Z0-9+-]{2,12}|[0-9]{1,3}", re.ASCII)
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII | re.IGNORECASE)
_MAX_PORT = 65535
_NOT_IN_ONBUILD = {"ONBUILD", "FROM", "MAINTAINER"}


def apply_changes(config: Mapping[str, Any], instructions: Iterable[str]) -> Config:
    """Return a config with instructions applied in order; the one given stays as it is.

    Args:
        config: the ``config`` object of the base image.
        instructions: such as ``CMD ["/bin/httpd", "-f"]`` or ``ENV A=1 B="two words"``.

    Raises:
        UsageError: an instruction is unknown or malformed; it is named as it was given.
    """
    changed = json.loads(json.dumps(dict(config)))
    given: set[str] = set()
    for instruction in instructions:
        name, _, text = instruction.strip().partition(" ")
        name = name.upper()
        apply = _INSTRUCTIONS.get(name)
        if apply is None:
            known = ", ".join(sorted(_INSTRUCTIONS))
            raise UsageError(repr(instruction), "is not an instruction that a commit takes", known)
        if not text.strip():
            raise UsageError(repr(instruction), f"{name} needs an argument")
        try:
            apply(changed, text.strip())
        except ValueError as error:
            raise UsageError(repr(instruction), f"{error}") from None
        given.add(name)
        # The base's CMD was made for the base's ENTRYPOINT (Dockerfile reference, "ENTRYPOINT").
        if name == "ENTRYPOINT" and "CMD" not in given:
            changed.pop("Cmd", None)
    return dict(changed)


def command(config: Mapping[str, Any], text: str) -> list[str]:
    """Read the JSON or the shell form of a command.

    Raises:
        ValueError: it looks like the JSON form but is not a list of strings.
    """
    listed = _json_list(text)
    if listed is not None:
        return listed
    return [*(config.get("Shell") or _SHELL), text]


def _json_list(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    if text.endswith("]"):
        # Docker would hand it to the shell, which is never what was meant.
        raise ValueError("is not a JSON list of strings; strings need double quotes")
    return None


def _cmd(config: Config, text: str) -> None:
    config["Cmd"] = command(config, text)


def _entrypoint(config: Config, text: str) -> None:
    config["Entrypoint"] = command(config, text)


def _env(config: Config, text: str) -> None:
    variables = _environment(config)
    # Each instruction sees the values from before it (Dockerfile reference, "ENV").
    before = dict(variables)
    for key, value in split_pairs(text, before):
        variables[key] = value
    config["Env"] = [f"{key}={value}" for key, value in variables.items()]


def _label(config: Config, text: str) -> None:
    labels = dict(config.get("Labels") or {})
    labels.update(split_pairs(text, _environment(config)))
    config["Labels"] = labels


def _expose(config: Config, text: str) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in split_words(text, _environment(config)):
        match = _PORT.fullmatch(word)
        first = int(match[1]) if match else 0
        last = int(match[2] or first) if match else 0
        if match is None or not 0 < first <= last <= _MAX_PORT:
            raise ValueError(f"{word!r} is not a port, such as 80, 53/udp or 8000-8010/tcp")
        protocol = (match[3] or "tcp").lower()
        ports |= {f"{port}/{protocol}": {} for port in range(first, last + 1)}
    config["ExposedPorts"] = ports


def _onbuild(config: Config, text: str) -> None:
    name = text.split(maxsplit=1)[0].upper()
    if name in _NOT_IN_ONBUILD:
        raise ValueError(f"ONBUILD may not be followed by {name}")
    config["OnBuild"] = [*(config.get("OnBuild") or []), text]


def _user(config: Config, text: str) -> None:
    config["User"] = _one_word(config, text)


def _volume(config: Config, text: str) -> None:
    listed = _json_list(text)
    paths = split_words(text, _environment(config)) if listed is None else listed
    if not paths or not all(path.strip() for path in paths):
        raise ValueError("a volume needs a path")
    config["Volumes"] = dict(config.get("Volumes") or {}) | {path: {} for path in paths}


def _workdir(config: Config, text: str) -> None:
    folder = expand(text, _environment(config))
    base = config.get("WorkingDir") or "/"
    config["WorkingDir"] = "/" + posixpath.normpath(posixpath.join("/", base, folder)).lstrip("/")


def _stopsignal(config: Config, text: str) -> None:
    signal = _one_word(config, text).upper()
    if not _SIGNAL.fullmatch(signal):
        raise ValueError(f"{text!r} is not a signal, such as SIGTERM or 15")
    config["StopSignal"] = signal


def _healthcheck(config: Config, text: str) -> None:
    config["Healthcheck"] = parse_healthcheck(text, _json_list)


def _one_word(config: Config, text: str) -> str:
    words = split_words(text, _environment(config))
    if len(words) != 1:
        raise ValueError("takes exactly one word")
    return words[0]


def _environment(config: Mapping[str, Any]) -> dict[str, str]:
    pairs = (str(item).partition("=") for item in config.get("Env") or [])
    return {key: value for key, _, value in pairs}


_INSTRUCTIONS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
