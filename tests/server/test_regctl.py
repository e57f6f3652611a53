"""The requests of ``regctl`` (regclient), one by one, with its ways of its own."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from airgap.oci import media_types
from airgap.oci.digest import Digest
from tests.server.api import Api
from tests.support.images import BuiltImage, artifact, image, index, random_layer

BOTH = index(
    {
        "linux/amd64": image([random_layer(1, 100_000)]),
        "linux/arm64": image([random_layer(2, 100_000)], platform="linux/arm64"),
    }
)
ACCEPT = ", ".join(sorted(media_types.MANIFESTS))
OCTETS = "application/octet-stream"


async def put_blob(api: Api, repository: str, content: bytes, chunk: int | None) -> None:
    """Push a blob that is not there: mounting fails and begins an upload, which is gone on with."""
    digest = Digest.of(content)
    assert (await api.request("HEAD", f"/v2/{repository}/blobs/{digest}")).status == 404
    begun = await api.post(repository, mount=digest, **{"from": "elsewhere"})
    assert begun.status == 202
    assert begun.headers["Docker-Upload-UUID"]
    location = begun.headers["Location"]
    if chunk is None:
        sign = "&" if urlsplit(location).query else "?"
        put = f"{location}{sign}digest={digest.replace(':', '%3A')}"
        assert (await api.request("PUT", put, body=content, Content_Type=OCTETS)).status == 201
        return
    for start in range(0, len(content), chunk):
        piece = content[start : start + chunk]
        # It says one byte more than it sends.
        headers = {"Content_Type": OCTETS, "Content_Range": f"{start}-{start + len(piece)}"}
        answer = await api.request("PATCH", location, body=piece, query=None, **headers)
        assert answer.status == 202
        location = answer.headers["Location"]
    end = {"Content_Type": OCTETS, "Content_Range": f"{len(content)}-{len(content)}"}
    done = await api.request("PUT", location, body=b"", query={"digest": digest}, **end)
    assert done.status == 201, done.body


async def put_manifests(api: Api, repository: str, built: BuiltImage, tag: str) -> None:
    """Push manifests, children first and by digest."""
    for manifest in built.manifests:
        name = tag if manifest is built.root else manifest.descriptor.digest
        answer = await api.request(
            "PUT",
            f"/v2/{repository}/manifests/{name}",
            body=manifest.raw,
            Content_Type=manifest.descriptor.media_type,
        )
        assert answer.status == 201


@pytest.mark.parametrize("chunk", [None, 30_000], ids=["whole", "chunked"])
async def test_image_copy(api: Api, chunk: int | None) -> None:
    """``regctl image copy`` into the registry, within it, and out of it again."""
    for content in BOTH.blobs.values():
        await put_blob(api, "team/app", content, chunk)
    await put_manifests(api, "team/app", BOTH, "1")
    for digest in BOTH.blobs:
        mounted = await api.post("team/copy", mount=digest, **{"from": "team/app"})
        assert mounted.status == 201
    await put_manifests(api, "team/copy", BOTH, "1")
    for manifest in BOTH.manifests:
        head = await api.request(
            "HEAD", f"/v2/team/copy/manifests/{manifest.descriptor.digest}", Accept=ACCEPT
        )
        assert head.headers["Docker-Content-Digest"] == manifest.descriptor.digest
        assert head.headers["Content-Type"] == manifest.descriptor.media_type
    got = await api.request("GET", "/v2/team/copy/manifests/1", Accept=ACCEPT)
    assert got.body == BOTH.root.raw
    for digest, content in BOTH.blobs.items():
        assert (await api.request("GET", f"/v2/team/copy/blobs/{digest}")).body == content


async def test_repo_and_tag_listings_and_tag_deletion(api: Api) -> None:
    """``regctl repo ls``, ``tag ls`` with a limit, ``tag delete`` without touching other tags."""
    built = image([random_layer(1)])
    for tag in ("1", "2", "3"):
        await api.push_image("team/app", built, tag)
    repositories = await api.request("GET", "/v2/_catalog", query={"n": "100"})
    assert repositories.document == {"repositories": ["team/app"]}
    path = "/v2/team/app/tags/list"
    page = await api.request("GET", path, query={"n": "2"}, Accept="application/json")
    assert page.document["tags"] == ["1", "2"]
    link = page.headers["Link"].partition(">")[0].lstrip("<")
    assert (await api.request("GET", link)).document["tags"] == ["3"]
    assert (await api.request("DELETE", "/v2/team/app/manifests/2")).status == 202
    assert (await api.request("GET", path)).document["tags"] == ["1", "3"]
    assert (await api.request("GET", "/v2/team/app/manifests/1")).body == built.root.raw


async def test_artifacts_and_referrers(api: Api) -> None:
    """``regctl artifact put --subject`` needs no fallback tag, and ``artifact list`` finds it."""
    built = image([random_layer(1)])
    await api.push_image("team/app", built, "1")
    attached = artifact(b"a bill of materials", subject=built.root.descriptor)
    for content in attached.blobs.values():
        await api.push_blob("team/app", content)
    answer = await api.request(
        "PUT",
        f"/v2/team/app/manifests/{attached.digest}",
        body=attached.root.raw,
        Content_Type=media_types.OCI_MANIFEST,
    )
    assert answer.headers["OCI-Subject"] == built.digest
    query = {"artifactType": "application/vnd.example.sbom.v1"}
    path = f"/v2/team/app/referrers/{built.digest}"
    listed = await api.request("GET", path, query=query)
    assert listed.headers["OCI-Filters-Applied"] == "artifactType"
    assert [entry["digest"] for entry in listed.document["manifests"]] == [attached.digest]
    assert (await api.request("GET", "/v2/team/app/tags/list")).document["tags"] == ["1"]
