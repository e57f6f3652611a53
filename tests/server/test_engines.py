"""Docker and containerd, the engines themselves: pull, push, sign in, and use it as a mirror."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import aiohttp
import pytest

from airgap.content.hosting import Hosting
from airgap.server import RunningRegistry, ServerSettings, running_registry
from tests.server.api import Api
from tests.support.command import run, succeed
from tests.support.engines import containerd, docker_engine
from tests.support.images import image, index, layer

HERE = "amd64" if os.uname().machine == "x86_64" else "arm64"
APP = image([layer({"hello": b"from here"})], platform=f"linux/{HERE}")
BOTH = index(
    {
        f"linux/{HERE}": APP,
        "linux/s390x": image([layer({"hello": b"from elsewhere"})], platform="linux/s390x"),
    }
)
CONFIG = next(d for d in APP.blobs if b"rootfs" in APP.blobs[d])

Docker: TypeAlias = Callable[..., Awaitable[str]]

pytestmark = pytest.mark.xdist_group("engines")


@asynccontextmanager
async def docker(*options: str) -> AsyncIterator[Docker]:
    """Run a Docker engine and give a client of it, whose logins are its own."""
    # The engine has sockets of its own deep inside, whose paths must stay below 108 characters.
    with tempfile.TemporaryDirectory(prefix="airgap") as folder:
        async with docker_engine(Path(folder), *options) as address:
            yield partial(succeed, "docker", "--config", f"{folder}/client", "-H", address)


async def test_docker_pulls_and_pushes(registry: RunningRegistry, api: Api) -> None:
    """Docker takes its platform out of an index; what it pushes has the same layers and config."""
    await api.push_image("team/app", BOTH, "1")
    async with docker() as client:
        await client("pull", f"{registry.domain}/team/app:1")
        found = await client("image", "inspect", "-f", "{{.Id}}", f"{registry.domain}/team/app:1")
        assert found.strip() == CONFIG
        pushed = f"{registry.domain}/quay.io/team/other:2"
        await client("tag", f"{registry.domain}/team/app:1", pushed)
        await client("push", pushed)
        await client("image", "rm", pushed)
        await client("pull", pushed)
    answer = await api.request("GET", "/v2/team/other/manifests/2?ns=quay.io")
    assert answer.document["config"]["digest"] == CONFIG


async def test_docker_signs_in_to_push_and_pulls_without(hosting: Hosting, tmp_path: Path) -> None:
    """Docker, which asks at the door once, gets along with anonymous reading and with passwords."""
    htpasswd = tmp_path / "htpasswd"
    command = ["htpasswd", "-cbB", "-C", "4", str(htpasswd), "ann", "secret"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: ASYNC221 - set-up
    settings = ServerSettings(htpasswd=htpasswd, anonymous_read=True)
    headers = {"Authorization": aiohttp.encode_basic_auth("ann", "secret")}
    async with (
        running_registry(hosting, settings) as registry,
        aiohttp.ClientSession() as session,
        docker() as client,
    ):
        await Api(session, registry.url, headers).push_image("team/app", APP, "1")
        name = f"{registry.domain}/team/app:1"
        await client("pull", name)
        await client("tag", name, f"{registry.domain}/team/app:2")
        with pytest.raises(AssertionError, match=r"sign in|no basic auth|unauthorized|denied"):
            await client("push", f"{registry.domain}/team/app:2")
        await client("login", "-u", "ann", "-p", "secret", registry.domain)
        await client("push", f"{registry.domain}/team/app:2")
        tags = (await Api(session, registry.url).request("GET", "/v2/team/app/tags/list")).document
    assert tags["tags"] == ["1", "2"]


async def test_it_is_a_mirror_for_docker(hosting: Hosting) -> None:
    """With ``docker.io`` as default domain, ``docker pull app`` comes from here."""
    async with (
        running_registry(hosting, ServerSettings(default_domain="docker.io")) as registry,
        aiohttp.ClientSession() as session,
        docker("--registry-mirror", registry.url) as client,
    ):
        await Api(session, registry.url).push_image("library/app", BOTH, "1")
        await client("pull", "app:1")
        digests = await client("image", "inspect", "-f", "{{json .RepoDigests}}", "app:1")
    assert json.loads(digests) == [f"app@{BOTH.digest}"]


async def test_it_is_a_mirror_for_containerd(
    registry: RunningRegistry, api: Api, tmp_path: Path
) -> None:
    """With ``hosts.toml`` containerd asks here for another host's images, and says whose."""
    await api.push_image("quay.io/team/app", BOTH, "1")
    hosts = tmp_path / "hosts" / "quay.io"
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(
        f'server = "https://quay.io"\n[host."{registry.url}"]\ncapabilities = ["pull", "resolve"]\n'
    )
    async with containerd(tmp_path / "containerd") as address:
        ctr = ("ctr", "-a", address)
        fetch = ("content", "fetch", "--hosts-dir", str(hosts.parent), "--all-platforms")
        await succeed(*ctr, *fetch, "quay.io/team/app:1")
        listed = await succeed(*ctr, "images", "ls")
        assert f"quay.io/team/app:1 {BOTH.root.descriptor.media_type} {BOTH.digest}" in " ".join(
            listed.split()
        )
        place = tmp_path / "containerd" / "root" / "io.containerd.content.v1.content" / "blobs"
        for digest, content in BOTH.blobs.items():
            assert (place / digest.algorithm / digest.hex).read_bytes() == content
        missing = await run(*ctr, *fetch, "quay.io/team/app:none")
    assert missing.code != 0
