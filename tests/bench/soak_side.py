"""One side of a soak: a daemon in a process of its own, and what it holds of the machine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from airgap.daemon.history import History
from airgap.daemon.records import Outcome


@dataclass(frozen=True)
class Holdings:
    """What a process has at a moment.

    Attributes:
        uptime: seconds since it was started.
        memory: bytes of it that are in memory.
        own_memory: those of them that come from no file: what can leak.
        files: open files, sockets included.
        sockets: open sockets.
        threads: threads.
        runs: what it has done so far.
    """

    uptime: float
    memory: int
    own_memory: int
    files: int
    sockets: int
    threads: int
    runs: int

    def __str__(self) -> str:
        return (
            f"up {self.uptime:5.0f} s, {self.runs:4d} runs, {self.memory / 1e6:6.1f} MB "
            f"({self.own_memory / 1e6:5.1f} own), {self.files:3d} files, "
            f"{self.sockets:2d} sockets, {self.threads:2d} threads"
        )


@dataclass
class Side:
    """A daemon in a process of its own, started again whenever it is down.

    Attributes:
        folder: what it has, its folder for temporary files among it.
        kills: how often it was killed.
        stops: how often it was told to stop.
        slowest_stop: seconds that the slowest orderly end took.
    """

    folder: Path
    process: asyncio.subprocess.Process | None = None
    started: float = 0.0
    kills: int = 0
    stops: int = 0
    slowest_stop: float = 0.0

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.name

    @property
    def temporary(self) -> Path:
        """Where it puts temporary files."""
        return self.folder / "tmp"

    async def start(self) -> None:
        """Start it."""
        self.temporary.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "airgap", "daemon", "--config"),
                str(self.folder / "airgap.yaml"),
                stderr=log,
                stdout=log,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )
        self.started = time.monotonic()

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
            raise AssertionError(f"{self.name} ended with {code}")

    def holdings(self) -> Holdings | None:
        """Return what it has now; None where it is down."""
        if self.process is None or self.process.returncode is not None:
            return None
        proc = Path("/proc", str(self.process.pid))
        lines = (line.partition(":") for line in (proc / "status").read_text().splitlines())
        status = {key: value.split()[0] for key, _, value in lines if value.strip()}
        files = [_target(link) for link in (proc / "fd").iterdir()]
        return Holdings(
            time.monotonic() - self.started,
            int(status.get("VmRSS", 0)) * 1024,
            int(status.get("RssAnon", 0)) * 1024,
            len(files),
            sum(file.startswith("socket:") for file in files),
            int(status["Threads"]),
            self._runs(),
        )

    def outcomes(self) -> dict[str, int]:
        """Return how often its runs ended how."""
        with closing(History.at(self.folder / "store" / "airgap" / "daemon.sqlite")) as history:
            runs = history.runs(limit=100_000)
        return {
            str(outcome): count
            for outcome in Outcome
            if (count := sum(run.outcome is outcome for run in runs))
        }

    def leftovers(self) -> list[str]:
        """Return files that nobody will go on with, once it has ended.

        Partial bundles, unfinished pieces, sessions, and whatever lies in the temporary folder.
        """
        own = self.folder / "store" / "airgap"
        found = [*self.folder.glob("**/*.partial"), *(own / "ingest").glob("*.tmp")]
        found += [path for path in (own / "sessions").iterdir() if path.is_file()]
        found += self.temporary.iterdir()
        return [str(path.relative_to(self.folder)) for path in found]

    def _runs(self) -> int:
        path = self.folder / "store" / "airgap" / "daemon.sqlite"
        if not path.exists():
            return 0
        with closing(History.at(path)) as history:
            newest = history.runs(limit=1)
        return newest[0].number if newest else 0


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - `socket:[1]` is no path
    except FileNotFoundError:
        # It was closed meanwhile.
        return ""
