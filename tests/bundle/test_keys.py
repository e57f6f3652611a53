"""Keys are made, kept and read so that nobody loses one and no secret gets out."""

from __future__ import annotations

import hashlib
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle.keys import (
    PrivateKey,
    is_encrypted,
    load_private_key,
    load_public_key,
    parse_private_key,
    parse_public_key,
    write_key_pair,
)
from airgap.errors import AccessDenied, AirgapError, NotFound, Unsupported, UsageError

SECRET = b"correct horse"


def refuse(path: Path) -> bytes | None:
    """Fail where a passphrase is asked for that nobody needs."""
    raise AssertionError(f"asked for the passphrase of {path}")


@pytest.mark.parametrize("passphrase", [None, SECRET], ids=["open", "passphrase"])
def test_a_pair_that_was_written_can_be_used(tmp_path: Path, passphrase: bytes | None) -> None:
    """What the private file signs, the public file accepts; both have the same id and name."""
    files = write_key_pair(tmp_path / "alice", passphrase)
    private = load_private_key(files.private, (lambda _: SECRET) if passphrase else refuse)
    public = load_public_key(files.public)
    assert private.public == public == files.key
    assert public.name == "alice"
    assert public.accepts(private.sign(b"data"), b"data")
    assert not public.accepts(private.sign(b"data"), b"other")


def test_only_the_owner_may_read_the_private_key(tmp_path: Path) -> None:
    """The private file has mode 0600, and nothing else is left in the folder."""
    files = write_key_pair(tmp_path / "alice", None)
    assert stat.S_IMODE(files.private.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice.key", "alice.pub"]


@pytest.mark.parametrize("taken", ["alice.key", "alice.pub"])
def test_a_key_is_never_replaced(tmp_path: Path, taken: str) -> None:
    """Where one of the two files is there, neither is written and it stays as it was."""
    (tmp_path / taken).write_bytes(b"precious")
    with pytest.raises(UsageError, match="never replaced"):
        write_key_pair(tmp_path / "alice", None)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"precious"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error names the folder, and nothing is made."""
    with pytest.raises(NotFound, match="nowhere"):
        write_key_pair(tmp_path / "nowhere" / "alice", None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["-x", ".hidden", "a b", "ä", "x" * 65])
def test_a_name_must_be_a_plain_one(tmp_path: Path, name: str) -> None:
    """Names that shells or other systems stumble over are refused."""
    with pytest.raises(UsageError, match="not a name"):
        write_key_pair(tmp_path / name, None)


def test_the_same_data_gives_the_same_signature() -> None:
    """Signing is deterministic, so that a bundle can be made again byte for byte."""
    key = PrivateKey.generate("k")
    assert key.sign(b"data") == key.sign(b"data")
    assert key.sign(b"data") != key.sign(b"other")


@pytest.mark.parametrize("passphrase", [None, b"", b"wrong horse"])
def test_a_wrong_passphrase_is_told_and_not_shown(tmp_path: Path, passphrase: bytes | None) -> None:
    """The error names the file, and neither the passphrase nor the key."""
    files = write_key_pair(tmp_path / "alice", SECRET)
    with pytest.raises(AccessDenied) as caught:
        load_private_key(files.private, lambda _: passphrase)
    said = "".join(map(str, (caught.value, caught.value.hint, caught.value.__cause__)))
    assert str(files.private) in said
    assert "horse" not in said


def test_a_key_does_not_show_its_secret() -> None:
    """Neither ``str`` nor ``repr`` of a private key has anything but the public half's name."""
    assert "_key" not in repr(PrivateKey.generate("k"))


def other_kinds() -> dict[str, tuple[bytes, bytes]]:
    """Return private and public keys that are well formed and not ours."""
    p384, big = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
    return {
        name: (
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        )
        for name, key in (("p384", p384), ("rsa", big))
    }


@pytest.mark.parametrize("kind", ["p384", "rsa"])
def test_keys_of_other_kinds_are_told_from_ours(kind: str) -> None:
    """A well-formed key on another curve, or of another algorithm, is not supported."""
    private, public = other_kinds()[kind]
    with pytest.raises(Unsupported, match="P-256"):
        parse_public_key(public, "file", "k")
    with pytest.raises(Unsupported, match="P-256"):
        parse_private_key(private, "file", "k", None)


def test_the_halves_are_not_mixed_up() -> None:
    """A private key where a public one is wanted is refused, and its content not shown."""
    key = PrivateKey.generate("k")
    with pytest.raises(UsageError, match="private key"):
        parse_public_key(key.pem(), "file", "k")
    with pytest.raises(UsageError, match="not a private key"):
        parse_private_key(key.public.pem, "file", "k", None)


@pytest.mark.parametrize("extra", [(), ("-aes256", "-pass", "pass:correct horse")])
def test_keys_that_openssl_made_are_read(tmp_path: Path, extra: tuple[str, ...]) -> None:
    """``openssl genpkey`` and ``openssl pkey -pubout`` make keys for us."""
    key, public = tmp_path / "o.key", tmp_path / "o.pub"
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    subprocess.run(["openssl", "genpkey", *curve, *extra, "-out", key], check=True)
    passin = ("-passin", "pass:correct horse")
    subprocess.run(["openssl", "pkey", "-in", key, *passin, "-pubout", "-out", public], check=True)
    assert is_encrypted(key.read_bytes()) is bool(extra)
    assert load_private_key(key, lambda _: SECRET).public == load_public_key(public)


def test_the_older_form_of_openssl_is_read_too(tmp_path: Path) -> None:
    """SEC 1 keys, as ``openssl ec`` writes them with a passphrase, are read."""
    key, old = tmp_path / "k.key", tmp_path / "old.key"
    key.write_bytes(PrivateKey.generate("k").pem())
    command = ["openssl", "ec", "-in", str(key), "-aes256", "-passout", "pass:correct horse"]
    subprocess.run([*command, "-out", str(old)], check=True, capture_output=True)
    assert is_encrypted(old.read_bytes())
    assert load_private_key(old, lambda _: SECRET).sign(b"x")


def test_the_id_is_what_openssl_and_sha256sum_say(tmp_path: Path) -> None:
    """The id can be found out without airgap: a digest over the DER of the public key."""
    files = write_key_pair(tmp_path / "alice", None)
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", files.public, "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout
    assert hashlib.sha256(der).hexdigest()[:16] == files.key.id


@given(st.binary(max_size=300))
def test_anything_else_is_no_key(content: bytes) -> None:
    """No bytes make a parser fail with anything but an error of ours."""
    for passphrase in (None, b"x"):
        with pytest.raises(AirgapError):
            parse_private_key(content, "file", "k", passphrase)
    with pytest.raises(AirgapError):
        parse_public_key(content, "file", "k")


KEY = PrivateKey.generate("k")


@given(st.data())
def test_a_damaged_key_is_no_key_or_another(data: st.DataObject) -> None:
    """A public file with a byte changed is refused, or is a key that accepts nothing of ours."""
    pem = bytearray(KEY.public.pem)
    pem[data.draw(st.integers(0, len(pem) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        key = parse_public_key(bytes(pem), "file", "k")
    except AirgapError:
        return
    assert key == KEY.public or not key.accepts(KEY.sign(b"data"), b"data")


@given(st.binary(max_size=100))
def test_no_bytes_are_a_signature_by_chance(signature: bytes) -> None:
    """Signatures of any length and form are told wrong, never raised over."""
    assert not KEY.public.accepts(signature, b"data")
