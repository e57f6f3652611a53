"""Running a program and reading what it cost: wall time, CPU time, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cost:
    """What one run of a program cost: seconds, seconds, bytes."""

    wall: float
    cpu: float
    memory: int


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a program to its end; a failure ends the benchmark with the program's own words."""
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{output.decode()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


@dataclass
class Table:
    """Costs by leg and program; the median of the rounds counts."""

    costs: dict[tuple[str, str], list[Cost]] = field(default_factory=lambda: defaultdict(list))

    def add(self, leg: str, program: str, cost: Cost) -> None:
        """Take in one run."""
        self.costs[leg, program].append(cost)

    def lines(self, ours: str, peer: str) -> Iterator[str]:
        """Yield a row for each leg and program, with the ratio of ours to the peer's wall time."""
        yield f"{'leg':<22}{'program':<18}{'wall s':>8}{'cpu s':>8}{'MB':>7}  wall beside {peer}"
        for (leg, program), costs in self.costs.items():
            wall = statistics.median(c.wall for c in costs)
            cpu = statistics.median(c.cpu for c in costs)
            memory = max(c.memory for c in costs)
            ratio = ""
            if program.startswith(ours) and (leg, peer) in self.costs:
                ratio = f"{wall / statistics.median(c.wall for c in self.costs[leg, peer]):.2f}"
            yield f"{leg:<22}{program:<18}{wall:>8.2f}{cpu:>8.2f}{memory / 1e6:>7.0f}  {ratio}"
