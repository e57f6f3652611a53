"""Signatures as cosign makes them, held against keys and images."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ConfigError
from airgap.oci.digest import Digest
from airgap.oci.reference import Repository
from airgap.verification.cosign import Verdict, judge_bundle, judge_payload
from airgap.verification.keys import read_public_keys
from tests.support import cosign

IMAGE = Digest.of(b"an image")
OTHER = Digest.of(b"another image")
REPOSITORY = Repository("registry.example.com", "team/app")
KEY = cosign.new_key()
KEYS = read_public_keys(cosign.public_pem(KEY), "cosign.pub")
STRANGER = cosign.new_key()


def payload_verdict(key: cosign.PrivateKey, payload: bytes, *, pem: bytes | None = None) -> Verdict:
    """Sign a payload and judge it; by the key's own public half where ``pem`` is given."""
    signature = base64.b64encode(cosign.sign(key, payload)).decode()
    keys = KEYS if pem is None else read_public_keys(pem, "k.pub")
    return judge_payload(payload, signature, IMAGE, keys)


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "P-521", "Ed25519", "RSA"],
)
def test_every_kind_of_key_signs_payloads_and_bundles(key: cosign.PrivateKey) -> None:
    """Cosign makes P-256 keys and takes over the others."""
    pem = cosign.public_pem(key)
    assert payload_verdict(key, cosign.payload(REPOSITORY, IMAGE), pem=pem) is Verdict.GOOD
    keys = read_public_keys(pem, "k.pub")
    bundle = cosign.sigstore_bundle(key, cosign.statement(IMAGE))
    assert judge_bundle(bundle, IMAGE, keys) is Verdict.GOOD
    assert judge_bundle(bundle, OTHER, keys) is Verdict.OTHER_IMAGE


def test_a_curve_with_its_own_hash_is_taken_too() -> None:
    """Sigstore's newer clients hash with SHA-384 for P-384."""
    key = ec.generate_private_key(ec.SECP384R1())
    payload = cosign.payload(REPOSITORY, IMAGE)
    signature = base64.b64encode(key.sign(payload, ec.ECDSA(hashes.SHA384()))).decode()
    keys = read_public_keys(cosign.public_pem(key), "k.pub")
    assert judge_payload(payload, signature, IMAGE, keys) is Verdict.GOOD


def test_a_signature_by_somebody_else_is_none() -> None:
    """However right the rest is."""
    payload = cosign.payload(REPOSITORY, IMAGE)
    assert payload_verdict(STRANGER, payload) is Verdict.OTHER_KEY
    bundle = cosign.sigstore_bundle(STRANGER, cosign.statement(IMAGE))
    assert judge_bundle(bundle, IMAGE, KEYS) is Verdict.OTHER_KEY


def test_a_signature_of_another_image_is_none() -> None:
    """Somebody has copied it over from an older release."""
    assert payload_verdict(KEY, cosign.payload(REPOSITORY, OTHER)) is Verdict.OTHER_IMAGE


def test_the_name_in_a_payload_does_not_matter() -> None:
    """Mirrors have other names; the digest is what is signed."""
    elsewhere = Repository("mirror.example.com", "x")
    assert payload_verdict(KEY, cosign.payload(elsewhere, IMAGE)) is Verdict.GOOD


def test_a_payload_of_another_kind_is_none() -> None:
    """The same key may sign other documents in the same form."""
    payload = cosign.payload(REPOSITORY, IMAGE, type="atomic container signature")
    assert payload_verdict(KEY, payload) is Verdict.MALFORMED


def test_an_attestation_does_not_vouch_for_an_image() -> None:
    """An SBOM by the same key, about the same image, is no signature of it."""
    statement = cosign.statement(IMAGE, predicateType="https://spdx.dev/Document")
    assert judge_bundle(cosign.sigstore_bundle(KEY, statement), IMAGE, KEYS) is Verdict.MALFORMED


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": "application/json"},
        {"dsseEnvelope": {"payload": "e30=", "payloadType": "text/plain", "signatures": []}},
        {"dsseEnvelope": {"payload": "!", "payloadType": cosign.STATEMENT, "signatures": []}},
        {"dsseEnvelope": None},
    ],
)
def test_a_bundle_of_another_kind_is_none(change: dict[str, object]) -> None:
    """Other envelopes, other payloads."""
    bundle = cosign.sigstore_bundle(KEY, cosign.statement(IMAGE), **change)
    assert judge_bundle(bundle, IMAGE, KEYS) is Verdict.MALFORMED


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_payload_is_not_good(position: int, difference: int) -> None:
    """Any byte of it."""
    payload = bytearray(cosign.payload(REPOSITORY, IMAGE))
    signature = base64.b64encode(cosign.sign(KEY, bytes(payload))).decode()
    payload[position % len(payload)] ^= difference
    assert judge_payload(bytes(payload), signature, IMAGE, KEYS) is not Verdict.GOOD


@given(st.binary(max_size=200), st.text(max_size=40))
def test_any_bytes_are_judged(content: bytes, signature: str) -> None:
    """A hostile registry makes nothing fail."""
    assert judge_payload(content, signature, IMAGE, KEYS) is not Verdict.GOOD
    assert judge_bundle(content, IMAGE, KEYS) is not Verdict.GOOD


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["mediaType", "dsseEnvelope", "payload", "payloadType", "signatures", "sig"]
                ),
                inner,
            )
        ),
    )
)
def test_any_document_is_judged(document: object) -> None:
    """Whatever JSON stands there."""
    raw = json.dumps({"mediaType": cosign.BUNDLE, "dsseEnvelope": document}).encode()
    assert judge_bundle(raw, IMAGE, KEYS) is not Verdict.GOOD


def test_openssl_and_we_agree_on_what_is_signed(tmp_path: Path) -> None:
    """What openssl signs with a key as cosign has it, over cosign's payload, is good."""
    key = tmp_path / "cosign.key"
    payload, signature = tmp_path / "payload", tmp_path / "signature"
    payload.write_bytes(cosign.payload(REPOSITORY, IMAGE))
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    public = _openssl("ec", "-in", str(key), "-pubout")
    _openssl("dgst", "-sha256", "-sign", str(key), "-out", str(signature), str(payload))
    encoded = base64.b64encode(signature.read_bytes()).decode()
    keys = read_public_keys(public, "cosign.pub")
    assert judge_payload(payload.read_bytes(), encoded, IMAGE, keys) is Verdict.GOOD


def test_a_file_may_have_several_keys() -> None:
    """The old one and the new one, while they change."""
    keys = read_public_keys(cosign.public_pem(STRANGER) + cosign.public_pem(KEY), "both.pub")
    assert len({key.fingerprint for key in keys}) == 2
    payload = cosign.payload(REPOSITORY, IMAGE)
    signature = base64.b64encode(cosign.sign(KEY, payload)).decode()
    assert judge_payload(payload, signature, IMAGE, keys) is Verdict.GOOD


def _private_pem() -> bytes:
    return KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    "pem,words",
    [
        (b"", "no public key"),
        (b"ssh-ed25519 AAAA", "no public key"),
        (b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n", "no public key"),
        (_private_pem(), "private key"),
        (b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJ9\n", "private key"),
        (cosign.public_pem(rsa.generate_private_key(65537, 1024)), "too weak"),  # noqa: S505 - on purpose
        (cosign.public_pem(ec.generate_private_key(ec.SECP256K1())), "ECDSA"),
        (cosign.public_pem(dsa.generate_private_key(2048)), "ECDSA"),  # type: ignore[arg-type] # on purpose
    ],
)
def test_a_key_that_cannot_be_used_is_named(pem: bytes, words: str) -> None:
    """The file, and what is wrong with it; nothing of what stands in it."""
    with pytest.raises(ConfigError, match=words) as caught:
        read_public_keys(pem, "keys/x.pub")
    assert caught.value.thing == "keys/x.pub"


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout
