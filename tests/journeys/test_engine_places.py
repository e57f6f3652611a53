"""A Docker Engine as one more place: pull, push, import and commit, with two real engines."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap.oci.digest import Digest
from tests.archive.moving import write_archive
from tests.archive.peers import busybox_image
from tests.support.command import Done, airgap
from tests.support.engines import docker_engine, podman_service
from tests.support.images import artifact, image, index, random_layer
from tests.support.memory import MemorySource

pytestmark = pytest.mark.xdist_group("engines")

ENGINES = {"docker": docker_engine, "podman": podman_service}


@dataclass(frozen=True)
class Machine:
    """An engine, and a store beside it.

    Attributes:
        address: where the engine listens.
        store: the store's folder.
    """

    address: str
    store: Path

    async def __call__(self, *arguments: str, code: int = 0) -> Done:
        """Run a command that must end with this code."""
        environment = {"DOCKER_HOST": self.address, "AIRGAP_STORE": str(self.store)}
        done = await airgap(*arguments, environment=environment)
        assert done.code == code, f"{' '.join(arguments)}\n{done.out}{done.err}"
        return done

    async def image_id(self, name: str) -> Digest:
        """Return the id of an image, wherever it is."""
        return Digest((await self("inspect", name, "--format", "{{.Id}}")).out.strip())


@pytest.fixture(params=sorted(ENGINES))
async def machine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Machine]:
    """Start an engine without images, and a store with two images of a busybox."""
    images = {"busybox:1": busybox_image(1), "team/two:2": busybox_image(2, docker=True)}
    await write_archive(MemorySource(images), list(images), tmp_path / "images.tar")
    with tempfile.TemporaryDirectory(prefix="ag-", ignore_cleanup_errors=True) as folder:
        async with ENGINES[request.param](Path(folder)) as address:
            there = Machine(address, tmp_path / "store")
            await there("load", "-i", str(tmp_path / "images.tar"))
            yield there


async def test_images_go_into_an_engine_and_come_back(machine: Machine) -> None:
    """By push, pull and copy; the image id stays the same, the names are those asked for."""
    await machine("push", "busybox:1", "docker-daemon:renamed:7")
    pushed = await machine("push", "--to", "docker-daemon:", "busybox:1", "team/two:2", "--json")
    assert pushed.document["audit"] == {"checked": 2, "differences": []}
    here = await machine.image_id("busybox:1")
    assert await machine.image_id("docker-daemon:renamed:7") == here
    await machine("pull", "docker-daemon:renamed:7")
    assert await machine.image_id("renamed:7") == here
    await machine("pull", f"docker-daemon:{here}")
    await machine("copy", "docker-daemon:team/two:2", "copied:1")
    assert await machine.image_id("copied:1") == await machine.image_id("team/two:2")
    shown = await machine("cat", "docker-daemon:team/two:2", "/data/2.txt")
    assert shown.out == "image 2\n"


async def test_a_container_becomes_an_image_of_the_store(machine: Machine) -> None:
    """The engine commits it, the store takes it in, and the engine keeps nothing of it."""
    await machine("push", "--to", "docker-daemon:", "busybox:1")
    tool = ("docker", "-H") if "docker" in machine.address else ("podman", "--url")
    process = await asyncio.create_subprocess_exec(
        *(*tool, machine.address, "create", "--name", "made", "busybox:1"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    await machine(
        *("commit", "--container", "made", "from-container:1"),
        *("-a", "Ada", "-m", "taken over", "-c", 'CMD ["/bin/sh"]'),
    )
    seen = json.loads((await machine("inspect", "from-container:1")).out)[0]
    assert (seen["Author"], seen["Config"]["Cmd"]) == ("Ada", ["/bin/sh"])
    await machine("pull", f"docker-daemon:{seen['Id']}", code=5)
    await machine("commit", "--container", "nobody", "x:1", code=5)
    listed = await machine("images", "x", "--json")
    assert listed.document["images"] == []


async def test_a_bundle_is_loaded_straight_into_an_engine(machine: Machine, tmp_path: Path) -> None:
    """Import takes it in and loads the images; what is no image is named and stays in the store."""
    extra = {"team/sbom:1": artifact(b"packages")}
    await write_archive(MemorySource(extra), list(extra), tmp_path / "extra.tar")
    await machine("load", "-i", str(tmp_path / "extra.tar"))
    bundle = str(tmp_path / "bundle.tar")
    await machine("export", "--all", "-o", bundle)
    other = Machine(machine.address, tmp_path / "other")
    done = await other("import", bundle, "--to", "docker-daemon:")
    assert "audit: 2 of 2 names" in done.out
    assert "left out" in done.err
    assert await other.image_id("docker-daemon:busybox:1") == await other.image_id("busybox:1")


async def test_another_platform_is_told_and_the_others_are_loaded(
    machine: Machine, tmp_path: Path
) -> None:
    """An engine gets this machine's platform; what has none is a failure of its own."""
    strange = {
        "strange:1": index(
            {
                "linux/s390x": image([random_layer(1)], platform="linux/s390x"),
                "linux/riscv64": image([random_layer(2)], platform="linux/riscv64"),
            }
        )
    }
    await write_archive(MemorySource(strange), list(strange), tmp_path / "strange.tar")
    await machine("load", "-i", str(tmp_path / "strange.tar"))
    done = await machine("push", "--to", "docker-daemon:", "strange:1", "busybox:1", code=13)
    assert "linux/s390x" in done.out
    assert await machine.image_id("docker-daemon:busybox:1") == await machine.image_id("busybox:1")


async def test_no_engine_is_one_clear_error(tmp_path: Path) -> None:
    """Where nobody listens the error says what to start, and no image is taken in."""
    nobody = Machine(f"unix://{tmp_path}/nothing.sock", tmp_path / "store")
    done = await nobody("pull", "docker-daemon:busybox:1", code=7)
    assert "DOCKER_HOST" in done.err
    assert (await nobody("images", "--json")).document["images"] == []


async def test_an_engine_is_a_source_of_mirrors(machine: Machine, tmp_path: Path) -> None:
    """By command and by config, beside others; an image that is not there is a failure alone."""
    await machine("push", "--to", "docker-daemon:", "busybox:1", "team/two:2")
    other = Machine(machine.address, tmp_path / "other")
    done = await other("mirror", "docker-daemon:busybox:1", "docker-daemon:absent:1", code=13)
    assert "absent:1" in done.out
    config = tmp_path / "airgap.yaml"
    config.write_text("mirror:\n  - docker-daemon:team/two:2\n  - engine: [busybox:1]\n")
    preview = await other("mirror", "--config", str(config), "--dry-run", "--json")
    assert preview.document["engine"] == [
        "docker.io/team/two:2",
        "docker.io/library/busybox:1",
    ]
    await other("mirror", "--config", str(config))
    for name in ("busybox:1", "team/two:2"):
        assert await other.image_id(name) == await machine.image_id(name)
