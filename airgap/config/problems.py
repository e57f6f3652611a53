"""What is wrong in a config file, gathered so that a person sees all of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from airgap.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        line: where, counted from 1.
        key: the dotted key (``registries.quay.io.tls.ca``); empty for the file as a whole.
        cause: what is wrong, without secrets.
        hint: what to do about it, or empty.
    """

    line: int
    key: str
    cause: str
    hint: str = ""


class ConfigProblems(Exception):
    """Problems in a text whose file name is not known here."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)


def raise_config_error(file: str, problems: Iterable[Problem]) -> NoReturn:
    """Raise one error that lists every problem in the order of the file.

    Raises:
        ConfigError: always; its thing is ``file:line: key`` for one problem, the file for several.
    """
    ordered = sorted(problems, key=lambda problem: problem.line)
    if len(ordered) == 1:
        only = ordered[0]
        raise ConfigError(_place(file, only), only.cause, only.hint)
    lines = [
        f"  {_place(file, problem)}: {problem.cause}"
        + (f" ({problem.hint})" if problem.hint else "")
        for problem in ordered
    ]
    raise ConfigError(file, "\n".join([f"has {len(ordered)} errors", *lines]))


def did_you_mean(text: str, possible: Iterable[str]) -> str:
    """Return ``did you mean …?`` for the nearest of the possible texts, or nothing."""
    near = difflib.get_close_matches(text.lower(), list(possible), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


def _place(file: str, problem: Problem) -> str:
    return f"{file}:{problem.line}: {problem.key}".removesuffix(": ")
