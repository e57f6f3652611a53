"""What a copy did, as values that a person or a machine can be shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from airgap.content.attachments import Attachment
from airgap.errors import AirgapError, PartialFailure
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference


class Outcome(StrEnum):
    """How one image fared."""

    COPIED = "copied"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImageResult:
    """How one image fared.

    Attributes:
        source: the name it was read under.
        target: the name it was written under.
        outcome: copied, unchanged, failed, or skipped: the target name stands for something else,
            and was to be left.
        descriptor: what the target name stands for now by this copy; None where the image failed or
            was skipped.
        previous: what the target name stood for before; None where it is new.
        size: bytes of everything below the image that was looked at, shared content included.
        omitted: what the image names and was left out on purpose.
        attached: what was carried along with it; of an unchanged image nothing is looked for.
        error: why it failed.
    """

    source: Reference
    target: Reference
    outcome: Outcome
    descriptor: Descriptor | None = None
    previous: Digest | None = None
    size: int = 0
    omitted: tuple[Descriptor, ...] = ()
    attached: tuple[Attachment, ...] = ()
    error: AirgapError | None = None


@dataclass(slots=True)
class Traffic:
    """What moved and what did not have to.

    Attributes:
        blobs_copied: blobs whose bytes travelled.
        bytes_copied: those bytes.
        blobs_reused: blobs that the target had, or that travelled for another image of the run.
        bytes_reused: the bytes that so did not travel.
    """

    blobs_copied: int = 0
    bytes_copied: int = 0
    blobs_reused: int = 0
    bytes_reused: int = 0

    def add(self, other: Traffic) -> None:
        """Count what another copy moved, too."""
        self.blobs_copied += other.blobs_copied
        self.bytes_copied += other.bytes_copied
        self.blobs_reused += other.blobs_reused
        self.bytes_reused += other.bytes_reused


@dataclass(frozen=True, slots=True)
class CopyReport:
    """How a whole copy went: every image that was asked for, in that order."""

    images: tuple[ImageResult, ...]
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def failures(self) -> tuple[ImageResult, ...]:
        """The images that failed."""
        return tuple(image for image in self.images if image.outcome is Outcome.FAILED)

    def error(self) -> AirgapError | None:
        """Return the error that the whole run ends with, or None.

        The only image's own error where there was only one; where all of many failed for the same
        kind of reason that reason's class; else ``PartialFailure``.
        """
        failures = self.failures
        if not failures:
            return None
        first = failures[0].error
        kinds = {type(image.error) for image in failures}
        if first is not None and len(failures) == len(self.images) and len(kinds) == 1:
            if len(failures) == 1:
                return first
            return type(first)(
                "", f"all {len(failures)} images failed", "each of them is listed with its cause"
            )
        return PartialFailure(
            "",
            f"{len(failures)} of {len(self.images)} images failed",
            "each of them is listed with its cause; the others are complete",
        )


def joined(reports: Iterable[CopyReport]) -> CopyReport:
    """Return several copies as one: their images in order, their traffic summed."""
    images: list[ImageResult] = []
    traffic = Traffic()
    for report in reports:
        images += report.images
        traffic.add(report.traffic)
    return CopyReport(tuple(images), traffic)
