"""Pushes beyond what the conformance suite asks: interruptions, limits, odd requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import pytest

from airgap.content.hosting import Hosting
from airgap.oci import media_types
from airgap.oci.digest import Digest
from airgap.oci.reference import Repository
from airgap.server import RunningRegistry, ServerSettings, running_registry
from airgap.server.sweeper import sweep_uploads
from tests.server.api import Api
from tests.support.images import image, index, random_layer


async def test_a_broken_upload_goes_on_where_it_was(api: Api, registry: RunningRegistry) -> None:
    """What came before the connection broke is kept, told, and gone on from."""
    content = random_layer(1, 300_000).content
    location = (await api.post("app")).headers["Location"]
    reader, writer = await asyncio.open_connection(registry.host, registry.port)
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
    writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert b"100 Continue" in await reader.readline()
    writer.write(content[:100_000])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    taken = 1
    while taken == 1:
        # Until the registry has noticed, nothing of the piece counts yet.
        status = await api.request("GET", location)
        assert status.status == 204
        taken = int(status.headers["Range"].removeprefix("0-")) + 1
    assert taken == 100_000
    answer = await api.request(
        "PATCH", location, body=content[taken:], Content_Range=f"{taken}-{len(content) - 1}"
    )
    assert answer.status == 202
    digest = Digest.of(content)
    assert (await api.request("PUT", location, query={"digest": digest})).status == 201
    assert (await api.request("GET", f"/v2/app/blobs/{digest}")).body == content


async def test_a_newer_request_takes_an_upload_over(api: Api, registry: RunningRegistry) -> None:
    """A client that comes back while its lost connection still hangs is not kept out by itself."""
    location = (await api.post("app")).headers["Location"]
    reader, writer = await asyncio.open_connection(registry.host, registry.port)
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
    writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert b"100 Continue" in await reader.readline()
    writer.write(b"lost")
    assert (await api.request("GET", location)).headers["Range"] == "0-0"
    newer = await api.request("PATCH", location, body=b"b" * 10, Content_Range="0-9")
    assert newer.status == 202
    assert newer.headers["Range"] == "0-9"
    await reader.readline()
    assert b" 408 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_pauses_too_long_is_not_waited_for(hosting: Hosting) -> None:
    """A body that stops coming ends the request, not the upload."""
    settings = ServerSettings(body_seconds=0.05)
    async with running_registry(hosting, settings) as registry:
        reader, writer = await asyncio.open_connection(registry.host, registry.port)
        writer.write(b"POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n\r\n")
        location = ""
        while (line := await reader.readline()) != b"\r\n":
            if line.startswith(b"Location: "):
                location = line.removeprefix(b"Location: ").decode().strip()
        writer.write(
            f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc".encode()
        )
        assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_a_refused_push_never_sends_its_body(registry: RunningRegistry) -> None:
    """A client that asks first (Expect: 100-continue) is told no before it sends anything."""
    head = (
        "PUT /v2/app/blobs/uploads/unknown?digest={} HTTP/1.1\n"
        "Host: x\nContent-Length: 1000000000\nExpect: 100-continue\n\n"
    ).format(Digest.of(b"x"))
    reader, writer = await asyncio.open_connection(registry.host, registry.port)
    writer.write(head.replace("\n", "\r\n").encode())
    assert b" 404 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_asks_first_is_invited(registry: RunningRegistry) -> None:
    """Expect: 100-continue is answered before the body is read."""
    digest = Digest.of(b"content")
    reader, writer = await asyncio.open_connection(registry.host, registry.port)
    writer.write(
        f"POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 7\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert await reader.readline() == b"\r\n"
    writer.write(b"content")
    assert b" 201 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_manifest_over_4_mib_is_refused(api: Api) -> None:
    """The limit is held whether the length is announced or not."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 1024 * 1024

    for body in (b"x" * (4 * 1024 * 1024 + 1), endless()):
        answer = await api.request(
            "PUT", "/v2/app/manifests/1", body=body, Content_Type=media_types.OCI_MANIFEST
        )
        assert answer.status == 413


async def test_a_blob_over_the_limit_is_refused(hosting: Hosting) -> None:
    """The limit of a blob counts over all of its chunks."""
    settings = ServerSettings(max_blob_size=1000)
    async with running_registry(hosting, settings) as running, aiohttp.ClientSession() as session:
        api = Api(session, running.url)
        location = (await api.post("app")).headers["Location"]
        assert (await api.request("PATCH", location, body=b"x" * 600)).status == 202
        assert (await api.request("PATCH", location, body=b"x" * 600)).status == 413
        assert (await api.request("PATCH", location, body=b"x" * 1001)).status == 413


async def test_sparse_images_are_taken(api: Api) -> None:
    """An image may come without its blobs, and is served as it came."""
    built = image([random_layer(1)])
    kind = built.root.descriptor.media_type
    path = "/v2/app/manifests/1"
    answer = await api.request("PUT", path, body=built.root.raw, Content_Type=kind)
    assert answer.status == 201
    assert (await api.request("GET", path)).body == built.root.raw


async def test_sparse_images_are_refused_where_that_is_wanted(hosting: Hosting) -> None:
    """With the setting every missing blob is named, and the manifest is not kept."""
    built = image([random_layer(1), random_layer(2)])
    path = f"/v2/app/manifests/{built.digest}"
    kind = built.root.descriptor.media_type
    settings = ServerSettings(sparse_images=False)
    async with running_registry(hosting, settings) as running, aiohttp.ClientSession() as session:
        api = Api(session, running.url)
        answer = await api.request("PUT", path, body=built.root.raw, Content_Type=kind)
        assert answer.status == 400
        assert answer.codes == ["MANIFEST_BLOB_UNKNOWN"] * 3
        named = {error["detail"]["digest"] for error in answer.document["errors"]}
        assert named == {str(digest) for digest in built.blobs}
        assert (await api.request("HEAD", path)).status == 404


@pytest.mark.parametrize(
    "body, content_type",
    [
        (b"not json", media_types.OCI_MANIFEST),
        (b"[]", media_types.OCI_MANIFEST),
        (b'{"schemaVersion": 2}', media_types.OCI_MANIFEST),
        (b'{"schemaVersion": 2}', media_types.OCI_INDEX + "x"),
        (b'{"manifests": [], "layers": []}', media_types.OCI_INDEX),
        (b'{"mediaType": "a/b", "manifests": []}', media_types.OCI_INDEX),
        (b'{"schemaVersion": 1, "fsLayers": [], "history": []}', "application/json"),
        (b'{"manifests": [{"digest": "sha256:../../etc"}]}', media_types.OCI_INDEX),
        (b"[" * 100_000, media_types.OCI_MANIFEST),
    ],
)
async def test_what_is_no_manifest_is_refused(api: Api, body: bytes, content_type: str) -> None:
    """Whatever a client sends as a manifest, it is read as hostile."""
    answer = await api.request("PUT", "/v2/app/manifests/1", body=body, Content_Type=content_type)
    assert answer.status == 400
    assert answer.codes == ["MANIFEST_INVALID"]


@pytest.mark.parametrize(
    "method, path, status, code",
    [
        ("GET", "/v2/APP/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/..%2f..%2fetc/manifests/passwd", 400, "NAME_INVALID"),
        ("GET", "/v2/app/blobs/sha256:..%2f..%2fetc", 404, "UNSUPPORTED"),
        ("GET", "/v2/app/blobs/..", 400, "DIGEST_INVALID"),
        ("GET", "/v2/app/blobs/sha256:0", 400, "DIGEST_INVALID"),
        ("GET", "/v2/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID"),
        ("GET", "/v2/app/referrers/latest", 400, "DIGEST_INVALID"),
        ("GET", "/v2/app/manifests/-bad", 404, "MANIFEST_UNKNOWN"),
        ("PUT", "/v2/app/manifests/-bad", 400, "MANIFEST_INVALID"),
        ("DELETE", "/v2/app/manifests/none", 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/app/blobs/uploads/..%2e", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("PATCH", "/v2/app/blobs/uploads/none", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("PUT", "/v2/app/blobs/uploads/none", 400, "DIGEST_INVALID"),
        ("POST", "/v2/app/blobs/uploads/?digest=x", 400, "DIGEST_INVALID"),
        ("POST", "/v2/app/blobs/uploads/?mount=x", 400, "DIGEST_INVALID"),
        ("POST", "/v2/app/blobs/uploads/?digest-algorithm=md5", 400, "DIGEST_INVALID"),
        ("POST", "/v2/app/manifests/1", 405, "UNSUPPORTED"),
        ("PUT", "/v2/", 405, "UNSUPPORTED"),
        ("GET", "/v2/app/tags/list?ns=../x", 400, "NAME_INVALID"),
        ("GET", "/v2/_catalog?n=-1", 400, "PAGINATION_NUMBER_INVALID"),
        ("GET", "/elsewhere", 404, "UNSUPPORTED"),
        ("GET", "/token", 404, "UNSUPPORTED"),
    ],
)
async def test_a_wrong_request_gets_its_code(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    """Every refusal is JSON with a code of the specification."""
    answer = await api.request(method, path)
    assert answer.status == status
    assert answer.codes == [code]


async def test_a_chunk_must_be_as_long_as_it_says(api: Api) -> None:
    """A position that contradicts the body, or is none, is refused; the upload goes on."""
    location = (await api.post("app")).headers["Location"]
    for position in ("0-5", "x", "5-0"):
        answer = await api.request("PATCH", location, body=b"abc", Content_Range=position)
        assert answer.status == 400
        assert answer.codes == ["SIZE_INVALID"]
    assert (await api.request("PATCH", location, body=b"abc", Content_Range="0-2")).status == 202


async def test_an_upload_belongs_to_its_repository(api: Api) -> None:
    """An upload cannot be gone on with from another repository."""
    location = (await api.post("app")).headers["Location"]
    other = location.replace("/v2/app/", "/v2/other/")
    assert (await api.request("PATCH", other, body=b"x")).status == 404


async def test_an_idle_upload_expires(hosting: Hosting) -> None:
    """Nobody's upload stays for ever."""
    upload = await hosting.begin_upload(Repository("localhost", "app"))
    await upload.close()
    expired = asyncio.Event()

    class Watched:
        """The host, watched by the test."""

        async def expire_uploads(self, older_than: float) -> int:
            count = await hosting.expire_uploads(older_than)
            if count:
                expired.set()
            return count

    async with sweep_uploads(cast("Hosting", Watched()), 0.01):
        await expired.wait()
    assert await hosting.find_upload(Repository("localhost", "app"), upload.id) is None


async def test_a_tag_of_the_referrers_fallback_is_a_tag(api: Api) -> None:
    """A client that knows no referrers API keeps its list under a tag, and finds it there."""
    subject = image([random_layer(1)])
    await api.push_image("app", subject, "1")
    listing = index({})
    tag = f"sha256-{subject.digest.hex}"
    await api.push_image("app", listing, tag)
    answer = await api.request("GET", f"/v2/app/manifests/{tag}")
    assert answer.body == listing.root.raw


async def test_a_gzipped_request_is_kept_as_it_came(api: Api) -> None:
    """Bytes are never unpacked: their digest is that of what was sent."""
    content = random_layer(5).content
    digest = Digest.of(content)
    path = f"/v2/app/blobs/uploads/?digest={digest}"
    answer = await api.request("POST", path, body=content, Content_Encoding="gzip")
    assert answer.status == 201
    assert (await api.request("GET", urlsplit(answer.headers["Location"]).path)).body == content
