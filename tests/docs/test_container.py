"""The Containerfile builds without a network, and what comes out runs as the page on it says."""

from __future__ import annotations

import asyncio
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command import Done, run, succeed
from tests.support.debian import Buildah, debian_rootfs

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "run-in-a-container.md"
BASE = "localhost/python:slim"
PYTHON = ("ca-certificates", "libstdc++6", "python3", "python3-venv", "tzdata")
"""What the official slim images of Python have, too, of all that is needed."""

_BUILD = re.compile(r"^buildah bud (.*)$", re.MULTILINE)
_RUN = re.compile(r"^podman run --detach ((?:.*\\\n)*.*)$", re.MULTILINE)

pytestmark = pytest.mark.xdist_group("wheels")


@dataclass(frozen=True)
class Runtime:
    """Buildah and podman on one storage, which nobody else sees."""

    folder: Path

    @property
    def buildah(self) -> Buildah:
        """What builds."""
        return Buildah(self.folder)

    async def podman(self, *words: str) -> Done:
        """Run one podman command."""
        places = ("--root", str(self.folder / "root"), "--runroot", str(self.folder / "run"))
        return await run("podman", *places, "--storage-driver=vfs", "--runtime=runc", *words)

    async def inside(self, *words: str) -> str:
        """Run a command in the container of the page; return what it printed."""
        done = await self.podman("exec", "airgap", *words)
        assert done.code == 0, done.err
        return done.out


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """Buildah and podman without images."""
    # Podman takes no runroot of over 50 characters, which pytest's folders have.
    with tempfile.TemporaryDirectory(prefix="podman") as folder:
        yield Runtime(Path(folder))


async def test_the_image_builds_without_a_network_and_runs(
    runtime: Runtime, wheels: Path, tmp_path: Path
) -> None:
    """As nobody, on a root that cannot be written to: health, the demo, an orderly end."""
    await runtime.buildah.image(BASE, (await debian_rootfs(tmp_path, *PYTHON), "/"))
    await _build(runtime, wheels)
    config = tmp_path / "etc"
    config.mkdir()
    config.joinpath("airgap.yaml").write_text("daemon: {timezone: Europe/Berlin}\n")
    await _start(runtime, config)
    try:
        async with asyncio.timeout(30):
            while (await runtime.podman("healthcheck", "run", "airgap")).code != 0:
                """It is not up yet."""
        assert await runtime.inside("id", "-u") == "65532\n"
        written = await runtime.podman("exec", "airgap", "touch", "/opt/airgap/written")
        assert "Read-only file system" in written.err
        await runtime.inside("airgap", "demo", "-q")
        assert "store" in (await runtime.inside("ls", "/var/lib/airgap")).split()
        stopped = await runtime.podman("stop", "--time=45", "airgap")
        assert stopped.code == 0, stopped.err
        seen = await runtime.podman("inspect", "--format", "{{.State.ExitCode}}", "airgap")
        assert seen.out == "0\n"
    finally:
        await runtime.podman("rm", "--force", "--time=0", "airgap")


async def _build(runtime: Runtime, wheels: Path) -> None:
    """Build by the command of the page, where there is neither a network nor another image."""
    words = shlex.split(_command(_BUILD).replace("docs/container", f"{ROOT}/docs/container"))
    places = ("--root", str(runtime.folder / "root"), "--runroot", str(runtime.folder / "run"))
    *options, context = words
    assert context == wheels.name
    await succeed(
        *("unshare", "-n", "buildah", *places, "--storage-driver=vfs", "bud"),
        *("--isolation=chroot", "--pull-never", f"--build-arg=BASE={BASE}", *options, str(wheels)),
    )


async def _start(runtime: Runtime, config: Path) -> None:
    """Run by the command of the page; only the port stays within the container."""
    *options, image = shlex.split(_command(_RUN))
    published = options.index("--publish")
    del options[published : published + 2]
    options[options.index("/etc/airgap:/etc/airgap:ro")] = f"{config}:/etc/airgap:ro"
    limits = ("--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
    started = await runtime.podman("run", "--detach", *limits, *options, image)
    assert started.code == 0, started.err


def _command(pattern: re.Pattern[str]) -> str:
    found = pattern.search(PAGE.read_text())
    assert found is not None
    return found[1].replace("\\\n", "")
