"""The closing lines of a command, for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from airgap.content.report import CopyReport, ImageResult, Outcome
from airgap.oci.descriptor import Descriptor
from airgap.operations.sizes import counted, human_size

_SHOWN = 5


def copy_lines(report: CopyReport, done: str) -> Iterator[str]:
    """Yield what a copy did: left out content, failures one by one, and the sum.

    Args:
        report: how it went.
        done: the verb for what was copied, such as ``mirrored``.
    """
    yield from omitted_lines([d for image in report.images for d in image.omitted])
    yield from attached_lines(report.images)
    yield from skipped_lines(report.images)
    yield from failure_lines(report.failures)
    fates = [image.outcome for image in report.images]
    parts = [f"{fates.count(Outcome.COPIED)} {done}", f"{fates.count(Outcome.UNCHANGED)} unchanged"]
    if Outcome.SKIPPED in fates:
        parts.append(f"{fates.count(Outcome.SKIPPED)} skipped")
    if report.failures:
        parts.append(f"{len(report.failures)} FAILED")
    yield f"{counted(len(fates), 'image')}: {', '.join(parts)}"
    traffic = report.traffic
    yield (
        f"{counted(traffic.blobs_copied, 'blob')} with {human_size(traffic.bytes_copied)} copied; "
        f"{counted(traffic.blobs_reused, 'blob')} with {human_size(traffic.bytes_reused)} "
        "there already or shared"
    )


def failure_lines(failures: Sequence[ImageResult]) -> Iterator[str]:
    """Yield each failure with its cause and what to do."""
    if failures:
        yield f"{counted(len(failures), 'failure')}:"
    for image in failures:
        yield f"  {image.source.familiar}"
        if image.error is not None:
            yield f"    {image.error}"
            if image.error.hint:
                yield f"    → {image.error.hint}"


def attached_lines(images: Sequence[ImageResult]) -> Iterator[str]:
    """Yield how many signatures, SBOMs and attestations came along, by kind."""
    kinds = Counter(attached.kind for image in images for attached in image.attached)
    if kinds:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        yield f"carried along: {listed}"


def skipped_lines(images: Sequence[ImageResult]) -> Iterator[str]:
    """Yield each image that was left out since its name stands for something else."""
    for image in images:
        if image.outcome is Outcome.SKIPPED and image.previous is not None:
            yield f"  skipped  {image.target} stands for {image.previous.short} already"


def omitted_lines(omitted: Sequence[Descriptor]) -> Iterator[str]:
    """Yield what images name and did not travel, so that nothing is left out in silence."""
    unique = list({descriptor.digest: descriptor for descriptor in omitted}.values())
    if not unique:
        return
    platforms = sorted({str(d.platform) for d in unique if d.platform is not None})
    what = f" ({', '.join(platforms[:_SHOWN])}{', …' if len(platforms) > _SHOWN else ''})"
    yield f"left out: {counted(len(unique), 'item')}{what if platforms else ''}"


def change_word(image: ImageResult) -> str:
    """Return what happened to a name: new, moved or same."""
    if image.outcome is Outcome.UNCHANGED:
        return "same"
    return "new" if image.previous is None else "moved"
