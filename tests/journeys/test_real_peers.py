"""The main job on real images between real registries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.oci.digest import Digest
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings
from tests.support.command import airgap, run, succeed
from tests.support.debian import Buildah, busybox, debian_rootfs
from tests.support.images import artifact, image, index, random_layer
from tests.support.memory import MemorySource
from tests.support.podman import podman
from tests.support.real_registry import real_registry

pytestmark = [pytest.mark.xdist_group("real-peers"), pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True)
class Sides:
    """Two registries with a gap between them, and what is published on one of them."""

    upstream: str
    local: str
    folder: Path

    @property
    def names(self) -> list[str]:
        """Every published name, without its registry."""
        return ["debian/base:12", "debian/app:1.10", "tools/busybox:1", "tools/multi:1", "sbom:1"]

    async def digest(self, registry: str, name: str) -> Digest:
        """Return what skopeo sees under a name: the digest of the bytes that the registry sends."""
        raw = await succeed(
            "skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry}/{name}"
        )
        return Digest.of(raw.encode())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sides(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sides]:
    """Publish Debian images, one of many platforms and an artifact in a real registry."""
    folder = tmp_path_factory.mktemp("sides")
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(real_registry(folder / "upstream"))
        local = await stack.enter_async_context(real_registry(folder / "local"))
        buildah = Buildah(folder / "buildah")
        await buildah.image("base", (await debian_rootfs(folder), "/"))
        await buildah.image("app", (busybox(), "/usr/local/bin/"), base="localhost/base")
        await buildah.image("busybox", (busybox(), "/bin/"))
        for name, path in (("base", "debian/base:12"), ("app", "debian/app:1.10")):
            await buildah.push(name, f"{upstream.host}/{path}")
        # Docker's own manifest type, as Docker Hub still serves most of the time.
        await buildah(
            *("push", "--quiet", "--tls-verify=false", "--format", "v2s2"),
            *("busybox", f"docker://{upstream.host}/tools/busybox:1"),
        )
        await _publish_made_up(upstream.host)
        yield Sides(upstream.host, local.host, folder)


async def _publish_made_up(host: str) -> None:
    platforms = {
        name: image([random_layer(1, 200_000), random_layer(n, 100_000)], platform=name)
        for n, name in enumerate(("linux/amd64", "linux/arm64", "linux/arm/v7"), 2)
    }
    source = MemorySource(
        {f"{host}/tools/multi:1": index(platforms), f"{host}/sbom:1": artifact(b"packages")}
    )
    async with RegistryClient(ClientSettings()) as client:
        copies = [ImageCopy(name, name) for name in source.roots]
        assert (await copy_images(source, client, copies)).error() is None


async def test_images_cross_the_gap_with_their_digests(sides: Sides, tmp_path: Path) -> None:
    """Mirror, export, carry, import, push: skopeo sees the same bytes on both sides."""
    connected, isolated = str(tmp_path / "connected"), str(tmp_path / "isolated")
    names = [f"{sides.upstream}/{name}" for name in sides.names]
    mirrored = await airgap("mirror", *names, "--store", connected, "--json")
    assert mirrored.code == 0, mirrored.out
    bundle = tmp_path / "bundle.tar"
    exported = await airgap("export", "--all", "--store", connected, "-o", str(bundle), "--json")
    assert exported.code == 0, exported.out
    carried = tmp_path / "stick"
    carried.mkdir()
    for file in (bundle, bundle.with_name("bundle.tar.sha256")):
        file.rename(carried / file.name)
    await succeed("sh", "-c", f"cd {carried} && sha256sum -c bundle.tar.sha256")
    imported = await airgap(
        *("import", str(carried / "bundle.tar"), "--store", isolated),
        *("--to", f"{sides.local}/hub", "--json"),
    )
    assert imported.code == 0, imported.out
    assert imported.document["audit"]["differences"] == []
    source_host = sides.upstream.replace(":", "_")
    for name in sides.names:
        there = await sides.digest(sides.upstream, name)
        here = await sides.digest(sides.local, f"hub/{source_host}/{name}")
        assert here == there


async def test_a_second_run_moves_nothing(sides: Sides, tmp_path: Path) -> None:
    """What has not changed is neither fetched nor pushed again."""
    store = str(tmp_path / "store")
    names = [f"{sides.upstream}/{name}" for name in sides.names]
    first = await airgap("mirror", *names, "--store", store, "--json")
    again = await airgap("mirror", *names, "--store", store, "--json")
    assert first.document["bytes_copied"] > 0
    assert again.document["bytes_copied"] == 0
    assert {i["outcome"] for i in again.document["images"]} == {"unchanged"}


async def test_skopeo_reads_the_store(sides: Sides, tmp_path: Path) -> None:
    """The store is an OCI layout that other tools open by full reference."""
    store = tmp_path / "store"
    name = f"{sides.upstream}/debian/app:1.10"
    assert (await airgap("mirror", name, "--store", str(store))).code == 0
    raw = await succeed("skopeo", "inspect", "--raw", f"oci:{store}:{name}")
    assert Digest.of(raw.encode()) == await sides.digest(sides.upstream, "debian/app:1.10")


async def test_podman_loads_a_full_bundle(sides: Sides, tmp_path: Path) -> None:
    """A bundle of several images is a ``docker save`` file for those that know no other."""
    bundle = await _bundle(sides, tmp_path, sides.names)
    async with podman() as place:
        await place("load", "-i", str(bundle))
        images = await place.images()
    loaded = {name: entry["Id"] for entry in images for name in entry["Names"]}
    wanted = {f"{sides.upstream}/{name}" for name in sides.names if name != "sbom:1"}
    assert loaded.keys() == wanted
    app = loaded[f"{sides.upstream}/debian/app:1.10"]
    assert app == await _config_digest(sides, "debian/app:1.10")


async def test_skopeo_reads_a_bundle_as_either_archive(sides: Sides, tmp_path: Path) -> None:
    """``docker-archive:`` by reference from many images, ``oci-archive:`` with the digest kept."""
    name = f"{sides.upstream}/debian/app:1.10"
    several = await _bundle(sides, tmp_path, sides.names)
    out = tmp_path / "docker"
    await succeed("skopeo", "copy", f"docker-archive:{several}:{name}", f"dir:{out}")
    assert json.loads((out / "manifest.json").read_text())["config"]["digest"] == (
        "sha256:" + await _config_digest(sides, "debian/app:1.10")
    )
    (tmp_path / "single").mkdir()
    single = await _bundle(sides, tmp_path / "single", ["debian/app:1.10"])
    out = tmp_path / "oci"
    await succeed("skopeo", "copy", f"oci-archive:{single}", f"dir:{out}")
    digest = Digest.of((out / "manifest.json").read_bytes())
    assert digest == await sides.digest(sides.upstream, "debian/app:1.10")


async def test_import_pushes_straight_from_the_bundle(sides: Sides, tmp_path: Path) -> None:
    """``--direct`` leaves no store behind, and the same digests in the registry."""
    bundle = await _bundle(sides, tmp_path, ["tools/multi:1"])
    done = await airgap(
        *("import", str(bundle), "--direct", "--to", f"{sides.local}/direct"),
        *("--store", str(tmp_path / "none"), "--json"),
    )
    assert done.code == 0, done.out
    assert not (tmp_path / "none").exists()
    source_host = sides.upstream.replace(":", "_")
    here = await sides.digest(sides.local, f"direct/{source_host}/tools/multi:1")
    assert here == await sides.digest(sides.upstream, "tools/multi:1")


async def test_one_failed_image_does_not_stop_the_others(sides: Sides, tmp_path: Path) -> None:
    """The end lists the failure and the exit code says so; the rest is in the store."""
    store = str(tmp_path / "store")
    good, bad = f"{sides.upstream}/tools/busybox:1", f"{sides.upstream}/tools/nothing:1"
    done = await airgap("mirror", bad, good, "--store", store, "--json")
    assert done.code == 13
    outcomes = {i["source"]: i["outcome"] for i in done.document["images"]}
    assert outcomes == {bad: "failed", good: "copied"}
    listed = await airgap("images", "--store", store, "--json")
    assert [i["reference"] for i in listed.document["images"]] == [good]


async def test_the_same_content_gives_the_same_bundle(sides: Sides, tmp_path: Path) -> None:
    """With id and time pinned, two stores filled in another order give the same bytes."""
    files: list[Path] = []
    for order in (sides.names, sides.names[::-1]):
        store = str(tmp_path / f"store{len(files)}")
        names = [f"{sides.upstream}/{name}" for name in order]
        assert (await airgap("mirror", *names, "--store", store)).code == 0
        files.append(tmp_path / f"{len(files)}.tar")
        pinned = ("--created", "2024-01-01T00:00:00Z", "--id", "0" * 32)
        done = await airgap("export", "--all", "--store", store, "-o", str(files[-1]), *pinned)
        assert done.code == 0, done.err
    assert (await run("cmp", *map(str, files))).code == 0


async def _bundle(sides: Sides, folder: Path, names: list[str]) -> Path:
    store, bundle = str(folder / "packing"), folder / "bundle.tar"
    full = [f"{sides.upstream}/{name}" for name in names]
    assert (await airgap("mirror", *full, "--store", store)).code == 0
    done = await airgap("export", *full, "--store", store, "-o", str(bundle))
    assert done.code == 0, done.err
    return bundle


async def _config_digest(sides: Sides, name: str) -> str:
    raw = await succeed(
        "skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{sides.upstream}/{name}"
    )
    digest: str = json.loads(raw)["config"]["digest"]
    return digest.removeprefix("sha256:")
