"""Real engines on private sockets: Podman's service, Debian's dockerd and containerd."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

_START_SECONDS = 60.0
_POLL_SECONDS = 0.05


@asynccontextmanager
async def podman_service(folder: Path) -> AsyncIterator[str]:
    """Run ``podman system service`` and give its address."""
    with _short_folder() as short:
        socket = short / "podman.sock"
        places = ("--root", f"{folder}/root", "--runroot", f"{short}/run")
        command = ("podman", *places, "--storage-driver", "vfs", "system", "service", "--time=0")
        async with _service((*command, f"unix://{socket}"), socket, folder / "podman.log"):
            yield f"unix://{socket}"


@asynccontextmanager
async def docker_engine(folder: Path, *options: str) -> AsyncIterator[str]:
    """Run ``dockerd`` without any network of its own and give its address."""
    with _short_folder() as short:
        socket = short / "docker.sock"
        command = (
            *("dockerd", "-H", f"unix://{socket}", "--data-root", f"{folder}/data"),
            *("--exec-root", f"{short}/exec", "--pidfile", f"{folder}/pid"),
            *("--storage-driver", "vfs", "--bridge", "none", "--iptables=false"),
            *("--ip6tables=false", "--ip-forward=false", "--userland-proxy=false"),
            *options,
        )
        async with _service(command, socket, folder / "docker.log"):
            yield f"unix://{socket}"


@asynccontextmanager
async def containerd(folder: Path) -> AsyncIterator[str]:
    """Run ``containerd`` without its Kubernetes part and give its address."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.toml"
    with _short_folder() as short:
        socket = short / "containerd.sock"
        config.write_text(
            f'version = 2\nroot = "{folder}/root"\nstate = "{short}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{socket}"\n'
        )
        async with _service(("containerd", "--config", str(config)), socket, folder / "log"):
            yield str(socket)


@contextmanager
def _short_folder() -> Iterator[Path]:
    """Give out a folder for sockets, whose paths have at most 107 bytes, and pytest's have more."""
    folder = tempfile.mkdtemp(prefix="engine")
    try:
        yield Path(folder)
    finally:
        # What an engine still has mounted there when it ends is not worth a failure.
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _service(command: Sequence[str], socket: Path, log: Path) -> AsyncIterator[None]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
    try:
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not await _listens(socket):
            late = asyncio.get_running_loop().time() > deadline
            assert process.returncode is None, log.read_text()
            assert not late, log.read_text()
            # Waiting for another process to listen: there is nothing to await but time.
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(socket: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(str(socket))
    except OSError:
        return False
    writer.close()
    return True
