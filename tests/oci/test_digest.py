"""Digests: what counts as one, and what they are good for."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import InvalidReference
from airgap.oci.digest import Digest

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        ":" + "a" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "a" * 128,
        "sha512:" + "a" * 64,
        "SHA256:" + "a" * 64,
        "md5:" + "a" * 32,
        "sha256:" + "a" * 64 + "\n",
        " sha256:" + "a" * 64,
        "sha256:" + "٣" * 64,
        "sha256:" + "a" * 63 + "/",
        "sha256:../../../../etc/passwd",
    ],
)
def test_what_is_not_a_digest_is_refused(text: str) -> None:
    """Neither another length or case, nor an algorithm that we cannot check, passes as a digest."""
    with pytest.raises(InvalidReference):
        Digest(text)


@given(st.text())
def test_any_text_is_a_digest_or_an_error_of_ours(text: str) -> None:
    """No text makes the constructor raise anything else, or give something that is not itself."""
    with contextlib.suppress(InvalidReference):
        digest = Digest(text)
        assert digest == text
        assert digest.algorithm in {"sha256", "sha512"}


@given(st.binary(max_size=100), st.sampled_from(["sha256", "sha512"]))
def test_a_digest_is_what_hashlib_says(content: bytes, algorithm: str) -> None:
    """Both ways of making one agree with the library, and the parts with the whole."""
    digest = Digest.of(content, algorithm)
    hasher = digest.hasher()
    hasher.update(content)
    assert Digest.from_hasher(hasher) == digest
    assert digest == f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    assert f"{digest.algorithm}:{digest.hex}" == digest
    assert digest.hex.startswith(digest.short)


def test_a_digest_survives_copying_and_pickling() -> None:
    """It crosses process borders as what it is."""
    digest = Digest(EMPTY)
    for other in (copy.deepcopy(digest), pickle.loads(pickle.dumps(digest)), Digest(digest)):  # noqa: S301 - our own bytes
        assert other == digest
        assert isinstance(other, Digest)
