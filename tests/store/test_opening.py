"""Finding and making stores, and saying clearly what is wrong with a path."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from airgap.errors import NotFound, NotPermitted, StoreUnusable
from airgap.oci.reference import Reference
from airgap.store import schema
from airgap.store.store import Store
from tests.content.conformance import put_bytes, put_image
from tests.support.images import image, random_layer

REFERENCE = Reference.parse("alpine:3")


async def open_and_close(path: Path, *, create: bool = False) -> str:
    """Open a store, and return its id."""
    async with Store.open(path, create=create) as store:
        return store.store_id


async def test_a_store_keeps_its_id(root: Path) -> None:
    """A store that is made and opened again is the same one."""
    made = await open_and_close(root, create=True)
    assert await open_and_close(root) == made
    assert await open_and_close(root, create=True) == made


async def test_no_store_is_not_found(root: Path) -> None:
    """Where nothing is, nothing is made unless asked for."""
    with pytest.raises(NotFound, match="no store here"):
        await open_and_close(root)
    assert not root.exists()


async def test_an_empty_folder_becomes_a_store(root: Path) -> None:
    """A folder somebody made before is as good as none."""
    root.mkdir()
    await open_and_close(root, create=True)
    assert (root / "oci-layout").is_file()


async def test_a_file_is_no_store(root: Path) -> None:
    """A path that is a file is refused by name."""
    root.write_text("not a folder")
    with pytest.raises(StoreUnusable, match="is a file"):
        await open_and_close(root, create=True)


async def test_a_folder_with_other_things_is_no_store(root: Path) -> None:
    """Nothing is put among somebody's files."""
    root.mkdir()
    (root / "thesis.tex").write_text("…")
    with pytest.raises(StoreUnusable, match="other things"):
        await open_and_close(root, create=True)
    assert [entry.name for entry in root.iterdir()] == ["thesis.tex"]


async def test_a_foreign_layout_is_not_taken_over_in_passing(root: Path) -> None:
    """A layout of another program is left alone, and the way to take it over is named."""
    (root / "blobs" / "sha256").mkdir(parents=True)
    (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (root / "index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    with pytest.raises(StoreUnusable) as caught:
        await open_and_close(root, create=True)
    assert "airgap store rebuild" in caught.value.hint
    assert not (root / "airgap").exists()


async def test_a_lost_catalog_is_not_replaced_by_an_empty_one(root: Path) -> None:
    """A store without its catalog needs a rebuild, and says so."""
    await open_and_close(root, create=True)
    (root / "airgap" / "catalog.sqlite").unlink()
    with pytest.raises(StoreUnusable) as caught:
        await open_and_close(root, create=True)
    assert "airgap store rebuild" in caught.value.hint


async def test_a_damaged_catalog_is_named(root: Path) -> None:
    """A catalog that is no database leads to a rebuild, not to a traceback."""
    await open_and_close(root, create=True)
    (root / "airgap" / "catalog.sqlite").write_bytes(b"no database " * 1000)
    with pytest.raises(StoreUnusable, match="damaged"):
        await open_and_close(root)


async def test_a_newer_store_is_refused(root: Path) -> None:
    """A store that a newer version wrote is not touched."""
    async with Store.open(root, create=True) as store:

        def age() -> None:
            with store.database.writing() as connection:
                connection.execute(
                    update(schema.meta)
                    .where(schema.meta.c.key == "schema_version")
                    .values(value="999")
                )

        await store.threads.ask(age)
    with pytest.raises(StoreUnusable, match="newer airgap"):
        await open_and_close(root)


@pytest.mark.parametrize("lacking", ["oci-layout", "index.json", "airgap/ingest/uploads"])
async def test_an_interrupted_creation_is_finished(root: Path, lacking: str) -> None:
    """Whatever a killed process did not come to make is made at the next opening."""
    await open_and_close(root, create=True)
    path = root / lacking
    path.rmdir() if path.is_dir() else path.unlink()
    await open_and_close(root)
    assert path.exists()


async def test_a_creation_killed_at_its_start_is_begun_anew(root: Path) -> None:
    """Our own folders alone, without a catalog, are no obstacle."""
    (root / "airgap" / "locks").mkdir(parents=True)
    (root / "airgap" / "catalog.sqlite").touch()
    await open_and_close(root, create=True)


async def test_two_openings_may_make_one_store(root: Path) -> None:
    """Whoever comes second uses what the first one made."""
    ids = await asyncio.gather(*(open_and_close(root, create=True) for _ in range(4)))
    assert len(set(ids)) == 1


@pytest.fixture
def read_only(root: Path) -> Iterator[Path]:
    """Yield where the store stands on a read-only mount."""
    place = root.parent / "medium"
    place.mkdir()
    root.mkdir()
    subprocess.run(["mount", "--bind", root, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


async def test_read_only_media_can_be_read(root: Path, read_only: Path) -> None:
    """A store on a disk that nobody can write to resolves, plans and reads, and takes nothing."""
    built = image([random_layer(1)])
    async with Store.open(root, create=True) as store:
        descriptor = await put_image(store, REFERENCE, built)
    mounting = await asyncio.create_subprocess_exec("mount", "-o", "remount,bind,ro", read_only)
    assert await mounting.wait() == 0
    async with Store.open(read_only) as store:
        assert not store.writable
        assert await store.resolve(REFERENCE) == descriptor
        assert await store.holds(REFERENCE.repository, descriptor, frozenset())
        assert await store.read_manifest(REFERENCE.repository, descriptor) == built.root.raw
        with pytest.raises(NotPermitted):
            await put_bytes(store, b"new")
        with pytest.raises(NotPermitted):
            await store.remove_tag(REFERENCE)
    with pytest.raises(NotPermitted):
        await open_and_close(read_only / "nested", create=True)


async def test_a_store_on_a_disk_loads_no_driver_of_a_server(root: Path) -> None:
    """Whoever needs no database on a server does not wait for its driver, either."""
    program = """
import asyncio, sys
from pathlib import Path
from airgap.store.store import Store

async def main():
    async with Store.open(Path(sys.argv[1]), create=True):
        pass

asyncio.run(main())
print([name for name in sys.modules if "psycopg" in name or "postgres" in name])
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(root)), stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said == b"[]\n"
