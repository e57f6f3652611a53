"""Faults that the scripted registry commits on request."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias


@dataclass(frozen=True)
class Reply:
    """What the registry is about to answer.

    Attributes:
        status: the HTTP status.
        headers: besides Content-Length, which comes from the body unless it stands here.
        body: empty for HEAD, whose Content-Length stands in the headers.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """Answer with this, whatever was asked."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Refuse:
    """Answer before the request's body has been read, and close the connection on it."""

    status: int


@dataclass(frozen=True)
class Reset:
    """Break the connection off without an answer, after so many bytes of the request's body."""

    after: int = 0


@dataclass(frozen=True)
class Truncate:
    """Announce everything, and break off after so many bytes of it."""

    after: int


@dataclass(frozen=True)
class EndEarly:
    """Send only so many bytes, as if that were all: with chunked encoding, ended in due form."""

    after: int


@dataclass(frozen=True)
class Stall:
    """Send so many bytes of the body, then nothing more, and leave the connection open."""

    after: int = 0


@dataclass(frozen=True)
class Silence:
    """Do not answer at all, and leave the connection open."""


@dataclass(frozen=True)
class Drip:
    """Send the body in pieces of so many bytes, with a pause (seconds) after each."""

    size: int
    pause: float


@dataclass(frozen=True)
class Corrupt:
    """Flip one bit in the middle of the body."""


@dataclass(frozen=True)
class Surplus:
    """Send more than there is, with chunked encoding, so that no length gives it away."""

    extra: bytes = b"and then some"


@dataclass(frozen=True)
class Change:
    """Set headers; those that are None are left out."""

    headers: Mapping[str, str | None]


@dataclass(frozen=True)
class IgnoreRange:
    """Send the whole blob where a part was asked for."""


Fault: TypeAlias = (
    Answer
    | Refuse
    | Reset
    | Truncate
    | EndEarly
    | Stall
    | Silence
    | Drip
    | Corrupt
    | Surplus
    | Change
    | IgnoreRange
)


@dataclass
class Rule:
    """A fault for the requests that match.

    Attributes:
        fault: what goes wrong.
        method: the method it goes wrong for; empty for any.
        path: a pattern that is searched for in path and query.
        times: how many requests it strikes; None for all.
        after: how many matching requests it lets pass first.
    """

    fault: Fault
    method: str = ""
    path: str = ""
    times: int | None = 1
    after: int = 0
    struck: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Tell whether it is this request's turn, and count it."""
        if self.method and self.method != method:
            return False
        if not re.search(self.path, path):
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.struck += 1
        return True


class RandomFaults:
    """Lets a share of all requests fail, the same ones for the same seed."""

    def __init__(self, rate: float, faults: Sequence[Fault], seed: int) -> None:
        self._rate = rate
        self._faults = faults
        self._random = random.Random(seed)  # noqa: S311 - test data, not a secret
        self.struck = 0

    def draw(self) -> Fault | None:
        """Return the fault of the next request, if it is to have one."""
        if self._random.random() >= self._rate:
            return None
        self.struck += 1
        return self._random.choice(self._faults)


def altered(reply: Reply, fault: Fault | None) -> Reply:
    """Return the reply as a fault changes its content; how it is sent is another matter."""
    match fault:
        case Change(headers):
            merged = {**reply.headers, **headers}
            return replace(reply, headers={k: v for k, v in merged.items() if v is not None})
        case Corrupt() if reply.body:
            middle = len(reply.body) // 2
            flipped = bytes([reply.body[middle] ^ 1])
            return replace(reply, body=reply.body[:middle] + flipped + reply.body[middle + 1 :])
        case _:
            return reply


PASSING_FAULTS: tuple[Fault, ...] = (
    Reset(),
    Reset(50_000),
    Truncate(1000),
    Truncate(70_000),
    EndEarly(30_000),
    Answer(500),
    Answer(502, {"Content-Type": "text/html"}, b"<html>bad gateway</html>"),
    Answer(503, {"Retry-After": "0"}),
    Answer(429, {"Retry-After": "0"}),
    Answer(408),
    Change({"Docker-Content-Digest": None}),
    IgnoreRange(),
)
"""What goes wrong once in a while on bad links and busy registries, and passes."""
