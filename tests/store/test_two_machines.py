"""Two machines (here processes) over one PostgreSQL and one folder: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from airgap.oci.reference import Reference
from airgap.operations.turns import Busy, turn
from airgap.store.address import DatabaseAddress
from airgap.store.collection import GcRules, collect_garbage
from airgap.store.fsck import check_store
from airgap.store.layout import is_current
from airgap.store.store import Store
from tests.content.conformance import put_bytes
from tests.support.postgres import PostgresServer, database_name

IMAGES = 6
NOW = GcRules(grace=0.0)

_BEGIN = """
import asyncio, sys
from pathlib import Path
from airgap.oci.reference import Reference
from airgap.operations.turns import turn
from airgap.store.address import DatabaseAddress
from airgap.store.collection import GcRules, collect_garbage
from airgap.store.store import Store
from tests.content.conformance import put_image
from tests.support.images import image, random_layer

def opened(**how):
    return Store.open(Path(sys.argv[1]), DatabaseAddress(sys.argv[2]), create=True, **how)
"""

FILLING = f"""{_BEGIN}
async def main():
    async with opened() as store:
        for number in range({IMAGES}):
            built = image([random_layer(number, 200_000), random_layer(7)])
            await put_image(store, Reference.parse(f"{{sys.argv[3]}}:{{number}}"), built)

asyncio.run(main())
"""

COLLECTING = f"""{_BEGIN}
async def main():
    async with opened(long_lived=True) as store:
        for _ in range(8):
            await collect_garbage(store, GcRules(grace=0.0))

asyncio.run(main())
"""

COUNTING = f"""{_BEGIN}
async def main():
    counter = Path(sys.argv[3])
    async with opened(long_lived=True) as store:
        for number in range(10):
            async with turn(store, "mirror", patience=60):
                seen = int(counter.read_text())
                await put_image(store, Reference.parse("some:1"), image([random_layer(number)]))
                counter.write_text(str(seen + 1))

asyncio.run(main())
"""

HOLDING = f"""{_BEGIN}
async def main():
    async with opened() as store, turn(store, "mirror"):
        await put_image(store, Reference.parse("half:1"), image([random_layer(1)]))
        await store.remove_tag(Reference.parse("half:1"))
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def started(program: str, root: Path, address: DatabaseAddress, *more: str) -> Process:
    """Start a process that uses the store as another machine does."""
    words = (sys.executable, "-c", program, str(root), address.url, *more)
    return await asyncio.create_subprocess_exec(*words, stdout=PIPE)


async def test_copies_and_collections_lose_nothing(root: Path, database: DatabaseAddress) -> None:
    """Two fill the store with images that share layers, and a third collects as fast as it can."""
    processes = [
        await started(FILLING, root, database, "one"),
        await started(FILLING, root, database, "two"),
        await started(COLLECTING, root, database),
    ]
    await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0]
    async with Store.open(root, database) as store:
        report = await check_store(store)
        assert report.is_clean
        assert report.strays == []
        assert is_current(store.places, store.database)
        for name in ("one", "two"):
            repository = Reference.parse(name).repository
            assert len([tag async for tag in store.tags(repository)]) == IMAGES


async def test_the_same_thing_is_done_by_one_at_a_time(
    root: Path, tmp_path: Path, database: DatabaseAddress
) -> None:
    """A count that two processes raise in turns misses nothing."""
    counter = tmp_path / "count"
    counter.write_text("0")
    processes = [await started(COUNTING, root, database, str(counter)) for _ in range(2)]
    await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0]
    assert counter.read_text() == "20"


async def test_a_killed_machine_keeps_nobody_from_working(
    root: Path, database: DatabaseAddress
) -> None:
    """While it lives its turn and its content are its own; then both are free."""
    async with Store.open(root, database, create=True, long_lived=True) as store:
        process = await started(HOLDING, root, database)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"held\n"
        with pytest.raises(Busy, match=f"process {process.pid}"):
            await turn(store, "mirror").__aenter__()
        assert (await collect_garbage(store, NOW)).removed == ()
        process.kill()
        await process.communicate()
        async with turn(store, "mirror", patience=20):
            assert len((await collect_garbage(store, NOW)).removed) == 3


async def test_what_a_collection_took_that_had_lost_its_lock_is_brought_back(
    root: Path, database: DatabaseAddress, postgres: PostgresServer
) -> None:
    """Content that the catalog knows and only the trash has is there again after the next one."""
    async with Store.open(root, database, create=True, long_lived=True) as store:
        digest = await put_bytes(store, b"put again meanwhile")
        path = store.places.blob(digest)
        trashed = f"{digest.algorithm}-{digest.hex}.0123"
        path.replace(store.places.trash / trashed)
        assert postgres.cut_connections(database_name(database)) > 0
        async with store.writing():
            await collect_garbage(store)
        assert path.read_bytes() == b"put again meanwhile"
        assert (await check_store(store)).is_clean
