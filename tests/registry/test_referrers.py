"""What refers to a manifest: by the API, and by the tag that stands in for it."""

from __future__ import annotations

import asyncio

import pytest

from airgap.errors import RegistryFault
from airgap.oci.digest import Digest
from airgap.registry.client import RegistryClient
from airgap.registry.referrers import fallback_tag
from tests.support import images
from tests.support.images import BuiltImage
from tests.support.registry_faults import Answer
from tests.support.scripted_registry import ScriptedRegistry

IMAGE = images.image([images.random_layer(1)])
SBOMS = [
    images.artifact(f"sbom {number}".encode(), subject=IMAGE.root.descriptor) for number in range(4)
]


async def push_manifest(
    scripted: ScriptedRegistry, client: RegistryClient, built: BuiltImage
) -> None:
    """Put a manifest whose blobs are there."""
    scripted.content("team/app").blobs.update({str(d): b for d, b in built.blobs.items()})
    await client.put_manifest(scripted.repository("team/app"), built.root)


async def test_the_api_lists_them(scripted: ScriptedRegistry, client: RegistryClient) -> None:
    """One request, and nothing where there are none."""
    repository = scripted.add("team/app:1", IMAGE)
    assert await client.referrers(repository, IMAGE.digest) == ()
    scripted.add("team/app", SBOMS[0])
    assert await client.referrers(repository, IMAGE.digest) == (SBOMS[0].root.descriptor,)
    assert scripted.count() == 2


async def test_a_registry_with_the_api_needs_no_fallback_tag(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """``OCI-Subject`` says that it has taken note."""
    scripted.add("team/app:1", IMAGE)
    await push_manifest(scripted, client, SBOMS[0])
    assert set(scripted.content("team/app").tags) == {"1"}


async def test_the_fallback_tag_lists_them_where_there_is_no_api(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Several at once do not overwrite each other, and the API is asked for only once."""
    scripted.habits.referrers_api = False
    repository = scripted.add("team/app:1", IMAGE)
    await asyncio.gather(*(push_manifest(scripted, client, sbom) for sbom in SBOMS))
    await push_manifest(scripted, client, SBOMS[0])
    assert fallback_tag(IMAGE.digest) in scripted.content("team/app").tags
    for _ in range(2):
        found = await client.referrers(repository, IMAGE.digest)
        assert {one.digest for one in found} == {sbom.digest for sbom in SBOMS}
        assert all(one.artifact_type == "application/vnd.example.sbom.v1" for one in found)
    assert scripted.count("GET", "/referrers/") == 1


async def test_without_api_and_tag_there_are_none(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A missing tag is an empty list."""
    scripted.habits.referrers_api = False
    repository = scripted.add("team/app:1", IMAGE)
    assert await client.referrers(repository, IMAGE.digest) == ()


async def test_an_answer_that_is_no_index_is_no_api(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A web page with status 200 is what some servers say of unknown paths."""
    repository = scripted.add("team/app:1", IMAGE)
    page = Answer(200, {"Content-Type": "text/html"}, b"<html>welcome</html>")
    scripted.fail(page, path="/referrers/", times=None)
    assert await client.referrers(repository, IMAGE.digest) == ()


async def test_a_fallback_tag_that_is_no_index_is_a_fault(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """It is somebody's image, which is neither read as a list nor overwritten."""
    scripted.habits.referrers_api = False
    tag = fallback_tag(IMAGE.digest)
    repository = scripted.add(f"team/app:{tag}", IMAGE)
    with pytest.raises(RegistryFault, match="not an index of referrers"):
        await client.referrers(repository, IMAGE.digest)
    with pytest.raises(RegistryFault, match="not an index of referrers"):
        await push_manifest(scripted, client, SBOMS[0])
    assert scripted.content("team/app").tags == {tag: IMAGE.digest}


def test_a_fallback_tag_is_a_tag_for_every_algorithm() -> None:
    """The hex of sha512 is cut, as the specification has it."""
    assert fallback_tag(Digest.of(b"x")) == f"sha256-{Digest.of(b'x').hex}"
    long = Digest.of(b"x", "sha512")
    assert fallback_tag(long) == f"sha512-{long.hex[:64]}"
