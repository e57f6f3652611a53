"""Runtimes that are told where images were pushed pull them from there under their own names."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from airgap.oci.digest import Digest
from tests.archive.moving import write_archive
from tests.archive.peers import busybox_image
from tests.support.command import Done, airgap, succeed
from tests.support.engines import containerd, docker_engine
from tests.support.images import BuiltImage
from tests.support.memory import MemorySource
from tests.support.real_registry import real_registry

pytestmark = pytest.mark.xdist_group("engines")

NAMES = ("docker.io/library/busybox:1", "quay.io/team/two:2")


@dataclass(frozen=True)
class Site:
    """A store with two images, and a registry beside it.

    Attributes:
        host: the registry.
        store: the store's folder.
        images: what the store has.
    """

    host: str
    store: Path
    images: dict[str, BuiltImage]

    async def __call__(self, *arguments: str, code: int = 0) -> Done:
        """Run a command on the store that must end with this code."""
        done = await airgap(*arguments, "--store", str(self.store))
        assert done.code == code, f"{' '.join(arguments)}\n{done.out}{done.err}"
        return done


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Load two images of two upstreams into a store, beside an empty registry."""
    images = {NAMES[0]: busybox_image(1), NAMES[1]: busybox_image(2, docker=True)}
    await write_archive(MemorySource(images), NAMES, tmp_path / "images.tar")
    async with real_registry(tmp_path / "registry") as registry:
        found = Site(registry.host, tmp_path / "store", images)
        await found("load", "-i", str(tmp_path / "images.tar"))
        yield found


async def test_skopeo_and_podman_are_sent_to_the_registry(site: Site, tmp_path: Path) -> None:
    """With registries.conf every pushed name resolves to its digest, renamed ones included."""
    await site("push", "--all", "--to", f"{site.host}/hub")
    await site("push", NAMES[1], f"{site.host}/short:2")
    await site("mirrors", "--for", "podman", "-o", str(tmp_path))
    conf = tmp_path / "etc/containers/registries.conf.d/50-airgap.conf"
    for name in NAMES:
        inspect = ("inspect", "--raw", f"docker://{name}")
        raw = await succeed("skopeo", "--registries-conf", str(conf), *inspect)
        assert Digest.of(raw.encode()) == site.images[name].digest
    environment = {"CONTAINERS_REGISTRIES_CONF": str(conf)}
    with tempfile.TemporaryDirectory(prefix="ag-", ignore_cleanup_errors=True) as folder:
        places = ("--root", f"{folder}/root", "--runroot", f"{folder}/run")
        podman = ("podman", *places, "--storage-driver", "vfs")
        pulled = await succeed(*podman, "pull", "--quiet", NAMES[0], environment=environment)
    config = site.images[NAMES[0]].root.config
    assert config is not None
    assert pulled.strip() == config.digest.hex


async def test_containerd_is_sent_to_the_registry(site: Site, tmp_path: Path) -> None:
    """With hosts.toml containerd fetches from below the registry's prefix."""
    await site("push", "--all", "--to", f"{site.host}/hub")
    await site("mirrors", "--for", "containerd", "-o", str(tmp_path))
    hosts = tmp_path / "etc/containerd/certs.d"
    async with containerd(tmp_path / "containerd") as address:
        for name in NAMES:
            fetch = ("content", "fetch", "--hosts-dir", str(hosts), "--all-platforms", name)
            await succeed("ctr", "-a", address, *fetch)
        listed = await succeed("ctr", "-a", address, "images", "ls")
    for name in NAMES:
        assert site.images[name].digest in listed


async def test_docker_is_sent_to_the_registry(site: Site, tmp_path: Path) -> None:
    """With daemon.json Docker takes Docker Hub's images from a registry's root."""
    await site("push", NAMES[0], f"{site.host}/library/busybox:1")
    await site("mirrors", "--for", "docker", "-o", str(tmp_path))
    config = tmp_path / "etc/docker/daemon.json"
    with tempfile.TemporaryDirectory(prefix="ag-", ignore_cleanup_errors=True) as folder:
        async with docker_engine(Path(folder), "--config-file", str(config)) as address:
            await succeed("docker", "-H", address, "pull", "busybox:1")
            shown = ("image", "inspect", "--format", "{{json .RepoDigests}}", "busybox:1")
            digests = json.loads(await succeed("docker", "-H", address, *shown))
    assert digests == [f"busybox@{site.images[NAMES[0]].digest}"]


async def test_what_a_runtime_cannot_be_told_is_said(site: Site) -> None:
    """Docker takes no path; that is an error where nothing else is left, and no file is printed."""
    done = await site("mirrors", "--for", "docker", code=5)
    assert "nothing was pushed" in done.err
    await site("push", "--all", "--to", f"{site.host}/hub")
    done = await site("mirrors", "--for", "docker", code=16)
    assert "takes no path" in done.err
    assert done.out == ""


async def test_an_import_counts_as_a_push(site: Site, tmp_path: Path) -> None:
    """What ``import --to`` has pushed is in the config for k3s and OpenShift."""
    bundle = str(tmp_path / "bundle.tar")
    await site("export", "--all", "-o", bundle)
    other = Site(site.host, tmp_path / "other", site.images)
    await other("import", bundle, "--to", f"{site.host}/hub")
    k3s = yaml.safe_load((await other("mirrors", "--for", "k3s")).out)
    assert k3s["mirrors"]["docker.io"] == {
        "endpoint": [f"http://{site.host}"],
        "rewrite": {"^(.*)$": "hub/docker.io/$1"},
    }
    sets = list(yaml.safe_load_all((await other("mirrors", "--for", "openshift")).out))
    assert [document["kind"] for document in sets] == ["ImageDigestMirrorSet", "ImageTagMirrorSet"]
    assert sets[1]["spec"]["imageTagMirrors"] == [
        {"source": host, "mirrors": [f"{site.host}/hub/{host}"]}
        for host in ("docker.io", "quay.io")
    ]
