"""Peak disk and memory of imports: ``python -m tests.bench.imports``, as root.

The isolated store and its temporary folder lie on a file system of their own, whose fill is sampled
while ``airgap import`` runs. Bundles lie elsewhere, as on a stick. Half of the content is in the
store (with ``--direct``: in the registry) before.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.command import airgap
from tests.support.filled_store import filled_store
from tests.support.images import BuiltImage, image, random_layer
from tests.support.memory import MemorySource
from tests.support.real_registry import real_registry

_MEBIBYTE = 1024 * 1024
_LAYERS = 8
_SAMPLE_SECONDS = 0.004
_TITLE = ("import", "bundle", "new", "peak disk", "left", "peak/new", "peak RSS")


@dataclass(frozen=True)
class Case:
    """One way to import.

    Attributes:
        name: what the table calls it.
        export: options of the export.
        sticks: over how many folders the volumes are spread; 0 leaves them where they are.
        in_turn: each folder is imported alone, one after the other.
        direct: past the store.
        opens: the key file is named.
    """

    name: str
    export: tuple[str, ...] = ()
    sticks: int = 0
    in_turn: bool = False
    direct: bool = False
    opens: bool = False


def cases(volume_size: int) -> Sequence[Case]:
    """Return all cases; volumes have so many bytes."""
    volumes = ("--volume-size", f"{volume_size}B")
    zstd = ("--compress", "zstd")
    return (
        Case("plain"),
        Case("zstd", zstd),
        Case("encrypted", ("--recipient", "key.pub"), opens=True),
        Case("volumes, three folders", volumes, sticks=3),
        Case("volumes of zstd, three folders", (*volumes, *zstd), sticks=3),
        Case("volumes, one stick after the other", volumes, sticks=3, in_turn=True),
        Case("--direct", direct=True),
        Case("--direct, zstd", zstd, direct=True),
        Case("--direct, volumes", volumes, sticks=3, direct=True),
    )


@contextmanager
def file_system(path: Path) -> Iterator[None]:
    """Mount a file system in memory."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def used(path: Path) -> int:
    """Return the bytes that are taken on a file system."""
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


class Sampled:
    """The fill of a file system over time; a context manager."""

    def __init__(self, path: Path) -> None:
        self.before = self.peak = used(path)
        self._path = path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self.peak = max(self.peak, used(self._path))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@dataclass(frozen=True)
class Bench:
    """Both sides.

    Attributes:
        folder: the connected side and what is carried.
        disk: where the isolated side's file system is mounted.
        registry: the isolated side's registry.
        layer: bytes of a layer.
    """

    folder: Path
    disk: Path
    registry: str
    layer: int

    def images(self, layers: int) -> dict[str, BuiltImage]:
        """Return one image for each two layers."""
        return {
            f"quay.io/team/app-{n}:1": image([random_layer(s, self.layer) for s in (n, -n)])
            for n in range(1, layers // 2 + 1)
        }

    async def prepare(self) -> None:
        """Fill the connected store, and make the bundle of what is there before."""
        source = MemorySource(self.images(_LAYERS))
        store = str(await filled_store(self.folder / "connected", source))
        half = [str(name) for name in source.roots][: _LAYERS // 4]
        await self._succeed("export", *half, "-o", str(self.folder / "half"), "--store", store)
        await self._succeed("keygen", str(self.folder / "key"), "--for", "encrypt")

    async def _succeed(self, *arguments: str) -> None:
        done = await airgap(*arguments)
        if done.code:
            raise SystemExit(done.out + done.err)

    async def measure(self, case: Case) -> tuple[str, ...]:
        """Run a case; return a row of the table."""
        carried = self.folder / "carried"
        carried.mkdir()
        options = [word.replace("key.pub", str(self.folder / "key.pub")) for word in case.export]
        await self._succeed(
            *("export", "--all", "--store", str(self.folder / "connected")),
            *("-o", str(carried / "b"), *options),
        )
        bundle = sum(file.stat().st_size for file in carried.iterdir())
        steps = [[str(place)] for place in self._spread(carried, case.sticks)]
        if not case.in_turn:
            steps = [[place for step in steps for place in step]]
        with file_system(self.disk):
            (self.disk / "tmp").mkdir()
            await self._succeed(*self._command(case, [str(self.folder / "half")], opens=False))
            with Sampled(self.disk) as disk:
                memory = [
                    await asyncio.to_thread(self._run, self._command(case, step, opens=case.opens))
                    for step in steps
                ]
            left = used(self.disk) - disk.before
        shutil.rmtree(carried)
        new = self.layer * _LAYERS // 2
        peak = disk.peak - disk.before
        return (
            case.name,
            *(f"{size / _MEBIBYTE:.1f}" for size in (bundle, new, peak, left)),
            f"{peak / new:.2f}",
            f"{max(memory) / _MEBIBYTE:.0f}",
        )

    def _spread(self, carried: Path, sticks: int) -> list[Path]:
        """Spread volumes over folders, each with the index, and return what to import."""
        if not sticks:
            return [carried / "b"]
        volumes = sorted(carried.glob("b.[0-9]*"))
        folders = [carried / f"stick-{number}" for number in range(sticks)]
        for number, folder in enumerate(folders):
            folder.mkdir()
            (folder / "b.volumes.json").write_bytes((carried / "b.volumes.json").read_bytes())
            for volume in volumes[number::sticks]:
                volume.rename(folder / volume.name)
        return folders

    def _command(self, case: Case, paths: Sequence[str], *, opens: bool) -> list[str]:
        command = ["import", *paths, "--store", str(self.disk / "store")]
        if case.direct:
            command += ["--direct", "--to", self.registry]
        return [*command, "--identity", str(self.folder / "key.key")] if opens else command

    def _run(self, command: Sequence[str]) -> int:
        """Import; return the most memory that it had, in bytes."""
        done = subprocess.run(
            [sys.executable, "-c", _TELLING, *command],
            env={**os.environ, "TMPDIR": str(self.disk / "tmp"), "AIRGAP_CONFIG": os.devnull},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        # What is still wanted of a set of volumes is no failure here.
        if done.returncode not in {0, 5}:
            raise SystemExit(done.stdout.decode())
        return int(done.stdout.split()[-1])


_TELLING = """
import sys
from pathlib import Path
from airgap.cli.main import run
code = run(sys.argv[1:])
status = Path("/proc/self/status").read_text().split()
print(int(status[status.index("VmHWM:") + 1]) * 1024)
sys.exit(code)
"""
"""The kernel's own account for a child begins with the memory of its parent."""


async def measure(layer: int) -> list[str]:
    """Measure all cases; return the lines of a table, in MiB."""
    rows: list[tuple[str, ...]] = [_TITLE]
    with tempfile.TemporaryDirectory(prefix="airgap-imports-") as scratch:
        folder = Path(scratch)
        for number, case in enumerate(cases(layer * _LAYERS // 7)):
            async with real_registry(folder / f"registry-{number}") as registry:
                bench = Bench(folder, folder / "disk", registry.host, layer)
                if not number:
                    await bench.prepare()
                rows.append(await bench.measure(case))
            (folder / "disk").rmdir()
    return [f"{row[0]:<36}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.imports")
    parser.add_argument("--layer", type=int, default=24, help="MiB of each of eight layers")
    size = parser.parse_args().layer * _MEBIBYTE
    sys.stdout.write("\n".join(asyncio.run(measure(size))) + "\n")
