"""The locks of a store, which are files or a database's: both keep what the protocol promises."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import StoreUnusable
from airgap.store.address import DatabaseAddress
from airgap.store.locks import SWEEP, LockLost, Locks, exclusive, shared, take
from airgap.store.opening import open_store
from airgap.store.postgres_locks import lock_key
from airgap.store.store import Store
from tests.support.postgres import (
    ON_BOTH,
    PostgresServer,
    database_name,
    url_of,
)

HOLDER = """
import sys
from pathlib import Path
from airgap.store.opening import open_store
from tests.support.postgres import address_of

opened = open_store(Path(sys.argv[1]), address_of(sys.argv[2]), create=True, sync=False)
lock = opened.locks.try_exclusive("turn.mirror")
print("held" if lock else "refused", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def opened(root: Path, address: DatabaseAddress | None) -> Iterator[tuple[Locks, Locks]]:
    """The locks of one store, opened twice, as by two processes."""
    with ExitStack() as stack:
        found = [open_store(root, address, create=True, sync=False) for _ in range(2)]
        for each in found:
            stack.callback(each.held.close)
        yield found[0].locks, found[1].locks


@ON_BOTH
@pytest.mark.parametrize("other", [0, 1], ids=["same", "other"])
def test_an_exclusive_lock_is_held_by_one(opened: tuple[Locks, Locks], other: int) -> None:
    """Also where the same store asks again; until it is let go of."""
    lock = opened[0].try_exclusive("turn.x")
    assert lock is not None
    assert opened[other].try_exclusive("turn.x") is None
    assert opened[other].try_shared("turn.x") is None
    assert opened[other].try_exclusive("turn.y") is not None
    lock.release()
    lock.release()
    assert opened[other].try_exclusive("turn.x") is not None


@ON_BOTH
@pytest.mark.parametrize("other", [0, 1], ids=["same", "other"])
def test_a_shared_lock_is_held_by_many(opened: tuple[Locks, Locks], other: int) -> None:
    """And exclusively by nobody until the last has let go."""
    first, second = opened[0].try_shared("turn.x"), opened[other].try_shared("turn.x")
    assert first is not None
    assert second is not None
    for lock in (first, second):
        assert opened[other].try_exclusive("turn.x") is None
        assert opened[0].try_exclusive("turn.x") is None
        lock.release()
    assert opened[0].try_exclusive("turn.x") is not None


@ON_BOTH
def test_waiting_ends_with_patience(opened: tuple[Locks, Locks]) -> None:
    """Whoever waits too long is told for what."""
    with shared(opened[0], SWEEP), pytest.raises(StoreUnusable, match=r"another process.*0\.01"):
        take(opened[1], SWEEP, alone=True, patience=0.01)
    with exclusive(opened[0], SWEEP, patience=1), pytest.raises(StoreUnusable):
        take(opened[1], SWEEP, alone=False, patience=0)


@ON_BOTH
def test_a_holder_is_named(opened: tuple[Locks, Locks]) -> None:
    """By its process, for whoever is refused."""
    with exclusive(opened[0], "turn.x", patience=1):
        assert f"process {os.getpid()}" in opened[1].holder("turn.x")
    assert opened[1].holder("turn.never") == "another process"


@ON_BOTH
def test_a_file_is_locked_while_it_is_open(opened: tuple[Locks, Locks], root: Path) -> None:
    """Others open it too, without the lock; and get that after it."""
    path = root / "airgap" / "ingest" / "some.partial"
    descriptor, lock = opened[0].open_file(path, os.O_RDWR | os.O_CREAT)
    assert lock is not None
    second, refused = opened[1].open_file(path, os.O_RDWR)
    assert refused is None
    os.close(second)
    os.close(descriptor)
    lock.release()
    third, taken = opened[1].open_file(path, os.O_RDWR)
    assert taken is not None
    os.close(third)
    taken.release()


@ON_BOTH
def test_a_file_that_is_not_there_is_not_locked(opened: tuple[Locks, Locks], root: Path) -> None:
    """Whoever makes it then has it."""
    path = root / "airgap" / "ingest" / "some.partial"
    with pytest.raises(FileNotFoundError):
        opened[0].open_file(path, os.O_RDWR)
    descriptor, lock = opened[1].open_file(path, os.O_RDWR | os.O_CREAT)
    assert lock is not None
    os.close(descriptor)
    lock.release()


@ON_BOTH
def test_a_file_is_put_in_place_locked(opened: tuple[Locks, Locks], root: Path) -> None:
    """Again and again, each time with new content, and never free in between."""
    folder = root / "airgap" / "sessions"
    path, lock = folder / "x.push", None
    for content in ("1", "2"):
        temporary = folder / "new"
        temporary.write_text(content)
        lock = opened[0].put_file(temporary, path, lock)
        descriptor, refused = opened[1].open_file(path, os.O_RDONLY)
        assert refused is None
        assert os.read(descriptor, 9) == content.encode()
        os.close(descriptor)
    assert lock is not None
    lock.release()
    descriptor, free = opened[1].open_file(path, os.O_RDONLY)
    assert free is not None
    os.close(descriptor)
    free.release()


@ON_BOTH
async def test_a_killed_holder_lets_go(root: Path, address: DatabaseAddress | None) -> None:
    """Nobody has to clean up after it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(root), url_of(address)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    async with Store.open(root, address) as store:
        assert store.locks.try_exclusive("turn.mirror") is None
        assert f"process {process.pid}" in store.locks.holder("turn.mirror")
        process.kill()
        await process.communicate()
        lock = await asyncio.to_thread(take, store.locks, "turn.mirror", alone=True, patience=20)
        lock.release()


@ON_BOTH
def test_a_held_lock_is_confirmed(root: Path, address: DatabaseAddress | None) -> None:
    """In the transaction that writes under it."""
    with ExitStack() as stack:
        found = open_store(root, address, create=True, sync=False)
        stack.callback(found.held.close)
        with exclusive(found.locks, SWEEP, patience=1) as lock:
            found.database.confirm(lock)


def test_a_lock_of_a_lost_connection_is_not_confirmed(
    root: Path, database: DatabaseAddress, postgres: PostgresServer
) -> None:
    """What was to happen under it does not; and the next lock is a good one."""
    with ExitStack() as stack:
        found = open_store(root, database, create=True, sync=False)
        stack.callback(found.held.close)
        with exclusive(found.locks, SWEEP, patience=1) as lock:
            assert postgres.cut_connections(database_name(database)) > 0
            with pytest.raises(LockLost, match="connection was lost"):
                found.database.confirm(lock)
        with exclusive(found.locks, SWEEP, patience=1) as lock:
            found.database.confirm(lock)


@given(st.text(), st.text(), st.text())
def test_keys_fit_and_tell_schemas_apart(schema: str, other: str, name: str) -> None:
    """A key has 64 bits; two stores in schemas of one database do not share any."""
    key = lock_key(schema, name)
    assert -(2**63) <= key < 2**63
    assert (key == lock_key(other, name)) == (schema == other)


@ON_BOTH
@pytest.mark.parametrize("alone", [True, False], ids=["exclusive", "shared"])
async def test_a_lock_that_is_waited_for_comes_when_it_is_free(
    opened: tuple[Locks, Locks], *, alone: bool
) -> None:
    """In a thread of its own; then it excludes as any other does, until it is let go of."""
    lock = opened[0].try_exclusive("turn.x")
    assert lock is not None
    waiting = asyncio.create_task(
        asyncio.to_thread(opened[1].wait, "turn.x", alone=alone, patience=20)
    )
    lock.release()
    got = await waiting
    assert got is not None
    for each in opened:
        assert each.try_exclusive("turn.x") is None
        assert each.wait("turn.x", alone=True, patience=0.01) is None
    got.release()
    again = opened[0].try_exclusive("turn.x")
    assert again is not None
    again.release()


async def test_nobody_who_comes_later_gets_in_before_who_waits(
    root: Path, database: DatabaseAddress
) -> None:
    """So a collection comes to its turn, however many machines publish all the time."""
    with ExitStack() as stack:
        found = [open_store(root, database, create=True, sync=False) for _ in range(3)]
        for each in found:
            stack.callback(each.held.close)
        publishing, collecting, later = (each.locks for each in found)
        first = publishing.try_shared(SWEEP)
        assert first is not None
        waiting = asyncio.create_task(
            asyncio.to_thread(collecting.wait, SWEEP, alone=True, patience=20)
        )
        async with asyncio.timeout(20):
            while (second := later.try_shared(SWEEP)) is not None:
                second.release()
                await asyncio.sleep(0)
        first.release()
        got = await waiting
        assert got is not None
        got.release()
