"""A running registry and a plain HTTP client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from airgap.content.hosting import Hosting
from airgap.server import RunningRegistry, running_registry
from tests.server.api import Api
from tests.server.memory_hosting import MemoryHosting


@pytest.fixture
def hosting(tmp_path: Path) -> Hosting:
    """A place that hosts images, empty."""
    return MemoryHosting(tmp_path)


@pytest.fixture
async def registry(hosting: Hosting) -> AsyncIterator[RunningRegistry]:
    """A registry with default settings over the empty place."""
    async with running_registry(hosting) as running:
        yield running


@pytest.fixture
async def api(registry: RunningRegistry) -> AsyncIterator[Api]:
    """A client of the registry."""
    async with aiohttp.ClientSession() as session:
        yield Api(session, registry.url)
