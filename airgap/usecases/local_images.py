"""Finding an image of the local store as docker does: by name, or by the beginning of its id. Pure.

An image id is the digest of an image's config. An index has none; what stands for it is its own
digest, unless only one of its images is here: then that one's id does.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airgap.errors import InvalidReference, NotFound
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository
from airgap.store.listing import ListedImage

UNTAGGED = Repository("untagged.invalid", "image")
"""Where images without a name belong. RFC 2606 keeps ``.invalid`` from ever being a registry."""

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})", re.ASCII)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that was found.

    Attributes:
        digest: its manifest or index.
        image_id: what people know it by.
        reference: finds it in the store.
        names: every name that it has, by tag, or by digest where it has no tag.
        by_id: it was asked for by its id, not by one of its names.
    """

    digest: Digest
    image_id: Digest
    reference: Reference
    names: tuple[Reference, ...]
    by_id: bool

    @property
    def name(self) -> Reference | None:
        """The tagged name that it was asked for by, else its first one; None where untagged."""
        if self.reference.tag is not None:
            return self.reference
        return next((name for name in self.names if name.tag is not None), None)


def image_id(image: ListedImage) -> Digest:
    """Return the id that a listing shows for an image."""
    return image.variants[0].config if len(image.variants) == 1 else image.digest


def find_image(text: str, images: Sequence[ListedImage]) -> LocalImage:
    """Find an image by a reference with the usual defaults, or by a unique beginning of its id.

    A name wins over an id, as docker has it.

    Raises:
        NotFound: there is no such image; the nearest name is suggested.
        InvalidReference: the text is neither, or an id that several images begin with.
    """
    id_match = _ID.fullmatch(text)
    try:
        wanted = Reference.parse(text).tagged()
    except InvalidReference:
        if id_match is None:
            raise
        wanted = None
    if wanted is not None:
        named = _by_name(wanted, images)
        if named is not None:
            return named
    if id_match is not None:
        found = _by_id(id_match[1], images)
        if found is not None:
            return found
    return _missing(text, wanted, images)


def needed_by_others(digest: Digest, images: Sequence[ListedImage]) -> bool:
    """Tell whether a manifest is one that a name stands for, itself or as entry of an index."""
    return any(
        digest == image.digest or any(digest == variant.manifest for variant in image.variants)
        for image in images
    )


def _by_name(wanted: Reference, images: Sequence[ListedImage]) -> LocalImage | None:
    for image in images:
        if wanted.digest is None and image.reference == wanted:
            return _found(image.digest, image_id(image), wanted, images, by_id=False)
        if wanted.digest is None or image.reference.repository != wanted.repository:
            continue
        manifests = {variant.manifest: variant.config for variant in image.variants}
        if wanted.digest == image.digest or wanted.digest in manifests:
            shown = manifests.get(wanted.digest, image_id(image))
            plain = Reference(wanted.repository, digest=wanted.digest)
            return _found(wanted.digest, shown, plain, images, by_id=False)
    return None


def _by_id(prefix: str, images: Sequence[ListedImage]) -> LocalImage | None:
    candidates = [
        (known, target, image)
        for image in images
        for known, target in _ids(image)
        if known.hex.startswith(prefix)
    ]
    exact = [found for found in candidates if found[0].hex == prefix] or candidates
    ids = {known for known, _, _ in exact}
    if len(ids) > 1:
        shown = ", ".join(known.hex[: max(12, len(prefix) + 1)] for known in sorted(ids)[:_SHOWN])
        raise InvalidReference(
            repr(prefix),
            f"is the beginning of {len(ids)} ids: {shown}",
            "write more of its digits; `airgap images` shows twelve",
        )
    if not exact:
        return None
    known, target, image = exact[0]
    reference = Reference(image.reference.repository, digest=target)
    return _found(target, known, reference, images, by_id=True)


def _ids(image: ListedImage) -> Iterator[tuple[Digest, Digest]]:
    """Yield each id by which an image is known, and the manifest that is meant."""
    alone = len(image.variants) == 1
    for variant in image.variants:
        yield variant.config, image.digest if alone else variant.manifest
        yield variant.manifest, variant.manifest
    if all(variant.manifest != image.digest for variant in image.variants):
        yield image.digest, image.digest


def _found(
    digest: Digest,
    shown: Digest,
    reference: Reference,
    images: Sequence[ListedImage],
    *,
    by_id: bool,
) -> LocalImage:
    names = tuple(
        image.reference
        for image in images
        if digest == image.digest or any(shown == known for known, _ in _ids(image))
    )
    return LocalImage(digest, shown, reference, names, by_id)


def _missing(text: str, wanted: Reference | None, images: Sequence[ListedImage]) -> LocalImage:
    known = [image.reference for image in images if image.reference.tag is not None]
    asked = wanted.familiar if wanted is not None else text
    near = [name.familiar for name in known if wanted and name.repository == wanted.repository]
    near = near or difflib.get_close_matches(asked, [name.familiar for name in known], 1)
    hint = f"did you mean {near[0]}?" if near else "`airgap images` lists what is here"
    raise NotFound(asked, "no such image in the store", hint)
