"""Large layers and many clients, in bounded memory: the registry as a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from airgap.oci.digest import Digest
from tests.bench.raw_http import Connection
from tests.server.api import Api

_MIB = 1024 * 1024
_LIMIT = 150 * _MIB
"""Bytes of memory that the registry may take with 50 clients (issue 6)."""


@dataclass
class Process:
    """A registry that runs by itself."""

    url: str
    pid: int

    def peak_memory(self) -> int:
        """Return the most memory that it ever had, in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM in /proc")


@asynccontextmanager
async def registry_process(store: Path) -> AsyncIterator[Process]:
    """Run a registry over a store in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.server.serve", str(store), "nosync"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        yield Process(url, process.pid)
    finally:
        process.stdin.close()
        await process.wait()


async def push_layer(api: Api, size: int) -> Digest:
    """Push a layer of so many MiB as a stream that is nowhere in memory."""
    hasher = hashlib.sha256()

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(size):
            piece = number.to_bytes(4, "big") * (_MIB // 4)
            hasher.update(piece)
            yield piece

    location = (await api.post("app")).headers["Location"]
    assert (await api.request("PATCH", location, body=pieces())).status == 202
    digest = Digest(f"sha256:{hasher.hexdigest()}")
    assert (await api.request("PUT", location, query={"digest": digest})).status == 201
    return digest


async def pull_by_curl(url: str, digest: Digest) -> bool:
    """Pull a very large layer as fast as can be; tell whether its bytes are right."""
    command = f"curl -sf {url}/v2/app/blobs/{digest} | sha256sum"
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode().split()[0] == digest.hex


async def pull_layer(session: aiohttp.ClientSession, url: str, digest: Digest) -> bool:
    """Pull a layer without keeping it; tell whether its bytes are right."""
    hasher = hashlib.sha256()
    async with session.get(f"{url}/v2/app/blobs/{digest}") as response:
        async for piece in response.content.iter_any():
            hasher.update(piece)
    return hasher.hexdigest() == digest.hex


async def test_a_layer_of_2_gb_goes_in_and_out_in_bounded_memory(tmp_path: Path) -> None:
    """A layer of two gigabytes is pushed and pulled, and memory does not grow with it."""
    piece, count = random.Random(1).randbytes(_MIB), 2048  # noqa: S311 - test data, no secret
    hasher = hashlib.sha256()
    for _ in range(count):
        hasher.update(piece)
    digest = Digest(f"sha256:{hasher.hexdigest()}")
    async with registry_process(tmp_path / "store") as process:
        before = process.peak_memory()
        async with Connection.to(int(process.url.rpartition(":")[2])) as connection:
            location = await connection.begin_upload("app")
            await connection.put(location, digest, piece, count)
        assert await pull_by_curl(process.url, digest)
        assert process.peak_memory() < before + 20 * _MIB
    # Two gigabytes less for pytest to keep until the run after next.
    shutil.rmtree(tmp_path / "store")


async def test_fifty_clients_push_and_pull_in_bounded_memory(tmp_path: Path) -> None:
    """Fifty pushes at once, then fifty pulls, stay below the limit."""
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        registry_process(tmp_path / "store") as process,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        api = Api(session, process.url)
        digests = await asyncio.gather(*(push_layer(api, 4) for _ in range(50)))
        right = await asyncio.gather(*(pull_layer(session, process.url, d) for d in digests))
        assert all(right)
        assert process.peak_memory() < _LIMIT
