"""Stores for the tests of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airgap.store.store import Store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the test's store is, or will be."""
    return tmp_path / "store"


@pytest.fixture
async def store(root: Path) -> AsyncIterator[Store]:
    """An empty store."""
    async with Store.open(root, create=True) as opened:
        yield opened
