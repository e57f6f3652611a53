"""What happens during a copy, told while it happens; rendering is somebody else's job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from airgap.errors import AirgapError
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class ImageStarted:
    """Work on one image begins."""

    reference: Reference


@dataclass(frozen=True, slots=True)
class ImageFinished:
    """One image is at the target, its tag not yet moved.

    Attributes:
        unchanged: the target had the same digest under the same name already.
    """

    reference: Reference
    descriptor: Descriptor
    unchanged: bool


@dataclass(frozen=True, slots=True)
class ImageSkipped:
    """One image was left out: its name at the target stands for something else.

    Attributes:
        target: the name at the target.
        existing: what that stands for, and goes on to stand for.
    """

    reference: Reference
    target: Reference
    existing: Descriptor


@dataclass(frozen=True, slots=True)
class ImageFailed:
    """One image could not be copied; the others go on."""

    reference: Reference
    error: AirgapError


@dataclass(frozen=True, slots=True)
class BlobStarted:
    """A blob begins to move: the target has asked for its bytes."""

    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class BlobProgress:
    """So many more bytes of a blob have been dealt with."""

    descriptor: Descriptor
    byte_count: int


@dataclass(frozen=True, slots=True)
class BlobFinished:
    """A blob has arrived whole and verified."""

    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class BlobReused:
    """A blob need not move: the target has it, or it travels for another image of the same run."""

    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class TagMoved:
    """A name stands for this manifest now."""

    reference: Reference
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person may want to know: a retry, a pause, a platform left out.

    Attributes:
        level: ``debug``, ``info`` or ``warning``.
    """

    level: str
    text: str


Event: TypeAlias = (
    ImageStarted
    | ImageFinished
    | ImageSkipped
    | ImageFailed
    | BlobStarted
    | BlobProgress
    | BlobFinished
    | BlobReused
    | TagMoved
    | Note
)

Emit: TypeAlias = Callable[[Event], None]
"""Receives events on the event loop's thread; never blocks, never raises."""


def discard(event: Event) -> None:
    """Take an event and do nothing, for callers that do not watch."""
