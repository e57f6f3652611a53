"""Where a catalog is that several machines share."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A PostgreSQL database.

    Attributes:
        url: ``postgresql://user@host:port/name?option=value``, as libpq reads it; a password in it
            is used, and never shown.
        password: what to log in with, where the URL does not say it.
    """

    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
