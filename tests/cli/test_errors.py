"""Each way to fail: one clear message, its own exit code, nothing published or half-written."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import airgap.errors as tree
from airgap.errors import AirgapError
from tests.support.command import Done, airgap
from tests.support.images import image, random_layer
from tests.support.real_registry import real_registry
from tests.support.registry_faults import Corrupt
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedRegistry]:
    """A registry with one image, ``app:1``."""
    async with scripted_registry() as registry:
        registry.add("app:1", image([random_layer(1), random_layer(2)]))
        yield registry


@pytest.fixture
async def bundle(upstream: ScriptedRegistry, tmp_path: Path) -> Path:
    """A bundle of that image."""
    store, path = str(tmp_path / "connected"), tmp_path / "bundle.tar"
    assert (await airgap("mirror", f"{upstream.host}/app:1", "--store", store)).code == 0
    assert (await airgap("export", "--all", "--store", store, "-o", str(path))).code == 0
    return path


async def _names(store: Path) -> list[str]:
    listed = await airgap("images", "--store", str(store), "--json")
    return [entry["reference"] for entry in listed.document["images"]] if listed.code == 0 else []


def _says(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done.out + done.err
    for word in words:
        assert word in done.err, done.err
    assert "Traceback" not in done.err


async def test_an_unreachable_upstream(tmp_path: Path) -> None:
    """Nobody listens: the host is named, and no store is left half-made."""
    done = await airgap("mirror", "127.0.0.1:1/app:1", "--store", str(tmp_path / "s"))
    _says(done, 7, "127.0.0.1:1")
    assert await _names(tmp_path / "s") == []


async def test_an_unknown_repository(upstream: ScriptedRegistry, tmp_path: Path) -> None:
    """The registry does not have it."""
    name = f"{upstream.host}/nothing:1"
    _says(await airgap("mirror", name, "--store", str(tmp_path / "s")), 5, name)


async def test_a_registry_that_lets_nobody_in(tmp_path: Path) -> None:
    """No credentials where some are needed; the hint says how to give them."""
    async with real_registry(tmp_path / "registry", user=("someone", "secret")) as registry:
        name = f"{registry.host}/app:1"
        done = await airgap(
            "mirror", name, "--store", str(tmp_path / "s"), environment={"HOME": str(tmp_path)}
        )
    _says(done, 6, name)


async def test_a_registry_that_lies_about_a_digest(
    upstream: ScriptedRegistry, tmp_path: Path
) -> None:
    """Other bytes than promised: nothing gets a name."""
    upstream.fail(Corrupt(), "GET", "/blobs/", times=None)
    store = tmp_path / "s"
    _says(await airgap("mirror", f"{upstream.host}/app:1", "--store", str(store)), 9, "sha256:")
    assert await _names(store) == []


async def test_a_truncated_bundle(bundle: Path, tmp_path: Path) -> None:
    """Half a copy is told from a whole one before anything is taken in."""
    half = tmp_path / "half.tar"
    half.write_bytes(bundle.read_bytes()[: bundle.stat().st_size // 2])
    _says(await airgap("import", str(half), "--store", str(tmp_path / "s")), 10, "half.tar")
    assert not (tmp_path / "s").exists()
    _says(await airgap("verify", str(half)), 10)


async def test_a_bundle_with_a_flipped_bit(bundle: Path, tmp_path: Path) -> None:
    """One bit in a layer: the blob is named, no name moves, what was there stays."""
    content = bytearray(bundle.read_bytes())
    content[-4_000] ^= 4  # within the last layer
    broken = tmp_path / "broken.tar"
    broken.write_bytes(content)
    store = tmp_path / "s"
    done = await airgap("import", str(broken), "--store", str(store))
    assert done.code in {9, 10}
    assert "sha256:" in done.err
    assert await _names(store) == []


async def test_a_directory_where_a_bundle_is_expected(tmp_path: Path) -> None:
    """A folder may hold volumes; one that holds no bundle is named."""
    _says(await airgap("import", str(tmp_path)), 5, str(tmp_path), "no bundle is there")


async def test_a_directory_where_a_bundle_shall_be_written(bundle: Path, tmp_path: Path) -> None:
    """A folder is never replaced by a file, not even on request; it stays as it was."""
    store, folder = str(bundle.with_name("connected")), tmp_path / "folder"
    folder.mkdir()
    done = await airgap("export", "--all", "--store", store, "-o", str(folder), "--force")
    _says(done, 2, str(folder))
    assert list(folder.iterdir()) == []


async def test_a_file_where_a_store_is_expected(tmp_path: Path) -> None:
    """A store is a folder."""
    file = tmp_path / "file"
    file.write_text("not a store")
    _says(await airgap("images", "--store", str(file)), 12, str(file))


async def test_a_store_that_a_newer_version_wrote(bundle: Path, tmp_path: Path) -> None:
    """It is refused with a clear word, and left as it is."""
    store = tmp_path / "s"
    assert (await airgap("import", str(bundle), "--store", str(store))).code == 0
    with sqlite3.connect(store / "airgap" / "catalog.sqlite") as catalog:
        catalog.execute("UPDATE meta SET value = '999' WHERE key LIKE '%version%'")
    catalog.close()
    _says(await airgap("images", "--store", str(store)), 12, "newer")


async def test_a_full_disk(bundle: Path, tmp_path: Path) -> None:
    """Space is checked before anything is written; the store stays as it was."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)  # noqa: ASYNC221 - a test's set-up may block
    try:
        done = await airgap("import", str(bundle), "--store", str(disk / "s"))
        _says(done, 11)
        assert await _names(disk / "s") == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: ASYNC221 - likewise


async def test_a_name_that_is_no_reference() -> None:
    """The grammar's error names the text and the near miss."""
    _says(await airgap("mirror", "team/App:1", "--dry-run"), 4, "team/app")


async def test_a_config_with_a_mistake(tmp_path: Path) -> None:
    """File, line, key, and what was probably meant."""
    config = tmp_path / "airgap.yaml"
    config.write_text("store:\n  pth: /tmp/x\n")
    _says(await airgap("config", "check", str(config)), 3, "airgap.yaml:2", "pth", "path")


async def test_nothing_to_do_is_a_mistake_of_use() -> None:
    """Neither references nor a config: the hint shows both ways."""
    _says(await airgap("mirror"), 2, "--config")


async def test_errors_are_documents_for_machines(tmp_path: Path) -> None:
    """With --json the error is on standard output, in its parts."""
    done = await airgap("images", "--store", str(tmp_path / "none"), "--json")
    error = done.document["error"]
    assert (done.code, error["exit_code"], error["kind"]) == (5, 5, "NotFound")
    assert error["hint"]


def test_the_table_of_exit_codes_is_the_tree() -> None:
    """The table in the errors' module docstring, which the docs copy, says what the code does."""
    documented = dict(re.findall(r"[─ ]*(\w+) +(\d+)  ", tree.__doc__ or ""))
    classes = _subclasses(AirgapError) | {AirgapError}
    expected = {c.__name__: str(c.exit_code) for c in classes if c.__module__ == tree.__name__}
    assert documented == expected


def _subclasses(kind: type[AirgapError]) -> set[type[AirgapError]]:
    direct = set(kind.__subclasses__())
    return direct.union(*(_subclasses(child) for child in direct))
