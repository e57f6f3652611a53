"""Schemas that have a version: brought up to this one step by step, and refused when newer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, Table, select, update

from airgap.errors import StoreUnusable

Step: TypeAlias = Callable[[Connection], None]
"""Makes a database of one version one of the next."""

_KEY = "schema_version"


@dataclass(frozen=True, slots=True)
class VersionedSchema:
    """The schema of a database that outlives the program which made it.

    Attributes:
        facts: the table with the columns ``key`` and ``value`` in which the version is kept.
        version: this program's; raised with every change that an older one could not work with.
        steps: by version, what leads from it to the next; one for each version below this one.
    """

    facts: Table
    version: int
    steps: Mapping[int, Step]

    def written(self, connection: Connection) -> int:
        """Return the version that the database has."""
        key = self.facts.c.key
        found = connection.execute(select(self.facts.c.value).where(key == _KEY)).scalar_one()
        return int(found)

    def migrate(self, connection: Connection) -> None:
        """Make the database one of this version, unless another process has just done so."""
        written = self.written(connection)
        if written == self.version:
            return
        for version in range(written, self.version):
            self.steps[version](connection)
        connection.execute(
            update(self.facts).where(self.facts.c.key == _KEY).values(value=str(self.version))
        )

    def refuse_newer(self, version: int, thing: str, what: str, otherwise: str = "") -> None:
        """Raise an error where a newer program has written the database.

        Args:
            version: the version that it has.
            thing: the database or what it is part of, as a person knows it.
            what: what has versions there, such as ``catalog``.
            otherwise: what can be done instead of an update.

        Raises:
            StoreUnusable: it is newer than this program.
        """
        if version > self.version:
            raise StoreUnusable(
                thing,
                f"was written by a newer airgap ({what} version {version}, "
                f"this one knows {self.version})",
                f"update airgap on this machine{otherwise and f', or {otherwise}'}",
            )
