"""``manifest.json`` offers each image once, in one platform, and only what can be loaded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle.docker_manifest import (
    DockerManifest,
    LoadableImage,
    encode_docker_manifest,
    make_docker_manifest,
)
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository
from tests.bundle.samples import roots_of
from tests.support import images
from tests.support.memory import MemorySource


async def made(source: MemorySource, *, without: Digest | None = None) -> DockerManifest:
    """Make the manifest for everything that a source has."""
    inside = frozenset(source.blobs) - {without}
    return await make_docker_manifest(source, roots_of(source), inside)


def entries(manifest: DockerManifest) -> list[dict[str, Any]]:
    """Return the images that a loader finds."""
    found: list[dict[str, Any]] = json.loads(manifest.raw)
    return found


@pytest.mark.parametrize(
    "platforms, chosen",
    [
        (["linux/arm64", "linux/amd64", "windows/amd64"], "linux/amd64"),
        (["windows/amd64", "linux/arm64"], "linux/arm64"),
        (["linux/s390x", "linux/riscv64"], "linux/s390x"),
        (["unknown/unknown", "windows/amd64"], "windows/amd64"),
    ],
)
async def test_an_index_is_represented_by_one_platform(platforms: list[str], chosen: str) -> None:
    """The first of amd64, arm64, anything else, whatever machine packs it."""
    built = {p: images.image([images.random_layer(n)], platform=p) for n, p in enumerate(platforms)}
    manifest = await made(MemorySource({"a:1": images.index(built)}))
    (entry,) = entries(manifest)
    config = built[chosen].root.config
    assert config is not None
    assert entry["Config"] == f"blobs/sha256/{config.digest.hex}"
    assert not manifest.left_out


async def test_a_platform_that_stays_behind_is_not_chosen() -> None:
    """A sparse index is represented by what of it is inside."""
    parts = {
        "linux/amd64": images.image([images.random_layer(1)]),
        "linux/arm64": images.image([images.random_layer(2)], platform="linux/arm64"),
    }
    source = MemorySource({"a:1": images.index(parts, absent=["linux/amd64"])})
    (entry,) = entries(await made(source))
    arm = parts["linux/arm64"].root.config
    assert arm is not None
    assert entry["Config"].endswith(arm.digest.hex)


async def test_names_of_one_image_stand_together() -> None:
    """An image with two names is one entry; the same image under a digest alone adds none."""
    built = images.image([images.random_layer(1)])
    source = MemorySource({"a:1": built, "a:2": built, "quay.io/b:1": built})
    source.roots[Reference(Repository.parse("a"), digest=built.digest)] = built
    (entry,) = entries(await made(source))
    assert entry["RepoTags"] == [
        "docker.io/library/a:1",
        "docker.io/library/a:2",
        "quay.io/b:1",
    ]


async def test_an_untagged_image_has_no_name() -> None:
    """It can still be loaded, and then has its id only."""
    built = images.image([images.random_layer(1)])
    source = MemorySource({})
    source.blobs.update({**built.blobs, built.digest: built.root.raw})
    source.roots[Reference(Repository.parse("a"), digest=built.digest)] = built
    (entry,) = entries(await made(source))
    assert entry["RepoTags"] is None


async def test_what_cannot_be_loaded_is_left_out_with_the_reason() -> None:
    """Artifacts, images without one of their layers, configs that do not fit their layers."""
    whole = images.image([images.random_layer(1)])
    layers = [images.random_layer(2), images.random_layer(3)]
    broken = images.image(layers)
    source = MemorySource(
        {"whole:1": whole, "broken:1": broken, "sbom:1": images.artifact(b"sbom")}
    )
    manifest = await made(source, without=layers[1].descriptor.digest)
    assert [e["RepoTags"] for e in entries(manifest)] == [["docker.io/library/whole:1"]]
    reasons = {str(r): reason for r, reason in manifest.left_out.items()}
    assert "not inside" in reasons["docker.io/library/broken:1"]
    assert "artifact" in reasons["docker.io/library/sbom:1"]


DIGESTS = st.binary(min_size=1, max_size=3).map(Digest.of)
IMAGES = st.builds(
    LoadableImage,
    DIGESTS,
    st.lists(DIGESTS, max_size=5).map(tuple),
    st.lists(st.from_regex(r"[a-z]{1,9}:[0-9]", fullmatch=True).map(Reference.parse)).map(tuple),
)


@given(st.lists(IMAGES), st.integers(200, 2000))
def test_the_limit_is_kept_and_what_it_costs_is_said(
    wanted: list[LoadableImage], limit: int
) -> None:
    """Images are left out whole and with a reason; the others keep their order."""
    encoded = encode_docker_manifest(wanted, limit)
    assert len(encoded.raw) <= limit
    kept = [i.config.hex for i in wanted]
    found = [entry["Config"].rpartition("/")[2] for entry in entries(encoded)]
    iterator = iter(kept)
    assert all(config in iterator for config in found)
    if len(found) < len(wanted):
        return
    assert not encoded.left_out
