"""Stores for the tests of this room, with their catalog in a file or in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from airgap.store.address import DatabaseAddress
from airgap.store.store import Store
from tests.support.postgres import POSTGRESQL, PostgresServer, running_postgres


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the test's store is, or will be."""
    return tmp_path / "store"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[DatabaseAddress]:
    """An empty database in it."""
    with postgres.new_database() as found:
        yield found


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Iterator[DatabaseAddress | None]:
    """Where the catalog is: in a file, unless the test is run ``ON_BOTH``."""
    if getattr(request, "param", None) != POSTGRESQL:
        yield None
        return
    found: DatabaseAddress = request.getfixturevalue("database")
    yield found


@pytest.fixture
async def store(root: Path, address: DatabaseAddress | None) -> AsyncIterator[Store]:
    """An empty store."""
    async with Store.open(root, address, create=True) as opened:
        yield opened
