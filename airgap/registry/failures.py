"""What goes wrong between a request and its whole answer, before anybody decides what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """How far an exchange got before it failed."""

    UNKNOWN_NAME = "name"
    """No such host name."""

    NO_CONNECTION = "connection"
    """Nobody listens, no route, or no answer to the connection attempt."""

    TLS = "tls"
    """The handshake failed, or the certificate is not to be trusted."""

    BROKEN = "broken"
    """The connection ended, or what came over it was not HTTP."""

    STALLED = "stalled"
    """Nothing came for too long."""

    STATUS = "status"
    """A whole answer came, and its status says no."""

    MISMATCH = "mismatch"
    """A whole answer came, but it is not the content that was asked for."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed exchange.

    Attributes:
        kind: how far it got.
        detail: the cause in a few words, without secrets.
        status: the HTTP status where there was one, else 0.
        retry_after: the ``Retry-After`` header, or what a rate limit's headers say instead.
    """

    kind: FailureKind
    detail: str
    status: int = 0
    retry_after: str | None = None


class ExchangeFailed(Exception):
    """Carries a :class:`Failure` to the one place that decides about it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure
