"""What the daemon does and what people do at terminals takes turns, between real processes."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from airgap.content.events import Emit, Event, Note
from airgap.content.ports import HasCapacity, capability
from airgap.operations.importing import import_found
from airgap.operations.pushing import turn_at
from airgap.operations.tending import push_matching
from airgap.operations.turns import Busy, turn
from airgap.operations.watching import AskingTarget, Watcher, allow
from airgap.store.store import Store
from tests.daemon.places import APP, Place, carry, small_image
from tests.support.command import airgap
from tests.support.scripted_registry import scripted_registry

BUSY = 12


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """A store with one image."""
    place = Place(tmp_path / "here")
    place.configure("export: {plant: {output: unused.tar}}\n")
    await place.publish({APP: small_image(1)})
    return place


@asynccontextmanager
async def pushing_daemon(place: Place, host: str) -> AsyncIterator[Process]:
    """Have a process that is at its push job, and has its turn, until the block ends."""
    hang = place.folder / "hang"
    os.mkfifo(hang)
    hook = f"hooks: {{before-publish: [cat, '{hang}']}}"
    job = "jobs: {p: {do: push, every: 1d}}"
    place.configure(f"push: {{to: '{host}/daemon'}}\ndaemon: {{{job}, {hook}}}\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "airgap", "daemon", "--once", "p"),
        *("--config", str(place.config_file)),
        stdout=PIPE,
        stderr=PIPE,
    )
    # Opening the other end waits until the hook runs.
    writer = await asyncio.to_thread(os.open, hang, os.O_WRONLY)
    try:
        yield process
    finally:
        os.close(writer)
        await process.communicate()


async def waited(host: str, place: Place, act: Callable[[Emit], Awaitable[object]]) -> None:
    """Do something that pushes while somebody else pushes there; it must wait, and say so."""
    said = asyncio.Event()

    def hear(event: Event) -> None:
        if isinstance(event, Note) and "waiting" in event.text:
            said.set()

    async with place.opened() as store:
        async with turn_at(store, (host,)):
            task = asyncio.ensure_future(act(hear))
            async with asyncio.timeout(20):
                await said.wait()
            assert not task.done()
        await task


async def test_a_push_by_hand_takes_its_turn_with_the_daemon(place: Place) -> None:
    """Two processes: one is told of the other, and may push elsewhere meanwhile."""
    async with scripted_registry() as registry, scripted_registry() as other:
        store = ("--all", "--store", str(place.store))
        by_config = ("push", *store, "--config", str(place.config_file))
        elsewhere = ("push", *store, "--to", other.host)
        async with pushing_daemon(place, registry.host) as daemon:
            refused = await airgap(*by_config)
            assert refused.code == BUSY
            assert f"is being done by process {daemon.pid}" in refused.err
            shown = await airgap(*by_config, "--dry-run")
            assert shown.code == 0, shown.err
            pushed = await airgap(*elsewhere)
            assert pushed.code == 0, pushed.err
        assert daemon.returncode == 0
        again = await airgap(*by_config)
        assert again.code == 0, again.err


async def test_a_daemons_push_waits_for_one_by_hand(place: Place) -> None:
    """And says for whom."""
    async with scripted_registry() as registry:
        app = place.configure(f"push: {{to: '{registry.host}/hub'}}\n")
        await waited(
            registry.host,
            place,
            lambda emit: push_matching(app, watcher=Watcher(emit, patience=60)),
        )
        assert registry.count("PUT", "manifests") > 0


async def test_an_import_waits_with_pushing_on(place: Place, tmp_path: Path) -> None:
    """It would leave there what somebody else has just replaced; all before that is done."""
    bundle = carry(await place.export(), tmp_path / "stick")
    async with scripted_registry() as registry:
        there = Place(tmp_path / "there")
        app = there.configure(f"import: {{plant: {{to: '{registry.host}'}}}}\n")
        await there.publish({"docker.io/team/other:1": small_image(2)})
        await waited(registry.host, there, lambda emit: import_found(app, [bundle], Watcher(emit)))
        assert registry.count("PUT", "manifests") > 0


async def test_no_two_pushes_into_several_registries_wait_for_each_other(place: Place) -> None:
    """Whatever order they name them in."""
    async with place.opened() as store:

        async def push_to(*registries: str) -> None:
            for _ in range(5):
                async with turn_at(store, registries, patience=30):
                    await asyncio.sleep(0)

        async with asyncio.timeout(25):
            await asyncio.gather(push_to("a:1", "b:1"), push_to("b:1", "a:1"))


async def test_collecting_by_hand_takes_its_turn(place: Place) -> None:
    """Only looking does not."""
    words = ("store", "gc", "--store", str(place.store))
    async with Store.open(place.store) as store, turn(store, "collect"):
        assert (await airgap(*words)).code == BUSY
        assert (await airgap(*words, "--dry-run")).code == 0
    assert (await airgap(*words)).code == 0


async def test_a_turn_ends_with_its_holder(place: Place) -> None:
    """A killed process keeps nobody from working."""
    async with scripted_registry() as registry, pushing_daemon(place, registry.host) as daemon:
        app = place.load()
        with pytest.raises(Busy):
            await push_matching(app)
        daemon.kill()
        await daemon.wait()
        assert (await push_matching(app)).copied.error() is None


async def test_a_store_that_asks_first_still_knows_its_room(place: Place) -> None:
    """So that a mirror by the daemon is refused before it fills the disk."""
    async with Store.open(place.store) as store:
        knowing = capability(AskingTarget(store, allow), HasCapacity)
        assert knowing is not None
        assert await knowing.free_bytes() > 0
