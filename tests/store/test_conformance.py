"""The store passes what every content store must pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airgap.store.address import DatabaseAddress
from airgap.store.store import Store
from tests.content.conformance import (
    ContentStoreConformance,
    GraphConformance,
    HoldsConformance,
    ListingConformance,
    ReferrersConformance,
)
from tests.support.postgres import ON_BOTH


@ON_BOTH
class TestStore(
    ContentStoreConformance,
    HoldsConformance,
    ReferrersConformance,
    ListingConformance,
    GraphConformance,
):
    """The store as the commands use it, syncing."""

    @pytest.fixture
    async def place(self, tmp_path: Path, address: DatabaseAddress | None) -> AsyncIterator[Store]:
        """An empty store."""
        async with Store.open(tmp_path / "store", address, create=True) as store:
            yield store


@ON_BOTH
class TestServedStore(
    ContentStoreConformance, HoldsConformance, ReferrersConformance, ListingConformance
):
    """The store as a server uses it: nothing is put off; here without syncing."""

    @pytest.fixture
    async def place(self, tmp_path: Path, address: DatabaseAddress | None) -> AsyncIterator[Store]:
        """An empty store."""
        path = tmp_path / "store"
        async with Store.open(path, address, create=True, sync=False, long_lived=True) as store:
            yield store
