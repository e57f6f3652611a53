"""Both sides of a gap for tests of the daemon: real stores, a real upstream, a clock to turn."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airgap.app import App
from airgap.daemon.board import Board
from airgap.daemon.history import History
from airgap.daemon.logs import make_logger
from airgap.daemon.runner import Runner
from airgap.daemon.service import Daemon
from airgap.daemon.service_manager import ServiceManager
from airgap.daemon.unattended import Surroundings
from airgap.operations.exporting import Exported, export_next
from airgap.store.store import Store
from airgap.usecases.choose import available_references
from tests.support.filled_store import filled_store
from tests.support.images import BuiltImage, image, random_layer
from tests.support.memory import MemorySource

APP = "docker.io/team/app:1"


def small_image(seed: int) -> BuiltImage:
    """Return an image of one small layer, another one for each seed."""
    return image([random_layer(seed)])


@dataclass
class Clock:
    """The time, as a test sets it, from now on; seconds since 1970."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Place:
    """One side: its folder, its config, and a clock of its own."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    log: io.StringIO = field(default_factory=io.StringIO)
    exports: int = 0

    @property
    def config_file(self) -> Path:
        """The config."""
        return self.folder / "airgap.yaml"

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self.folder / "store"

    def configure(self, text: str) -> App:
        """Write the config, and load it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(f"store: {{path: store, sync: false}}\n{text}")
        return self.load()

    def load(self) -> App:
        """Load the config."""
        return App.start(self.config_file, environ={})

    def surroundings(self) -> Surroundings:
        """Return what a daemon here needs."""
        return Surroundings(
            self.load, self.config_file, make_logger(self.log), ServiceManager(), self.clock
        )

    @contextmanager
    def runner(self) -> Iterator[Runner]:
        """Give a runner on the store's history."""
        (self.store / "airgap").mkdir(parents=True, exist_ok=True)
        with closing(History.at(self.store / "airgap" / "daemon.sqlite", sync=False)) as history:
            yield Runner(history, Board(), make_logger(self.log), self.clock)

    async def publish(self, wanted: Mapping[str, BuiltImage]) -> None:
        """Put images into the store."""
        await filled_store(self.store, MemorySource(dict(wanted)))

    async def export(self, channel: str = "plant") -> Exported:
        """Export the next bundle of a channel, into a folder of its own."""
        self.exports += 1
        folder = self.folder / f"outbox-{self.exports}"
        folder.mkdir()
        return await export_next(self.load(), channel, folder=folder)

    async def names(self) -> dict[str, str]:
        """Return what the store's names stand for."""
        async with self.opened() as store:
            found = await available_references(store)
            return {str(name): (await store.resolve(name)).digest for name in found}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        """Open the store."""
        async with Store.open(self.store, sync=False) as store:
            yield store


def carry(exported: Exported, folder: Path, name: str | None = None) -> Path:
    """Copy an exported bundle and its checksum into a folder, in this order."""
    assert exported.report is not None
    source = exported.report.bundle.path
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (name or source.name)
    target.write_bytes(source.read_bytes())
    checksum = source.with_name(f"{source.name}.sha256")
    target.with_name(f"{target.name}.sha256").write_bytes(checksum.read_bytes())
    return target


def touch_later(path: Path) -> None:
    """Give a file another time, as writing to it does."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


async def settled(daemon: Daemon) -> None:
    """Wait until nothing is being done."""
    while daemon._tasks:
        await asyncio.wait(daemon._tasks.values())


async def begun(daemon: Daemon, name: str) -> None:
    """Wait until something is being done."""
    async with asyncio.timeout(20):
        while name not in daemon.board.activities:  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0)
