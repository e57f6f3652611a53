"""What was found in files: references with their places, and what could not be understood."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airgap.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands.

    Attributes:
        file: as a person named it; within an archive after ``!``.
        line: from 1; 0 where it is put together from several lines.
        key: the way to it within the document, such as ``Deployment/web: spec.….image``.
    """

    file: str
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}" if self.key else where


@dataclass(frozen=True, slots=True)
class Found:
    """One image that a file names; a missing tag is ``latest``, as container engines have it."""

    reference: Reference
    place: Place


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that may well name an image, and cannot be understood.

    Attributes:
        text: what stands there, shortened.
        reason: why it is not understood, and what to do.
    """

    text: str
    reason: str
    place: Place


@dataclass(frozen=True, slots=True)
class Findings:
    """What some text names."""

    found: tuple[Found, ...] = ()
    unread: tuple[Unread, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.found + other.found, self.unread + other.unread)

    @classmethod
    def of(cls, items: Iterable[Found | Unread]) -> Findings:
        """Sort what was found from what was not understood."""
        listed = list(items)
        return cls(
            tuple(item for item in listed if isinstance(item, Found)),
            tuple(item for item in listed if isinstance(item, Unread)),
        )

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every reference once, sorted."""
        return tuple(self.places)

    @property
    def places(self) -> Mapping[Reference, Sequence[Place]]:
        """Every reference, sorted, with all places that name it."""
        grouped: defaultdict[Reference, list[Place]] = defaultdict(list)
        for item in self.found:
            grouped[item.reference].append(item.place)
        return {reference: grouped[reference] for reference in sorted(grouped, key=str)}


_SHOWN = 120


def unread(text: str, reason: str, place: Place) -> Unread:
    """Return something that is not understood, with its text cut to a readable length."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return Unread(shown, reason, place)
