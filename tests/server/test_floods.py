"""Floods: more requests, connections, bodies and uploads than anybody needs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from airgap.content.hosting import Hosting
from airgap.server import ServerSettings, running_registry
from airgap.server.pushes import MAX_UPLOADS
from tests.server.api import Api
from tests.server.test_size import Process, registry_process

_MIB = 1024 * 1024
_ROOM = 64 * _MIB
"""Bytes by which memory may grow under a flood: what bounded buffers and caches may hold."""


async def until(process: Process, count: int, request: bytes) -> list[bytes]:
    """Send a request over each of many connections at once; return what comes back first."""
    port = int(process.url.rpartition(":")[2])

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return await reader.readline()
        finally:
            writer.close()

    return await asyncio.gather(*(one() for _ in range(count)))


async def test_a_flood_of_requests_does_not_grow_memory(tmp_path: Path) -> None:
    """Thousands of requests over hundreds of connections are answered, or told to come back."""
    asked = b"GET /v2/app/manifests/%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 100)
    async with registry_process(tmp_path / "store") as process:
        before = process.peak_memory()
        for _ in range(5):
            statuses = {line.split()[1] for line in await until(process, 800, asked)}
            assert statuses <= {b"404", b"429"}
        assert process.peak_memory() < before + _ROOM


async def test_bodies_that_never_end_do_not_grow_memory(tmp_path: Path) -> None:
    """Hundreds of clients that send a body as fast as they can are held off or turned away."""
    async with registry_process(tmp_path / "store") as process, aiohttp.ClientSession() as session:
        port = int(process.url.rpartition(":")[2])
        path = (await Api(session, process.url).post("app")).headers["Location"]

        async def push(number: int) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            target = path if number % 2 else f"/v2/app/manifests/{number}"
            head = f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n"
            try:
                writer.write(head.encode())
                async with asyncio.timeout(2):
                    for _ in range(60):
                        writer.write(b"x" * 60_000)
                        await writer.drain()
            except (TimeoutError, ConnectionError):
                return
            finally:
                writer.transport.abort()

        await asyncio.gather(*(push(number) for number in range(300)))
        # They send over 1 GB together.
        assert process.peak_memory() < 256 * _MIB
        assert (await Api(session, process.url).request("GET", "/v2/")).status == 200


async def test_long_headers_and_names_are_refused(tmp_path: Path) -> None:
    """What no client ever sends is refused before it is kept."""
    async with registry_process(tmp_path / "store") as process:
        before = process.peak_memory()
        for request in (
            b"GET /v2/" + b"a/" * 50_000 + b"tags/list HTTP/1.1\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\n" + b"X-A: " + b"b" * 200_000 + b"\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\n" + b"".join(b"X-%d: b\r\n" % n for n in range(20_000)),
            b"\x00" * 100_000,
        ):
            for line in await until(process, 50, request):
                assert not line or line.split()[1] in {b"400", b"414", b"431"}
        assert process.peak_memory() < before + _ROOM


async def test_one_client_cannot_begin_uploads_without_end(hosting: Hosting) -> None:
    """After a thousand unfinished uploads it has to finish or cancel some."""
    async with running_registry(hosting) as running, aiohttp.ClientSession() as session:
        api = Api(session, running.url)
        locations = [(await api.post("app")).headers["Location"] for _ in range(MAX_UPLOADS)]
        refused = await api.post("app")
        assert (refused.status, refused.codes) == (429, ["TOOMANYREQUESTS"])
        assert (await api.request("DELETE", locations[0])).status == 204
        assert (await api.post("app")).status == 202


async def test_uploads_that_nobody_goes_on_with_expire(hosting: Hosting) -> None:
    """An upload that lies for too long is gone, and its space with it."""
    settings = ServerSettings(upload_seconds=0.2)
    async with running_registry(hosting, settings) as running, aiohttp.ClientSession() as session:
        api = Api(session, running.url)
        location = (await api.post("app")).headers["Location"]
        async with asyncio.timeout(20):
            while (await api.request("GET", location)).status == 204:  # noqa: ASYNC110 - time itself
                # What is waited for is the passing of time itself; each question renews it.
                await asyncio.sleep(0.3)
        assert (await api.request("PATCH", location, body=b"x")).status == 404
