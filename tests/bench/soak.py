"""A soak: both sides run unattended against a changing upstream, and are killed all the time.

``python -m tests.bench.soak [MINUTES]``. Two daemons in processes of their own: one mirrors and
exports every few seconds, the other one watches the folder that both share, imports, and pushes
into a registry; receipts come back through a second folder. Both are killed with SIGKILL, or told
to stop, at random moments, and started again. At the end upstream stands still, and every name must
resolve to the same digest upstream and in the registry on the other side; no file is left over, and
a daemon that has run undisturbed holds as many files and as much memory as after its first minute.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import click

from airgap.content.copy_images import CopyLimits, ImageCopy, copy_images
from airgap.daemon.history import History
from airgap.daemon.records import Outcome
from airgap.oci.reference import Reference
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings
from airgap.server.registry import RunningRegistry, running_registry
from airgap.store.store import Store
from tests.support.images import BuiltImage, image, random_layer
from tests.support.memory import MemorySource

NAMES = 6
LAYER_BYTES = 400_000
SETTLING_SECONDS = 90.0
_EVERY = "2s"


@dataclass
class Side:
    """A daemon in a process of its own, started again whenever it is down.

    Attributes:
        folder: what it has.
        kills: how often it was killed.
        stops: how often it was told to stop.
        slowest_stop: seconds that the slowest orderly end took.
    """

    folder: Path
    process: asyncio.subprocess.Process | None = None
    kills: int = 0
    stops: int = 0
    slowest_stop: float = 0.0

    async def start(self) -> None:
        """Start it."""
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "airgap", "daemon", "--config"),
                str(self.folder / "airgap.yaml"),
                stderr=log,
                stdout=log,
            )

    async def end(self, how: signal.Signals) -> None:
        """End it."""
        if self.process is None:
            return
        began = time.monotonic()
        self.process.send_signal(how)
        code = await self.process.wait()
        if how is signal.SIGKILL:
            self.kills += 1
            return
        self.stops += 1
        self.slowest_stop = max(self.slowest_stop, time.monotonic() - began)
        # One that is told to stop before it listens to signals ends by the signal itself.
        if code not in {0, -how}:
            raise AssertionError(f"{self.folder.name} ended with {code}")

    def holdings(self) -> tuple[int, int]:
        """Return how many files are open, and how many bytes of memory are used."""
        if self.process is None:
            return 0, 0
        proc = Path("/proc", str(self.process.pid))
        pages = int((proc / "statm").read_text().split()[1])
        return len(list((proc / "fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")

    def outcomes(self) -> dict[str, int]:
        """Return how often its runs ended how."""
        with closing(History(self.folder / "store" / "airgap" / "daemon.sqlite")) as history:
            runs = history.runs(limit=100_000)
        return {
            str(outcome): count
            for outcome in Outcome
            if (count := sum(run.outcome is outcome for run in runs))
        }


@dataclass(frozen=True)
class Soak:
    """Everything that takes part."""

    client: RegistryClient
    upstream: RunningRegistry
    local: RunningRegistry
    connected: Side
    isolated: Side
    chance: random.Random

    @property
    def names(self) -> list[Reference]:
        """The names upstream."""
        return [
            Reference.parse(f"{self.upstream.domain}/team/app{number}:latest")
            for number in range(NAMES)
        ]

    def configure(self) -> None:
        """Write both configs."""
        outbox, back = self.connected.folder / "outbox", self.isolated.folder / "back"
        for folder in (outbox, back):
            folder.mkdir()
        names = ", ".join(f"'{name}'" for name in self.names)
        daemon = "daemon:\n  listen: 127.0.0.1:0\n  stop-within: 5s\n  history: 100000\n"
        self.connected.folder.joinpath("airgap.yaml").write_text(
            "store: {path: store}\n"
            f"mirror: [{names}]\n"
            f"export: {{plant: {{output: '{outbox}/{{channel}}-{{time}}.tar',"
            " keep: {count: 5}}}\n"
            f"{daemon}  jobs: {{m: {{do: [mirror, export plant], every: {_EVERY}}},"
            " tidy: {do: collect, every: 7s}}\n"
            f"  folders: {{back: {{path: {back}, every: 1s, done: delete}}}}\n"
        )
        self.isolated.folder.joinpath("airgap.yaml").write_text(
            "store: {path: store}\n"
            f"import: {{plant: {{to: {self.local.domain}, receipts: {back},"
            f" map: [{{from: '{self.upstream.domain}', strip: true}}]}}}}\n"
            f"{daemon}  folders: {{in: {{path: {outbox}, every: 1s}}}}\n"
            "  jobs: {tidy: {do: collect, every: 7s}}\n"
        )

    async def change(self) -> None:
        """Publish another image under one of the names."""
        layers = [random_layer(1), random_layer(self.chance.randrange(10**9), LAYER_BYTES)]
        await self.publish({self.chance.choice(self.names): image(layers)})

    async def publish(self, images: dict[Reference, BuiltImage]) -> None:
        """Push images upstream."""
        source = MemorySource({str(name): built for name, built in images.items()})
        copies = [ImageCopy(name, name) for name in images]
        report = await copy_images(source, self.client, copies, CopyLimits(recheck=False))
        if report.error() is not None:
            raise AssertionError(report.error())

    async def disturb(self, side: Side, until: float) -> None:
        """End a side again and again."""
        while time.monotonic() < until:
            await side.start()
            await asyncio.sleep(self.chance.uniform(0.5, 8))
            await side.end(self.chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))

    async def differences(self) -> list[str]:
        """Return the names that are not the same on both sides."""
        found = []
        for name in self.names:
            there = await self.client.resolve(name)
            twin = Reference.parse(str(name).replace(self.upstream.domain, self.local.domain, 1))
            here = await self.client.find(twin)
            if here is None or here.digest != there.digest:
                found.append(str(name))
        return found


@asynccontextmanager
async def prepared(folder: Path, seed: int) -> AsyncIterator[Soak]:
    """Start both registries, and write both configs."""
    async with AsyncExitStack() as stack:
        upstream = await _registry(stack, folder / "upstream")
        local = await _registry(stack, folder / "local")
        client = await stack.enter_async_context(RegistryClient(ClientSettings()))
        connected, isolated = Side(folder / "connected"), Side(folder / "isolated")
        for side in (connected, isolated):
            side.folder.mkdir()
        chance = random.Random(seed)  # noqa: S311 - the same moments for the same seed
        soak = Soak(client, upstream, local, connected, isolated, chance)
        soak.configure()
        await soak.publish(
            {name: image([random_layer(n, LAYER_BYTES)]) for n, name in enumerate(soak.names)}
        )
        yield soak


async def _registry(stack: AsyncExitStack, folder: Path) -> RunningRegistry:
    opened = Store.open(folder, create=True, sync=False, long_lived=True)
    store = await stack.enter_async_context(opened)
    return await stack.enter_async_context(running_registry(store))


async def run(minutes: float, seed: int) -> None:
    """Soak, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="airgap-soak-") as folder:
        async with prepared(Path(folder), seed) as soak:
            changes = await _disturbed(soak, minutes)
            seconds = await _settled(soak)
            figures = await _undisturbed(soak)
            _print(soak, minutes, changes, seconds, figures)


async def _disturbed(soak: Soak, minutes: float) -> int:
    until = time.monotonic() + 60 * minutes
    changes = 0
    async with asyncio.TaskGroup() as group:
        group.create_task(soak.disturb(soak.connected, until))
        group.create_task(soak.disturb(soak.isolated, until))
        while time.monotonic() < until:
            await soak.change()
            changes += 1
            await asyncio.sleep(soak.chance.uniform(0.1, 1.5))
    return changes


async def _settled(soak: Soak) -> float:
    """Let both sides run until they are the same; return how long that took."""
    await soak.connected.start()
    await soak.isolated.start()
    began = time.monotonic()
    while differences := await soak.differences():
        if time.monotonic() - began > SETTLING_SECONDS:
            raise AssertionError(f"still different: {differences}")
        await asyncio.sleep(0.2)
    return time.monotonic() - began


async def _undisturbed(soak: Soak) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """Go on for a while with changes; return what each side held early on, and at the end."""
    sides = (soak.connected, soak.isolated)
    for _ in range(5):
        await soak.change()
        await asyncio.sleep(2)
    before = [side.holdings() for side in sides]
    for _ in range(10):
        await soak.change()
        await asyncio.sleep(2)
    await asyncio.sleep(5)
    after = [side.holdings() for side in sides]
    if differences := await soak.differences():
        raise AssertionError(f"different at the end: {differences}")
    for side in sides:
        await side.end(signal.SIGTERM)
    return [
        (side.folder.name, first, last)
        for side, first, last in zip(sides, before, after, strict=True)
    ]


def _leftovers(side: Side) -> list[str]:
    """Return files that nobody will go on with: partial bundles, unfinished pieces, sessions."""
    own = side.folder / "store" / "airgap"
    found = [*side.folder.glob("**/*.partial"), *(own / "ingest").glob("*.tmp")]
    found += [path for path in (own / "sessions").iterdir() if path.is_file()]
    return [str(path.relative_to(side.folder)) for path in found]


def _print(
    soak: Soak,
    minutes: float,
    changes: int,
    seconds: float,
    figures: list[tuple[str, tuple[int, int], tuple[int, int]]],
) -> None:
    click.echo(f"{minutes:g} minutes, {changes} changes upstream; the same after {seconds:.1f} s")
    for side in (soak.connected, soak.isolated):
        click.echo(
            f"{side.folder.name}: killed {side.kills} times, stopped {side.stops} times (slowest "
            f"{side.slowest_stop:.1f} s); runs: {side.outcomes()}; left over: {_leftovers(side)}"
        )
    for name, (files, memory), (files_after, memory_after) in figures:
        click.echo(
            f"{name}: {files} -> {files_after} open files, {memory / 1e6:.1f} -> "
            f"{memory_after / 1e6:.1f} MB of memory"
        )


@click.command()
@click.argument("minutes", type=float, default=2.0)
@click.option("--seed", type=int, default=1, show_default=True, help="Chooses the moments.")
def main(minutes: float, seed: int) -> None:
    """Soak for some minutes."""
    asyncio.run(run(minutes, seed))


if __name__ == "__main__":
    main()
