"""Names, manifests and listings from a scripted registry."""

from __future__ import annotations

import pytest

from airgap.errors import ContentMismatch, NotFound, RegistryFault, Unsupported
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.registry.client import RegistryClient
from tests.support import images
from tests.support.registry_clients import Told
from tests.support.registry_faults import Answer, Change
from tests.support.scripted_registry import ScriptedRegistry

IMAGE = images.image([images.random_layer(1)])
ROOT = IMAGE.root.descriptor


async def test_a_tag_is_resolved_with_one_head(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """An unchanged tag costs one request without a body."""
    repository = scripted.add("team/app:1", IMAGE)
    assert await client.resolve(Reference(repository, "1")) == ROOT
    assert [(seen.method, seen.sent) for seen in scripted.requests] == [("HEAD", 0)]
    assert "image.index" in scripted.requests[0].headers["Accept"]
    assert scripted.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "lacking", ["Docker-Content-Digest", "Content-Type", "Content-Length", "everything"]
)
async def test_a_head_that_does_not_tell_all_is_followed_by_a_get(
    scripted: ScriptedRegistry, client: RegistryClient, lacking: str
) -> None:
    """Digest, size and type are then those of the bytes; which are not read a second time."""
    repository = scripted.add("team/app:1", IMAGE)
    names = ["Docker-Content-Digest", "Content-Type"] if lacking == "everything" else [lacking]
    change: dict[str, str | None] = dict.fromkeys(names)
    if lacking == "Content-Length":
        change = {"Content-Length": "0"}
    scripted.fail(Change(change), "HEAD")
    found = await client.resolve(Reference(repository, "1"))
    assert found == ROOT
    assert await client.read_manifest(repository, found) == IMAGE.root.raw
    assert [seen.method for seen in scripted.requests] == ["HEAD", "GET"]


async def test_a_registry_without_head_is_asked_with_get(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """405 is no reason to fail."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.fail(Answer(405), "HEAD")
    assert await client.resolve(Reference(repository, "1")) == ROOT


async def test_a_digest_is_resolved_to_itself(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Whatever the registry's header says, the digest that was asked for counts."""
    repository = scripted.add("team/app", IMAGE)
    scripted.fail(Change({"Docker-Content-Digest": str(Digest.of(b"lie"))}), "HEAD")
    assert await client.resolve(Reference(repository, digest=ROOT.digest)) == ROOT


async def test_what_is_not_there_is_named_with_the_registrys_reason(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """The error says which image, and what the registry says of it."""
    with pytest.raises(NotFound, match=r"team/app.*404 Not Found"):
        await client.resolve(Reference(scripted.repository("team/app"), "1"))
    with pytest.raises(NotFound, match="manifest unknown to team/app"):
        await client.read_manifest(scripted.repository("team/app"), ROOT)
    assert scripted.count() == 2


async def test_a_manifest_with_other_bytes_is_refused(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A registry that goes on lying about a digest is told apart from one that slipped once."""
    repository = scripted.add("team/app:1", IMAGE)
    rule = scripted.fail(Answer(200, {}, b"{}"), "GET", "manifests", times=1)
    assert await client.read_manifest(repository, ROOT) == IMAGE.root.raw
    rule.times = None
    with pytest.raises(ContentMismatch, match="hashes to sha256:44136fa"):
        await client.read_manifest(repository, ROOT)


async def test_a_manifest_over_four_mebibytes_is_refused(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Memory does not grow with what a registry sends."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.fail(Answer(200, {}, bytes(5 * 1024 * 1024)), "GET", times=None)
    with pytest.raises(RegistryFault, match="more than 4194304 bytes"):
        await client.read_manifest(repository, ROOT)
    assert scripted.count() == 1


async def test_every_page_of_tags_is_read(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """The listing follows the links to its end, and asks for no more than 1,000 at once."""
    expected = [f"v{number}" for number in range(10)]
    for tag in expected:
        repository = scripted.add(f"team/app:{tag}", IMAGE)
    scripted.habits.page = 3
    assert [tag async for tag in client.tags(repository)] == expected
    assert scripted.count("GET", "tags/list") == 4
    assert scripted.requests[0].path.endswith("?n=1000")


@pytest.mark.parametrize("body", [b'{"name":"x","tags":null}', b'{"name":"x"}', b'{"tags":[]}'])
async def test_a_repository_without_tags_has_none(
    scripted: ScriptedRegistry, client: RegistryClient, body: bytes
) -> None:
    """Nexus says null, others leave the list out."""
    scripted.fail(Answer(200, {}, body))
    assert [tag async for tag in client.tags(scripted.repository("x/y"))] == []


async def test_what_is_no_tag_is_left_out_of_the_list(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Artifactory lists digests too; and a tag counts once."""
    scripted.fail(Answer(200, {}, b'{"tags":["a","sha256:abc","a",7,"../b","c"]}'))
    assert [tag async for tag in client.tags(scripted.repository("x/y"))] == ["a", "c"]


@pytest.mark.parametrize("body", [b"[", b'{"tags":{}}', b'"tags"', b"<html>"])
async def test_a_list_that_is_none_is_a_fault(
    scripted: ScriptedRegistry, client: RegistryClient, body: bytes
) -> None:
    """A login page in place of a list is not an empty repository."""
    scripted.fail(Answer(200, {}, body))
    with pytest.raises(RegistryFault):
        assert [tag async for tag in client.tags(scripted.repository("x/y"))]


async def test_a_listing_that_leads_in_a_circle_ends(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A stale Link is noticed when it comes back."""
    repository = scripted.add("team/app:1", IMAGE)
    link = {"Link": '</v2/team/app/tags/list?n=1000>; rel="next"'}
    scripted.fail(Change(link), times=None)
    with pytest.raises(RegistryFault, match="circle"):
        assert [tag async for tag in client.tags(repository)]


async def test_a_listing_may_not_lead_to_another_host(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient
) -> None:
    """The credentials that go with it are not for others."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.fail(Change({"Link": f'<{second.url}/v2/team/app/tags/list>; rel="next"'}))
    with pytest.raises(RegistryFault, match="elsewhere"):
        assert [tag async for tag in client.tags(repository)]
    assert second.count() == 0


async def test_a_catalog_lists_every_repository(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Repositories come with their domain, from all pages."""
    expected = [scripted.add(f"team/app{number}:1", IMAGE) for number in range(5)]
    scripted.habits.page = 2
    found = [repository async for repository in client.catalog(scripted.host).repositories()]
    assert found == expected


async def test_a_name_that_is_none_is_left_out_of_the_catalog(
    scripted: ScriptedRegistry, client: RegistryClient, told: Told
) -> None:
    """And told, since nothing is left out in silence."""
    scripted.fail(Answer(200, {}, b'{"repositories":["a/b","UPPER","../x"]}'))
    found = [repository async for repository in client.catalog(scripted.host).repositories()]
    assert found == [scripted.repository("a/b")]
    assert told.has("UPPER", "warning")
    assert told.has("../x", "warning")


async def test_a_registry_without_catalog_is_named_as_one(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Docker Hub has none: that is no missing repository."""
    scripted.fail(Answer(404))
    with pytest.raises(Unsupported, match="does not list its repositories"):
        assert [one async for one in client.catalog(scripted.host).repositories()]


async def test_a_redirect_is_followed_without_credentials_to_another_host(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient, told: Told
) -> None:
    """A manifest may come from elsewhere; a redirect in a circle does not."""
    repository = scripted.add("team/app:1", IMAGE)
    second.add("team/app:1", IMAGE)
    path = f"/v2/team/app/manifests/{ROOT.digest}"
    scripted.fail(Answer(307, {"Location": f"{second.url}{path}"}, b"<a>there</a>"), "GET")
    assert await client.read_manifest(repository, ROOT) == IMAGE.root.raw
    scripted.fail(Answer(302, {"Location": path}), "GET", times=None)
    with pytest.raises(RegistryFault, match="redirects without end"):
        await client.read_manifest(repository, ROOT)
    assert not told.notes


async def test_a_scarce_pull_limit_is_told_once(
    scripted: ScriptedRegistry, client: RegistryClient, told: Told
) -> None:
    """Docker Hub counts down in headers of answers that are fine."""
    repository = scripted.add("team/app:1", IMAGE)
    limits = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "3;w=21600"}
    scripted.fail(Change(limits), times=None)
    for _ in range(3):
        await client.resolve(Reference(repository, "1"))
    assert [note.text for note in told.notes] == [
        f"{scripted.host}: the pull limit is near: 3 of 100 requests in 6 h left"
    ]
