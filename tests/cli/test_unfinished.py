"""Imports that were killed: what `airgap status` still says of them, and when it no longer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Done, airgap
from tests.support.filled_store import filled_store
from tests.support.images import image, random_layer
from tests.support.killing import killed_in_state
from tests.support.memory import MemorySource


class Place:
    """A store with one image, bundles of it outside of any channel, and a store that imports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.isolated = ("--store", str(folder / "isolated"))

    async def export(self, name: str, *references: str, created: str) -> Path:
        """Export to a file of its own; the time makes it another bundle."""
        path = self.folder / name
        done = await airgap(
            *("export", *(references or ("--all",)), "-o", str(path), "--created", created),
            *("--store", str(self.folder / "connected")),
        )
        assert done.code == 0, done.err
        return path

    async def take_in(self, bundle: Path) -> Done:
        """Import a bundle to its end."""
        return await airgap("import", str(bundle), *self.isolated, "--json")

    async def killed(self, bundle: Path, state: str) -> None:
        """Import a bundle, and die on the way."""
        await killed_in_state(state, "import", str(bundle), *self.isolated)

    async def unfinished(self, *options: str) -> list[dict[str, Any]]:
        """Return what the status says is not finished."""
        done = await airgap("status", *options, *self.isolated, "--json")
        assert done.code == 0, done.out
        found: list[dict[str, Any]] = done.document["unfinished"]
        return found

    async def states(self) -> list[tuple[str, bool]]:
        """Return the state of every import in the journal, and whether it was given up."""
        done = await airgap("report", *self.isolated, "--json")
        return [(entry["state"], entry["given_up"]) for entry in done.document["imports"]]


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """Two images on the connected side."""
    source = MemorySource(
        {"team/a:1": image([random_layer(1)]), "team/b:1": image([random_layer(2)])}
    )
    await filled_store(tmp_path / "connected", source)
    return Place(tmp_path)


@pytest.mark.parametrize("state", ["received", "staged", "published"])
async def test_the_same_delivery_taken_in_later_makes_up_for_a_killed_one(
    place: Place, state: str
) -> None:
    """Exported again it is another bundle, with the same names and content: nothing is left."""
    await place.killed(await place.export("1", created="2026-11-24"), state)
    assert [entry["state"] for entry in await place.unfinished()] == [state]
    assert (await place.take_in(await place.export("2", created="2026-11-25"))).code == 0
    assert await place.unfinished() == []
    assert await place.states() == [(state, False), ("receipted", False)]


async def test_another_delivery_does_not(place: Place) -> None:
    """Fewer names, or none of them, leave something to do."""
    await place.killed(await place.export("1", created="2026-11-24"), "staged")
    assert (
        await place.take_in(await place.export("2", "team/a:1", created="2026-11-25"))
    ).code == 0
    assert [entry["import"] for entry in await place.unfinished()] == [1]


async def test_an_import_can_be_given_up(place: Place) -> None:
    """The status no longer speaks of it; the journal keeps it; importing again takes it up."""
    bundle = await place.export("1", created="2026-11-24")
    await place.killed(bundle, "staged")
    assert await place.unfinished("--give-up", "1") == []
    assert await place.unfinished() == []
    assert await place.states() == [("staged", True)]
    done = await airgap("report", "1", *place.isolated)
    assert "given up" in done.out
    assert (await place.take_in(bundle)).code == 0
    assert await place.states() == [("receipted", False)]


async def test_only_what_has_stopped_can_be_given_up(place: Place) -> None:
    """A number that there is not, and an import that came to its end."""
    assert (await place.take_in(await place.export("1", created="2026-11-24"))).code == 0
    for number, code, words in (("7", 5, "is not in the journal"), ("1", 2, "come to its end")):
        done = await airgap("status", "--give-up", number, *place.isolated)
        assert (done.code, words in done.err) == (code, True), done.err
