"""Checking and repairing a store, and making its catalog anew."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.content.ports import TagMove
from airgap.errors import InvalidReference, NotFound, StoreUnusable
from airgap.oci.platform_filter import ALL_PLATFORMS
from airgap.oci.reference import Reference, Repository
from airgap.store.address import DatabaseAddress
from airgap.store.fsck import check_store
from airgap.store.listing import list_images
from airgap.store.rebuild import rebuild_catalog
from airgap.store.store import Store
from tests.content.conformance import REPOSITORY, named, put_bytes, put_image, two_platforms
from tests.support.images import artifact, image, random_layer
from tests.support.memory import MemorySource
from tests.support.postgres import ON_BOTH


@ON_BOTH
async def test_a_sound_store_is_clean(store: Store) -> None:
    """Nothing is found where nothing is wrong, and every byte has been read."""
    built = two_platforms()
    await put_image(store, named("1"), built)
    told: list[int] = []
    report = await check_store(store, on_bytes=told.append)
    assert report.is_clean
    assert report.blobs == len(built.manifests) + len(built.blobs)
    assert report.bytes == sum(told)


@ON_BOTH
async def test_a_flipped_bit_is_found_and_the_layer_fetched_again(store: Store) -> None:
    """Repair takes the damaged layer out, and the next copy brings it again."""
    built = image([random_layer(1), random_layer(2)])
    source = MemorySource({str(named("1")): built})
    copies = [ImageCopy(named("1"), named("1"))]
    await copy_images(source, store, copies)
    layer = built.root.layers[0]
    path = store.places.blob(layer.digest)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    report = await check_store(store)
    assert [damage.digest for damage in report.damaged] == [layer.digest]
    assert "hash to" in report.damaged[0].cause
    assert report.damaged[0].names == (named("1"),)
    assert not report.repaired
    repaired = await check_store(store, repair=True)
    assert repaired.repaired
    assert repaired.lost_names == ()
    assert len(list(store.places.quarantine.iterdir())) == 1
    assert not await store.holds(REPOSITORY, built.root.descriptor, ALL_PLATFORMS)
    incomplete = await check_store(store)
    assert [damage.digest for damage in incomplete.incomplete] == [layer.digest]
    source.opened.clear()
    await copy_images(source, store, copies)
    assert source.opened == [layer.digest]
    assert (await check_store(store)).is_clean


@pytest.mark.parametrize("fault", ["missing", "short"])
@ON_BOTH
async def test_a_damaged_manifest_costs_its_names(store: Store, root: Path, fault: str) -> None:
    """A name whose manifest is gone is removed by a repair, and reported."""
    built = image([random_layer(1)])
    await put_image(store, named("1"), built)
    path = store.places.blob(built.digest)
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    report = await check_store(store, repair=True)
    assert report.lost_names == (named("1"),)
    assert await store.find(named("1")) is None
    assert b"ref.name" not in (root / "index.json").read_bytes()
    assert (await check_store(store)).is_clean


@ON_BOTH
async def test_strays_and_a_changed_index_are_found(store: Store, root: Path) -> None:
    """Files that are no content are listed; an index.json that others changed is written again."""
    await put_image(store, named("1"), image([random_layer(1)]))
    (root / "index.json").write_text("{}")
    (root / "oci-layout").unlink()
    (root / "blobs" / "sha256" / "README").write_text("not a blob")
    report = await check_store(store, repair=True)
    assert report.stale_index
    assert [Path(stray).name for stray in report.strays] == ["README"]
    after = await check_store(store)
    assert after.is_clean
    assert (root / "oci-layout").exists()


async def test_a_rebuild_brings_everything_back(root: Path) -> None:
    """From layout and content alone come the same names, members, referrers and plans."""
    built, plain = two_platforms(), image([random_layer(5)])
    sbom = artifact(b"sbom", subject=built.root.descriptor)
    kept = Reference(REPOSITORY, digest=plain.digest)
    async with Store.open(root, create=True) as store:
        await put_image(store, named("1"), built)
        await put_image(store, kept, plain)
        await put_image(store, named("sbom"), sbom)
        await store.remove_tag(named("sbom"))
        roots = [TagMove(named("1"), built.root.descriptor), TagMove(kept, plain.root.descriptor)]
        before = await store.plan(roots, ALL_PLATFORMS)
    shutil.rmtree(root / "airgap")
    report = await rebuild_catalog(root)
    assert (report.manifests, report.names, report.skipped) == (5, 2, [])
    async with Store.open(root) as store:
        assert await store.plan(roots, ALL_PLATFORMS) == before
        assert await store.holds(REPOSITORY, built.root.descriptor, ALL_PLATFORMS)
        found = await store.referrers(REPOSITORY, built.digest)
        assert [item.digest for item in found] == [sbom.digest]
        assert (await check_store(store)).is_clean


@ON_BOTH
async def test_a_layout_of_skopeo_is_taken_over(
    root: Path, tmp_path: Path, address: DatabaseAddress | None
) -> None:
    """What skopeo wrote, under a bare tag, becomes an image of the repository that is named."""
    built = image([random_layer(1)])
    async with Store.open(tmp_path / "first", create=True) as store:
        await put_image(store, named("1"), built)
    origin = f"oci:{tmp_path / 'first'}:{named('1')}"
    copying = await asyncio.create_subprocess_exec("skopeo", "copy", "-q", origin, f"oci:{root}:v1")
    assert await copying.wait() == 0
    written = (root / "index.json").read_bytes()
    with pytest.raises(InvalidReference, match="v1"):
        await rebuild_catalog(root, address)
    assert (root / "index.json").read_bytes() == written
    repository = Repository.parse("localhost/taken")
    report = await rebuild_catalog(root, address, repository=repository)
    assert report.names == 1
    async with Store.open(root, address) as store:
        found = await store.resolve(Reference(repository, "v1"))
        assert await store.holds(repository, found, ALL_PLATFORMS)


@ON_BOTH
async def test_a_rebuild_waits_for_nobody_to_use_the_store(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch, address: DatabaseAddress | None
) -> None:
    """The catalog is not replaced under another process."""
    monkeypatch.setattr("airgap.store.rebuild.PATIENCE", 0.05)
    await put_bytes(store, b"something")
    with pytest.raises(StoreUnusable, match="another process"):
        await rebuild_catalog(root, address)


@ON_BOTH
async def test_what_is_no_layout_is_not_rebuilt(
    root: Path, address: DatabaseAddress | None
) -> None:
    """Neither an absent folder nor one with other things becomes a store."""
    with pytest.raises(NotFound):
        await rebuild_catalog(root, address)
    root.mkdir()
    with pytest.raises(StoreUnusable, match="no OCI image layout"):
        await rebuild_catalog(root, address)


@ON_BOTH
async def test_images_are_listed_with_sizes_and_platforms(store: Store) -> None:
    """A listing has the image ids, platforms, and what images share."""
    shared = random_layer(1)
    single = image([shared, random_layer(2)])
    built = two_platforms()
    data = artifact(b"data")
    for tag, one in (("single", single), ("multi", built), ("data", data)):
        await put_image(store, named(tag), one)
    listed = {item.reference.tag: item for item in await list_images(store)}
    assert list(listed) == ["data", "multi", "single"]
    multi = listed["multi"]
    assert [str(v.platform) for v in multi.variants] == ["linux/amd64", "linux/arm64"]
    assert multi.variants[0].created == "2024-01-02T03:04:05Z"
    assert listed["single"].variants[0].config == single.root.config.digest  # type: ignore[union-attr]
    assert listed["data"].variants == ()
    sizes = [len(content) for content in data.blobs.values()]
    assert listed["data"].size == sum(sizes) + len(data.root.raw)
    assert listed["data"].shared_size == 0
    # The amd64 image of the index is the single one, byte for byte.
    assert listed["single"].shared_size == listed["single"].size
    assert len(shared.content) < multi.shared_size < multi.size
