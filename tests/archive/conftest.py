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


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """Give a scratch folder, and see to it that nothing stays there."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []
