"""The ``HEALTHCHECK`` instruction (Dockerfile reference, "HEALTHCHECK")."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_OPTION = re.compile(r"--([a-z-]+)=(\S+)\s+", re.ASCII)
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+|0", re.ASCII)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SHORTEST = _NANOSECONDS["ms"]
_FIELDS = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
    "retries": "Retries",
}


def parse_healthcheck(text: str, json_list: Callable[[str], list[str] | None]) -> dict[str, Any]:
    """Read what follows ``HEALTHCHECK``: ``NONE``, or options and ``CMD`` with a command.

    Args:
        text: what follows.
        json_list: reads the JSON form of a command, or returns None for the shell form.

    Returns:
        The ``Healthcheck`` object of a Docker config; times are in nanoseconds.

    Raises:
        ValueError: it is neither.
    """
    fields: dict[str, Any] = {}
    while (option := _OPTION.match(text)) is not None:
        name, value = option.groups()
        field = _FIELDS.get(name)
        if field is None:
            raise ValueError(f"--{name} is not an option of HEALTHCHECK")
        if field in fields:
            raise ValueError(f"--{name} is given twice")
        fields[field] = _retries(value) if name == "retries" else _duration(name, value)
        text = text[option.end() :]
    kind, _, command = text.partition(" ")
    command = command.strip()
    if kind.upper() == "NONE" and not command and not fields:
        return {"Test": ["NONE"]}
    if kind.upper() != "CMD" or not command:
        raise ValueError("HEALTHCHECK is followed by NONE, or by options, CMD and a command")
    listed = json_list(command)
    test = ["CMD-SHELL", command] if listed is None else ["CMD", *listed]
    return {"Test": test, **fields}


def _retries(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value[:10]) < 2**31:
        raise ValueError(f"--retries={value} is not a positive number")
    return int(value)


def _duration(name: str, value: str) -> int:
    if not _DURATION.fullmatch(value):
        raise ValueError(f"--{name}={value} is not a duration, such as 30s or 1m30s")
    total = sum(round(float(n) * _NANOSECONDS[unit]) for n, unit in _PART.findall(value))
    if 0 < total < _SHORTEST:
        raise ValueError(f"--{name}={value} is shorter than 1ms")
    return total
