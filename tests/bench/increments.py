"""Five weekly bundles of a changing set of Debian images, beside what full ones would weigh.

Run it with ``python -m tests.bench.increments``. The images are made by mmdebstrap and buildah,
pushed to a ``docker-registry`` on loopback, mirrored, exported for a channel, and imported; each
receipt is carried back before the next week.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.command import airgap, succeed
from tests.support.debian import Buildah, busybox
from tests.support.real_registry import real_registry

WEEKS = (
    ("the first bundle", {"base": "12", "app": "1.0", "tools": "1"}, ()),
    ("a new version of one application", {"app": "1.1"}, ()),
    ("one more image on the same base", {"web": "1"}, ()),
    ("a new base, and everything on it rebuilt", {"base": "12", "app": "1.2", "web": "1"}, ()),
    ("names move and go, no new content", {"stable": "1"}, ("tools:1", "app:1.0")),
)


@dataclass(frozen=True)
class Bench:
    """The two sides, and the workshop where images are made."""

    folder: Path
    upstream: str
    buildah: Buildah

    async def make(self, week: int) -> None:
        """Make and push what is new in a week."""
        programs = {"app": ("skopeo",), "tools": ("openssl", "curl"), "web": ("buildah",)}
        if week in {0, 3}:
            rootfs = await self._rootfs(("essential", "minbase")[week == 3])
            await self.buildah.image("base", (rootfs, "/"))
        for name, tag in WEEKS[week][1].items():
            if name in programs:
                files = [_program(program) for program in programs[name]]
                label = self.folder / "version"
                label.write_text(f"{name} {tag}\n")
                layers = [(file, "/usr/local/bin/") for file in files]
                await self.buildah.image(name, *layers, (label, "/etc/"), base="localhost/base")
            source = "base" if name == "stable" else name
            await self.buildah.push(source, f"{self.upstream}/{name}:{tag}")

    async def _rootfs(self, variant: str) -> Path:
        path = self.folder / f"{variant}.tar"
        command = ("mmdebstrap", f"--variant={variant}", "--format=tar", "--quiet")
        await succeed(*command, "bookworm", str(path))
        return path

    async def airgap(self, *arguments: str) -> dict[str, int]:
        """Run a command that must succeed; return its report."""
        done = await airgap(*arguments, "--config", str(self.folder / "airgap.yaml"), "--json")
        assert done.code == 0, done.out + done.err
        return done.document

    async def week(self, number: int) -> tuple[int, int, int]:
        """Run a week; return the sizes of the bundle, of a full one, and the blobs carried."""
        what, made, gone = WEEKS[number]
        del what
        connected = ("--store", str(self.folder / "connected"))
        isolated = ("--store", str(self.folder / "isolated"))
        await self.make(number)
        names = [f"{self.upstream}/{name}:{tag}" for name, tag in made.items()]
        await self.airgap("mirror", *names, *connected)
        if gone:
            await self.airgap("rmi", *(f"{self.upstream}/{name}" for name in gone), *connected)
        bundle, full = self.folder / f"{number + 1}.tar", self.folder / "full.tar"
        await self.airgap("export", "--all", "-o", str(full), "--force", *connected)
        report = await self.airgap("export", "plant", "-o", str(bundle), *connected)
        await self.airgap("import", str(bundle), *isolated)
        receipt = self.folder / "receipts" / f"plant-{number + 1}.receipt"
        await self.airgap("receipt", "apply", str(receipt), *connected)
        return bundle.stat().st_size, full.stat().st_size, report["items"]


def _program(name: str) -> Path:
    return Path(shutil.which(name) or busybox())


async def measure() -> Sequence[str]:
    """Run all weeks; return the lines of a table."""
    lines = ["| week | what | bundle, bytes | full, bytes | pieces |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="airgap-increments-") as scratch:
        folder = Path(scratch)
        (folder / "airgap.yaml").write_text(
            "export: {plant: {output: unused.tar}}\nimport: {plant: {receipts: receipts}}\n"
        )
        async with real_registry(folder / "upstream") as upstream:
            bench = Bench(folder, upstream.host, Buildah(folder / "buildah"))
            for number, (what, _, _) in enumerate(WEEKS):
                bundle, full, items = await bench.week(number)
                lines.append(f"| {number + 1} | {what} | {bundle:,} | {full:,} | {items} |")
    return lines


if __name__ == "__main__":
    print("\n".join(asyncio.run(measure())))  # noqa: T201 - its report
