"""The embedded registry beside ``docker-registry``: pulls, manifests, pushes, memory.

Run it with ``python -m tests.bench.registry [--rounds N] [--megabytes N]``. Both serve the same
content from the same disk on loopback, in turn, to the same client. What is measured: large blobs
pulled one at a time and four at once, manifests by tag and by digest from 16 connections, a large
blob pushed in one request, one pushed in chunks as Docker does, images of small blobs pushed by 16
clients; then 50 clients that pull and push at once, and the most memory that each server ever had.

Raw sockets and ``curl`` are the clients: an HTTP library would be slower than what it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airgap.oci import media_types
from tests.bench.raw_http import Connection
from tests.support.images import BuiltImage, image, layer, random_layer
from tests.support.real_registry import real_registry

CONNECTIONS = 16
MANIFEST_REQUESTS = 4000
SMALL_IMAGES = 64
CLIENTS = 50
MIB = 1024 * 1024
ACCEPT = f"Accept: {media_types.OCI_MANIFEST}\r\n"
OURS, PEER = "airgap", "docker-registry"


@dataclass(frozen=True)
class Server:
    """A server that runs: whose it is, where, and its process."""

    program: str
    port: int
    pid: int

    def peak_memory(self) -> int:
        """Return the most memory that it ever had, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


@asynccontextmanager
async def ours(store: Path) -> AsyncIterator[Server]:
    """Run our own registry over a new store, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.server.serve", str(store)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        yield Server(OURS, int(url.rpartition(":")[2]), process.pid)
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def peer(folder: Path) -> AsyncIterator[Server]:
    """Run ``docker-registry`` as it comes, without its access log: ours writes none either."""
    quiet = {"log": {"level": "error", "accesslog": {"disabled": True}}}
    async with real_registry(folder, settings=quiet) as registry:
        children = Path("/proc/self/task").glob("*/children")
        pids = [int(pid) for path in children for pid in path.read_text().split()]
        named = [p for p in pids if Path(f"/proc/{p}/comm").read_text().strip() == PEER[:15]]
        yield Server(PEER, int(registry.host.rpartition(":")[2]), named[0])


@dataclass
class Figures:
    """Figures by leg and program; the median of the rounds counts."""

    found: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, leg: str, program: str, value: float) -> None:
        """Take in one figure, of which more is better."""
        self.found[leg, program].append(value)

    def lines(self, ours: str, peer: str) -> Iterator[str]:
        """Yield a row for each leg: both medians, their ratio, and the range of ratios."""
        yield f"{'leg':<34}{ours:>10}{peer:>17}{'ratio':>8}   rounds"
        for leg in dict.fromkeys(leg for leg, _ in self.found):
            mine, theirs = self.found[leg, ours], self.found[leg, peer]
            a, b = statistics.median(mine), statistics.median(theirs)
            ratios = sorted(x / y for x, y in zip(mine, theirs, strict=True))
            yield f"{leg:<34}{a:>10.0f}{b:>17.0f}{a / b:>8.2f}   {ratios[0]:.2f}-{ratios[-1]:.2f}"


_fresh = itertools.count()


class Round:
    """One round against one server."""

    def __init__(self, server: Server, figures: Figures, size: int) -> None:
        self.server = server
        self.figures = figures
        self.size = size

    async def run(self) -> None:
        """Measure everything, in an order in which each leg leaves what the next one needs."""
        add, program = self.figures.add, self.server.program
        seconds, digest = await self.push_large()
        add("push one blob in one request, MB/s", program, self.size / 1e6 / seconds)
        seconds, _ = await self.push_large(chunk=8 * MIB)
        add("push one blob in chunks, MB/s", program, self.size / 1e6 / seconds)
        seconds = await timed(lambda: self.pull(digest))
        add("pull one blob, MB/s", program, self.size / 1e6 / seconds)
        seconds = await timed(lambda: at_once(4, lambda _: self.pull(digest)))
        add("pull four at once, MB/s", program, 4 * self.size / 1e6 / seconds)
        seconds = await timed(lambda: at_once(CONNECTIONS, self.push_images))
        add("push images of small blobs, 1/s", program, SMALL_IMAGES / seconds)
        seconds = await timed(lambda: at_once(CONNECTIONS, self.manifests("0")))
        add("manifests by tag, 1/s", program, MANIFEST_REQUESTS / seconds)
        seconds = await timed(lambda: at_once(CONNECTIONS, self.manifests(small_image(0).digest)))
        add("manifests by digest, 1/s", program, MANIFEST_REQUESTS / seconds)
        seconds = await timed(lambda: at_once(CLIENTS, lambda n: self.mixed(n, digest)))
        add("50 clients pull and push, MB/s", program, CLIENTS * 24 * MIB / 1e6 / seconds)

    async def push_large(self, chunk: int | None = None) -> tuple[float, str]:
        """Push a blob that the server has never seen; return seconds and digest."""
        piece = next(_fresh).to_bytes(8, "big") * (MIB // 8)
        hasher = hashlib.sha256()
        for _ in range(self.size // MIB):
            hasher.update(piece)
        digest = f"sha256:{hasher.hexdigest()}"
        started = time.perf_counter()
        async with Connection.to(self.server.port) as connection:
            location = await connection.begin_upload("bench/large")
            left = self.size // MIB
            while chunk and left:
                count = min(chunk // MIB, left)
                location = await connection.patch(location, piece, count)
                left -= count
            await connection.put(location, digest, piece, left)
        return time.perf_counter() - started, digest

    async def pull(self, digest: str) -> None:
        """Pull a blob into nothing."""
        url = f"http://127.0.0.1:{self.server.port}/v2/bench/large/blobs/{digest}"
        process = await asyncio.create_subprocess_exec("curl", "-sf", "-o", "/dev/null", url)
        assert await process.wait() == 0

    async def push_images(self, number: int) -> None:
        """Push a share of the small images, each to a repository of its own."""
        async with Connection.to(self.server.port) as connection:
            for count in range(SMALL_IMAGES // CONNECTIONS):
                built = small_image(number)
                repository = f"bench/app{number if not count else next(_fresh)}"
                for digest, content in built.blobs.items():
                    location = await connection.begin_upload(repository)
                    await connection.put(location, digest, content, 1)
                kind = built.root.descriptor.media_type
                await connection.put_manifest(repository, "0", built.root.raw, kind)

    def manifests(self, name: str) -> Callable[[int], Awaitable[None]]:
        """Return what gets one manifest again and again over one connection."""

        async def get(_: int) -> None:
            async with Connection.to(self.server.port) as connection:
                path = f"/v2/bench/app0/manifests/{name}"
                for _ in range(MANIFEST_REQUESTS // CONNECTIONS):
                    await connection.get(path, ACCEPT)

        return get

    async def mixed(self, number: int, digest: str) -> None:
        """Pull 16 MiB of a large blob and push 8 MiB, as one of many clients."""
        piece = next(_fresh).to_bytes(8, "big") * (MIB // 8)
        fresh = f"sha256:{hashlib.sha256(piece * 8).hexdigest()}"
        async with Connection.to(self.server.port) as connection:
            path = f"/v2/bench/large/blobs/{digest}"
            await connection.get(path, f"Range: bytes=0-{16 * MIB - 1}\r\n")
            location = await connection.begin_upload(f"bench/mixed{number}")
            await connection.put(location, fresh, piece, 8)


def small_image(number: int) -> BuiltImage:
    """Return an image of two small layers."""
    return image([layer({"name": str(number).encode()}), random_layer(number, 2000)])


async def at_once(count: int, work: Callable[[int], Awaitable[None]]) -> None:
    """Do the same many times at once."""
    await asyncio.gather(*(work(number) for number in range(count)))


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Return how many seconds something takes."""
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def bench(rounds: int, megabytes: int) -> list[str]:
    """Run the rounds, programs in turn, and return the table."""
    figures = Figures()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airgap-bench-")))
        servers = [
            await stack.enter_async_context(ours(folder / "store")),
            await stack.enter_async_context(peer(folder / "peer")),
        ]
        for number in range(rounds):
            # Whoever goes first in one round goes second in the next.
            for server in servers if number % 2 == 0 else servers[::-1]:
                await Round(server, figures, megabytes * MIB).run()
        lines = list(figures.lines(OURS, PEER))
        memory = [f"{server.peak_memory() / 1e6:.0f}" for server in servers]
        lines.append(f"{'most memory ever, MB':<34}{memory[0]:>10}{memory[1]:>17}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=512)
    options = parser.parse_args(arguments)
    for line in asyncio.run(bench(options.rounds, options.megabytes)):
        print(line)  # noqa: T201 - the benchmark's output


if __name__ == "__main__":
    main()
