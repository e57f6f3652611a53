"""How content travels in a packed bundle: opened layers, deltas against older ones, recipes. Pure.

The ``pack`` of ``bundle.json``; see ``docs/bundle-format.md``. What is packed are layers only, each
in one *part*: the plain bytes of one or several blobs, whole or as a delta.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from airgap.config.transfer import PackKind
from airgap.content.plan import PlannedItem
from airgap.errors import ContentMismatch
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import Role

MAX_RECIPE_SIZE = 64 * 1024 * 1024
"""Bytes of one blob's recipe; both sides hold it in memory."""

MAX_BASES = 16
"""Blobs that one delta may be made against."""

MAX_PLAIN_SIZE = 1 << 50
"""Bytes of opened content; more than a pebibyte is a lie."""

_WHAT = "airgap/bundle.json"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that are known by their digest.

    Attributes:
        digest: of all of them.
        size: how many they are.
    """

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class DeltaBase:
    """A blob that the receiver holds, and that a delta was made against.

    Attributes:
        blob: its digest; it is among the digests that the bundle relies on.
        plain: its bytes when it is opened.
    """

    blob: Digest
    plain: Piece


@dataclass(frozen=True, slots=True)
class PackedBlob:
    """A blob that is made from a part.

    Attributes:
        digest: the blob's own.
        recipe: how the plain bytes become the blob; None where they are the blob.
    """

    digest: Digest
    recipe: Piece | None


@dataclass(frozen=True, slots=True)
class Part:
    """Plain bytes that travel once, and the blobs that are made of them.

    Attributes:
        carried: the member's bytes: the plain bytes themselves, or the delta.
        plain: the plain bytes.
        bases: what a delta was made against; none where the plain bytes travel.
        blobs: what is made of them, at least one.
    """

    carried: Piece
    plain: Piece
    bases: tuple[DeltaBase, ...]
    blobs: tuple[PackedBlob, ...]

    @property
    def is_delta(self) -> bool:
        """Whether it is made against content of the receiver."""
        return bool(self.bases)


@dataclass(frozen=True, slots=True)
class Pack:
    """What is packed, and how.

    Attributes:
        kind: small or delta.
        memory: bytes of memory that the receiver needs for it.
        parts: in the order of their members.
    """

    kind: PackKind
    memory: int
    parts: tuple[Part, ...]

    def blobs(self) -> Iterator[PackedBlob]:
        """Yield every blob that is packed."""
        return (blob for part in self.parts for blob in part.blobs)

    def digests(self) -> frozenset[Digest]:
        """Return the digests of the blobs that are packed."""
        return frozenset(blob.digest for blob in self.blobs())

    def bases(self) -> frozenset[Digest]:
        """Return the digests of the blobs that deltas were made against."""
        return frozenset(base.blob for part in self.parts for base in part.bases)


def pack_fields(pack: Pack) -> dict[str, Any]:
    """Return the pack as it stands in ``bundle.json``."""
    return {
        "kind": pack.kind.value,
        "memory": pack.memory,
        "parts": [_part_fields(part) for part in pack.parts],
    }


def _part_fields(part: Part) -> dict[str, Any]:
    fields = _piece_fields(part.carried)
    if part.is_delta:
        fields["plain"] = _piece_fields(part.plain)
        fields["bases"] = [
            {"digest": base.blob, "plain": _piece_fields(base.plain)} for base in part.bases
        ]
    fields["blobs"] = [
        {"digest": blob.digest, "recipe": _piece_fields(blob.recipe)}
        if blob.recipe is not None
        else {"digest": blob.digest}
        for blob in part.blobs
    ]
    return fields


def _piece_fields(piece: Piece) -> dict[str, Any]:
    return {"digest": piece.digest, "size": piece.size}


def read_pack(value: JsonObject) -> Pack:
    """Read a pack of unknown origin.

    Raises:
        ContentMismatch: a field is missing, of the wrong kind or out of its bounds.
    """
    kind = value.text("kind")
    if kind not in {PackKind.SMALL, PackKind.DELTA}:
        raise ContentMismatch(value.what, f"'kind' is {kind!r}, and neither small nor delta")
    return Pack(
        PackKind(kind),
        value.integer("memory"),
        tuple(_part(part) for part in value.objects("parts")),
    )


def _part(value: JsonObject) -> Part:
    carried = _piece(value, MAX_PLAIN_SIZE)
    bases = (
        tuple(
            DeltaBase(Digest(base.text("digest")), _piece(base.object("plain"), MAX_PLAIN_SIZE))
            for base in value.objects("bases")
        )
        if "bases" in value
        else ()
    )
    plain = _piece(value.object("plain"), MAX_PLAIN_SIZE) if "plain" in value else carried
    blobs = tuple(
        PackedBlob(
            Digest(blob.text("digest")),
            _piece(blob.object("recipe"), MAX_RECIPE_SIZE) if "recipe" in blob else None,
        )
        for blob in value.objects("blobs")
    )
    if bool(bases) != ("plain" in value) or len(bases) > MAX_BASES or not blobs:
        raise ContentMismatch(value.what, "is a part that is neither plain nor a delta")
    return Part(carried, plain, bases, blobs)


def _piece(value: JsonObject, limit: int) -> Piece:
    size = value.integer("size")
    if size > limit:
        raise ContentMismatch(value.what, f"announces {size} bytes")
    return Piece(Digest(value.text("digest")), size)


def check_pack(pack: Pack, items: Sequence[PlannedItem], relied_on: Iterable[Digest]) -> None:
    """Check that a pack agrees with the rest of ``bundle.json``.

    Args:
        pack: what is packed.
        items: what the bundle brings.
        relied_on: what the bundle relies on and does not carry.

    Raises:
        ContentMismatch: something is packed twice or is no layer of the bundle; or a delta's base
            is not among what the bundle relies on.
    """
    packed = [blob.digest for blob in pack.blobs()]
    if len(set(packed)) != len(packed):
        raise ContentMismatch(_WHAT, "packs a blob twice")
    sizes = {i.descriptor.digest: i.descriptor.size for i in items if i.role is Role.LAYER}
    if not set(packed) <= sizes.keys():
        raise ContentMismatch(_WHAT, "packs what is no layer of the bundle")
    plains = [part.plain.digest for part in pack.parts]
    whole = {item.descriptor.digest for item in items}.difference(packed)
    if len(set(plains)) != len(plains) or not whole.isdisjoint(plains):
        raise ContentMismatch(_WHAT, "carries the same bytes twice")
    if pack.kind is PackKind.SMALL and pack.bases():
        raise ContentMismatch(_WHAT, "has deltas, and says that it has none")
    if not pack.bases() <= frozenset(relied_on):
        raise ContentMismatch(_WHAT, "has a delta against what it does not rely on")
    for part in pack.parts:
        for blob in part.blobs:
            is_plain = Piece(blob.digest, sizes[blob.digest]) == part.plain
            if blob.recipe is None and not is_plain:
                raise ContentMismatch(_WHAT, f"has no recipe for {blob.digest}")
