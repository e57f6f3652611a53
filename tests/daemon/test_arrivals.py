"""What a look into a drop folder makes of the files it finds."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from airgap.daemon.arrivals import (
    Candidate,
    Kind,
    Look,
    Seen,
    candidates,
    deliveries,
    is_settled,
    sending_channel,
)

NAMES = st.sampled_from(
    [
        "a.tar",
        "a.tar.sha256",
        "a.tar.001",
        "a.tar.002",
        "a.tar.p01",
        "a.tar.volumes.json",
        "b",
        "b.sha256",
        "plant-1.receipt",
        "notes.txt",
    ]
)
FILES = st.dictionaries(
    st.tuples(st.sampled_from(["/in", "/in/stick"]), NAMES).map(lambda pair: Path(*pair)),
    st.builds(Seen, st.integers(0, 3), st.integers(0, 3)),
)


def look(*names: str, size: int = 10) -> Look:
    """Return a look that found files of one size."""
    return {Path("/in", name): Seen(size, 1) for name in names}


def paths(found: list[Candidate]) -> list[tuple[str, Kind]]:
    """Return what was found, in short."""
    return [(str(candidate.path), candidate.kind) for candidate in found]


def test_a_bundle_is_one_only_with_its_checksum() -> None:
    """Which is written last."""
    assert candidates(look("a.tar")) == []
    assert candidates(look("a.tar.sha256")) == []
    assert paths(candidates(look("a.tar", "a.tar.sha256"))) == [("/in/a.tar", Kind.BUNDLE)]


def test_volumes_are_some_with_their_index() -> None:
    """One volume and the index are enough to begin with; the checksum of a set is not a bundle."""
    assert candidates(look("a.tar.001", "a.tar.sha256")) == []
    found = candidates(look("a.tar.002", "a.tar.p01", "a.tar.volumes.json", "a.tar.sha256"))
    assert paths(found) == [("/in/a.tar", Kind.VOLUMES)]
    assert len(found[0].files) == 4


def test_a_growing_file_is_not_settled() -> None:
    """Two looks must find the same size and time, of every file of it."""
    before, now = look("a.tar", "a.tar.sha256"), look("a.tar", "a.tar.sha256", size=20)
    (candidate,) = candidates(now)
    assert not is_settled(candidate, {}, now)
    assert not is_settled(candidate, before, now)
    assert not is_settled(candidate, look("a.tar.sha256", size=20), now)
    assert is_settled(candidate, now, now)


def test_volumes_on_two_sticks_are_one_delivery() -> None:
    """By the content of their index; single bundles are each their own, as one may be damaged."""
    now = {
        Path("/media/one/a.tar.001"): Seen(1, 1),
        Path("/media/one/a.tar.volumes.json"): Seen(1, 1),
        Path("/media/two/a.tar.002"): Seen(1, 1),
        Path("/media/two/a.tar.volumes.json"): Seen(1, 1),
    }
    (both,) = deliveries(dict.fromkeys(candidates(now), "same"), now)
    assert len(both.paths) == 4
    one = {path: seen for path, seen in now.items() if "one" in str(path)}
    (half,) = deliveries(dict.fromkeys(candidates(one), "same"), one)
    assert half.bundle == both.bundle
    assert half.fingerprint != both.fingerprint


def test_the_name_of_a_receipt_says_whose_it_is() -> None:
    """Channels may have hyphens."""
    assert sending_channel(Path("/in/north-plant-12.receipt")) == "north-plant"
    assert sending_channel(Path("/in/north-plant-12.request")) == "north-plant"


@given(FILES, FILES)
def test_whatever_lies_there_only_whole_things_are_settled(before: Look, now: Look) -> None:
    """Every file of a settled candidate was there twice, alike."""
    for candidate in candidates(now):
        assert candidate.key in now
        assert set(candidate.content) <= set(now)
        if is_settled(candidate, before, now):
            assert all(before[path] == now[path] for path in candidate.files)
