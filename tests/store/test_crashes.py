"""What is there after a process was killed: nothing half-made, and nothing to do again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from airgap.content.ports import BlobReader, FileRegion
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store.fsck import check_store
from airgap.store.layout import is_current
from airgap.store.store import Store
from tests.content.conformance import (
    LARGE,
    OCTETS,
    REPOSITORY,
    giving,
    ignore,
    read_bytes,
)
from tests.support.images import random_layer
from tests.support.memory import BytesReader

CONTENT = random_layer(42, LARGE).content
PROMISED = Descriptor.of(CONTENT, OCTETS)

STUCK_IN_A_BLOB = """
import asyncio, sys
from contextlib import asynccontextmanager
from pathlib import Path
from airgap.store.store import Store
from tests.content.conformance import LARGE, OCTETS, REPOSITORY, ignore
from tests.store.test_crashes import CONTENT, PROMISED
from tests.support.memory import BytesReader

class Stuck(BytesReader):
    async def __aiter__(self):
        yield self.content[:2 * 1024 * 1024]
        yield self.content[2 * 1024 * 1024:][:1024 * 1024]
        while not any(p.stat().st_size >= 2 * 1024 * 1024 for p in ingest.iterdir() if p.is_file()):
            await asyncio.sleep(0)
        print("stuck", flush=True)
        await asyncio.Event().wait()

@asynccontextmanager
async def open_at(offset):
    yield Stuck(CONTENT, offset)

async def main():
    async with Store.open(Path(sys.argv[1]), create=True) as store:
        await store.put_blob(REPOSITORY, PROMISED, open_at, ignore)

ingest = Path(sys.argv[1]) / "airgap" / "ingest"
asyncio.run(main())
"""

KILLED_BEFORE_THE_INDEX = """
import asyncio, os, signal, sys
from pathlib import Path
from airgap.content.ports import TagMove
from airgap.oci.reference import Reference
from airgap.store.store import Store
from tests.content.conformance import put_image
from tests.support.images import image, random_layer

def watch(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("index.json"):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with Store.open(Path(sys.argv[1]), create=True) as store:
        descriptor = await put_image(store, Reference.parse("alpine:1"), image([random_layer(1)]))
        sys.addaudithook(watch)
        await store.move_tags([TagMove(Reference.parse("alpine:2"), descriptor)])

asyncio.run(main())
"""


@asynccontextmanager
async def running(program: str, root: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program on a store until it says that it is stuck; kill it in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(root), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"stuck\n"
        yield process
    finally:
        process.kill()
        await process.communicate()


async def test_a_blob_goes_on_where_a_killed_process_stopped(root: Path) -> None:
    """What was written before the kill is hashed again, and not fetched again."""
    async with running(STUCK_IN_A_BLOB, root):
        pass
    async with Store.open(root) as store:
        assert await store.missing(REPOSITORY, [PROMISED]) == {PROMISED.digest}
        asked: list[int] = []

        @asynccontextmanager
        async def open_at(offset: int) -> AsyncIterator[BlobReader]:
            asked.append(offset)
            yield BytesReader(CONTENT, offset)

        await store.put_blob(REPOSITORY, PROMISED, open_at, ignore)
        assert len(asked) == 1
        assert asked[0] >= 2 * 1024 * 1024
        assert await read_bytes(store, PROMISED.digest, LARGE) == CONTENT
        assert (await check_store(store)).is_clean


async def test_a_damaged_beginning_costs_only_time(root: Path) -> None:
    """If the disk garbled what was there, the blob is fetched whole, and no source is blamed."""
    async with running(STUCK_IN_A_BLOB, root):
        pass
    async with Store.open(root) as store:
        partial = store.places.partial(PROMISED.digest)
        partial.write_bytes(b"garbage" + partial.read_bytes()[7:])
        await store.put_blob(REPOSITORY, PROMISED, giving(CONTENT), ignore)
        assert await read_bytes(store, PROMISED.digest, LARGE) == CONTENT


async def test_another_process_is_not_disturbed_by_one_in_the_middle(root: Path) -> None:
    """While one process has half of a blob, another takes in all of it."""
    async with running(STUCK_IN_A_BLOB, root), Store.open(root) as store:
        await store.put_blob(REPOSITORY, PROMISED, giving(CONTENT), ignore)
        assert await read_bytes(store, PROMISED.digest, LARGE) == CONTENT
        assert store.places.partial(PROMISED.digest).exists()


async def test_the_index_follows_the_catalog_after_a_kill(root: Path) -> None:
    """A process killed between the transaction and index.json is finished by the next."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED_BEFORE_THE_INDEX, str(root)
    )
    assert await process.wait() == -signal.SIGKILL
    assert b"alpine:2" not in (root / "index.json").read_bytes()
    async with Store.open(root) as store:
        assert await store.find(Reference.parse("alpine:2")) is not None
        assert is_current(store.places, store.database)
        assert (await check_store(store)).is_clean
    assert b"alpine:2" in (root / "index.json").read_bytes()


async def test_two_processes_fill_one_store(root: Path) -> None:
    """Two processes that put overlapping images at the same time lose nothing."""
    program = """
import asyncio, sys
from pathlib import Path
from airgap.oci.reference import Reference
from airgap.store.store import Store
from tests.content.conformance import put_image
from tests.support.images import image, random_layer

async def main():
    async with Store.open(Path(sys.argv[1]), create=True) as store:
        for number in range(30):
            built = image([random_layer(number, 200_000), random_layer(7)])
            await put_image(store, Reference.parse(f"{sys.argv[2]}:{number}"), built)

asyncio.run(main())
"""
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(root), name)
        for name in ("one", "two")
    ]
    assert [await process.wait() for process in processes] == [0, 0]
    async with Store.open(root) as store:
        report = await check_store(store)
        assert report.is_clean
        assert report.strays == []
        for name in ("one", "two"):
            repository = Reference.parse(name).repository
            assert len([tag async for tag in store.tags(repository)]) == 30
    assert (root / "index.json").read_bytes().count(b"ref.name") == 60


async def test_a_blob_goes_on_from_a_partial_file(store: Store) -> None:
    """Where the beginning is there, only the rest is asked for."""
    partial = store.places.partial(PROMISED.digest)
    partial.write_bytes(CONTENT[:1_000_000])
    asked: list[int] = []

    @asynccontextmanager
    async def open_at(offset: int) -> AsyncIterator[BlobReader]:
        asked.append(offset)
        yield BytesReader(CONTENT, offset)

    await store.put_blob(REPOSITORY, PROMISED, open_at, ignore)
    assert asked == [1_000_000]
    assert not partial.exists()


async def test_a_long_copy_of_a_file_stops_when_cancelled(store: Store, tmp_path: Path) -> None:
    """A copy in a thread ends soon, and what it had copied is gone on with."""
    size = 4 * 1024 * 1024 * 1024
    file = tmp_path / "huge"
    file.touch()
    os.truncate(file, size)
    promised = Descriptor(OCTETS, Digest.of(b"never reached"), size)
    begun = asyncio.Event()
    opener = giving(b"", region=FileRegion(file, 0, size))
    task = asyncio.create_task(store.put_blob(REPOSITORY, promised, opener, lambda _: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 < store.places.partial(promised.digest).stat().st_size < size
