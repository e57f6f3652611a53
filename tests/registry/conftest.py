"""A scripted registry, and clients that lose no time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings
from tests.support.registry_clients import MakeClient, Told, quick
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedRegistry]:
    """Run a scripted registry."""
    async with scripted_registry() as registry:
        yield registry


@pytest.fixture
async def second() -> AsyncIterator[ScriptedRegistry]:
    """Run another scripted registry."""
    async with scripted_registry() as registry:
        yield registry


@pytest.fixture
def told() -> Told:
    """Collect the notes of the test's clients."""
    return Told()


@pytest.fixture
async def make_client(told: Told) -> AsyncIterator[MakeClient]:
    """Return what makes clients."""
    async with AsyncExitStack() as stack:

        async def make(settings: ClientSettings | None = None) -> RegistryClient:
            client = RegistryClient(settings or quick(), told)
            return await stack.enter_async_context(client)

        yield make


@pytest.fixture
async def client(make_client: MakeClient) -> RegistryClient:
    """Return a client with quick timeouts and no credentials."""
    return await make_client()
