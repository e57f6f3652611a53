"""The index of a set of volumes, and the names and sizes of volumes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle.volumes import (
    MAX_CODED,
    MAX_INDEX_SIZE,
    MAX_PARITY,
    MAX_VOLUMES,
    Again,
    Volume,
    VolumeCut,
    VolumeId,
    VolumeIndex,
    VolumeKind,
    data_volume,
    decode_index,
    encode_index,
    is_set_name,
    listed,
    parity_volume,
    read_file_name,
    volume_count,
)
from airgap.errors import AirgapError, ContentMismatch, UsageError
from airgap.oci.digest import Digest

INSIDE = Digest.of(b"bundle.json")
CREATED = "2026-11-24T12:00:00Z"


def volume(place: VolumeId, size: int) -> Volume:
    """Return a volume with a digest of its own."""
    return Volume(place, size, Digest.of(f"{place} {size}".encode()))


def index_of(count: int = 3, size: int = 2000, last: int = 500, parity: int = 0) -> VolumeIndex:
    """Return an index of a set that could have been written."""
    sizes = [size] * (count - 1) + [last]
    return VolumeIndex(
        "bundle.tar",
        size,
        tuple(volume(data_volume(i + 1), bytes_) for i, bytes_ in enumerate(sizes)),
        tuple(volume(parity_volume(i + 1), sizes[0]) for i in range(parity)),
        INSIDE,
        CREATED,
    )


def indices() -> st.SearchStrategy[VolumeIndex]:
    """Return every kind of index that can be written."""

    def build(count: int, size: int, last: int, parity: int, name: str) -> VolumeIndex:
        index = index_of(count, size, min(last, size), min(parity, MAX_CODED - count))
        return replace(index, name=name)

    return st.builds(
        build,
        st.integers(1, 60),
        st.integers(1024, 1 << 40),
        st.integers(1, 1 << 40),
        st.integers(0, MAX_PARITY),
        st.text(min_size=1, max_size=50).filter(is_set_name).filter(lambda t: t.isprintable()),
    )


@given(indices())
def test_an_index_is_read_as_it_was_written(index: VolumeIndex) -> None:
    """Encoding and decoding give the same value, and the same bytes again."""
    raw = encode_index(index)
    assert decode_index(raw, "file") == index
    assert encode_index(decode_index(raw, "file")) == raw


@given(indices(), st.data())
def test_a_changed_index_is_refused_or_harmless(index: VolumeIndex, data: st.DataObject) -> None:
    """A byte changed anywhere never changes what a volume must be."""
    raw = bytearray(encode_index(index))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_index(bytes(raw), "file")
    except ContentMismatch:
        return
    assert (found.data, found.parity) == (index.data, index.parity)


@given(st.binary(max_size=200))
def test_no_bytes_are_an_index_by_chance(raw: bytes) -> None:
    """Anything else is refused with an error of ours."""
    with pytest.raises(ContentMismatch):
        decode_index(raw, "file")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(
        ["format", "set", "name", "created", "bundleJson", "volumeSize", "data", "parity"]
    ),
    json_values,
)
def test_a_field_of_another_kind_is_refused(key: str, value: object) -> None:
    """Whatever stands in a field, reading ends with a value or an error of ours."""
    document = json.loads(encode_index(index_of(parity=1)))
    document[key] = value
    try:
        found = decode_index(json.dumps(document).encode(), "file")
    except ContentMismatch:
        return
    assert found.data == index_of().data


HOSTILE = {
    "another format": {"format": 2},
    "a path for a name": {"name": "../../etc/passwd"},
    "a hidden name": {"name": ".bashrc"},
    "a name with a NUL": {"name": "a\0b"},
    "no volumes": {"data": []},
    "a time that is none": {"created": "yesterday"},
    "tiny volumes": {"volumeSize": 1},
    "volumes beyond any file": {"volumeSize": 1 << 63},
    "another set's id": {"set": "0" * 32},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_index_is_refused(change: dict[str, object]) -> None:
    """Names that lead elsewhere and sizes that cannot be are refused before any file is opened."""
    document = json.loads(encode_index(index_of())) | change
    with pytest.raises(ContentMismatch):
        decode_index(json.dumps(document).encode(), "file")


def test_an_endless_index_is_refused() -> None:
    """Its size is bounded before it is parsed."""
    with pytest.raises(ContentMismatch, match="allowed"):
        decode_index(b" " * (MAX_INDEX_SIZE + 1), "file")


def rejected(index: VolumeIndex) -> bool:
    """Tell whether an index is refused when it is read."""
    try:
        decode_index(encode_index(index), "file")
    except ContentMismatch:
        return True
    return False


def test_volumes_out_of_order_twice_or_of_odd_sizes_are_refused() -> None:
    """An index agrees with itself, whoever computed its set id."""
    index = index_of(4, parity=1)
    a, b, c, d = index.data
    assert rejected(replace(index, data=(b, a, c, d)))
    assert rejected(replace(index, data=(a, b, b, d)))
    assert rejected(replace(index, data=(a, c, d)))
    assert rejected(replace(index, data=(a, replace(b, size=1999), c, d)))
    assert rejected(replace(index, data=(a, b, c, replace(d, size=2001))))
    assert rejected(replace(index, parity=(replace(index.parity[0], size=1),)))
    sha512 = Digest.of(b"", "sha512")
    assert rejected(replace(index, data=(a, replace(b, digest=sha512), c, d)))
    assert rejected(index_of(MAX_VOLUMES + 1))
    assert rejected(index_of(MAX_CODED, parity=1))
    assert not rejected(index_of(MAX_VOLUMES))
    assert not rejected(index_of(MAX_CODED - 1, parity=1))


def test_the_set_id_depends_on_every_volume() -> None:
    """Two sets with one differing volume have different ids; the name does not matter."""
    index = index_of()
    other = replace(index, data=(*index.data[:2], replace(index.data[2], digest=INSIDE)))
    assert index.set_id != other.set_id
    assert index.set_id == replace(index, name="other").set_id


@given(st.sampled_from(VolumeKind), st.integers(1, 99), st.text(min_size=1, max_size=20))
def test_file_names_are_read_back(kind: VolumeKind, number: int, name: str) -> None:
    """A volume's name gives the set's name and the volume's place."""
    place = VolumeId(kind, number)
    assert read_file_name(place.file_name(name)) == (name, place)


@pytest.mark.parametrize(
    "name", ["b.tar", "b.tar.1", "b.tar.0001", "b.tar.000", ".001", "b.p1", "b.p00", "b.sha256"]
)
def test_other_names_are_no_volumes(name: str) -> None:
    """What does not end in three digits, or in p and two, is something else."""
    assert read_file_name(name) is None


@given(st.text(max_size=30))
def test_any_name_can_be_asked(name: str) -> None:
    """No file name makes reading it fail."""
    found = read_file_name(name)
    assert found is None or found[1].file_name(found[0]) == name


@given(st.integers(1, 10**9), st.integers(1024, 10**7), st.integers(0, MAX_PARITY))
def test_a_cut_is_refused_before_the_first_byte(size: int, volume_size: int, parity: int) -> None:
    """A bundle passes exactly where its volumes can be counted and, with parity, coded."""
    cut = VolumeCut(volume_size, parity)
    count = volume_count(size, volume_size)
    allowed = count <= (min(MAX_VOLUMES, MAX_CODED - parity) if parity else MAX_VOLUMES)
    if allowed:
        cut.check(size)
    else:
        with pytest.raises(UsageError, match=r"at least|more than"):
            cut.check(size)


@pytest.mark.parametrize("cut", [VolumeCut(1000), VolumeCut(5000, MAX_PARITY + 1)])
def test_a_cut_has_bounds(cut: VolumeCut) -> None:
    """Tiny volumes and endless parity are refused."""
    with pytest.raises(UsageError):
        cut.check(10)


def test_only_volumes_that_there_are_can_be_made_again() -> None:
    """The refusal names the volumes that the set does not have."""
    only = frozenset({data_volume(1), data_volume(4), data_volume(9), parity_volume(7)})
    with pytest.raises(UsageError, match="no volumes 4, 9 and parity volume 7"):
        Again(index_of(), only)


def test_numbers_are_listed_as_a_person_reads_them() -> None:
    """Neighbours are joined, and parity volumes come last."""
    numbers = [data_volume(n) for n in (7, 1, 2, 3, 5)]
    assert listed(numbers) == "volumes 1-3, 5, 7"
    assert listed([data_volume(2)]) == "volume 2"
    assert listed([parity_volume(1), data_volume(4)]) == "volume 4 and parity volume 1"
    assert listed([]) == ""


@given(st.sets(st.integers(1, 50)))
def test_a_list_names_every_number_once(numbers: set[int]) -> None:
    """What is listed, written out, is what was given."""
    text = listed([data_volume(number) for number in numbers]).rpartition("volume")[2].lstrip("s ")
    found: list[int] = []
    for part in text.split(", ") if text else []:
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    assert found == sorted(numbers)


@given(st.integers(0, 7000))
def test_an_offset_leads_to_its_volume(offset: int) -> None:
    """Every byte is in the volume that the cut put it into."""
    index = index_of(4)
    assert index.volume_at(offset).id.number == min(offset // 2000 + 1, 4)


def test_errors_of_an_index_are_ours() -> None:
    """Errors name the file that a person can look at."""
    with pytest.raises(AirgapError, match=r"stick/b\.volumes\.json"):
        decode_index(b"{}", "stick/b.volumes.json")
