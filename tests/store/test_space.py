"""A full disk: one clear error, nothing half-written, and the store goes on when there is room."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.content.ports import FileRegion, TagMove
from airgap.errors import NoSpace
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference
from airgap.store.fsck import check_store
from airgap.store.layout import is_current
from airgap.store.store import Store
from tests.content.conformance import OCTETS, REPOSITORY, giving, ignore, put_bytes, put_image
from tests.support.images import image, random_layer

MEBIBYTE = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 6 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], check=True)
    try:
        yield place / "store"
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("by_region", [False, True])
async def test_a_blob_that_does_not_fit_leaves_no_trace(
    small_disk: Path, tmp_path: Path, *, by_region: bool
) -> None:
    """The error says that the disk is full, the bytes are gone, and a smaller blob fits."""
    content = random_layer(1, 10 * MEBIBYTE).content
    region = None
    if by_region:
        file = tmp_path / "blob"
        file.write_bytes(content)
        region = FileRegion(file, 0, len(content))
    descriptor = Descriptor.of(content, OCTETS)
    async with Store.open(small_disk, create=True) as store:
        free = await store.free_bytes()
        with pytest.raises(NoSpace, match="no space left"):
            await store.put_blob(REPOSITORY, descriptor, giving(content, region=region), ignore)
        assert [path for path in store.places.ingest.iterdir() if path.is_file()] == []
        assert await store.free_bytes() > free - MEBIBYTE
        assert await store.missing(REPOSITORY, [descriptor]) == {descriptor.digest}
        await put_bytes(store, content[:MEBIBYTE])
        assert (await check_store(store)).is_clean


async def test_names_do_not_move_when_the_index_does_not_fit(small_disk: Path) -> None:
    """With no room for index.json the transaction is undone; the store can still be opened."""
    name = Reference.parse("fits:1")
    async with Store.open(small_disk, create=True) as store:
        descriptor = await put_image(store, name, image([random_layer(1)]))
        moves = [TagMove(Reference.parse(f"fits:v{n}"), descriptor) for n in range(2000)]
        filler = small_disk.parent / "filler"
        filler.write_bytes(bytes(await store.free_bytes() - MEBIBYTE))
        with pytest.raises(NoSpace):
            await store.move_tags(moves)
        assert [tag async for tag in store.tags(name.repository)] == ["1"]
        assert is_current(store.places, store.database)
        filler.unlink()
        await store.move_tags(moves)
        assert len([tag async for tag in store.tags(name.repository)]) == 2001


async def test_small_blobs_that_do_not_fit_fail_the_copy(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Even where a small blob was not waited for, no name ever stands for what is not there."""
    async with Store.open(small_disk, create=True) as opened:
        fits = await put_image(opened, Reference.parse("fits:1"), image([random_layer(1)]))

    async def overfill() -> None:
        async with Store.open(small_disk) as store:
            for number in range(200):
                name = Reference.parse(f"x:{number}")
                await put_image(store, name, image([random_layer(number, 100_000)]))

    with pytest.raises(NoSpace):
        await overfill()
    gc.collect()
    assert "never retrieved" not in caplog.text
    async with Store.open(small_disk) as store:
        report = await check_store(store)
        assert report.damaged == []
        assert report.incomplete == []
        assert not report.stale_index
        assert await store.resolve(Reference.parse("fits:1")) == fits
