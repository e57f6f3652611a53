"""The tools that Debian ships, run on private storage, and images that they can run."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from airgap.oci import media_types
from airgap.oci.digest import Digest
from tests.support import images
from tests.support.images import BuiltImage, Layer

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


def busybox_layer(*, docker: bool = False) -> Layer:
    """Build a layer that a container can start from: busybox, a shell, a folder for all."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, mode in (("bin", 0o755), ("tmp", 0o1777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        program = tarfile.TarInfo("bin/busybox")
        content = BUSYBOX.read_bytes()
        program.size, program.mode = len(content), 0o755
        tar.addfile(program, io.BytesIO(content))
        shell = tarfile.TarInfo("bin/sh")
        shell.type, shell.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(shell)
    plain = buffer.getvalue()
    kind = media_types.DOCKER_LAYER_GZIP if docker else media_types.OCI_LAYER_GZIP
    return Layer(gzip.compress(plain, 6, mtime=0), kind, Digest.of(plain))


def busybox_image(seed: int = 0, *, docker: bool = False) -> BuiltImage:
    """Build an image with a real busybox below and a small layer of its own above."""
    base = busybox_layer(docker=docker)
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
