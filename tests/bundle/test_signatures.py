"""Who has signed a bundle, and when that is enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle.access import open_bundle
from airgap.bundle.keys import PrivateKey
from airgap.bundle.signatures import SignaturePolicy, SignatureVerdict, check_signatures, signer
from airgap.errors import ConfigError, Refused
from tests.bundle.samples import several_images, write_bundle

OLD, NEW, OTHER = (PrivateKey.generate(name) for name in ("old", "new", "other"))
KEYS = {key.public.id: key for key in (OLD, NEW, OTHER)}
DATA = b'{"format":1}\n'


def policy(*keys: PrivateKey, threshold: int = 1) -> SignaturePolicy:
    """Trust the public halves of keys."""
    return SignaturePolicy(tuple(key.public for key in keys), threshold)


def verdict(trusted: SignaturePolicy, *signing: PrivateKey, data: bytes = DATA) -> SignatureVerdict:
    """Check ``DATA`` against signatures that were made over ``data``."""
    return check_signatures(DATA, signer(signing)(data), trusted)


async def test_a_bundle_carries_its_signatures(tmp_path: Path) -> None:
    """What BundleWriter was told to sign with is read back, and fits the bytes of bundle.json."""
    await write_bundle(tmp_path / "b", several_images(), sign=signer([OLD, NEW]))
    async with open_bundle(tmp_path / "b") as bundle:
        found = check_signatures(
            bundle.head.bundle_json, bundle.head.signatures, policy(OLD, NEW, threshold=2)
        )
    assert found.valid == (OLD.public, NEW.public)
    found.require("b")


async def test_a_signed_bundle_is_the_same_each_time(tmp_path: Path) -> None:
    """Signatures do not keep a bundle from being made again byte for byte."""
    first = await write_bundle(tmp_path / "1", several_images(), sign=signer([OLD]))
    again = await write_bundle(tmp_path / "2", several_images(), sign=signer([OLD]))
    assert first.digest == again.digest


@pytest.mark.parametrize("signing", [OLD, NEW], ids=["old", "new"])
def test_old_and_new_key_count_during_a_rotation(signing: PrivateKey) -> None:
    """While both are trusted, either one is enough."""
    verdict(policy(OLD, NEW), signing).require("bundle")


def test_an_unsigned_bundle_is_refused_where_keys_are_trusted() -> None:
    """The refusal names every key that could have signed."""
    with pytest.raises(Refused, match=r"is not signed.*old \(.*new \(") as caught:
        verdict(policy(OLD, NEW)).require("bundle")
    assert caught.value.exit_code == 15


def test_without_trusted_keys_nothing_is_asked_for() -> None:
    """The verdict says that nothing was checked, so that a person can be warned."""
    found = verdict(policy(), OLD)
    found.require("bundle")
    assert not found.is_checked
    assert found.unknown == (OLD.public.id,)


def test_a_threshold_names_who_is_missing() -> None:
    """Of two keys that must sign, the refusal names the one that did and the one that did not."""
    with pytest.raises(Refused, match=r"only old \(.*\) did; missing is any of new \("):
        verdict(policy(OLD, NEW, threshold=2), OLD).require("bundle")


def test_a_stranger_counts_for_nothing() -> None:
    """Signatures of keys that are not trusted are named, and do not count."""
    with pytest.raises(Refused, match=f"only unknown ones did.*{OTHER.public.id}"):
        verdict(policy(OLD), OTHER).require("bundle")


def test_a_signature_over_other_bytes_is_refused_whatever_else_is_there() -> None:
    """One that does not fit is a sign of tampering, even where others are enough."""
    signatures = {**signer([OLD])(DATA), **signer([NEW])(b"other")}
    found = check_signatures(DATA, signatures, policy(OLD, NEW))
    assert found.forged == (NEW.public,)
    with pytest.raises(Refused, match=r"name of new \(.*does not fit"):
        found.require("bundle")


def test_a_signature_under_another_name_is_refused() -> None:
    """A stranger's signature in the name of a trusted key does not pass."""
    found = check_signatures(DATA, {OLD.public.id: OTHER.sign(DATA)}, policy(OLD))
    with pytest.raises(Refused):
        found.require("bundle")


def test_the_same_key_twice_is_one_key() -> None:
    """A threshold counts different keys; a copy under another name makes no second signer."""
    with pytest.raises(ConfigError, match="1 different keys"):
        policy(OLD, OLD, threshold=2)
    assert policy(OLD, OLD, NEW).trusted == (OLD.public, NEW.public)


SUBSETS = st.sets(st.sampled_from(sorted(KEYS)))


@given(st.data(), st.sets(st.sampled_from(sorted(KEYS)), min_size=1), SUBSETS)
def test_the_threshold_is_what_decides(
    data: st.DataObject, trusted: set[str], signing: set[str]
) -> None:
    """A bundle passes exactly where as many different trusted keys have signed as are asked for."""
    threshold = data.draw(st.integers(1, len(trusted)))
    asked = policy(*(KEYS[key_id] for key_id in trusted), threshold=threshold)
    found = verdict(asked, *(KEYS[key_id] for key_id in signing))
    assert {key.id for key in found.valid} == trusted & signing
    if len(trusted & signing) >= threshold:
        found.require("bundle")
    else:
        with pytest.raises(Refused):
            found.require("bundle")
