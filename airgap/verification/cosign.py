"""What cosign signs when it signs an image, in its three forms.

* A payload ("simple signing", containers/image ``docs/signature-protocols.md``) in a layer whose
  annotation has the signature, below the tag ``sha256-….sig`` or in a referrer (sigstore/cosign,
  ``specs/SIGNATURE_SPEC.md``).
* A sigstore bundle (sigstore/protobuf-specs, ``sigstore_bundle.proto``) in a referrer, whose DSSE
  envelope (secure-systems-lab/dsse, ``protocol.md``) holds an in-toto statement.

Only public keys count. What a transparency log or a certificate says is not asked: both need
sigstore's servers, and the keys of the person are what they trust.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from airgap.errors import ContentMismatch
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.verification.keys import VerificationKey

SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"

MAX_DOCUMENT = 4 * 1024 * 1024
"""Bytes of a payload or bundle; real ones have a few KiB."""

_TYPE = "cosign container image signature"
_STATEMENT_TYPE = "application/vnd.in-toto+json"
_SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"


class Verdict(StrEnum):
    """What came of holding one signature against keys and an image."""

    GOOD = "by the key"
    OTHER_KEY = "by another key"
    OTHER_IMAGE = "by the key, and of another image"
    MALFORMED = "not to be read"


@dataclass(frozen=True, slots=True)
class _Claim:
    """What was signed: bytes, signatures over them, and which digests they speak of."""

    content: bytes
    signatures: tuple[bytes, ...]
    subjects: frozenset[str]


def judge_payload(
    payload: bytes, signature: str, image: Digest, keys: Iterable[VerificationKey]
) -> Verdict:
    """Judge a payload, and the signature that the annotation of its layer has, in base64."""
    try:
        claim = _Claim(payload, (_decoded(signature),), _payload_subjects(payload))
    except ContentMismatch:
        return Verdict.MALFORMED
    return _judge(claim, image, keys)


def judge_bundle(bundle: bytes, image: Digest, keys: Iterable[VerificationKey]) -> Verdict:
    """Judge a sigstore bundle that holds a signature of an image."""
    try:
        claim = _bundle_claim(bundle)
    except ContentMismatch:
        return Verdict.MALFORMED
    return _judge(claim, image, keys)


def _judge(claim: _Claim, image: Digest, keys: Iterable[VerificationKey]) -> Verdict:
    signed = any(
        key.has_signed(claim.content, signature) for key in keys for signature in claim.signatures
    )
    if not signed:
        return Verdict.OTHER_KEY
    return Verdict.GOOD if image in claim.subjects else Verdict.OTHER_IMAGE


def _payload_subjects(payload: bytes) -> frozenset[str]:
    critical = JsonObject.parse(payload, "payload", limit=MAX_DOCUMENT).object("critical")
    if critical.text("type") != _TYPE:
        raise ContentMismatch("payload", "is not cosign's")
    return frozenset({critical.object("image").text("docker-manifest-digest")})


def _bundle_claim(raw: bytes) -> _Claim:
    bundle = JsonObject.parse(raw, "bundle", limit=MAX_DOCUMENT)
    if not bundle.text("mediaType").startswith(BUNDLE_PREFIX):
        raise ContentMismatch("bundle", "is not sigstore's")
    envelope = bundle.object("dsseEnvelope")
    kind = envelope.text("payloadType")
    if kind != _STATEMENT_TYPE:
        raise ContentMismatch("bundle", "holds no statement")
    content = _decoded(envelope.text("payload"))
    signatures = tuple(_decoded(one.text("sig")) for one in envelope.objects("signatures"))
    return _Claim(pre_authentication(kind, content), signatures, _statement_subjects(content))


def _statement_subjects(content: bytes) -> frozenset[str]:
    statement = JsonObject.parse(content, "statement", limit=MAX_DOCUMENT)
    # An SBOM by the same key is about the image, too, and does not vouch for it.
    if statement.text("predicateType") != _SIGN_PREDICATE:
        raise ContentMismatch("statement", "is not that of a signature")
    return frozenset(_digests(statement))


def _digests(statement: JsonObject) -> Iterator[str]:
    for subject in statement.objects("subject"):
        for algorithm, value in subject.mapping("digest").items():
            yield f"{algorithm}:{value}"


def pre_authentication(kind: str, content: bytes) -> bytes:
    """Return what a DSSE envelope's signature is over (``protocol.md``, "PAE")."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(content), content)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ContentMismatch("signature", "is not base64") from None
