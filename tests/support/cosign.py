"""Signatures as cosign makes them, by hand: both of its older forms, and sigstore's bundle.

The formats are those of sigstore/cosign (``specs/SIGNATURE_SPEC.md``, ``specs/BUNDLE_SPEC.md``) and
sigstore/protobuf-specs; the key signs what ``cosign sign --key`` signs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import parse_manifest
from airgap.oci.reference import Repository
from tests.support.images import BuiltImage

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT = "application/vnd.in-toto+json"


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a key as ``cosign generate-key-pair`` does: ECDSA on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key: PrivateKey) -> bytes:
    """Return the public key as it stands in ``cosign.pub``."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def sign(key: PrivateKey, content: bytes) -> bytes:
    """Sign bytes as cosign does with a key of this sort."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(content, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(content)


def payload(repository: Repository, subject: Digest, **changes: Any) -> bytes:
    """Return the statement that cosign signs (containers/image, "simple signing")."""
    document = {
        "critical": {
            "identity": {"docker-reference": str(repository)},
            "image": {"docker-manifest-digest": str(subject)},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    document["critical"].update(changes)  # type: ignore[union-attr] # it is a mapping
    return json.dumps(document, separators=(",", ":")).encode()


def signatures(*signed: tuple[bytes, bytes], subject: Descriptor | None = None) -> BuiltImage:
    """Build the manifest that holds signatures: payloads, and what signs each.

    Args:
        signed: payload and signature, for each.
        subject: the signed manifest, where the signatures refer to it (OCI 1.1) and have no tag.
    """
    config = (
        b'{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{}],"os":"","config":{}}'
    )
    layers = []
    blobs = {Digest.of(config): config}
    for content, signature in signed:
        encoded = base64.b64encode(signature).decode()
        entry = Descriptor.of(content, SIMPLE_SIGNING).to_json()
        entry["annotations"] = {"dev.cosignproject.cosign/signature": encoded}
        layers.append(entry)
        blobs[Digest.of(content)] = content
    config_type = media_types.OCI_CONFIG if subject is None else SIGNATURE_ARTIFACT
    fields: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": Descriptor.of(config, config_type).to_json(),
        "layers": layers,
    }
    if subject is not None:
        fields["artifactType"] = SIGNATURE_ARTIFACT
        fields["subject"] = subject.to_json()
    return _built(fields, blobs)


def signature(key: PrivateKey, repository: Repository, subject: Digest) -> BuiltImage:
    """Build what ``cosign sign --key`` pushes as ``sha256-….sig``."""
    content = payload(repository, subject)
    return signatures((content, sign(key, content)))


def referring_signature(key: PrivateKey, repository: Repository, subject: Descriptor) -> BuiltImage:
    """Build what ``cosign sign --key --registry-referrers-mode=oci-1-1`` pushes."""
    content = payload(repository, subject.digest)
    return signatures((content, sign(key, content)), subject=subject)


def statement(subject: Digest, **changes: Any) -> bytes:
    """Return the in-toto statement that newer versions sign."""
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": subject.hex}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    }
    return json.dumps({**document, **changes}).encode()


def pre_authentication(content: bytes, kind: str = STATEMENT) -> bytes:
    """Return what a DSSE envelope's signature is made over."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(content), content)


def sigstore_bundle(key: PrivateKey, content: bytes, **changes: Any) -> bytes:
    """Return a bundle as ``cosign sign --key --new-bundle-format`` writes it."""
    signed = base64.b64encode(sign(key, pre_authentication(content))).decode()
    document = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "a-hint"}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(content).decode(),
            "payloadType": STATEMENT,
            "signatures": [{"sig": signed}],
        },
    }
    return json.dumps({**document, **changes}).encode()


def referring_bundle(content: bytes, subject: Descriptor) -> BuiltImage:
    """Build the referrer that carries a sigstore bundle."""
    empty = b"{}"
    fields = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "artifactType": BUNDLE,
        "config": Descriptor.of(empty, media_types.OCI_EMPTY).to_json(),
        "layers": [Descriptor.of(content, BUNDLE).to_json()],
        "subject": subject.to_json(),
        "annotations": {"dev.sigstore.bundle.content": "dsse-envelope"},
    }
    return _built(fields, {Digest.of(empty): empty, Digest.of(content): content})


def _built(fields: Mapping[str, Any], blobs: Mapping[Digest, bytes]) -> BuiltImage:
    raw = json.dumps(fields).encode()
    return BuiltImage((parse_manifest(raw, media_types.OCI_MANIFEST),), blobs)
