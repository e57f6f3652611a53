"""From the config to a daemon that runs until it is told to stop, and everything that it needs."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from airgap.app import App
from airgap.config.daemon import Occasion
from airgap.daemon.board import Board
from airgap.daemon.history import REMEDY, History
from airgap.daemon.logs import Logger
from airgap.daemon.notices import Notice, tell
from airgap.daemon.others import Others
from airgap.daemon.records import Run
from airgap.daemon.runner import PATIENCE, Clock, Runner
from airgap.daemon.service import BETWEEN_LOOKS, Daemon
from airgap.daemon.service_manager import ServiceManager
from airgap.daemon.status import StatusReader, late_names, moment
from airgap.daemon.web import serving_status
from airgap.errors import AirgapError
from airgap.operations.sizes import counted, human_span
from airgap.operations.turns import turn
from airgap.store.beside import open_beside
from airgap.store.store import Store

_WATCH_SECONDS = 2.0
_LATE_SECONDS = 60.0

_Identity: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the daemon runs.

    Attributes:
        load: reads the config anew.
        config_file: the file that is watched; None where there is none.
        logger: what is said.
        manager: whom to tell how the service fares.
        clock: the time in seconds since 1970.
        machine: what this machine is called.
    """

    load: Callable[[], App]
    config_file: Path | None
    logger: Logger
    manager: ServiceManager
    clock: Clock = time.time
    machine: str = field(default_factory=socket.gethostname)


@asynccontextmanager
async def opened_daemon(surroundings: Surroundings, app: App) -> AsyncIterator[Daemon]:
    """Open the store and the history; there is one daemon for a store at a time on each machine.

    On several machines there can be one each where they share the store's catalog in a database.

    Raises:
        Busy: there is a daemon already.
        StoreUnusable, NotPermitted, NoSpace: the store cannot be opened or made.
    """
    async with app.open_store(create=True, long_lived=True) as store:
        shared = store.server is not None
        async with turn(store, f"daemon.{surroundings.machine}" if shared else "daemon"):
            history = await asyncio.to_thread(_open_history, store)
            with closing(history):
                others = Others(store if shared else None, PATIENCE)
                board, logger = Board(), surroundings.logger
                yield Daemon(app, Runner(history, board, logger, surroundings.clock, others))


def _open_history(store: Store) -> History:
    return History(*open_beside(store, "daemon", REMEDY))


async def run_once(
    surroundings: Surroundings,
    app: App,
    names: Sequence[str] = (),
    *,
    between_looks: float = BETWEEN_LOOKS,
) -> list[Run]:
    """Do what is due, or what is named, and end.

    Raises:
        Busy: there is a daemon already, which does it.
        NotFound: a name is not in the config.
    """
    async with opened_daemon(surroundings, app) as daemon:
        return await daemon.run_once(names, between_looks=between_looks)


async def run_unattended(surroundings: Surroundings, app: App) -> None:
    """Run until a signal says stop; a second one cuts off what is being done.

    Raises:
        Busy: there is a daemon already.
        UsageError, ConfigError, NotPermitted: the status pages cannot be served.
    """
    manager, logger = surroundings.manager, surroundings.logger
    seen = await asyncio.to_thread(_identity, surroundings.config_file)
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(opened_daemon(surroundings, app))
        reader = StatusReader(daemon, surroundings.clock())
        site = await stack.enter_async_context(serving_status(daemon, reader))
        await daemon.start()
        with _signals() as signals:
            keeping = asyncio.create_task(_keep(surroundings, daemon, signals, seen))
            logger.info("daemon is up", store=str(app.store_path), status=site.url)
            manager.ready(_state(daemon))
            await signals.stop.wait()
            within = daemon.app.config.daemon.stop_within
            manager.stopping(within + _LATE_SECONDS)
            logger.info("told to stop", running=list(daemon.board.activities))
            keeping.cancel()
            await asyncio.wait([keeping])
            await _stop(daemon, within, signals)
    logger.info("daemon has ended")


async def _stop(daemon: Daemon, within: float, signals: _Signals) -> None:
    signals.stop.clear()
    stopping = asyncio.create_task(daemon.stop(within))
    hurry = asyncio.create_task(signals.stop.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        stopping.cancel()
        await daemon.stop(0)
    hurry.cancel()
    await asyncio.wait({stopping, hurry})


@dataclass(frozen=True, slots=True)
class _Signals:
    stop: asyncio.Event
    reload: asyncio.Event


@contextmanager
def _signals() -> Iterator[_Signals]:
    loop = asyncio.get_running_loop()
    found = _Signals(asyncio.Event(), asyncio.Event())
    handlers = {
        signal.SIGTERM: found.stop,
        signal.SIGINT: found.stop,
        signal.SIGHUP: found.reload,
    }
    for number, event in handlers.items():
        loop.add_signal_handler(number, event.set)
    try:
        yield found
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


async def _keep(
    surroundings: Surroundings, daemon: Daemon, signals: _Signals, seen: _Identity | None
) -> None:
    """Do everything that goes on beside the work."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_reload(surroundings, daemon, signals.reload))
        group.create_task(_watch_config(surroundings, daemon, signals.reload, seen))
        group.create_task(_tell_manager(surroundings, daemon))
        group.create_task(_tell_late(daemon))


async def _reload(surroundings: Surroundings, daemon: Daemon, wanted: asyncio.Event) -> None:
    while True:
        await wanted.wait()
        wanted.clear()
        surroundings.manager.reloading(time.monotonic())
        await read_config_again(surroundings, daemon)
        surroundings.manager.ready(_state(daemon))


async def read_config_again(surroundings: Surroundings, daemon: Daemon) -> bool:
    """Read the config and go on by it; a bad one is refused, and the old one stays."""
    try:
        app = await asyncio.to_thread(surroundings.load)
        _require_same_places(daemon.app, app)
    except AirgapError as error:
        daemon.board.problem = str(error)
        surroundings.logger.warning("config refused", cause=str(error), hint=error.hint)
        return False
    daemon.board.problem = None
    await daemon.reload(app)
    return True


def _require_same_places(old: App, new: App) -> None:
    places = (old.store_path, old.database_address), (new.store_path, new.database_address)
    if places[0] != places[1]:
        raise AirgapError("store", "has changed", "restart the daemon to use another store")
    before, after = old.config.daemon, new.config.daemon
    if (before.listen, before.token_file) != (after.listen, after.token_file):
        raise AirgapError(
            "daemon.listen, daemon.token-file", "have changed", "restart the daemon for that"
        )


async def _watch_config(
    surroundings: Surroundings, daemon: Daemon, wanted: asyncio.Event, seen: _Identity | None
) -> None:
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        now = await asyncio.to_thread(_identity, surroundings.config_file)
        if now != seen and daemon.app.config.daemon.watch_config:
            wanted.set()
        seen = now


def _identity(path: Path | None) -> _Identity | None:
    """Return what tells a file from what it was before; None where there is none."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size) if status is not None else None


async def _tell_manager(surroundings: Surroundings, daemon: Daemon) -> None:
    manager = surroundings.manager
    pause = (manager.watchdog or 4 * _WATCH_SECONDS) / 2
    told = ""
    while True:
        if manager.watchdog is not None:
            manager.alive()
        state = _state(daemon)
        if state != told:
            manager.status(state)
            told = state
        await asyncio.sleep(pause)


def _state(daemon: Daemon) -> str:
    if daemon.board.activities:
        return "running " + ", ".join(daemon.board.activities)
    entries = daemon.entries()
    times = [found for entry in entries if (found := daemon.next_run(entry.name)) is not None]
    state = counted(len(entries), "thing") + " to do by itself"
    return f"{state}, next at {min(times):%Y-%m-%d %H:%M:%S %Z}" if times else state


async def _tell_late(daemon: Daemon) -> None:
    while True:
        await tell_late(daemon)
        await asyncio.sleep(_LATE_SECONDS)


async def tell_late(daemon: Daemon) -> None:
    """Tell of each job and folder that is late, once until it went well again."""
    marks = await asyncio.to_thread(daemon.history.marks)
    now = daemon.runner.clock()
    for name, last in (await late_names(daemon)).items():
        if marks[name].told_late is not None:
            continue
        ever: Mapping[str, object] = {"last_success": moment(marks[name].succeeded)}
        summary = f"nothing went well for {human_span(now - last)}"
        daemon.logger.warning("late", job=name, summary=summary)
        notice = Notice(Occasion.LATE, name, summary, ever)
        await tell(daemon.app.config.daemon.notify, notice, daemon.logger)
        await asyncio.to_thread(daemon.history.told_late, name, now)
