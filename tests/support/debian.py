"""Real images: Debian root file systems and packages, packed by buildah and pushed by skopeo."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.command import succeed


async def debian_rootfs(folder: Path, *packages: str) -> Path:
    """Return a tar of Debian's essential packages, and of others; made by mmdebstrap."""
    rootfs = folder / "rootfs.tar"
    command = ("mmdebstrap", "--variant=essential", "--format=tar", "--quiet")
    others = (f"--include={','.join(packages)}",) if packages else ()
    await succeed(*command, *others, "bookworm", str(rootfs))
    return rootfs


@dataclass(frozen=True)
class Buildah:
    """A buildah with storage of its own."""

    folder: Path

    async def __call__(self, *arguments: str) -> str:
        """Run one buildah command."""
        places = ("--root", str(self.folder / "root"), "--runroot", str(self.folder / "run"))
        out = await succeed("buildah", *places, "--storage-driver", "vfs", *arguments)
        return out.strip()

    async def image(self, name: str, *layers: tuple[Path, str], base: str = "scratch") -> None:
        """Commit an image: each layer is a file or tar, and where it goes."""
        container = await self("from", "--pull-never", base)
        for source, destination in layers:
            await self("add", "--quiet", container, str(source), destination)
            await self("commit", "--quiet", container, name)
        await self("rm", container)

    async def push(self, name: str, target: str) -> None:
        """Push an image to a registry."""
        await self("push", "--quiet", "--tls-verify=false", name, f"docker://{target}")


def busybox() -> Path:
    """Return Debian's static busybox."""
    found = shutil.which("busybox")
    assert found is not None, "busybox-static is not installed"
    return Path(found)
