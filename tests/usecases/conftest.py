"""An upstream registry, a store, and a client that loses no time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airgap.registry.client import RegistryClient
from airgap.store.store import Store
from tests.support.registry_clients import Told, quick
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedRegistry]:
    """Run a registry to mirror from."""
    async with scripted_registry() as registry:
        yield registry


@pytest.fixture
async def destination() -> AsyncIterator[ScriptedRegistry]:
    """Run a registry to push to."""
    async with scripted_registry() as registry:
        yield registry


@pytest.fixture
def told() -> Told:
    """Collect the notes of the client."""
    return Told()


@pytest.fixture
async def client(told: Told) -> AsyncIterator[RegistryClient]:
    """Return a client with quick timeouts and no credentials."""
    async with RegistryClient(quick(), told) as made:
        yield made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Open an empty store, without waiting for the disk."""
    async with Store.open(tmp_path / "store", create=True, sync=False) as opened:
        yield opened
