"""Bundles in volumes and encrypted ones, as a person handles them at the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airgap.store.store import Store
from airgap.usecases.choose import available_references
from tests.support.command import airgap
from tests.support.filled_store import filled_store, several_megabytes
from tests.support.real_registry import real_registry


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with a few images."""
    return await filled_store(tmp_path / "connected", several_megabytes())


@pytest.fixture
async def stick(tmp_path: Path, store: Path) -> Path:
    """A folder with a bundle in four volumes and one of parity."""
    folder = tmp_path / "stick"
    folder.mkdir()
    done = await airgap(
        *("export", "--all", "--store", str(store), "-o", str(folder / "b.tar")),
        *("--volume-size", "4MiB", "--parity", "1", "--read-back", "--json"),
    )
    assert done.code == 0, done.err
    names = [file["name"] for file in done.document["volumes"]["files"]]
    assert names == ["b.tar.001", "b.tar.002", "b.tar.003", "b.tar.004", "b.tar.p01"]
    return folder


async def references(path: Path) -> list[str]:
    """Return the names that a store has; none where there is no store."""
    if not (path / "index.json").exists():
        return []
    async with Store.open(path) as store:
        return sorted(map(str, await available_references(store)))


def damage(path: Path) -> None:
    """Let one byte of a file rot."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


async def test_a_folder_of_volumes_is_imported(tmp_path: Path, store: Path, stick: Path) -> None:
    """The stick is named, and everything of the store is in the other one."""
    isolated = tmp_path / "isolated"
    before = {path: path.stat().st_mtime_ns for path in stick.iterdir()}
    done = await airgap("import", str(stick), "--store", str(isolated))
    assert done.code == 0, done.err
    assert await references(isolated) == await references(store) != []
    assert {path: path.stat().st_mtime_ns for path in stick.iterdir()} == before


async def test_sticks_come_in_turn(tmp_path: Path, store: Path, stick: Path) -> None:
    """Each import says what is still wanted, and the last one goes on by itself."""
    isolated, second = tmp_path / "isolated", tmp_path / "second"
    second.mkdir()
    for name in ("b.tar.001", "b.tar.003"):
        shutil.move(stick / name, second)
    done = await airgap("import", str(stick), "--store", str(isolated))
    assert done.code == 5
    assert "volumes 1, 3 are still wanted (2 of 4 are here)" in done.err
    assert await references(isolated) == []
    done = await airgap("import", str(second / "b.tar.003"), "--store", str(isolated))
    assert done.code == 0, done.err
    assert await references(isolated) == await references(store)
    assert list((isolated / "airgap" / "incoming").iterdir()) == []


async def test_the_first_volume_is_enough_to_see_what_a_bundle_does(stick: Path) -> None:
    """Inspect reads the head from what is there, and says which volumes are not."""
    for name in ("b.tar.002", "b.tar.004"):
        (stick / name).unlink()
    done = await airgap("inspect", str(stick / "b.tar.001"))
    assert done.code == 0, done.err
    assert "; volumes 2, 4 not here" in done.out
    assert "docker.io/team/web" in done.out or "team/web:1.0" in done.out
    (stick / "b.tar.001").unlink()
    assert (await airgap("inspect", str(stick / "b.tar.003"))).code == 5


async def test_a_damaged_volume_is_named_and_nothing_is_taken_in(
    tmp_path: Path, stick: Path
) -> None:
    """Import and verify name the volume; a repair makes the import possible."""
    isolated = tmp_path / "isolated"
    damage(stick / "b.tar.002")
    for command in (("verify",), ("import", "--store", str(isolated))):
        done = await airgap(*command, str(stick))
        assert done.code == 10
        assert "volume 2 is damaged" in done.err
        assert "airgap repair" in done.err
    assert await references(isolated) == []
    verified = await airgap("verify", str(stick), "--json")
    assert verified.document["volumes"]["repairable"] is True
    assert verified.document["volumes"]["lost"] == ["volume 2"]
    repaired = await airgap("repair", str(stick), "--json")
    assert repaired.code == 0, repaired.err
    assert repaired.document["rebuilt"] == [str(stick / "b.tar.002")]
    assert (await airgap("verify", str(stick))).code == 0
    assert (await airgap("import", str(stick), "--store", str(isolated))).code == 0


async def test_a_damaged_volume_is_named_when_pushing_past_the_store(
    tmp_path: Path, stick: Path
) -> None:
    """With --direct some images may have gone through; what failed them is still one volume."""
    damage(stick / "b.tar.002")
    async with real_registry(tmp_path / "registry") as registry:
        options = ("--direct", "--to", registry.host, "--store", str(tmp_path / "isolated"))
        done = await airgap("import", str(stick), *options)
    assert done.code == 10, done.err
    assert "volume 2 is damaged" in done.err


async def test_more_damage_than_parity_is_said(tmp_path: Path, stick: Path) -> None:
    """What cannot be rebuilt is named, and nothing is written."""
    (stick / "b.tar.001").unlink()
    damage(stick / "b.tar.004")
    before = sorted(stick.iterdir())
    done = await airgap("repair", str(stick))
    assert done.code == 10
    assert "volume 4 is damaged" in done.err
    assert "volume 1 is not there" in done.err
    verified = await airgap("verify", str(stick))
    assert verified.code == 10
    assert "bring volumes 1, 4 again" in verified.err
    assert sorted(stick.iterdir()) == before
    assert tmp_path.exists()


async def test_lost_parity_is_damage_that_import_does_not_mind(tmp_path: Path, stick: Path) -> None:
    """Verify says that parity is lost; the bundle itself is whole."""
    (stick / "b.tar.p01").unlink()
    verified = await airgap("verify", str(stick), "--json")
    assert verified.code == 10
    assert verified.document["problems"] == ["parity volume 1 is not there"]
    done = await airgap("import", str(stick), "--store", str(tmp_path / "isolated"))
    assert done.code == 0, done.err


async def test_one_volume_is_made_again(store: Path, stick: Path) -> None:
    """The lost volume comes out as it was, from the index and the store alone."""
    before = (stick / "b.tar.003").read_bytes()
    (stick / "b.tar.003").unlink()
    command = ("export", "--all", "--store", str(store), "-o", str(stick / "b.tar"))
    done = await airgap(*command, "--only-volume", "3")
    assert done.code == 0, done.err
    assert "the same as before, byte for byte" in done.out
    assert (stick / "b.tar.003").read_bytes() == before
    taken = await airgap(*command, "--only-volume", "3")
    assert taken.code == 2
    assert "is already there" in taken.err


async def test_a_volume_of_other_content_is_not_made(store: Path, stick: Path) -> None:
    """Where the selection is another one, the export is refused and nothing changes."""
    (stick / "b.tar.003").unlink()
    done = await airgap(
        *("export", "docker.io/team/web:1.0", "--store", str(store)),
        *("-o", str(stick / "b.tar"), "--only-volume", "3"),
    )
    assert done.code == 15
    assert "would be other than before" in done.err
    assert not (stick / "b.tar.003").exists()


async def test_options_that_do_not_go_together_are_refused(tmp_path: Path, store: Path) -> None:
    """Parity without volumes, and a size that is none."""
    export = ("export", "--all", "--store", str(store), "-o", str(tmp_path / "b.tar"))
    for options, words in (
        (("--parity", "1"), "is for volumes"),
        (("--volume-size", "huge"), "is not a size"),
        (("--volume-size", "1MiB", "--parity", "99"), "at most 64"),
        (("--volume-size", "1kB"), "at least 1024"),
        (("--recipient", "age1nonsense"), "not a public key"),
    ):
        done = await airgap(*export, *options)
        assert done.code == 2, done.err
        assert words in done.err
    assert not list(tmp_path.glob("b.tar*"))


async def test_an_encrypted_bundle_opens_with_its_key_alone(tmp_path: Path, store: Path) -> None:
    """Without the key one sees the outside; with it everything comes out."""
    assert (await airgap("keygen", str(tmp_path / "plant"), "--for", "encrypt")).code == 0
    bundle, isolated = tmp_path / "b.tar", tmp_path / "isolated"
    done = await airgap(
        *("export", "--all", "--store", str(store), "-o", str(bundle)),
        *("--recipient", str(tmp_path / "plant.pub"), "--volume-size", "4MiB", "--parity", "1"),
    )
    assert done.code == 0, done.err
    outside = await airgap("inspect", f"{bundle}.001", "--json")
    assert outside.document["recipients"] == ["X25519"]
    assert "bundle_json" not in outside.document
    refused = await airgap("import", f"{bundle}.001", "--store", str(isolated))
    assert refused.code == 6
    assert "--identity" in refused.err
    assert await references(isolated) == []
    damage(tmp_path / "b.tar.002")
    key = ("--identity", str(tmp_path / "plant.key"))
    damaged = await airgap("import", f"{bundle}.001", "--store", str(isolated), *key)
    assert damaged.code == 10
    assert "volume 2 is damaged" in damaged.err
    assert (await airgap("repair", f"{bundle}.001")).code == 0
    done = await airgap("import", f"{bundle}.001", "--store", str(isolated), *key)
    assert done.code == 0, done.err
    assert await references(isolated) == await references(store)
