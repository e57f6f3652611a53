"""The tools that Debian ships, run on private storage, and images that they can run."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support import images
from tests.support.images import BuiltImage

BUSYBOX = Path("/bin/busybox")
_SECONDS = 120


def run(*command: str | Path) -> str:
    """Run a tool and return what it prints; where it fails, its words are the failure."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def busybox_image(seed: int = 0, *, docker: bool = False) -> BuiltImage:
    """Build an image with a real busybox below and a small layer of its own above."""
    base = images.layer({"bin/busybox": BUSYBOX.read_bytes()}, docker=docker)
    own = images.layer({f"data/{seed}.txt": f"image {seed}\n".encode()}, docker=docker)
    return images.image([base, own], docker=docker)


@dataclass(frozen=True)
class Podman:
    """Podman (or buildah) on storage of its own."""

    folder: Path

    def __call__(self, *arguments: str | Path) -> str:
        """Run podman."""
        return run("podman", *self.options, *arguments)

    @property
    def options(self) -> tuple[str, ...]:
        """What makes it use this storage."""
        root, state = self.folder / "root", self.folder / "run"
        return ("--root", str(root), "--runroot", str(state), "--storage-driver", "vfs")

    def image_id(self, name: str) -> str:
        """Return the id of an image, as ``sha256:…``."""
        return "sha256:" + self("image", "inspect", "--format", "{{.Id}}", name).removeprefix(
            "sha256:"
        )
