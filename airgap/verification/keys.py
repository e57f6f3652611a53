"""Public keys as cosign uses them: ECDSA, Ed25519 and RSA, in PEM."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from airgap.errors import ConfigError

_Key: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

MIN_RSA_BITS = 2048

_PARTS = re.compile(rb"(?=-----BEGIN )")
_OWN_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key.

    Attributes:
        name: what a person calls it: its file.
        fingerprint: the first twelve hex digits of the SHA-256 of its DER form.
    """

    name: str
    fingerprint: str
    _key: _Key = field(repr=False, compare=False)

    def has_signed(self, content: bytes, signature: bytes) -> bool:
        """Tell whether a signature of this key's is over the content.

        cosign hashes with SHA-256 whatever the curve is, sigstore's newer clients with the curve's
        own hash; either will do.
        """
        tries: tuple[hashes.HashAlgorithm, ...] = (hashes.SHA256(),)
        if isinstance(self._key, ec.EllipticCurvePublicKey):
            tries = tuple({h.name: h for h in (*tries, _OWN_HASHES[self._key.curve.name])}.values())
        return any(self._verifies(content, signature, algorithm) for algorithm in tries)

    def _verifies(self, content: bytes, signature: bytes, algorithm: hashes.HashAlgorithm) -> bool:
        try:
            match self._key:
                case ec.EllipticCurvePublicKey():
                    self._key.verify(signature, content, ec.ECDSA(algorithm))
                case rsa.RSAPublicKey():
                    self._key.verify(signature, content, padding.PKCS1v15(), algorithm)
                case _:
                    self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


def read_public_keys(pem: bytes, name: str) -> tuple[VerificationKey, ...]:
    """Read every public key of a PEM file.

    Raises:
        ConfigError: there is none, or one that cosign does not make or that is too weak.
    """
    keys = tuple(_key(part, name) for part in _PARTS.split(pem)[1:])
    if not keys:
        raise ConfigError(
            name, "has no public key", "cosign writes one to cosign.pub: -----BEGIN PUBLIC KEY-----"
        )
    return keys


def _key(pem: bytes, name: str) -> VerificationKey:
    if b"PRIVATE KEY" in pem.split(b"\n", 1)[0]:
        raise ConfigError(
            name, "is a private key", "the public one belongs here, such as cosign.pub"
        )
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(name, "has something in it that is no public key in PEM") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise ConfigError(name, f"an RSA key of {key.key_size} bits is too weak")
    is_known_curve = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _OWN_HASHES
    if not (is_known_curve or isinstance(key, rsa.RSAPublicKey | ed25519.Ed25519PublicKey)):
        raise ConfigError(name, "is not a key for ECDSA (NIST curves), Ed25519 or RSA")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return VerificationKey(name, hashlib.sha256(der).hexdigest()[:12], key)  # type: ignore[arg-type] # checked above
