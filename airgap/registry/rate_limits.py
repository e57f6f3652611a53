"""What registries say about their limits in headers, Docker Hub's above all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_QUOTA = re.compile(r"\s*(\d{1,12})(?:\s*;\s*w=(\d{1,12}))?", re.ASCII)
_SCARCE = 0.1


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit as it stands.

    Attributes:
        limit: requests in a window.
        window: seconds of the window, or None where it is not said.
        remaining: requests left in it.
    """

    limit: int
    window: int | None
    remaining: int

    @property
    def is_scarce(self) -> bool:
        """Whether less than a tenth is left."""
        return self.remaining < self.limit * _SCARCE

    def __str__(self) -> str:
        within = f" in {self.window / 3600:g} h" if self.window else ""
        return f"{self.remaining} of {self.limit} requests{within} left"


def rate_limit_of(headers: Mapping[str, str]) -> RateLimit | None:
    """Read ``RateLimit-Limit: 100;w=21600`` and ``RateLimit-Remaining``, or None."""
    limit = _QUOTA.match(headers.get("RateLimit-Limit", ""))
    remaining = _QUOTA.match(headers.get("RateLimit-Remaining", ""))
    if limit is None or remaining is None:
        return None
    window = limit[2] or remaining[2]
    return RateLimit(int(limit[1]), int(window) if window else None, int(remaining[1]))


def asks_to_wait(headers: Mapping[str, str]) -> str | None:
    """Return ``Retry-After``, or the header that stands in for it, as it was sent."""
    for name in ("Retry-After", "X-RateLimit-Reset", "RateLimit-Reset", "X-Retry-After"):
        if name in headers:
            return headers[name]
    return None
