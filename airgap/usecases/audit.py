"""The audit: resolve every name again where it should be, and compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from airgap.content.parallel import for_each
from airgap.content.ports import Target
from airgap.errors import Difference
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference

_CONCURRENCY = 16


class Finding(StrEnum):
    """What an audit found under a name."""

    PRESENT = "present"
    MISSING = "missing"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Expectation:
    """A name, and the digest that it should stand for."""

    reference: Reference
    digest: Digest


@dataclass(frozen=True, slots=True)
class AuditedName:
    """One name and what was found under it; ``actual`` is None where nothing was."""

    reference: Reference
    expected: Digest
    actual: Digest | None

    @property
    def finding(self) -> Finding:
        """Present, missing or changed."""
        if self.actual is None:
            return Finding.MISSING
        return Finding.PRESENT if self.actual == self.expected else Finding.CHANGED


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Every name that was looked at, in the order given."""

    names: tuple[AuditedName, ...]

    @property
    def differences(self) -> tuple[AuditedName, ...]:
        """The names that are missing or stand for something else."""
        return tuple(name for name in self.names if name.finding is not Finding.PRESENT)

    def error(self) -> Difference | None:
        """Return the error to end with, or None where everything is as it should be."""
        if not self.differences:
            return None
        listed = "; ".join(f"{n.reference} is {n.finding}" for n in self.differences[:5])
        more = len(self.differences) - 5
        return Difference(
            "audit",
            f"{len(self.differences)} of {len(self.names)} names differ: {listed}"
            + (f"; and {more} more" if more > 0 else ""),
            "somebody else may be writing there; push again, then compare the digests",
        )


async def audit(expected: Sequence[Expectation], place: Target) -> AuditReport:
    """Resolve every name at a place and compare it with what it should stand for."""
    found: dict[int, AuditedName] = {}

    async def look(item: tuple[int, Expectation]) -> None:
        position, wanted = item
        named = await place.find(wanted.reference)
        actual = named.digest if named is not None else None
        found[position] = AuditedName(wanted.reference, wanted.digest, actual)

    await for_each(enumerate(expected), look, concurrency=_CONCURRENCY)
    return AuditReport(tuple(found[position] for position in range(len(expected))))
