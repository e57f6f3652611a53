"""Peers on private storage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.peers import Podman


@pytest.fixture
def podman() -> Iterator[Podman]:
    """Give podman storage of its own, which is gone afterwards."""
    # Podman takes no state folder whose path is over 50 characters long.
    with tempfile.TemporaryDirectory(prefix="ag-", ignore_cleanup_errors=True) as folder:
        yield Podman(Path(folder))
