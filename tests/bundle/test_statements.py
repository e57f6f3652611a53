"""Receipts and requests, written, signed, read, and hostile."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle.keys import PrivateKey
from airgap.bundle.signatures import SignaturePolicy, signer
from airgap.bundle.statements import (
    MAX_LISTED,
    BundleName,
    ContentSum,
    Receipt,
    Request,
    decode_statement,
    encode_statement,
)
from airgap.errors import ContentMismatch, Refused
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.usecases.statements import require_signatures
from tests.support.command import run

DIGESTS = st.binary(max_size=6).map(Digest.of)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
BUNDLES = st.builds(BundleName, st.integers(1), IDS, DIGESTS)
REFERENCES = st.from_regex(r"[a-z]{1,8}", fullmatch=True).map(
    lambda name: Reference.parse(f"{name}:1")
)
DESCRIPTORS = st.builds(Descriptor, st.just("application/json"), DIGESTS, st.integers(0, 1 << 40))
TIMES = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants it naive, and adds UTC
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
RECEIPTS = st.builds(
    Receipt,
    IDS,
    BUNDLES,
    TIMES,
    st.dictionaries(REFERENCES, DESCRIPTORS, max_size=4),
    st.frozensets(DIGESTS, max_size=6).map(ContentSum.of),
)
REQUESTS = st.builds(
    Request,
    IDS,
    BUNDLES,
    st.none() | BUNDLES,
    st.frozensets(DIGESTS, max_size=6).map(lambda found: tuple(sorted(found))),
)


@given(RECEIPTS | REQUESTS)
def test_what_is_written_is_read(said: Receipt | Request) -> None:
    """With the exact bytes that a signature would be over: the first line."""
    raw = encode_statement(said)
    statement = decode_statement(raw, "file")
    assert statement.said == said
    assert statement.signed == raw
    assert statement.signatures == {}


@given(st.binary(max_size=200) | RECEIPTS.map(encode_statement).flatmap(
    lambda raw: st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 7)).map(
        lambda at: raw[: at[0]] + bytes([raw[at[0]] ^ (1 << at[1])]) + raw[at[0] + 1 :]
    )
))  # fmt: skip
def test_hostile_statements_are_refused_or_read(raw: bytes) -> None:
    """Any bytes are a statement or a ``ContentMismatch``, and nothing else."""
    with contextlib.suppress(ContentMismatch):
        decode_statement(raw, "file")


def test_a_receipt_does_not_list_more_digests_than_it_sums_up() -> None:
    """The list must have the sum that stands beside it."""
    said = Receipt(
        "plant",
        BundleName(1, "one", Digest.of(b"1")),
        datetime(2026, 11, 24, tzinfo=UTC),
        {},
        ContentSum.of([Digest.of(b"a")]),
    )
    raw = encode_statement(said).replace(Digest.of(b"a").encode(), Digest.of(b"b").encode())
    with pytest.raises(ContentMismatch, match="other digests than it sums up"):
        decode_statement(raw, "file")


def test_a_long_list_is_left_out_and_the_sum_stays() -> None:
    """A receipt stays small whatever the store holds."""
    digests = [Digest.of(str(number).encode()) for number in range(MAX_LISTED + 1)]
    assert ContentSum.of(digests).digests is None
    assert ContentSum.of(digests).count == MAX_LISTED + 1
    assert len(ContentSum.of(digests[1:]).digests or ()) == MAX_LISTED


def test_signatures_are_required_where_keys_are_trusted() -> None:
    """Unsigned, signed by another, changed after signing: refused; signed by the right one: not."""
    key, other = PrivateKey.generate("plant"), PrivateKey.generate("other")
    policy = SignaturePolicy((key.public,))
    said = Request("plant", BundleName(2, "two", Digest.of(b"2")), None, (Digest.of(b"x"),))
    require_signatures(decode_statement(encode_statement(said, signer([key])), "f"), "f", policy)
    for raw in (encode_statement(said), encode_statement(said, signer([other]))):
        with pytest.raises(Refused):
            require_signatures(decode_statement(raw, "f"), "f", policy)
    changed = encode_statement(said, signer([key])).replace(b'"sequence":2', b'"sequence":3')
    with pytest.raises(Refused, match="does not fit"):
        require_signatures(decode_statement(changed, "f"), "f", policy)


async def test_openssl_checks_a_receipt(tmp_path: Path) -> None:
    """The first line is what was signed, and the second has the signature."""
    key = PrivateKey.generate("plant")
    said = Request("plant", BundleName(2, "two", Digest.of(b"2")), None, ())
    raw = encode_statement(said, signer([key]))
    first, second = raw.splitlines(keepends=True)
    (tmp_path / "plant.pub").write_bytes(key.public.pem)
    (tmp_path / "line").write_bytes(first)
    encoded = json.loads(second)["signatures"][key.public.id]
    (tmp_path / "sig").write_bytes(base64.b64decode(encoded))
    done = await run(
        *("openssl", "dgst", "-sha256", "-verify", str(tmp_path / "plant.pub")),
        *("-signature", str(tmp_path / "sig"), str(tmp_path / "line")),
    )
    assert done.out.strip() == "Verified OK", done.err
