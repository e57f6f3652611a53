"""Keys that bundles are signed and checked with: ECDSA on P-256, in PEM files.

Private keys are PKCS#8, with or without a passphrase; public ones SubjectPublicKeyInfo (RFC 5280,
section 4.1). Both are what ``openssl`` and ``cosign`` read and write. The curve is one that FIPS
186-5 allows. Blocking where files are read or written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from airgap.bundle.key_files import read_key_file, write_pair
from airgap.errors import AccessDenied, Unsupported, UsageError

KEY_ID_LENGTH = 16
"""Hex digits. An id only finds a signature; it is checked with the whole key."""

AskPassphrase = Callable[[Path], bytes | None]
"""Returns the passphrase of a key file, or None where there is none to be had."""

_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|\nProc-Type:[^\n]*ENCRYPTED")
_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_HINT_PUBLIC = "a public key begins with -----BEGIN PUBLIC KEY-----; `airgap keygen` makes a pair"
_HINT_PRIVATE = "make one with `airgap keygen NAME`"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with.

    Attributes:
        id: the first 16 hex digits of the SHA-256 of its SubjectPublicKeyInfo in DER.
        name: what a person calls it: the name of its file, without ``.pub``.
    """

    id: str
    name: str = field(compare=False)
    _key: ec.EllipticCurvePublicKey = field(compare=False, repr=False)

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey, name: str) -> PublicKey:
        """Give a key its id."""
        encoded = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(hashlib.sha256(encoded).hexdigest()[:KEY_ID_LENGTH], name, key)

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    @property
    def pem(self) -> bytes:
        """The content of its file."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def accepts(self, signature: bytes, data: bytes) -> bool:
        """Tell whether a signature (DER of RFC 3279, section 2.2.3) over ``data`` is this key's."""
        try:
            self._key.verify(signature, data, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that bundles are signed with.

    Attributes:
        public: the other half.
    """

    public: PublicKey
    _key: ec.EllipticCurvePrivateKey = field(compare=False, repr=False)

    @classmethod
    def generate(cls, name: str) -> PrivateKey:
        """Make a new key."""
        return cls._of(ec.generate_private_key(ec.SECP256R1()), name)

    @classmethod
    def _of(cls, key: ec.EllipticCurvePrivateKey, name: str) -> PrivateKey:
        return cls(PublicKey.of(key.public_key(), name), key)

    def sign(self, data: bytes) -> bytes:
        """Return a detached signature in DER; the same data gives the same one (RFC 6979).

        Raises:
            Unsupported: the OpenSSL that ``cryptography`` was built with is older than 3.2.
        """
        try:
            return self._key.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm:
            raise Unsupported(
                str(self.public),
                "this installation's OpenSSL cannot sign reproducibly",
                "install the `cryptography` wheel, which brings its own OpenSSL",
            ) from None

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the content of its file, encrypted where there is a passphrase."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase)
            if passphrase
            else serialization.NoEncryption(),
        )


def parse_public_key(pem: bytes, what: str, name: str) -> PublicKey:
    """Read a public key in PEM.

    Args:
        pem: the content of a file.
        what: the file, for errors.
        name: what a person calls the key.

    Raises:
        UsageError: it is a private key, or no key at all.
        Unsupported: it is a key of another kind.
    """
    if _PRIVATE.search(pem):
        raise UsageError(what, "is a private key, and a public one is wanted", _HINT_PUBLIC)
    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm:
        raise _other_kind(what) from None
    except ValueError:
        raise UsageError(what, "is not a public key in PEM", _HINT_PUBLIC) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _other_kind(what)
    return PublicKey.of(key, name)


def parse_private_key(pem: bytes, what: str, name: str, passphrase: bytes | None) -> PrivateKey:
    """Read a private key in PEM; PKCS#8, or what older versions of ``openssl`` wrote.

    Raises:
        AccessDenied: it has a passphrase, and none or a wrong one was given.
        UsageError: it is no private key.
        Unsupported: it is a key of another kind.
    """
    encrypted = is_encrypted(pem)
    if encrypted and not passphrase:
        raise AccessDenied(
            what,
            "the key has a passphrase, and none was given",
            "answer the prompt, name a file with --passphrase-file, or set AIRGAP_KEY_PASSPHRASE",
        )
    try:
        key = serialization.load_pem_private_key(pem, passphrase if encrypted else None)
    except UnsupportedAlgorithm:
        raise _other_kind(what) from None
    except (ValueError, TypeError):
        # Neither the text of the error nor its cause is shown: they may speak of the content.
        if encrypted:
            raise AccessDenied(what, "the passphrase is wrong, or the key is damaged") from None
        raise UsageError(what, "is not a private key in PEM", _HINT_PRIVATE) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _other_kind(what)
    return PrivateKey._of(key, name)  # noqa: SLF001 - the parser stands beside its class


def is_encrypted(pem: bytes) -> bool:
    """Tell whether a private key needs a passphrase."""
    return _ENCRYPTED.search(pem) is not None


def _other_kind(what: str) -> Unsupported:
    return Unsupported(what, "is not an ECDSA key on P-256", _HINT_PRIVATE)


def load_public_key(path: Path) -> PublicKey:
    """Read the file of a public key, which may be a private key's ``NAME.pub``.

    Raises:
        NotFound, NotPermitted: it cannot be opened.
        UsageError, Unsupported: it is not a public key of the right kind.
    """
    return parse_public_key(read_key_file(path), str(path), path.stem)


def load_private_key(path: Path, ask: AskPassphrase) -> PrivateKey:
    """Read the file of a private key, asking for its passphrase where it has one.

    Raises:
        NotFound, NotPermitted: it cannot be opened.
        AccessDenied: the passphrase is wrong or missing.
        UsageError, Unsupported: it is not a private key of the right kind.
    """
    pem = read_key_file(path)
    return parse_private_key(pem, str(path), path.stem, ask(path) if is_encrypted(pem) else None)


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """A pair that was written.

    Attributes:
        private: ``NAME.key``, which only its owner may read.
        public: ``NAME.pub``.
        key: what is in it, without the secret half.
    """

    private: Path
    public: Path
    key: PublicKey


def write_key_pair(path: Path, passphrase: bytes | None) -> KeyFiles:
    """Make a pair and write it as ``NAME.key`` and ``NAME.pub``; nothing is ever replaced.

    Args:
        path: folder and NAME.
        passphrase: encrypts the private key; None leaves it readable.

    Raises:
        UsageError: NAME is not one, or one of the files is there already.
        NotFound, NotPermitted, NoSpace: the folder cannot take them.
    """
    key = PrivateKey.generate(path.name)
    private, public = write_pair(path, key.pem(passphrase), key.public.pem)
    return KeyFiles(private, public, key.public)
