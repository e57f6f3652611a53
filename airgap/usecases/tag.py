"""``tag``: one more name for an image of the store."""

from __future__ import annotations

from dataclasses import dataclass

from airgap.content.ports import TagMove
from airgap.errors import InvalidReference
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store.listing import list_images
from airgap.store.renaming import remove_names
from airgap.store.store import Store
from airgap.usecases.local_images import UNTAGGED, find_image


@dataclass(frozen=True, slots=True)
class TagReport:
    """A name that was given.

    Attributes:
        target: the name.
        digest: what it stands for now.
        previous: what it stood for before; None where it is new.
    """

    target: Reference
    digest: Digest
    previous: Digest | None


async def tag(source: str, target: Reference, store: Store) -> TagReport:
    """Let a name stand for an image.

    Args:
        source: a reference, or the beginning of an id.
        target: a repository with a tag; without one, ``latest``.
        store: where both are.

    Raises:
        NotFound: there is no such image.
        InvalidReference: the id is ambiguous, or the new name has a digest in it.
    """
    target = target.tagged()
    if target.digest is not None:
        raise InvalidReference(str(target), "cannot be given as a name", "a name has a tag alone")
    found = find_image(source, await list_images(store))
    previous = await store.find(target)
    descriptor = await store.resolve(found.reference)
    await store.move_tags([TagMove(target, descriptor)])
    # An image that was kept without a name is kept by this one now.
    nameless = [name for name in found.names if name.repository == UNTAGGED]
    if nameless:
        await remove_names(store, nameless)
    return TagReport(target, descriptor.digest, previous.digest if previous else None)
