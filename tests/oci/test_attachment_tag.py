"""Tags that name what belongs to an image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.oci.attachment_tag import (
    AttachmentKind,
    cosign_tags,
    only_attachments,
    parse_attachment_tag,
    signature_tag,
)
from airgap.oci.digest import Digest
from airgap.oci.reference import is_tag

HEX = "0123456789abcdef" * 4
digests = st.binary(min_size=1, max_size=9).map(Digest.of)


@given(digests)
def test_a_tag_that_is_made_is_read_back(digest: Digest) -> None:
    """Every one is a valid tag, and says whose it is."""
    for tag in cosign_tags(digest):
        found = parse_attachment_tag(tag)
        assert is_tag(tag)
        assert found is not None
        assert found.subject == digest
    assert signature_tag(digest) in cosign_tags(digest)


@pytest.mark.parametrize(
    "tag,kind",
    [
        (f"sha256-{HEX}.sig", AttachmentKind.SIGNATURE),
        (f"sha256-{HEX}.att", AttachmentKind.ATTESTATION),
        (f"sha256-{HEX}.sbom", AttachmentKind.SBOM),
        (f"sha256-{HEX}", AttachmentKind.REFERRERS),
        (f"sha512-{HEX}", AttachmentKind.REFERRERS),
    ],
)
def test_the_suffix_says_what_it_is(tag: str, kind: AttachmentKind) -> None:
    """As cosign and the distribution specification have it."""
    found = parse_attachment_tag(tag)
    assert found is not None
    assert found.kind is kind
    assert (tag in only_attachments([tag])) is (kind is not AttachmentKind.REFERRERS)


@pytest.mark.parametrize(
    "tag",
    [
        "latest",
        "sha256-abc.sig",
        f"sha256-{HEX}.txt",
        f"sha256-{HEX.upper()}.sig",
        f"v1-sha256-{HEX}.sig",
        f"sha256-{HEX}0.sig",
        f"sha512-{HEX}.sig",
        f"sha256-{HEX}.sig\n",
    ],
)
def test_ordinary_tags_are_none(tag: str) -> None:
    """Only the very form counts: a commit's hash is a tag like any other."""
    assert parse_attachment_tag(tag) is None


@given(st.text())
def test_any_text_is_read_or_not(text: str) -> None:
    """Nothing that a registry lists makes it fail."""
    parse_attachment_tag(text)


def test_a_longer_digest_has_no_tag() -> None:
    """A tag has 128 characters, too few for sha512 and a suffix."""
    assert cosign_tags(Digest.of(b"", "sha512")) == ()
