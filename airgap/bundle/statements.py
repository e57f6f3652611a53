"""What goes back over the gap: receipts and requests, small files that can be signed. Pure.

A file has one line of ASCII JSON, and, where it is signed, a second one with the signatures over
the bytes of the first, its line feed included: ``head -n 1 FILE`` is what was signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from airgap.bundle.format import is_id
from airgap.bundle.layout import MAX_SIGNATURES
from airgap.errors import ContentMismatch, InvalidReference
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.reference import Reference

MAX_STATEMENT_SIZE = 32 * 1024 * 1024
"""Bytes of a whole file."""

MAX_LISTED = 50_000
"""Digests that a receipt lists one by one; of more it gives the sum alone."""

_FORMAT = 1
_RECEIPT = "airgap-receipt"
_REQUEST = "airgap-request"

Signer: TypeAlias = Callable[[bytes], Mapping[str, bytes]]
"""Takes bytes and returns detached signatures by key id."""


@dataclass(frozen=True, slots=True)
class BundleName:
    """Which bundle is spoken of.

    Attributes:
        sequence: its place in the channel.
        id: its id.
        digest: that of its ``bundle.json``.
    """

    sequence: int
    id: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class ContentSum:
    """A set of digests, as it can be compared and, if it is not too large, told.

    Attributes:
        count: how many they are.
        sha256: hex; over the sorted digests, each with a line feed.
        digests: all of them, or None where they are too many to be listed.
    """

    count: int
    sha256: str
    digests: frozenset[Digest] | None = field(repr=False)

    @classmethod
    def of(cls, digests: Iterable[Digest]) -> ContentSum:
        """Sum up a set of digests."""
        listed = sorted(set(digests))
        text = "".join(f"{digest}\n" for digest in listed)
        return cls(
            len(listed),
            hashlib.sha256(text.encode("ascii")).hexdigest(),
            frozenset(listed) if len(listed) <= MAX_LISTED else None,
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a bundle was taken in, and what is held for its channel since.

    Attributes:
        channel: who ships to whom.
        bundle: what was taken in.
        received: when.
        names: the channel's names and what they stand for.
        content: everything below them.
    """

    channel: str
    bundle: BundleName
    received: datetime
    names: Mapping[Reference, Descriptor] = field(repr=False)
    content: ContentSum


@dataclass(frozen=True, slots=True)
class Request:
    """That a bundle could not be taken in, and what it takes for it.

    Attributes:
        channel: who ships to whom.
        refused: the bundle.
        last: the newest bundle of the channel that was taken in; None where there is none.
        missing: digests that the bundle relies on and that are not held, sorted.
    """

    channel: str
    refused: BundleName
    last: BundleName | None
    missing: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A file that was read; its signatures are unverified.

    Attributes:
        said: what it says.
        signed: the exact bytes that signatures are over.
        signatures: detached signatures by key id.
    """

    said: Receipt | Request
    signed: bytes
    signatures: Mapping[str, bytes]


def encode_statement(said: Receipt | Request, sign: Signer | None = None) -> bytes:
    """Write a receipt or request, signed where there is a signer."""
    document = _receipt(said) if isinstance(said, Receipt) else _request(said)
    line = _line({"format": _FORMAT, **document})
    if sign is None:
        return line
    encoded = {key: base64.b64encode(signature).decode() for key, signature in sign(line).items()}
    return line + _line({"signatures": dict(sorted(encoded.items()))})


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def _receipt(receipt: Receipt) -> dict[str, Any]:
    content = receipt.content
    return {
        "type": _RECEIPT,
        "channel": receipt.channel,
        "bundle": _bundle(receipt.bundle),
        "received": receipt.received.astimezone(UTC).isoformat(timespec="seconds"),
        "names": [
            {"name": str(name), **_descriptor(descriptor)}
            for name, descriptor in receipt.names.items()
        ],
        "content": {
            "count": content.count,
            "sha256": content.sha256,
            "digests": sorted(content.digests) if content.digests is not None else None,
        },
    }


def _request(request: Request) -> dict[str, Any]:
    return {
        "type": _REQUEST,
        "channel": request.channel,
        "bundle": _bundle(request.refused),
        "last": _bundle(request.last) if request.last is not None else None,
        "missing": request.missing,
    }


def _bundle(bundle: BundleName) -> dict[str, Any]:
    return {"sequence": bundle.sequence, "id": bundle.id, "digest": bundle.digest}


def _descriptor(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }


def decode_statement(raw: bytes, what: str) -> Statement:
    """Read a receipt or request of unknown origin.

    Args:
        raw: all of the file.
        what: what to call it in errors.

    Raises:
        ContentMismatch: it is neither, is too long, or does not agree with itself.
    """
    if len(raw) > MAX_STATEMENT_SIZE:
        raise ContentMismatch(what, f"has {len(raw)} bytes where {MAX_STATEMENT_SIZE} are allowed")
    line, feed, rest = raw.partition(b"\n")
    document = JsonObject.parse(line, what, limit=MAX_STATEMENT_SIZE)
    readers: dict[str, Callable[[JsonObject], Receipt | Request]] = {
        _RECEIPT: _read_receipt,
        _REQUEST: _read_request,
    }
    kind = document.text("type")
    if kind not in readers or document.integer("format") != _FORMAT:
        raise ContentMismatch(what, "is neither a receipt nor a request of a format that is known")
    try:
        said = readers[kind](document)
    except InvalidReference as error:
        raise ContentMismatch(what, str(error)) from None
    return Statement(said, line + feed, _read_signatures(rest, what))


def _read_signatures(rest: bytes, what: str) -> dict[str, bytes]:
    if not rest.strip():
        return {}
    encoded = JsonObject.parse(rest, what, limit=MAX_STATEMENT_SIZE).mapping("signatures")
    if len(encoded) > MAX_SIGNATURES:
        raise ContentMismatch(what, "has too many signatures")
    try:
        return {key: base64.b64decode(text, validate=True) for key, text in encoded.items()}
    except binascii.Error:
        raise ContentMismatch(what, "has a signature that is not base64") from None


def _read_receipt(document: JsonObject) -> Receipt:
    content = document.object("content")
    listed = frozenset(map(Digest, content.texts("digests"))) if "digests" in content else None
    summed = ContentSum(content.integer("count"), content.text("sha256"), listed)
    if listed is not None and summed != ContentSum.of(listed):
        raise ContentMismatch(document.what, "lists other digests than it sums up")
    return Receipt(
        _id(document, "channel"),
        _read_bundle(document.object("bundle")),
        _time(document, "received"),
        {
            Reference.parse(value.text("name")): Descriptor.from_json(value)
            for value in document.objects("names")
        },
        summed,
    )


def _read_request(document: JsonObject) -> Request:
    return Request(
        _id(document, "channel"),
        _read_bundle(document.object("bundle")),
        _read_bundle(document.object("last")) if "last" in document else None,
        tuple(sorted(map(Digest, document.texts("missing")))),
    )


def _read_bundle(value: JsonObject) -> BundleName:
    return BundleName(
        value.integer("sequence", minimum=1), _id(value, "id"), Digest(value.text("digest"))
    )


def _id(value: JsonObject, key: str) -> str:
    text = value.text(key)
    if not is_id(text):
        raise ContentMismatch(value.what, f"{key!r} has characters that it may not have")
    return text


def _time(value: JsonObject, key: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value.text(key))
    except ValueError:
        raise ContentMismatch(value.what, f"{key!r} is not a time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
