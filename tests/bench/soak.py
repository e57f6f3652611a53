"""A soak: both sides run unattended against a changing upstream, and are killed all the time.

``python -m tests.bench.soak [MINUTES] [--calm MINUTES]``. Two daemons in processes of their own:
one mirrors and exports every few seconds, the other one watches the folder that both share,
imports, and pushes into a registry; receipts come back through a second folder. Both are killed
with SIGKILL, or told to stop, at random moments, and started again. At the end upstream stands
still, and every name must resolve to the same digest upstream and in the registry on the other
side.

Then both go on for a while without being killed, and each minute it is printed what they hold:
memory that grows by uptime is a leak, and a restart would hide it. In the end both sides are the
same again, and no file may be left over.
"""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from airgap.content.copy_images import CopyLimits, ImageCopy, copy_images
from airgap.oci.reference import Reference
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings
from airgap.server.registry import RunningRegistry, running_registry
from airgap.store.store import Store
from tests.bench.soak_side import Side
from tests.support.images import BuiltImage, image, random_layer
from tests.support.memory import MemorySource

NAMES = 6
LAYER_BYTES = 400_000
SETTLING_SECONDS = 90.0
_EVERY = "2s"
_REST_SECONDS = 5.0


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
    def sides(self) -> tuple[Side, Side]:
        """Both daemons."""
        return self.connected, self.isolated

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

    async def change_until(self, until: float) -> int:
        """Publish one image after the other; return how many."""
        changes = 0
        while time.monotonic() < until:
            await self.change()
            changes += 1
            await asyncio.sleep(self.chance.uniform(0.1, 1.5))
        return changes

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


async def run(minutes: float, calm: float, seed: int) -> None:
    """Soak, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="airgap-soak-") as folder:
        async with prepared(Path(folder), seed) as soak:
            changes = await _disturbed(soak, minutes)
            seconds = await _settled(soak)
            click.echo(
                f"{minutes:g} minutes, {changes} changes upstream; the same after {seconds:.1f} s"
            )
            changes = await _undisturbed(soak, calm)
            click.echo(f"{calm:g} minutes without a kill, {changes} changes; the same at the end")
            for side in soak.sides:
                _print(side)


async def _disturbed(soak: Soak, minutes: float) -> int:
    until = time.monotonic() + 60 * minutes
    async with asyncio.TaskGroup() as group:
        for side in soak.sides:
            group.create_task(soak.disturb(side, until))
        return await soak.change_until(until)


async def _settled(soak: Soak) -> float:
    """Let both sides run until they are the same; return how long that took."""
    for side in soak.sides:
        await side.start()
    return await _same(soak)


async def _same(soak: Soak) -> float:
    began = time.monotonic()
    while differences := await soak.differences():
        if time.monotonic() - began > SETTLING_SECONDS:
            raise AssertionError(f"still different: {differences}")
        await asyncio.sleep(0.2)
    return time.monotonic() - began


async def _undisturbed(soak: Soak, minutes: float) -> int:
    """Go on with changes and without kills, and print what each side holds, minute by minute."""
    began = time.monotonic()
    until = began + 60 * minutes
    async with asyncio.TaskGroup() as group:
        changing = group.create_task(soak.change_until(until))
        while (now := time.monotonic()) < until:
            _sample(soak, now - began)
            await asyncio.sleep(min(60.0, until - now))
    await _same(soak)
    await asyncio.sleep(_REST_SECONDS)
    _sample(soak, time.monotonic() - began)
    for side in soak.sides:
        await side.end(signal.SIGTERM)
    return changing.result()


def _sample(soak: Soak, seconds: float) -> None:
    for side in soak.sides:
        click.echo(f"{seconds / 60:5.1f} min  {side.name:<9}  {side.holdings()}")


def _print(side: Side) -> None:
    click.echo(
        f"{side.name}: killed {side.kills} times, stopped {side.stops} times (slowest "
        f"{side.slowest_stop:.1f} s); runs: {side.outcomes()}; left over: {side.leftovers()}"
    )


@click.command()
@click.argument("minutes", type=float, default=2.0)
@click.option("--calm", type=float, default=1.0, show_default=True, help="Minutes without kills.")
@click.option("--seed", type=int, default=1, show_default=True, help="Chooses the moments.")
def main(minutes: float, calm: float, seed: int) -> None:
    """Soak for some minutes with kills, and for some without."""
    asyncio.run(run(minutes, calm, seed))


if __name__ == "__main__":
    main()
