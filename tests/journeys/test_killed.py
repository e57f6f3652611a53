"""Exports and imports that are killed, anywhere, and what the next one makes of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airgap.bundle.journal import ImportEntry, ImportState
from airgap.bundle.ledger import Standing
from airgap.config.transfer import DeliveryPolicy
from airgap.content.copy_images import ImageCopy, copy_images
from airgap.store.journal import StoreJournal
from airgap.store.ledger import StoreLedger
from airgap.store.store import Store
from tests.journeys.two_sides import images, names_of, two_sides
from tests.support.command import airgap
from tests.support.images import BuiltImage
from tests.support.killing import (
    killed_before_it_is_written_down,
    killed_before_the_name,
    killed_in_state,
)
from tests.support.memory import MemorySource
from tests.support.registry_faults import Silence
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

WANTED = images(app=(1, 2), db=(1, 3), web=(1, 4))


@pytest.fixture
async def registry() -> AsyncIterator[ScriptedRegistry]:
    """An empty registry on the isolated side."""
    async with scripted_registry() as opened:
        yield opened


@pytest.fixture
async def bundle(tmp_path: Path) -> Path:
    """The first bundle of a channel."""
    async with two_sides(tmp_path, DeliveryPolicy.CONFIRMED) as sides:
        await sides.publish(WANTED)
        return (await sides.export()).bundle.path


@pytest.fixture
async def isolated(tmp_path: Path) -> Path:
    """An empty store."""
    path = tmp_path / "other"
    async with Store.open(path, create=True, sync=False):
        return path


@pytest.mark.parametrize("state", [s for s in ImportState if s is not ImportState.RECEIPTED])
async def test_a_killed_import_goes_on_where_it_was(
    bundle: Path, isolated: Path, registry: ScriptedRegistry, state: ImportState
) -> None:
    """In every state of the journal: killed there, the next import ends as if nothing had been."""
    command = ("import", str(bundle), "--store", str(isolated), "--to", registry.host)
    await killed_in_state(state.value, *command)
    killed = await _entry(isolated)
    assert killed.state is state
    again = await airgap(*command, "--json")
    assert again.code == 0, again.err + again.out
    assert again.document["taken_in_before"] is state.is_published
    assert again.document["audit"] == {"checked": 3, "differences": []}
    entry = await _entry(isolated)
    assert (entry.number, entry.state) == (killed.number, ImportState.RECEIPTED)
    assert Path(again.document["receipt"]).exists()
    assert Path(again.document["report"]).exists()
    async with Store.open(isolated) as store:
        assert len(await names_of(store)) == len(WANTED)


async def test_an_import_killed_while_it_pushes_goes_on(
    bundle: Path, isolated: Path, registry: ScriptedRegistry
) -> None:
    """The registry falls silent in the middle; names there move when all content is there."""
    registry.fail(Silence(), "PUT", r"/manifests/1$", times=None)
    command = ("import", str(bundle), "--store", str(isolated), "--to", registry.host)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "airgap", *command)
    await registry.silenced.wait()
    process.kill()
    await process.wait()
    assert (await _entry(isolated)).state is ImportState.PUBLISHED
    registry.rules.clear()
    sent = registry.received("blobs")
    again = await airgap(*command, "--json")
    assert again.code == 0, again.err + again.out
    assert registry.received("blobs") == sent
    assert (await _entry(isolated)).state is ImportState.RECEIPTED


@pytest.mark.parametrize(
    "where, sequence, kind",
    [("before its name", 1, "full"), ("after it", 2, "full"), ("carried away", 2, "full")],
)
async def test_a_number_is_given_again_only_if_it_cannot_be_out(
    tmp_path: Path, where: str, sequence: int, kind: str
) -> None:
    """Killed right before its name a bundle has never been; right after, nobody can be sure."""
    path, config = await _exporter(tmp_path)
    command = ("export", "plant", "--store", str(path), "--config", str(config))
    if where == "before its name":
        await killed_before_the_name("plant.tar", *command)
    else:
        await killed_before_it_is_written_down(*command)
    if where == "carried away":
        (tmp_path / "plant.tar").unlink()
    again = await airgap(*command, "--json", "--force")
    assert again.code == 0, again.err + again.out
    assert (again.document["sequence"], again.document["kind"]) == (sequence, kind)
    async with Store.open(path) as store:
        history = (await StoreLedger(store).status("plant")).history
    standings = {
        "before its name": [Standing.EXPORTED],
        "after it": [Standing.EXPORTED, Standing.EXPORTED],
        "carried away": [Standing.ANNOUNCED, Standing.EXPORTED],
    }
    assert [record.standing for record in history] == standings[where]


async def _exporter(folder: Path) -> tuple[Path, Path]:
    path, config = folder / "store", folder / "airgap.yaml"
    config.write_text("export: {plant: {output: plant.tar, policy: confirmed}}\n")
    async with Store.open(path, create=True, sync=False) as store:
        await _put(store, WANTED)
    return path, config


async def _put(store: Store, wanted: dict[str, BuiltImage]) -> None:
    source = MemorySource(wanted)
    copies = [ImageCopy(name, name) for name in source.roots]
    assert (await copy_images(source, store, copies)).error() is None


async def _entry(path: Path) -> ImportEntry:
    async with Store.open(path) as store:
        return (await StoreJournal(store).entries())[-1]
