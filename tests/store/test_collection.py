"""Garbage collection: what goes, what stays, and who is left in peace."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.content.ports import TagMove
from airgap.errors import NotFound, StoreUnusable
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.platform_filter import ALL_PLATFORMS
from airgap.store.address import DatabaseAddress
from airgap.store.collection import GcRules, collect_garbage
from airgap.store.fsck import check_store
from airgap.store.locks import SWEEP, shared
from airgap.store.store import Store
from tests.content.conformance import (
    LARGE,
    OCTETS,
    REPOSITORY,
    named,
    put_bytes,
    put_image,
    two_platforms,
)
from tests.support.images import BuiltImage, artifact, image, index, random_layer
from tests.support.postgres import ON_BOTH, url_of

NOW = GcRules(grace=0.0)


def content_of(*images: BuiltImage) -> set[Digest]:
    """Return the digests of everything in some images."""
    manifests = {manifest.descriptor.digest for built in images for manifest in built.manifests}
    return manifests | {digest for built in images for digest in built.blobs}


def on_disk(store: Store) -> set[str]:
    """Return the digests of the content files."""
    return {f"{path.parent.name}:{path.name}" for path in store.places.blobs.glob("*/*")}


@ON_BOTH
async def test_nothing_that_a_name_needs_goes(store: Store) -> None:
    """Images with names stay whole, referrers and what they have included."""
    built = two_platforms()
    sbom = artifact(b"sbom", subject=built.manifests[0].descriptor)
    signature = artifact(b"signature", subject=sbom.root.descriptor)
    await put_image(store, named("1"), built)
    for extra in (sbom, signature):
        await put_image(store, named("extra"), extra)
    await store.remove_tag(named("extra"))
    report = await collect_garbage(store, NOW)
    assert report.removed == ()
    assert on_disk(store) == content_of(built, sbom, signature)


@ON_BOTH
async def test_what_no_name_needs_goes(store: Store) -> None:
    """With the last name its content goes, and shared content stays with the other image."""
    shared = random_layer(1)
    gone, kept = image([shared, random_layer(2)]), image([shared, random_layer(3)])
    signature = artifact(b"signature", subject=gone.root.descriptor)
    await put_image(store, named("gone"), gone)
    await put_image(store, named("kept"), kept)
    await put_image(store, named("signature"), signature)
    await store.remove_tag(named("signature"))
    await store.remove_tag(named("gone"))
    report = await collect_garbage(store, NOW)
    expected = content_of(gone, signature) - content_of(kept)
    assert {digest for digest, _ in report.removed} == expected
    assert report.removed_bytes > 0
    assert on_disk(store) == content_of(kept)
    assert not await store.holds(REPOSITORY, gone.root.descriptor, ALL_PLATFORMS)
    assert await store.holds(REPOSITORY, kept.root.descriptor, ALL_PLATFORMS)
    assert list(store.places.trash.iterdir()) == []
    assert (await check_store(store)).is_clean


@ON_BOTH
async def test_a_dry_run_says_what_would_go(store: Store) -> None:
    """The report is that of the real run, and nothing is removed."""
    digest = await put_bytes(store, b"unneeded")
    report = await collect_garbage(store, NOW, dry_run=True)
    assert report.dry_run
    assert report.removed == ((digest, 8),)
    assert on_disk(store) == {digest}
    assert (await collect_garbage(store, NOW)).removed == report.removed


@ON_BOTH
async def test_fresh_content_is_spared(store: Store) -> None:
    """What was put within the grace period stays, and the report says how much that is."""
    await put_image(store, named("1"), image([random_layer(1)]))
    await put_bytes(store, b"on its way")
    report = await collect_garbage(store)
    assert report.removed == ()
    assert (report.spared, report.spared_bytes) == (1, 10)


@ON_BOTH
async def test_a_running_copy_of_another_process_is_left_alone(
    root: Path, address: DatabaseAddress | None
) -> None:
    """Whatever another open store has put is safe until it is closed, or its process dies."""
    program = """
import asyncio, sys
from pathlib import Path
from airgap.store.store import Store
from tests.content.conformance import put_bytes
from tests.support.postgres import address_of

async def main():
    async with Store.open(Path(sys.argv[1]), address_of(sys.argv[2]), create=True) as store:
        await put_bytes(store, b"layer of an image to come")
        await store.settle()
        print("put", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(root), url_of(address)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"put\n"
    async with Store.open(root, address) as store:
        try:
            assert (await collect_garbage(store, NOW)).removed == ()
        finally:
            process.kill()
            await process.communicate()
        # A server has to find out first.
        async with asyncio.timeout(20):
            removed = 0
            while not removed:
                removed = len((await collect_garbage(store, NOW)).removed)
        assert removed == 1


@ON_BOTH
async def test_what_a_copy_found_there_is_kept_for_it(
    root: Path, address: DatabaseAddress | None
) -> None:
    """An answer "that is here already" holds for as long as the copy runs."""
    layer = Descriptor.of(b"old layer", OCTETS)
    async with Store.open(root, address, create=True) as first:
        await put_bytes(first, b"old layer")
    async with (
        Store.open(root, address) as copying,
        Store.open(root, address, long_lived=True) as collecting,
    ):
        assert await copying.missing(REPOSITORY, [layer]) == frozenset()
        assert (await collect_garbage(collecting, NOW)).removed == ()
    async with Store.open(root, address) as later:
        assert (await collect_garbage(later, NOW)).removed == ((layer.digest, layer.size),)


@ON_BOTH
async def test_a_server_claims_only_while_it_writes(
    root: Path, address: DatabaseAddress | None
) -> None:
    """A long-lived store does not keep garbage for ever, and can claim content for a while."""
    async with (
        Store.open(root, address, create=True, long_lived=True) as server,
        Store.open(root, address, long_lived=True) as collecting,
    ):
        async with server.writing():
            digest = await put_bytes(server, b"pushed")
            assert (await collect_garbage(collecting, NOW)).removed == ()
        assert (await collect_garbage(collecting, NOW)).removed == ((digest, 6),)


@ON_BOTH
async def test_collected_content_can_come_again(store: Store) -> None:
    """After a collection the same image is missing, and is taken in as if new."""
    built = image([random_layer(1)])
    await put_image(store, named("1"), built)
    await store.remove_tag(named("1"))
    await collect_garbage(store, NOW)
    assert await store.missing(REPOSITORY, list(built.root.layers)) != frozenset()
    await put_image(store, named("1"), built)
    assert on_disk(store) == content_of(built)


@ON_BOTH
async def test_stray_and_stale_files_go(store: Store) -> None:
    """Files of killed processes go: content without catalog row, old partial blobs, uploads."""
    stray = store.places.blob(Digest.of(b"stray"))
    stray.write_bytes(b"stray")
    partial = store.places.partial(Digest.of(b"partial"))
    fresh = store.places.partial(Digest.of(b"fresh"))
    for path in (partial, fresh):
        path.write_bytes(b"half")
    upload = await store.begin_upload(REPOSITORY)
    await upload.write(b"half")
    await upload.close()
    os.utime(partial, (0, 0))
    os.utime(store.places.uploads / upload.id, (0, 0))
    report = await collect_garbage(store, NOW)
    assert report.removed == ((Digest.of(b"stray"), 5),)
    assert (report.partials, report.partial_bytes, report.uploads) == (1, 4, 1)
    assert fresh.exists()
    assert not partial.exists()
    assert list(store.places.uploads.iterdir()) == []


@ON_BOTH
async def test_a_busy_store_is_not_waited_for_for_ever(store: Store) -> None:
    """Where another process is publishing all the time, collection gives up and says so."""
    with shared(store.locks, SWEEP), pytest.raises(StoreUnusable, match="another"):
        await collect_garbage(store, GcRules(patience=0.05))


@ON_BOTH
async def test_an_open_blob_can_be_read_while_it_is_collected(store: Store) -> None:
    """A reader that has begun comes to its end; the next one finds nothing."""
    content = random_layer(1, LARGE).content
    descriptor = Descriptor.of(content, OCTETS)
    await put_bytes(store, content)
    async with store.open_blob(REPOSITORY, descriptor) as reader:
        await collect_garbage(store, NOW)
        assert b"".join([piece async for piece in reader]) == content
    with pytest.raises(NotFound):
        async with store.open_blob(REPOSITORY, descriptor):
            pass


LEAVES = [image([random_layer(n), random_layer(n + 1)]) for n in range(4)]
INDEXES = [
    index({"linux/amd64": LEAVES[0], "linux/arm64": LEAVES[1]}),
    index({"linux/amd64": LEAVES[1], "linux/arm64": LEAVES[2]}),
]
EXTRAS = [
    artifact(b"of leaf", subject=LEAVES[0].root.descriptor),
    artifact(b"of index", subject=INDEXES[1].root.descriptor),
]
ALL = [*LEAVES, *INDEXES, *EXTRAS]


def needed_by(named_images: set[int]) -> set[Digest]:
    """Work out, from the images in memory, what names need."""
    needed = content_of(*(ALL[number] for number in named_images))
    growing = True
    while growing:
        growing = False
        for built in ALL:
            subject = built.root.subject
            if subject and subject.digest in needed and built.digest not in needed:
                needed |= content_of(built)
                growing = True
    return needed


@settings(max_examples=12, deadline=None)
@given(st.sets(st.integers(0, len(ALL) - 1)))
def test_exactly_the_unreachable_goes(named_images: set[int]) -> None:
    """For any choice of names over a tangle of images, collection leaves what they need."""

    async def run(root: Path) -> None:
        async with Store.open(root, create=True, sync=False) as store:
            for number, built in enumerate(ALL):
                await put_image(store, named(f"t{number}"), built)
            for number in set(range(len(ALL))) - named_images:
                await store.remove_tag(named(f"t{number}"))
            await collect_garbage(store, NOW)
            assert on_disk(store) == needed_by(named_images)
            roots = [TagMove(named(f"t{n}"), ALL[n].root.descriptor) for n in sorted(named_images)]
            plan = await store.plan(roots, ALL_PLATFORMS)
            assert set(plan.digests()) == needed_by(named_images)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder) / "store"))


@settings(max_examples=12, deadline=None)
@given(st.permutations(range(len(ALL))), st.lists(st.integers(0, len(ALL) - 1), min_size=1))
def test_a_plan_depends_only_on_its_roots(order: list[int], chosen: list[int]) -> None:
    """In whatever order content came, a plan is the same; children stand before parents."""

    async def run(root: Path, arrival: list[int]) -> list[Digest]:
        async with Store.open(root, create=True, sync=False) as store:
            for number in arrival:
                await put_image(store, named(f"t{number}"), ALL[number])
            roots = [TagMove(named(f"t{n}"), ALL[n].root.descriptor) for n in chosen]
            plan = await store.plan(roots, ALL_PLATFORMS)
            return list(plan.digests())

    with tempfile.TemporaryDirectory() as folder:
        planned = asyncio.run(run(Path(folder) / "one", order))
        assert planned == asyncio.run(run(Path(folder) / "two", sorted(order)))
    assert len(set(planned)) == len(planned)
    position = {digest: number for number, digest in enumerate(planned)}
    for built in ALL:
        for child in built.root.manifests:
            if built.digest in position:
                assert position[child.digest] < position[built.digest]
