"""``rmi``: take names away; an image goes when its last name does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from airgap.errors import Refused, StoreUnusable
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store.collection import GcRules, collect_garbage
from airgap.store.listing import ListedImage, list_images
from airgap.store.renaming import remove_names
from airgap.store.store import Store
from airgap.usecases.local_images import find_image, image_id, needed_by_others


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """What was removed.

    Attributes:
        untagged: names that are gone, in the order they were asked for.
        deleted: ids of images that no name stands for any more.
        freed: bytes that are free now.
        spared: bytes that nothing needs any more, and that are too fresh to go: somebody may be
            relying on them just now. ``store gc`` takes them later.
        busy: why nothing could be freed now, though the names are gone; None where it could.
    """

    untagged: tuple[Reference, ...]
    deleted: tuple[Digest, ...]
    freed: int = 0
    spared: int = 0
    busy: str | None = None


async def remove_images(
    wanted: Sequence[str], store: Store, *, force: bool = False, rules: GcRules | None = None
) -> RemovalReport:
    """Remove names, all of them or none, and the content that nothing needs any more.

    Args:
        wanted: references, each of which loses just this name, or beginnings of ids.
        store: where they are.
        force: remove an id with all of its names, where it has several.
        rules: what of the content may go, and how long to wait for others.

    Raises:
        NotFound: one of them is not here; nothing was removed.
        InvalidReference: an id is ambiguous; nothing was removed.
        Refused: an id has several names, and ``force`` was not given; nothing was removed.
    """
    before = await list_images(store)
    doomed: dict[Reference, None] = {}
    for text in wanted:
        doomed.update(dict.fromkeys(_names_to_remove(text, before, force=force)))
    await remove_names(store, list(doomed))
    after = [image for image in before if image.reference not in doomed]
    deleted = _ids_of([image for image in before if image.reference in doomed], after)
    report = RemovalReport(tuple(doomed), deleted)
    if not deleted:
        return report
    try:
        collected = await collect_garbage(store, rules)
    except StoreUnusable as error:
        # The names are gone for good; that another process is publishing only delays the rest.
        return replace(report, busy=error.cause)
    return replace(report, freed=collected.removed_bytes, spared=collected.spared_bytes)


def _names_to_remove(
    text: str, images: Sequence[ListedImage], *, force: bool
) -> tuple[Reference, ...]:
    found = find_image(text, images)
    if not found.by_id:
        if found.reference in found.names:
            return (found.reference,)
        shown = ", ".join(name.familiar for name in found.names)
        raise Refused(text, f"is not a name of its own, but part of {shown}", f"remove {shown}")
    if len(found.names) > 1 and not force:
        shown = ", ".join(name.familiar for name in found.names)
        raise Refused(
            text,
            f"the image has {len(found.names)} names: {shown}",
            "remove them by name, or all at once with --force",
        )
    return found.names


def _ids_of(removed: Sequence[ListedImage], left: Sequence[ListedImage]) -> tuple[Digest, ...]:
    """Return the ids of images that had one of the removed names, and have none left."""
    gone: dict[Digest, None] = {}
    for image in removed:
        for variant in image.variants:
            if not needed_by_others(variant.manifest, left):
                gone[variant.config] = None
        if not image.variants and not needed_by_others(image.digest, left):
            gone[image_id(image)] = None
    return tuple(gone)
