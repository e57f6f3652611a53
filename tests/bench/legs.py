"""The legs of the main job on large layers, beside ``skopeo`` doing those that it can.

Run it with ``python -m tests.bench.legs [--rounds N] [--megabytes N]``. It makes three images of
two incompressible layers each in a ``docker-registry`` on loopback, and moves them to a second
one: mirror, export, import, push; with and without waiting for the disk; programs in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.measuring import Table, run
from tests.support.real_registry import real_registry

IMAGES = 3
AIRGAP = (sys.executable, "-m", "airgap")


@dataclass(frozen=True)
class Bench:
    """Where a round's files and registries are."""

    folder: Path
    upstream: str
    local: str

    def airgap(self, table: Table, *, sync: bool) -> None:
        """Run all legs with airgap."""
        program = "airgap" if sync else "airgap, no sync"
        config = self.folder / "airgap.yaml"
        config.write_text(f"store: {{sync: {str(sync).lower()}}}\n")
        common = ("--config", str(config), "-q")
        here, there = str(self.folder / "connected"), str(self.folder / "isolated")
        bundle = str(self.folder / "bundle.tar")
        repository = f"{self.upstream}/bench/app"

        def leg(name: str, *arguments: str) -> None:
            table.add(name, program, run((*AIRGAP, *arguments, *common)))

        leg("mirror", "mirror", repository, "--tags", "*", "--store", here)
        leg("mirror, unchanged", "mirror", repository, "--tags", "*", "--store", here)
        leg("export", "export", "--all", "--store", here, "-o", bundle)
        leg("import", "import", bundle, "--store", there)
        leg("push", "push", "--all", "--store", there, "--to", f"{self.local}/{_token()}")
        shutil.rmtree(there)
        to = f"{self.local}/{_token()}"
        leg("import --to", "import", bundle, "--store", there, "--to", to)
        to = f"{self.local}/{_token()}"
        leg("import --direct", "import", bundle, "--direct", "--to", to)
        self.clear()

    def skopeo(self, table: Table) -> None:
        """Run the legs that skopeo has; its folder of files stands for store and bundle."""
        folder = str(self.folder / "skopeo")
        plain = ("--src-tls-verify=false", "--dest-tls-verify=false")

        def leg(name: str, *arguments: str) -> None:
            table.add(name, "skopeo", run(("skopeo", *arguments)))

        source = f"{self.upstream}/bench/app"
        leg("mirror", "sync", "--src", "docker", "--dest", "dir", *plain, source, folder)
        target = f"{self.local}/{_token()}"
        leg("push", "sync", "--src", "dir", "--dest", "docker", *plain, folder, target)
        self.clear()

    def clear(self) -> None:
        """Remove what a round left, so that the next one starts even."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()


async def bench(rounds: int, megabytes: int) -> Table:
    """Run the rounds."""
    table = Table()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airgap-bench-")))
        upstream = await stack.enter_async_context(real_registry(folder / "upstream"))
        size = megabytes * 1_000_000 // (2 * IMAGES)
        publish = (sys.executable, "-m", "tests.bench.publish", f"{upstream.host}/bench/app")
        await asyncio.to_thread(run, (*publish, str(IMAGES), str(size)))
        work = folder / "work"
        work.mkdir()
        programs = (
            Bench.skopeo,
            partial(Bench.airgap, sync=False),
            partial(Bench.airgap, sync=True),
        )
        for number, legs in enumerate(programs * rounds):
            # A registry that has the blobs from an earlier round would only mount them.
            async with real_registry(folder / f"local{number}") as local:
                await asyncio.to_thread(legs, Bench(work, upstream.host, local.host), table)
            await asyncio.to_thread(shutil.rmtree, folder / f"local{number}")
    return table


_counter = iter(range(10**6))


def _token() -> str:
    """Return a path that no earlier round has pushed to, as a registry skips what it has."""
    return f"round{next(_counter)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=900)
    options = parser.parse_args(arguments)
    table = asyncio.run(bench(options.rounds, options.megabytes))
    print("\n".join(table.lines("airgap", "skopeo")))  # noqa: T201 - the benchmark's output


if __name__ == "__main__":
    main()
