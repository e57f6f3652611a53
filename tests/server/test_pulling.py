"""Pulls beyond what the conformance suite asks: mirrors, lists, streams, floods."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from airgap.content.hosting import Hosting
from airgap.content.ports import TagMove
from airgap.errors import InvalidReference, UsageError
from airgap.oci.reference import Reference, Repository
from airgap.server import RunningRegistry, ServerSettings, running_registry
from tests.server.api import Api
from tests.server.without_files import without_files
from tests.support.images import image, random_layer

BUILT = image([random_layer(1, 200_000)])


async def test_an_imported_image_is_pulled_by_path_and_by_ns(api: Api, hosting: Hosting) -> None:
    """What came as docker.io/library/alpine is there for podman and for containerd's mirror."""
    alpine = Repository.parse("alpine")
    manifest = BUILT.root
    await api.push_image("docker.io/library/alpine", BUILT, "other")
    await hosting.move_tags([TagMove(Reference(alpine, "3"), manifest.descriptor)])
    for path in (
        "/v2/docker.io/library/alpine/manifests/3",
        "/v2/library/alpine/manifests/3?ns=docker.io",
        "/v2/docker.io/library/alpine/manifests/3?ns=docker.io",
        "/v2/docker.io/alpine/manifests/3",
    ):
        assert (await api.request("GET", path)).body == manifest.raw, path
    assert (await api.request("GET", "/v2/library/alpine/manifests/3")).status == 404


async def test_a_mirror_says_for_which_host_it_answers(api: Api) -> None:
    """``OCI-Namespace`` repeats what ``?ns=`` asked for, on manifests and on large blobs."""
    await api.push_image("quay.io/app", BUILT, "1")
    for leaf in ("manifests/1", *(f"blobs/{digest}" for digest in BUILT.blobs)):
        answer = await api.request("GET", f"/v2/app/{leaf}?ns=quay.io")
        assert answer.status == 200
        assert answer.headers["OCI-Namespace"] == "quay.io"


async def test_a_push_through_ns_stays_there(api: Api) -> None:
    """Every Location of a push keeps the host that the client named."""
    begun = await api.request("POST", "/v2/app/blobs/uploads/?ns=quay.io")
    location = begun.headers["Location"]
    assert location.endswith("?ns=quay.io")


async def test_a_path_with_a_port_is_the_repository_with_the_port(api: Api) -> None:
    """The underscore of a path is the colon of a domain."""
    await api.push_image("127.0.0.1_5000/app", BUILT, "1")
    answer = await api.request("GET", "/v2/app/manifests/1?ns=127.0.0.1:5000")
    assert answer.body == BUILT.root.raw
    catalog = await api.request("GET", "/v2/_catalog")
    assert catalog.document["repositories"] == ["127.0.0.1_5000/app"]


async def test_tags_come_in_pages(api: Api) -> None:
    """``n`` and ``last`` cut the list, ``Link`` leads to the next page until there is none."""
    names = ["2", "10", "B", "a", "_x", "latest"]
    await api.push_image("app", BUILT, names[0])
    for name in names[1:]:
        path = f"/v2/app/manifests/{name}"
        kind = BUILT.root.descriptor.media_type
        await api.request("PUT", path, body=BUILT.root.raw, Content_Type=kind)
    pages, path = [], "/v2/app/tags/list?n=4"
    while path:
        answer = await api.request("GET", path)
        pages.append(answer.document["tags"])
        link = answer.headers.get("Link", "")
        assert not link or link.endswith('>; rel="next"')
        path = link.removeprefix("<").partition(">")[0]
    assert pages == [sorted(names)[:4], sorted(names)[4:]]
    none = await api.request("GET", "/v2/app/tags/list?n=0")
    assert none.document == {"name": "app", "tags": []}
    assert "Link" not in none.headers


async def test_the_catalog_comes_in_pages(api: Api) -> None:
    """The catalog has the same paging as tags."""
    for name in ("b", "a/x", "quay.io/app"):
        await api.push_image(name, BUILT, "1")
    first = await api.request("GET", "/v2/_catalog?n=2")
    assert first.document["repositories"] == ["a/x", "b"]
    assert first.headers["Link"] == '</v2/_catalog?n=2&last=b>; rel="next"'
    rest = await api.request("GET", "/v2/_catalog?n=2&last=b")
    assert rest.document["repositories"] == ["quay.io/app"]
    assert "Link" not in rest.headers


async def test_deleting_a_manifest_removes_its_tags(api: Api) -> None:
    """By digest all names go; by tag only that one."""
    await api.push_image("app", BUILT, "1")
    await api.push_image("app", BUILT, "2")
    path = "/v2/app/manifests"
    assert (await api.request("DELETE", f"{path}/1")).status == 202
    assert (await api.request("HEAD", f"{path}/1")).status == 404
    assert (await api.request("HEAD", f"{path}/{BUILT.digest}")).status == 200
    assert (await api.request("DELETE", f"{path}/{BUILT.digest}")).status == 202
    assert (await api.request("HEAD", f"{path}/2")).status == 404


async def test_a_blob_of_another_repository_is_not_there(api: Api) -> None:
    """A blob is pulled from where it belongs only."""
    digest = await api.push_blob("one", b"content")
    assert (await api.request("GET", f"/v2/two/blobs/{digest}")).status == 404


@pytest.mark.parametrize(
    "header, first, last", [(None, 0, 200_000), ("bytes=1500-", 1500, 200_000), ("bytes=1-1", 1, 1)]
)
async def test_a_blob_that_is_no_file_is_streamed(
    hosting: Hosting, header: str | None, first: int, last: int
) -> None:
    """A source without files, which starts at the front only, serves blobs and ranges too."""
    hidden = without_files(hosting)
    async with running_registry(hidden) as running, aiohttp.ClientSession() as session:
        api = Api(session, running.url)
        content = random_layer(4, 150_000).content
        digest = await api.push_blob("app", content)
        asking = Api(session, running.url, {"Range": header} if header else {})
        answer = await asking.request("GET", f"/v2/app/blobs/{digest}")
        assert answer.status == (206 if header else 200)
        assert answer.body == content[first : last + 1]


async def test_fifty_clients_pull_at_once(api: Api) -> None:
    """Every one of them gets every byte."""
    await api.push_image("app", BUILT, "1")

    async def pull() -> bool:
        manifest = await api.request("GET", "/v2/app/manifests/1")
        blobs = [
            (await api.request("GET", f"/v2/app/blobs/{digest}")).body == content
            for digest, content in BUILT.blobs.items()
        ]
        return manifest.body == BUILT.root.raw and all(blobs)

    assert all(await asyncio.gather(*(pull() for _ in range(50))))


async def test_a_flood_is_told_to_come_back(hosting: Hosting) -> None:
    """Requests over the limit are refused with 429 and a time, and the others go on."""
    settings = ServerSettings(max_requests=1)
    async with running_registry(hosting, settings) as registry:
        reader, writer = await asyncio.open_connection(registry.host, registry.port)
        writer.write(
            b"PUT /v2/app/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert b"100 Continue" in await reader.readline()
        async with aiohttp.ClientSession() as session:
            answer = await Api(session, registry.url).request("GET", "/v2/")
        assert answer.status == 429
        assert answer.codes == ["TOOMANYREQUESTS"]
        assert answer.headers["Retry-After"] == "1"
        writer.write(b"hello")
        await reader.readline()
        assert b" 400 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_pushes_beyond_the_waiting_ones_are_told_to_come_back(hosting: Hosting) -> None:
    """One body is read, one waits, and a third client is refused before it sends anything."""
    settings = ServerSettings(max_bodies=1, max_waiting_bodies=1)
    ask = (
        b"PUT /v2/app/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    async with running_registry(hosting, settings) as registry:
        clients = [await asyncio.open_connection(registry.host, registry.port) for _ in range(3)]
        (first, to_first), *others = clients
        to_first.write(ask)
        assert b"100 Continue" in await first.readline()
        for _, writer in others:
            writer.write(ask)
        # Which of the two others came first is open: one waits, and the other is refused.
        lines = [asyncio.create_task(reader.readline()) for reader, _ in others]
        done, waiting = await asyncio.wait(lines, return_when=asyncio.FIRST_COMPLETED)
        assert [b" 429 " in task.result() for task in done] == [True]
        to_first.write(b"hello")
        assert all("100 Continue" in line.decode() for line in await asyncio.gather(*waiting))
        for _, writer in clients:
            writer.close()
            await writer.wait_closed()


async def test_a_client_that_leaves_in_the_middle_harms_nobody(
    api: Api, registry: RunningRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken download ends quietly, and the registry serves on."""
    content = random_layer(6, 8_000_000).content
    digest = await api.push_blob("app", content)
    reader, writer = await asyncio.open_connection(registry.host, registry.port)
    writer.write(f"GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readexactly(1000)
    writer.transport.abort()
    assert (await api.request("GET", f"/v2/app/blobs/{digest}")).body == content
    assert not caplog.records


async def test_stopping_lets_a_running_pull_end(hosting: Hosting) -> None:
    """A graceful stop closes the door and serves who is inside."""
    content = random_layer(7, 4_000_000).content
    async with running_registry(hosting) as registry:
        async with aiohttp.ClientSession() as session:
            digest = await Api(session, registry.url).push_blob("app", content)
        reader, writer = await asyncio.open_connection(registry.host, registry.port)
        request = f"GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        received = bytearray(await reader.readexactly(1000))

        async def read_on() -> None:
            received.extend(await reader.read())

        reading = asyncio.create_task(read_on())
    await reading
    writer.close()
    await writer.wait_closed()
    assert bytes(received).endswith(content)


def test_a_default_domain_that_is_no_host_is_refused() -> None:
    """What every request would trip over is said when the settings are made."""
    with pytest.raises(InvalidReference):
        ServerSettings(default_domain="not a host")


async def test_an_address_in_use_is_named(hosting: Hosting, registry: RunningRegistry) -> None:
    """Two registries cannot listen at one address, and the error says which."""
    settings = ServerSettings(port=registry.port)
    with pytest.raises(UsageError, match="somebody listens there already"):
        async with running_registry(hosting, settings):
            pass
