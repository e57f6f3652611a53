"""``airgap/bundle.json``: what a bundle says of itself. Pure; see ``docs/bundle-format.md``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from airgap.bundle.pack import Pack, check_pack, pack_fields, read_pack
from airgap.content.plan import PlannedItem, in_travel_order
from airgap.errors import ContentMismatch, InvalidReference
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import MAX_MANIFEST_SIZE, Role
from airgap.oci.reference import Reference

FORMAT = 1
"""The version of the format of bundles whose blobs travel as they are."""

PACKED_FORMAT = 2
"""The version of the format of packed bundles."""

MAX_BUNDLE_JSON_SIZE = 32 * 1024 * 1024
"""Bytes; room for some 180,000 blobs."""

MAX_DOCKER_MANIFEST_SIZE = 1024 * 1024
"""Bytes of ``manifest.json``; skopeo and podman read no longer one."""

MAX_BLOB_SIZE = 1 << 50
"""Bytes; a blob larger than a pebibyte is a lie."""

_WHAT = "airgap/bundle.json"

_LARGE = 1024 * 1024
_BYTES_PER_VALUE = 16
_BYTES_PER_CONTAINER = 48
"""Bytes that a value, or an object or list, has on the average at least: digests are long. Python
takes up to 24 times the bytes of a document that is made of nothing but empty lists."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_MAX_TEXT = 255


def is_id(text: str) -> bool:
    """Tell whether ``text`` can be the id of a bundle, or the name of a channel."""
    return _ID.fullmatch(text) is not None


class Kind(StrEnum):
    """Whether a bundle stands alone."""

    FULL = "full"
    INCREMENTAL = "incremental"


class Change(StrEnum):
    """What a bundle does to a reference on the other side."""

    ADDED = "added"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class BundleBase:
    """What an incremental bundle stands on.

    Attributes:
        sequence: the channel's bundle after which this one comes.
        id: that bundle's id, which tells one history of the channel from another.
        digests: what this bundle relies on and does not carry, sorted.
    """

    sequence: int
    id: str
    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class BundleReference:
    """A name, what it shall stand for, and the change that this is.

    Attributes:
        reference: a repository with a tag, or with a digest alone.
        descriptor: the manifest; for a removed reference what it stood for.
        change: added, moved, unchanged or removed.
        previous: what a moved reference stood for before.
    """

    reference: Reference
    descriptor: Descriptor
    change: Change = Change.ADDED
    previous: Digest | None = None


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """The content of ``bundle.json``.

    Attributes:
        id: names the bundle; by default derived from everything else that is written here.
        created: when it was made, in UTC, whole seconds.
        tool: who wrote it (``airgap 0.1.0``).
        docker_manifest: type, digest and size of the member ``manifest.json``.
        references: in the order they were asked for, each name once.
        blobs: everything carried, each digest once, in the order of the members: manifests
            (children before parents), configs, layers.
        omitted: digests that manifests inside name and that were left out on purpose, sorted.
        channel: who ships to whom; None for a bundle outside of any channel.
        sequence: its place in the channel, from 1 on; None outside of any channel.
        kind: full or incremental.
        base: what an incremental bundle stands on; None for a full one.
        pack: how layers travel that do not travel as they are; None where all do.
    """

    id: str
    created: datetime
    tool: str
    docker_manifest: Descriptor
    references: tuple[BundleReference, ...]
    blobs: tuple[PlannedItem, ...]
    omitted: tuple[Digest, ...] = ()
    channel: str | None = None
    sequence: int | None = None
    kind: Kind = Kind.FULL
    base: BundleBase | None = None
    pack: Pack | None = None

    @property
    def created_text(self) -> str:
        """The time as it is written: ``2026-11-24T09:30:00Z``."""
        return self.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def size(self) -> int:
        """Bytes of all blobs together."""
        return sum(item.descriptor.size for item in self.blobs)

    @property
    def present(self) -> tuple[BundleReference, ...]:
        """The references that are not tombstones."""
        return tuple(r for r in self.references if r.change is not Change.REMOVED)


def encode_bundle_json(manifest: BundleManifest) -> bytes:
    """Write ``bundle.json``: ASCII, one line, keys always in the same order."""
    base = manifest.base
    document: dict[str, Any] = {
        "format": FORMAT if manifest.pack is None else PACKED_FORMAT,
        "id": manifest.id,
        "channel": manifest.channel,
        "sequence": manifest.sequence,
        "created": manifest.created_text,
        "tool": manifest.tool,
        "kind": manifest.kind.value,
        "base": None
        if base is None
        else {"sequence": base.sequence, "id": base.id, "digests": base.digests},
        "dockerManifest": _descriptor_fields(manifest.docker_manifest),
        "references": [_reference_fields(reference) for reference in manifest.references],
        "omitted": manifest.omitted,
        "blobs": [
            {"role": item.role.value, **_descriptor_fields(item.descriptor)}
            for item in manifest.blobs
        ],
    }
    if manifest.pack is not None:
        document["pack"] = pack_fields(manifest.pack)
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def _descriptor_fields(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }


def _reference_fields(reference: BundleReference) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": str(reference.reference),
        "change": reference.change.value,
        "descriptor": _descriptor_fields(reference.descriptor),
    }
    if reference.previous is not None:
        fields["previous"] = reference.previous
    return fields


def decode_bundle_json(raw: bytes) -> BundleManifest:
    """Read a ``bundle.json`` of unknown origin and check that it agrees with itself.

    Raises:
        ContentMismatch: too long, not JSON, another format, a field of the wrong kind, or a bundle
            that contradicts itself: a digest or name twice, blobs out of order, a reference to what
            is not inside.
    """
    _expect_no_bomb(raw)
    document = JsonObject.parse(raw, _WHAT, limit=MAX_BUNDLE_JSON_SIZE)
    version = document.integer("format")
    if version not in {FORMAT, PACKED_FORMAT}:
        raise ContentMismatch(
            _WHAT,
            f"has format {version}, and this version of airgap reads {FORMAT} and {PACKED_FORMAT}",
            "import it with the version that wrote it, or a later one",
        )
    try:
        manifest = _decode(document, packed=version == PACKED_FORMAT)
    except InvalidReference as error:
        raise ContentMismatch(_WHAT, str(error)) from None
    _check(manifest)
    return manifest


def _expect_no_bomb(raw: bytes) -> None:
    values = raw.count(b",")
    containers = raw.count(b"{") + raw.count(b"[")
    if len(raw) > _LARGE and (
        values * _BYTES_PER_VALUE > len(raw) or containers * _BYTES_PER_CONTAINER > len(raw)
    ):
        raise ContentMismatch(_WHAT, "is made of far more values than its length makes sense for")


def _decode(document: JsonObject, *, packed: bool) -> BundleManifest:
    return BundleManifest(
        id=_matching(document, "id", _ID),
        created=_time(document, "created"),
        tool=_short(document, "tool"),
        docker_manifest=Descriptor.from_json(document.object("dockerManifest")),
        references=tuple(_reference(value) for value in document.objects("references")),
        blobs=tuple(
            PlannedItem(Descriptor.from_json(value), _choice(value, "role", Role))
            for value in document.objects("blobs")
        ),
        omitted=_digests(document, "omitted"),
        channel=_matching(document, "channel", _ID) if "channel" in document else None,
        sequence=document.integer("sequence", minimum=1) if "sequence" in document else None,
        kind=_choice(document, "kind", Kind),
        base=_base(document.object("base")) if "base" in document else None,
        pack=read_pack(document.object("pack")) if packed else None,
    )


def _base(value: JsonObject) -> BundleBase:
    return BundleBase(
        value.integer("sequence", minimum=1),
        _matching(value, "id", _ID),
        _digests(value, "digests"),
    )


def _reference(value: JsonObject) -> BundleReference:
    name = value.text("name")
    reference = Reference.parse(name)
    if str(reference) != name or (reference.tag is None) == (reference.digest is None):
        raise ContentMismatch(value.what, f"{name!r} is not the full name of one image")
    return BundleReference(
        reference,
        Descriptor.from_json(value.object("descriptor")),
        _choice(value, "change", Change),
        Digest(value.text("previous")) if "previous" in value else None,
    )


def _matching(value: JsonObject, key: str, pattern: re.Pattern[str]) -> str:
    text = value.text(key)
    if not pattern.fullmatch(text):
        raise ContentMismatch(value.what, f"{key!r} has characters that it may not have")
    return text


def _short(value: JsonObject, key: str) -> str:
    text = value.text(key)
    if len(text) > _MAX_TEXT:
        raise ContentMismatch(value.what, f"{key!r} is over {_MAX_TEXT} characters long")
    return text


def _time(value: JsonObject, key: str) -> datetime:
    text = value.text(key)
    try:
        # The pattern bounds what would otherwise be many forms of the same moment.
        return datetime.fromisoformat(text if _TIME.fullmatch(text) else "")
    except ValueError:
        raise ContentMismatch(
            value.what, f"{key!r} is not a time such as 2026-11-24T09:30:00Z"
        ) from None


_Choice = TypeVar("_Choice", bound=StrEnum)


def _choice(value: JsonObject, key: str, choices: type[_Choice]) -> _Choice:
    text = value.text(key)
    try:
        return choices(text)
    except ValueError:
        raise ContentMismatch(value.what, f"{key!r} is not one of {', '.join(choices)}") from None


def _digests(value: JsonObject, key: str) -> tuple[Digest, ...]:
    return tuple(Digest(text) for text in value.texts(key))


def _check(manifest: BundleManifest) -> None:
    if (manifest.kind is Kind.INCREMENTAL) != (manifest.base is not None):
        raise ContentMismatch(_WHAT, "only an incremental bundle has a base, and it has one")
    if (manifest.channel is None) != (manifest.sequence is None):
        raise ContentMismatch(_WHAT, "a channel has a sequence, and only a channel")
    if manifest.base is not None and manifest.base.sequence >= (manifest.sequence or 0):
        raise ContentMismatch(_WHAT, "stands on a bundle that does not come before it")
    if manifest.docker_manifest.size > MAX_DOCKER_MANIFEST_SIZE:
        raise ContentMismatch(_WHAT, "announces a manifest.json over 1 MiB")
    if in_travel_order(manifest.blobs) != manifest.blobs:
        raise ContentMismatch(_WHAT, "has a blob twice, or not manifests, configs, layers in turn")
    for item in manifest.blobs:
        limit = MAX_MANIFEST_SIZE if item.role is Role.MANIFEST else MAX_BLOB_SIZE
        if item.descriptor.size > limit:
            raise ContentMismatch(
                _WHAT, f"announces {item.descriptor.size} bytes for {item.descriptor.digest}"
            )
    _check_references(manifest)
    if manifest.pack is not None:
        relied_on = manifest.base.digests if manifest.base is not None else ()
        check_pack(manifest.pack, manifest.blobs, relied_on)


def _check_references(manifest: BundleManifest) -> None:
    names = [reference.reference for reference in manifest.references]
    if len(set(names)) != len(names):
        raise ContentMismatch(_WHAT, "names a reference twice")
    inside = {
        item.descriptor.digest: item.descriptor
        for item in manifest.blobs
        if item.role is Role.MANIFEST
    }
    relied_on = frozenset(manifest.base.digests if manifest.base is not None else ())
    for reference in manifest.present:
        descriptor = reference.descriptor
        own = reference.reference.digest
        if own is not None and own != descriptor.digest:
            raise ContentMismatch(_WHAT, f"{reference.reference} stands for another digest")
        if inside.get(descriptor.digest) != descriptor and descriptor.digest not in relied_on:
            raise ContentMismatch(
                _WHAT, f"{reference.reference} stands for {descriptor.digest}, which is not inside"
            )


def docker_manifest_descriptor(raw: bytes) -> Descriptor:
    """Describe a ``manifest.json`` for ``bundle.json``."""
    return Descriptor.of(raw, "application/json")
