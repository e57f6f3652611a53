"""The two sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.places import APP, Place, small_image


@pytest.fixture
async def connected(tmp_path: Path) -> Place:
    """The side that exports, with one image in its store."""
    place = Place(tmp_path / "connected")
    place.configure("export: {plant: {output: outbox/plant.tar}}\n")
    await place.publish({APP: small_image(1)})
    return place


@pytest.fixture
def isolated(tmp_path: Path) -> Place:
    """The side that imports, with an inbox."""
    place = Place(tmp_path / "isolated")
    (place.folder / "inbox").mkdir(parents=True)
    return place
