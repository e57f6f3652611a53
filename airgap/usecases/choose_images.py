"""``images``: which of the store's images to show. Pure, from a listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from airgap.errors import UsageError
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store.listing import ListedImage
from airgap.usecases.local_images import find_image

_TRUE_WORDS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """What an image must be to be shown; every condition counts.

    Attributes:
        repository: a repository, or a reference; None for all.
        references: shell patterns, one of which must match.
        dangling: True for images without a tag only, False for those with one only.
        labels: what its config must say, ``KEY`` or ``KEY=VALUE``.
        before: created before this image (a reference or an id).
        since: created after this image.
    """

    repository: str | None = None
    references: tuple[str, ...] = ()
    dangling: bool | None = None
    labels: tuple[str, ...] = ()
    before: str | None = None
    since: str | None = None

    @classmethod
    def parse(cls, repository: str | None, filters: Sequence[str]) -> ImageFilter:
        """Read ``--filter KEY=VALUE`` as docker has them.

        Raises:
            UsageError: a filter that there is not.
        """
        lists: dict[str, list[str]] = {"reference": [], "label": []}
        single: dict[str, str] = {}
        for text in filters:
            key, _, value = text.partition("=")
            if not value or key not in {"reference", "label", "dangling", "before", "since"}:
                raise UsageError(
                    f"--filter {text}",
                    "is not a filter",
                    "write reference=PATTERN, dangling=true, label=KEY[=VALUE], before=IMAGE or "
                    "since=IMAGE",
                )
            if key in lists:
                lists[key].append(value)
            else:
                single[key] = value
        dangling = single.get("dangling")
        if dangling is not None and dangling not in _TRUE_WORDS:
            raise UsageError(f"--filter dangling={dangling}", "is neither true nor false")
        return cls(
            repository,
            tuple(lists["reference"]),
            _TRUE_WORDS[dangling] if dangling is not None else None,
            tuple(lists["label"]),
            single.get("before"),
            single.get("since"),
        )


Labels = Mapping[Digest, Mapping[str, str]]
"""For each image id its labels."""


def choose_images(
    wanted: ImageFilter, images: Sequence[ListedImage], labels: Labels
) -> list[ListedImage]:
    """Return the images that a filter lets through, in the listing's order.

    Raises:
        NotFound: ``before`` or ``since`` names an image that is not here.
        InvalidReference: the repository is no such name.
    """
    before = _created_of(wanted.before, images)
    since = _created_of(wanted.since, images)
    whole = Reference.parse(wanted.repository) if wanted.repository is not None else None
    return [
        image
        for image in images
        if _is_named(image.reference, whole)
        and _matches(image.reference, wanted.references)
        and wanted.dangling in {None, image.reference.tag is None}
        and _has_labels(image, wanted.labels, labels)
        and (wanted.before is None or (created(image) or _NEVER) < before)
        and (wanted.since is None or (created(image) or _NEVER) > since)
    ]


def _is_named(reference: Reference, wanted: Reference | None) -> bool:
    if wanted is None:
        return True
    if reference.repository != wanted.repository:
        return False
    return (wanted.tag is None or wanted.tag == reference.tag) and (
        wanted.digest is None or wanted.digest == reference.digest
    )


def _matches(reference: Reference, patterns: Sequence[str]) -> bool:
    spellings = (
        str(reference),
        reference.familiar,
        str(reference.repository),
        reference.repository.familiar,
    )
    return not patterns or any(
        fnmatchcase(spelling, pattern) for pattern in patterns for spelling in spellings
    )


def _has_labels(image: ListedImage, wanted: Sequence[str], labels: Labels) -> bool:
    def has(text: str) -> bool:
        key, equals, value = text.partition("=")
        return any(
            key in found and (not equals or found[key] == value)
            for variant in image.variants
            if (found := labels.get(variant.config)) is not None
        )

    return all(has(text) for text in wanted)


def _created_of(text: str | None, images: Sequence[ListedImage]) -> datetime:
    if text is None:
        return _NEVER
    digest = find_image(text, images).digest
    times = (created(image) for image in images if _holds(image, digest))
    return max((time for time in times if time is not None), default=_NEVER)


def _holds(image: ListedImage, digest: Digest) -> bool:
    return image.digest == digest or any(v.manifest == digest for v in image.variants)


_NEVER = datetime.min.replace(tzinfo=UTC)


def created(image: ListedImage) -> datetime | None:
    """Return when the newest image below a name was made, as its config says."""
    times = (parse_time(variant.created) for variant in image.variants)
    return max((time for time in times if time is not None), default=None)


def parse_time(text: str | None) -> datetime | None:
    """Read an RFC 3339 time as configs have it, with a zone; None where it is none."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
