"""Real clients: skopeo and podman push, pull, copy, list and delete."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from airgap.content.hosting import Hosting
from airgap.server import RunningRegistry, ServerSettings, running_registry
from tests.server.api import Api
from tests.support.images import image, index, random_layer

MULTI_ARCH = index(
    {
        "linux/amd64": image([random_layer(1, 300_000), random_layer(2)]),
        "linux/arm64": image([random_layer(1, 300_000), random_layer(3)], platform="linux/arm64"),
    }
)


async def run(*command: str | Path) -> str:
    """Run a client that must succeed; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, f"{command}\n{errors.decode()}"
    return output.decode()


async def test_fifty_skopeos_pull_at_once(
    registry: RunningRegistry, api: Api, tmp_path: Path
) -> None:
    """Fifty clients that start together all get every byte."""
    await api.push_image("team/app", MULTI_ARCH, "1")
    name = f"docker://{registry.domain}/team/app:1"
    options = ("--all", "--src-tls-verify=false")
    pulls = (run("skopeo", "copy", *options, name, f"dir:{tmp_path / str(n)}") for n in range(50))
    await asyncio.gather(*pulls)
    for number in range(50):
        for digest, content in MULTI_ARCH.blobs.items():
            assert (tmp_path / str(number) / digest.hex).read_bytes() == content


Podman: TypeAlias = Callable[..., Awaitable[str]]


@pytest.fixture
def podmans() -> Iterator[tuple[Podman, Podman]]:
    """Two podmans, each with a storage of its own."""
    # Podman takes no run folder with a path over 50 characters, as pytest's own have.
    with tempfile.TemporaryDirectory(prefix="airgap") as folder:
        yield _podman(Path(folder, "1")), _podman(Path(folder, "2"))


def _podman(folder: Path) -> Podman:
    place = ("--root", folder / "root", "--runroot", folder / "run")
    return partial(run, "podman", *place, "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs")


async def test_skopeo_copies_a_multi_arch_image_in_and_out(
    registry: RunningRegistry, api: Api, tmp_path: Path
) -> None:
    """Every platform goes in and comes out byte for byte."""
    await api.push_image("source/app", MULTI_ARCH, "1")
    copied = f"docker://{registry.domain}/docker.io/library/app:1"
    options = ("--all", "--src-tls-verify=false", "--dest-tls-verify=false")
    await run("skopeo", "copy", *options, f"docker://{registry.domain}/source/app:1", copied)
    for manifest in MULTI_ARCH.manifests:
        path = f"/v2/app/manifests/{manifest.descriptor.digest}?ns=docker.io"
        assert (await api.request("GET", path)).body == manifest.raw
    out = tmp_path / "out"
    await run("skopeo", "copy", "--all", "--src-tls-verify=false", copied, f"dir:{out}")
    assert (out / "manifest.json").read_bytes() == MULTI_ARCH.root.raw
    for digest, content in MULTI_ARCH.blobs.items():
        assert (out / digest.hex).read_bytes() == content


async def test_skopeo_lists_inspects_and_deletes(registry: RunningRegistry, api: Api) -> None:
    """Tags are listed, an image is inspected, and what is deleted is gone."""
    built = image([random_layer(4)])
    await api.push_image("team/app", built, "1")
    await api.push_image("team/app", image([random_layer(5)]), "2")
    name = f"docker://{registry.domain}/team/app"
    listed = json.loads(await run("skopeo", "list-tags", "--tls-verify=false", name))
    assert listed["Tags"] == ["1", "2"]
    inspected = json.loads(await run("skopeo", "inspect", "--tls-verify=false", f"{name}:1"))
    assert inspected["Digest"] == built.digest
    await run("skopeo", "delete", "--tls-verify=false", f"{name}:1")
    listed = json.loads(await run("skopeo", "list-tags", "--tls-verify=false", name))
    assert listed["Tags"] == ["2"]


@pytest.mark.parametrize("form", ["v2s2", "oci"])
async def test_podman_builds_pushes_and_pulls(
    registry: RunningRegistry, podmans: tuple[Podman, Podman], tmp_path: Path, form: str
) -> None:
    """What podman pushed another podman pulls, in both manifest formats."""
    content = tmp_path / "content"
    content.write_bytes(b"from podman")
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY content /\n")
    name = f"{registry.domain}/team/built:1"
    first, second = podmans
    await first("build", "--isolation", "chroot", "-t", name, tmp_path)
    await first("push", "--tls-verify=false", "--format", form, name)
    await second("pull", "--tls-verify=false", name)
    ids = [
        json.loads(await podman("image", "inspect", name))[0]["Id"] for podman in (first, second)
    ]
    assert ids[0] == ids[1]


async def test_podman_signs_in_to_push_and_pulls_without(
    hosting: Hosting, podmans: tuple[Podman, Podman], tmp_path: Path
) -> None:
    """Anonymous reading with signed-in writing works for a client that asks ``/v2/`` first."""
    htpasswd, auth = tmp_path / "htpasswd", tmp_path / "auth.json"
    command = ["htpasswd", "-cbB", "-C", "4", str(htpasswd), "ann", "secret"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: ASYNC221 - set-up
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY Containerfile /\n")
    settings = ServerSettings(htpasswd=htpasswd, anonymous_read=True)
    async with running_registry(hosting, settings) as registry:
        name = f"{registry.domain}/team/app:1"
        podman, reader = podmans
        login = ("login", "--tls-verify=false", "--authfile", auth, "-u", "ann", "-p", "secret")
        await podman(*login, registry.domain)
        await podman("build", "--isolation", "chroot", "-t", name, tmp_path)
        await podman("push", "--tls-verify=false", "--authfile", auth, name)
        await reader("pull", "--tls-verify=false", name)
