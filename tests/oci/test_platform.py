"""Platforms: spelling, matching, and what a choice of them takes of an index."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ContentMismatch, InvalidReference
from airgap.oci.json_object import JsonObject
from airgap.oci.platform import Platform
from airgap.oci.platform_filter import ALL_PLATFORMS, select_entries
from tests.support import images

_parts = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
platforms = st.builds(
    Platform, _parts, _parts, st.none() | _parts, st.none() | _parts, st.tuples(_parts)
)


@pytest.mark.parametrize(
    "text, read",
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/AMD64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm64/8", "linux/arm64/v8"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_common_spellings_are_normalised(text: str, read: str) -> None:
    """What uname and Debian call an architecture, Go's names stand for."""
    assert str(Platform.parse(text)) == read


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/amd 64", "linux/amd64\n", "lïnux/a"]
)
def test_what_is_not_a_platform_is_refused(text: str) -> None:
    """Two or three words between slashes, nothing else."""
    with pytest.raises(InvalidReference):
        Platform.parse(text)


@pytest.mark.parametrize(
    "there, wanted, taken",
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64/v9", "linux/arm64/v8", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm", "linux/arm/v6", False),
        ("linux/arm/v6", "linux/arm", True),
        ("linux/amd64", "linux/amd64/v1", True),
        ("linux/amd64/v3", "linux/amd64", True),
        ("linux/amd64/v3", "linux/amd64/v1", False),
    ],
)
def test_variants_match_as_containerd_has_them(there: str, wanted: str, *, taken: bool) -> None:
    """Asking without variant takes every one; a missing variant is the architecture's default."""
    assert Platform.parse(there).matches(Platform.parse(wanted)) is taken


def test_windows_versions_match_only_where_one_is_wanted() -> None:
    """Windows images differ by the build of the system they run on."""
    there = Platform("windows", "amd64", os_version="10.0.17763.1")
    assert there.matches(Platform("windows", "amd64"))
    assert not there.matches(dataclasses.replace(there, os_version="10.0.20348.1"))


@given(platforms)
def test_a_platform_survives_json(platform: Platform) -> None:
    """Written and read again, it is the same, whatever fields it has."""
    assert Platform.from_json(JsonObject(platform.to_json(), "platform")) == platform


@given(platforms)
def test_a_platform_matches_itself(platform: Platform) -> None:
    """Whatever an index says can be asked for."""
    assert platform.matches(platform)


def test_a_platform_of_the_wrong_type_is_refused() -> None:
    """An index from outside may say anything."""
    with pytest.raises(ContentMismatch):
        Platform.from_json(JsonObject({"os": ["linux"], "architecture": "amd64"}, "platform"))


def test_no_choice_takes_the_whole_index() -> None:
    """Nothing is left out unless somebody asked for that."""
    built = images.index({"linux/amd64": images.image([]), "linux/arm64": images.image([])})
    chosen = select_entries(built.root, ALL_PLATFORMS)
    assert chosen.taken == built.root.manifests
    assert chosen.left_out == ()


def test_attestations_go_with_the_image_that_they_attest() -> None:
    """BuildKit's entries have no platform of their own; their annotation names the image."""
    amd, arm = images.image([], author="amd"), images.image([], author="arm")
    index = images.index({"linux/amd64": amd, "linux/arm64": arm, "unknown/unknown": amd}).root
    attestation = dataclasses.replace(
        index.manifests[2],
        platform=Platform.parse("unknown/unknown"),
        annotations={"vnd.docker.reference.digest": arm.digest},
    )
    index = dataclasses.replace(index, manifests=(*index.manifests[:2], attestation))
    chosen = select_entries(index, frozenset({Platform.parse("linux/arm64")}))
    assert [entry.platform for entry in chosen.taken] == [
        Platform.parse("linux/arm64"),
        Platform.parse("unknown/unknown"),
    ]
    assert [str(entry.platform) for entry in chosen.left_out] == ["linux/amd64"]


def test_an_entry_without_platform_is_always_taken() -> None:
    """Nothing says that it is not wanted."""
    index = images.index({"linux/amd64": images.image([])}).root
    bare = dataclasses.replace(index.manifests[0], platform=None)
    index = dataclasses.replace(index, manifests=(bare,))
    assert select_entries(index, frozenset({Platform.parse("linux/s390x")})).taken == (bare,)
