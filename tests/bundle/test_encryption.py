"""Encryption around a bundle: who has a key reads it, and who has none learns nothing."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.bundle.age_keys import (
    load_identities,
    load_recipients,
    parse_recipient,
    write_age_keys,
)
from airgap.bundle.destination import Demand, SingleFile
from airgap.bundle.encryption import (
    Decrypted,
    Encrypting,
    encrypted_size,
    is_encrypted,
    read_outside,
)
from airgap.bundle.medium import OneFile
from airgap.errors import AccessDenied, AirgapError, BundleDamaged, NoSpace, NotFound, UsageError
from tests.bundle.samples import names_in
from tests.bundle.test_volumes_writing import largest_file
from tests.bundle.volume_samples import INSIDE, content_of_length

ALICE, BOB, EVE = (pyrage.x25519.Identity.generate() for _ in range(3))


def encrypt(path: Path, content: bytes, *identities: object) -> None:
    """Write content, encrypted for identities."""
    recipients = [identity.to_public() for identity in identities]  # type: ignore[attr-defined]
    inner = SingleFile(path, Demand(), replace=True, sync=False)
    target = Encrypting(inner, recipients)
    try:
        target.open(len(content), exact=True)
        for start in range(0, len(content), 70_000):
            target.write(content[start : start + 70_000])
        target.finish()
        target.publish(INSIDE)
    finally:
        target.abandon()


def decrypt(path: Path, *identities: object) -> bytes:
    """Return what is inside a file."""
    with Decrypted(OneFile(path), identities).open() as file:
        return b"".join(iter(lambda: file.read(100_000), b""))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 400_000))
def test_what_was_encrypted_is_decrypted(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    """Content of any size comes out again, and takes no more room than was announced."""
    path = tmp_path_factory.mktemp("age") / "b"
    content = content_of_length(size)
    encrypt(path, content, ALICE)
    assert decrypt(path, ALICE) == content
    assert is_encrypted(path.read_bytes())
    assert path.stat().st_size <= encrypted_size(size, 1)


def test_each_recipient_can_read_it(tmp_path: Path) -> None:
    """A bundle for two keys opens with either, and also where other keys are tried first."""
    encrypt(tmp_path / "b", b"content", ALICE, BOB)
    for identities in ((ALICE,), (BOB,), (EVE, BOB)):
        assert decrypt(tmp_path / "b", *identities) == b"content"


def test_nobody_else_can(tmp_path: Path) -> None:
    """Another key is refused, as a matter of access and not of damage."""
    encrypt(tmp_path / "b", b"content", ALICE)
    with pytest.raises(AccessDenied, match="encrypted for other keys"):
        decrypt(tmp_path / "b", EVE)


def test_age_itself_reads_it(tmp_path: Path) -> None:
    """The whole file is in the age format, as the library that defines it here reads it."""
    content = content_of_length(200_000)
    encrypt(tmp_path / "b", content, ALICE)
    assert pyrage.decrypt((tmp_path / "b").read_bytes(), [ALICE]) == content


@pytest.mark.parametrize("position", [30, 150, 1000, 100_000, 249_000])
def test_any_changed_byte_is_damage(tmp_path: Path, position: int) -> None:
    """Header, content and end are authenticated, and nothing changed comes out as whole."""
    path = tmp_path / "b"
    encrypt(path, content_of_length(250_000), ALICE)
    raw = bytearray(path.read_bytes())
    raw[position] ^= 1
    path.write_bytes(raw)
    with pytest.raises((BundleDamaged, AccessDenied)):
        decrypt(path, ALICE)


@pytest.mark.parametrize("size", [22, 100, 250, 65_000, 65_816, 200_000])
def test_a_file_that_is_cut_short_is_damage(tmp_path: Path, size: int) -> None:
    """Wherever it ends too early, also between two pieces, that is noticed."""
    path = tmp_path / "b"
    encrypt(path, content_of_length(250_000), ALICE)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(BundleDamaged):
        decrypt(path, ALICE)


def test_the_outside_shows_the_kinds_of_keys_and_no_more(tmp_path: Path) -> None:
    """Without a key one sees for how many keys it is, and not for whose."""
    encrypt(tmp_path / "b", b"secret content", ALICE, BOB)
    assert read_outside(OneFile(tmp_path / "b")).recipients == ("X25519", "X25519")
    raw = (tmp_path / "b").read_bytes()
    assert b"secret" not in raw
    assert str(ALICE.to_public()).encode() not in raw


def test_an_outside_that_is_cut_short_is_damage(tmp_path: Path) -> None:
    """A header without an end is no header."""
    (tmp_path / "b").write_bytes(b"age-encryption.org/v1\n-> X25519 abc")
    with pytest.raises(BundleDamaged, match="header"):
        read_outside(OneFile(tmp_path / "b"))


def test_reading_may_stop_early(tmp_path: Path) -> None:
    """Who has seen enough closes the file, and no thread or pipe is left behind."""
    encrypt(tmp_path / "b", content_of_length(5_000_000), ALICE)
    before = threading.active_count()
    with Decrypted(OneFile(tmp_path / "b"), (ALICE,)).open() as file:
        assert file.read(10)
    assert threading.active_count() == before


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    """An error of the file beneath comes out as it is, and nothing is left."""
    inner = SingleFile(tmp_path / "b", Demand(), replace=False, sync=False)
    target = Encrypting(inner, [ALICE.to_public()])
    target.open(5_000_000, exact=True)
    with largest_file(100_000), pytest.raises(NoSpace):
        target.write(bytes(5_000_000))
    target.abandon()
    assert names_in(tmp_path) == []


def test_giving_up_leaves_nothing(tmp_path: Path) -> None:
    """An encryption that is given up half way leaves neither file nor thread."""
    before = threading.active_count()
    target = Encrypting(
        SingleFile(tmp_path / "b", Demand(), replace=False, sync=False), [ALICE.to_public()]
    )
    target.open(1000, exact=True)
    target.write(bytes(500))
    target.abandon()
    assert names_in(tmp_path) == []
    assert threading.active_count() == before


def test_keys_come_from_options_and_files(tmp_path: Path) -> None:
    """Recipients stand in the option itself or one a line in a file; comments do not count."""
    listed = f"# the plant\n{ALICE.to_public()}\n\n{BOB.to_public()}\n"
    (tmp_path / "keys.txt").write_text(listed)
    recipients = load_recipients([str(tmp_path / "keys.txt"), str(EVE.to_public())])
    assert list(map(str, recipients)) == [str(i.to_public()) for i in (ALICE, BOB, EVE)]
    (tmp_path / "id.txt").write_text(f"# created: today\n{ALICE}\n{BOB}\n")
    assert len(load_identities([tmp_path / "id.txt"])) == 2


NO_RECIPIENTS = {
    "a stump": "AGE-SECRET-KEY-1FOO",
    "a secret key": str(ALICE),
    "a damaged secret key": f"{str(ALICE)[:-1]}!",
    "a damaged SSH key": "ssh-rsa SECRETS",
    "a damaged public key": "age1bad",
}


@pytest.mark.parametrize("text", NO_RECIPIENTS.values(), ids=NO_RECIPIENTS)
def test_what_is_no_recipient_is_not_shown(text: str) -> None:
    """A secret key in the place of a public one does not get into an error."""
    with pytest.raises(UsageError) as caught:
        parse_recipient(text)
    shown = f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert text[:40] not in shown
    assert "SECRET" not in shown


NO_IDENTITIES = {
    "nothing": "",
    "a comment": "# nothing",
    "a public key": str(ALICE.to_public()),
    "a damaged key": f"{str(ALICE)[:-3]}!!!",
}


@pytest.mark.parametrize("text", NO_IDENTITIES.values(), ids=NO_IDENTITIES)
def test_what_is_no_identity_is_named_by_its_file(tmp_path: Path, text: str) -> None:
    """The error names the file, and shows nothing of what is in it."""
    (tmp_path / "id").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_identities([tmp_path / "id"])
    assert str(tmp_path / "id") in str(caught.value)
    assert not text or text not in f"{caught.value} {caught.value.__cause__}"


def test_a_pair_that_was_made_opens_what_it_closed(tmp_path: Path) -> None:
    """``NAME.pub`` is a file of recipients and ``NAME.key`` one of identities."""
    files = write_age_keys(tmp_path / "plant")
    assert stat.S_IMODE(files.private.stat().st_mode) == 0o600
    (recipient,) = load_recipients([str(files.public)])
    assert str(recipient) == files.recipient
    (identity,) = load_identities([files.private])
    encrypt(tmp_path / "b", b"content", identity)
    assert decrypt(tmp_path / "b", identity) == b"content"
    with pytest.raises(UsageError, match="never replaced"):
        write_age_keys(tmp_path / "plant")


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    """What is neither a key nor a file is told as a file that is not there."""
    with pytest.raises(NotFound, match="nowhere"):
        load_recipients([str(tmp_path / "nowhere")])
    with pytest.raises(NotFound, match="nowhere"):
        load_identities([tmp_path / "nowhere"])


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_reading_keys_fail(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    """Any file of recipients or identities is read, or refused with an error of ours."""
    path = tmp_path_factory.mktemp("keys") / "k"
    path.write_bytes(raw)
    with pytest.raises(AirgapError):
        load_recipients([str(path)])
    with pytest.raises(AirgapError):
        load_identities([path])


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_are_encrypted_by_chance(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    """Whatever follows the first line of the format, reading ends with an error of ours."""
    path = tmp_path_factory.mktemp("age") / "b"
    path.write_bytes(b"age-encryption.org/v1\n" + raw)
    with pytest.raises(AirgapError):
        decrypt(path, ALICE)
