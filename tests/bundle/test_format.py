"""``bundle.json`` says the same after it was written and read, and always in the same order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle.format import (
    BundleBase,
    BundleManifest,
    BundleReference,
    Change,
    Kind,
    decode_bundle_json,
    encode_bundle_json,
)
from airgap.content.plan import PlannedItem, in_travel_order
from airgap.errors import ContentMismatch
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.oci.reference import Reference, Repository

DIGESTS = st.builds(
    Digest.of,
    st.binary(min_size=1, max_size=4),
    st.sampled_from(["sha256", "sha512"]),
)
MEDIA_TYPES = st.text(min_size=1, max_size=20)
DESCRIPTORS = st.builds(Descriptor, MEDIA_TYPES, DIGESTS, st.integers(0, 4 * 1024 * 1024))
ITEMS = st.builds(PlannedItem, DESCRIPTORS, st.sampled_from(Role))
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
TIMES = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis wants it naive, and adds UTC
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))


@st.composite
def bundle_manifests(draw: st.DrawFn) -> BundleManifest:
    """Draw what a bundle may say of itself."""
    blobs = in_travel_order(draw(st.lists(ITEMS, max_size=8)))
    manifests = [item.descriptor for item in blobs if item.role is Role.MANIFEST]
    channel = draw(st.none() | IDS)
    sequence = draw(st.integers(2)) if channel is not None else None
    base = None
    if sequence is not None and draw(st.booleans()):
        digests = tuple(draw(st.lists(DIGESTS)))
        base = BundleBase(draw(st.integers(1, sequence - 1)), draw(IDS), digests)
    names = draw(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), unique=True, max_size=5))
    references = []
    for name in names:
        change = draw(st.sampled_from(Change)) if manifests else Change.REMOVED
        target = draw(DESCRIPTORS if change is Change.REMOVED else st.sampled_from(manifests))
        repository = Repository.parse(name)
        reference = draw(
            st.sampled_from(
                [Reference(repository, "1.10"), Reference(repository, digest=target.digest)]
            )
        )
        references.append(BundleReference(reference, target, change, draw(st.none() | DIGESTS)))
    return BundleManifest(
        id=draw(IDS),
        created=draw(TIMES),
        tool=draw(st.text(max_size=30)),
        docker_manifest=Descriptor(
            "application/json", draw(DIGESTS), draw(st.integers(0, 1 << 20))
        ),
        references=tuple(references),
        blobs=blobs,
        omitted=tuple(draw(st.lists(DIGESTS, max_size=3))),
        channel=channel,
        sequence=sequence,
        kind=Kind.FULL if base is None else Kind.INCREMENTAL,
        base=base,
    )


@given(bundle_manifests())
def test_what_is_written_can_be_read(manifest: BundleManifest) -> None:
    """Decoding what was encoded gives the same value; encoding it again gives the same bytes."""
    raw = encode_bundle_json(manifest)
    assert raw.isascii()
    assert decode_bundle_json(raw) == manifest
    assert encode_bundle_json(decode_bundle_json(raw)) == raw


@given(bundle_manifests())
def test_keys_stand_in_a_fixed_order(manifest: BundleManifest) -> None:
    """The head of the document comes first, so that a person sees it; blobs come last."""
    assert list(json.loads(encode_bundle_json(manifest))) == [
        *("format", "id", "channel", "sequence", "created", "tool", "kind", "base"),
        *("dockerManifest", "references", "omitted", "blobs"),
    ]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_other_bytes_are_a_mismatch(raw: bytes) -> None:
    """Nothing but a ``bundle.json`` is read as one, and nothing ends in another error."""
    with pytest.raises(ContentMismatch):
        decode_bundle_json(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(bundle_manifests(), st.data())
def test_any_value_in_any_place_is_read_or_refused(
    manifest: BundleManifest, data: st.DataObject
) -> None:
    """A field of another kind ends in one kind of error, and never in a crash."""
    document = json.loads(encode_bundle_json(manifest))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if place[key] and isinstance(place[key], dict | list) and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(JSON)
        break
    try:
        decode_bundle_json(json.dumps(document).encode())
    except ContentMismatch as error:
        where = error.thing
    else:
        where = "bundle.json"
    assert "bundle.json" in where


@pytest.mark.parametrize("value", [b"[]", b"{}", b'"aa"', b"1.5", b'{"a":[{}]}'])
def test_a_document_of_nothing_but_small_values_is_not_parsed(value: bytes) -> None:
    """As Python objects it would take 24 times its length; it is refused before that."""
    raw = b'{"format":1,"more":[' + (value + b",") * (4_000_000 // len(value)) + b"0]}"
    with pytest.raises(ContentMismatch, match="far more values"):
        decode_bundle_json(raw)


def test_the_densest_bundle_json_is_read() -> None:
    """Tens of thousands of blobs, each with the shortest line that there can be."""
    digests = [Digest.of(str(number).encode()) for number in range(20_000)]
    manifest = BundleManifest(
        "x",
        datetime(2026, 11, 24, tzinfo=UTC),
        "t",
        Descriptor("a/b", digests[0], 3),
        (),
        tuple(PlannedItem(Descriptor("a/b", digest, 1), Role.LAYER) for digest in digests),
    )
    raw = encode_bundle_json(manifest)
    assert len(raw) > 1024 * 1024
    assert decode_bundle_json(raw) == manifest
