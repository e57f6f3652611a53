"""A running registry over a real store, and a plain HTTP client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from airgap.content.hosting import Hosting
from airgap.server import RunningRegistry, running_registry
from airgap.store.store import Store
from tests.server.api import Api


@pytest.fixture
async def hosting(tmp_path: Path) -> AsyncIterator[Hosting]:
    """An empty store; what is written to it need not survive a power cut."""
    async with Store.open(tmp_path / "store", create=True, sync=False, long_lived=True) as store:
        yield store


@pytest.fixture
async def registry(hosting: Hosting) -> AsyncIterator[RunningRegistry]:
    """A registry with default settings over the empty store."""
    async with running_registry(hosting) as running:
        yield running


@pytest.fixture
async def api(registry: RunningRegistry) -> AsyncIterator[Api]:
    """A client of the registry."""
    async with aiohttp.ClientSession() as session:
        yield Api(session, registry.url)
