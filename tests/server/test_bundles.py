"""Bundles served as they are: a file, several, volumes; and those that cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pyrage  # type: ignore[import-untyped] # it ships no annotations
import pytest

from airgap.bundle.output import WriteOptions
from airgap.bundle.volumes import VolumeCut
from airgap.content.copy_images import ImageCopy, copy_images
from airgap.errors import AirgapError, BundleDamaged, NotFound, Unsupported
from airgap.oci.reference import Reference
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings
from airgap.server import ServerSettings, running_registry
from airgap.server.bundle_hosting import bundles_as_hosting
from tests.bundle.samples import Collected, several_images, write_bundle
from tests.server.api import Api
from tests.support.images import artifact, image, index, random_layer
from tests.support.memory import MemorySource

LARGE = image([random_layer(1, 300_000), random_layer(2, 70_000)])


@asynccontextmanager
async def served(*bundles: Path) -> AsyncIterator[Api]:
    """Serve bundles, read-only as the command line does."""
    async with (
        bundles_as_hosting(bundles) as hosting,
        running_registry(hosting, ServerSettings(read_only=True)) as running,
        aiohttp.ClientSession() as session,
    ):
        yield Api(session, running.url)


async def get(api: Api, path: str, piece: str | None = None) -> bytes:
    """Return what is at a path, or a piece of it; it must be there."""
    answer = await Api(api.session, api.base, {"Range": f"bytes={piece}"} if piece else {}).request(
        "GET", path
    )
    assert answer.status in {200, 206}, (path, answer.body)
    return answer.body


async def test_everything_in_a_bundle_can_be_pulled(tmp_path: Path) -> None:
    """All names, manifests and blobs come out byte for byte, under their full names."""
    source = several_images()
    await write_bundle(tmp_path / "b", source)
    async with served(tmp_path / "b") as api:
        for reference, built in source.roots.items():
            name = str(reference.repository).replace(":", "_")
            answer = await api.request("GET", f"/v2/{name}/manifests/{reference.tag}")
            assert (answer.status, answer.body) == (200, built.root.raw)
            for manifest in built.manifests:
                found = await get(api, f"/v2/{name}/manifests/{manifest.descriptor.digest}")
                assert found == manifest.raw
            for digest, content in built.blobs.items():
                head = await api.request("HEAD", f"/v2/{name}/blobs/{digest}")
                assert head.headers["Content-Length"] == str(len(content))
                assert await get(api, f"/v2/{name}/blobs/{digest}") == content
        catalog = (await api.request("GET", "/v2/_catalog")).document["repositories"]
        assert "registry.example_5000/multi" in catalog
        tags = await api.request("GET", "/v2/quay.io/team/docker/tags/list")
        assert tags.document["tags"] == ["1.10"]


@pytest.mark.parametrize("cut", [None, VolumeCut(64_000)], ids=["file", "volumes"])
async def test_any_piece_of_a_blob_is_served(tmp_path: Path, cut: VolumeCut | None) -> None:
    """Ranges are right also where a volume ends in the middle of them."""
    await write_bundle(
        tmp_path / "b", MemorySource({"app:1": LARGE}), WriteOptions(sync=False, cut=cut)
    )
    digest, content = max(LARGE.blobs.items(), key=lambda blob: len(blob[1]))
    path = f"/v2/docker.io/library/app/blobs/{digest}"
    async with served(tmp_path / ("b" if cut is None else "b.002")) as api:
        assert await get(api, path) == content
        for start, end in ((0, 0), (0, 99_999), (63_000, 70_000), (250_000, len(content) - 1)):
            piece = await get(api, path, f"{start}-{end}")
            assert piece == content[start : end + 1]
        assert await get(api, path, "-10") == content[-10:]


async def test_a_repository_has_only_what_its_images_are_made_of(tmp_path: Path) -> None:
    """Content of another repository in the same bundle is not to be had under this one."""
    other = image([random_layer(5)])
    await write_bundle(tmp_path / "b", MemorySource({"app:1": LARGE, "other:1": other}))
    layer = next(iter(other.blobs))
    async with served(tmp_path / "b") as api:
        for path in (
            f"docker.io/library/app/blobs/{layer}",
            f"docker.io/library/app/manifests/{other.digest}",
            "docker.io/library/app/manifests/2",
            "docker.io/library/nope/manifests/1",
            f"docker.io/library/nope/blobs/{layer}",
            "docker.io/library/nope/tags/list",
        ):
            assert (await api.request("GET", f"/v2/{path}")).status == 404, path
            assert (await api.request("HEAD", f"/v2/{path}")).status in {404, 405}, path


async def test_signatures_are_listed_with_their_image(tmp_path: Path) -> None:
    """What refers to an image came along in the bundle, and is served as its referrer."""
    signature = artifact(b"signed", subject=LARGE.root.descriptor)
    source = MemorySource({"app:1": LARGE, "app:sig": signature})
    await write_bundle(tmp_path / "b", source)
    async with served(tmp_path / "b") as api:
        path = f"/v2/docker.io/library/app/referrers/{LARGE.digest}"
        listed = (await api.request("GET", path)).document["manifests"]
    assert [entry["digest"] for entry in listed] == [signature.digest]
    assert listed[0]["artifactType"] == "application/vnd.example.sbom.v1"


async def test_several_bundles_are_one_place(tmp_path: Path) -> None:
    """Repositories are united; where two bundles have the same name, the later one counts."""
    newer = image([random_layer(6)])
    await write_bundle(tmp_path / "1", MemorySource({"app:1": LARGE, "a/one:1": LARGE}))
    await write_bundle(tmp_path / "2", MemorySource({"app:1": newer, "a/two:1": LARGE}))
    async with served(tmp_path / "1", tmp_path / "2") as api:
        assert await get(api, "/v2/docker.io/library/app/manifests/1") == newer.root.raw
        for name in ("one", "two"):
            assert await get(api, f"/v2/docker.io/a/{name}/manifests/1") == LARGE.root.raw
        old = f"/v2/docker.io/library/app/manifests/{LARGE.digest}"
        assert await get(api, old) == LARGE.root.raw


async def test_nothing_can_be_changed(tmp_path: Path) -> None:
    """Pushes and deletions are refused, with read-only mode and without."""
    await write_bundle(tmp_path / "b", MemorySource({"app:1": LARGE}))
    name = "docker.io/library/app"
    for read_only, status in ((True, 405), (False, 500)):
        async with (
            bundles_as_hosting([tmp_path / "b"]) as hosting,
            running_registry(hosting, ServerSettings(read_only=read_only)) as running,
            aiohttp.ClientSession() as session,
        ):
            api = Api(session, running.url)
            assert (await api.post(name)).status == status
            deletion = await api.request("DELETE", f"/v2/{name}/manifests/1")
            assert deletion.status == status
            assert await get(api, f"/v2/{name}/manifests/1") == LARGE.root.raw


async def test_our_own_client_copies_out_of_it(tmp_path: Path) -> None:
    """A whole multi-platform image goes from a served bundle into a store."""
    both = index({"linux/amd64": LARGE, "linux/arm64": image([random_layer(9)])})
    await write_bundle(tmp_path / "b", MemorySource({"app:1": both}))
    async with (
        bundles_as_hosting([tmp_path / "b"]) as hosting,
        running_registry(hosting) as running,
        RegistryClient(ClientSettings()) as client,
    ):
        name = Reference.parse(f"{running.domain}/docker.io/library/app:1")
        target = Collected()
        report = await copy_images(client, target, [ImageCopy(name, name)])
    assert report.error() is None
    assert target.blobs == {**both.blobs, **{m.descriptor.digest: m.raw for m in both.manifests}}


REFUSED = {
    "compressed": (WriteOptions(sync=False, zstd=True), Unsupported, "compressed"),
    "encrypted": (
        WriteOptions(sync=False, recipients=(pyrage.x25519.Identity.generate().to_public(),)),
        Unsupported,
        "encrypted",
    ),
}


@pytest.mark.parametrize("options, kind, word", REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_served_in_place_is_refused_with_the_way_out(
    tmp_path: Path, options: WriteOptions, kind: type[AirgapError], word: str
) -> None:
    """A compressed or encrypted bundle says so at the start, and what to do instead."""
    await write_bundle(tmp_path / "b", MemorySource({"app:1": LARGE}), options)
    with pytest.raises(kind, match=word) as caught:
        async with bundles_as_hosting([tmp_path / "b"]):
            pass
    assert "airgap import" in caught.value.hint


async def test_damaged_and_missing_files_are_told_at_the_start(tmp_path: Path) -> None:
    """No half of a bundle is ever served."""
    await write_bundle(tmp_path / "b", MemorySource({"app:1": LARGE}))
    with (tmp_path / "b").open("r+b") as file:
        file.truncate(100_000)
    for path, kind in ((tmp_path / "b", BundleDamaged), (tmp_path / "nope", NotFound)):
        with pytest.raises(kind):
            async with bundles_as_hosting([path]):
                pass
