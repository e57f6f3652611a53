"""The whole way across the gap by command, with both catalogs in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command import Done, airgap
from tests.support.images import image, random_layer
from tests.support.postgres import (
    PASSWORD,
    PostgresServer,
    database_name,
    running_postgres,
)
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

FIRST, SECOND = (image([random_layer(seed), random_layer(7)]) for seed in (1, 2))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL."""
    with running_postgres() as server:
        yield server


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedRegistry]:
    """A registry with one image."""
    async with scripted_registry() as registry:
        registry.add("team/app:1", FIRST)
        yield registry


@dataclass(frozen=True)
class Side:
    """One side of the gap: a folder with its config."""

    folder: Path

    def configure(self, url: str, more: str = "") -> None:
        """Write the config; the password is in a file beside it."""
        self.folder.mkdir()
        (self.folder / "password").write_text(f"{PASSWORD}\n")
        database = f"database: {{url: '{url}', password-file: password}}"
        (self.folder / "airgap.yaml").write_text(f"store: {{path: store, {database}}}\n{more}")

    async def run(self, *words: str) -> Done:
        """Run a command that must succeed."""
        done = await airgap(*words, "--json", *self._config())
        assert done.code == 0, done.out + done.err
        assert PASSWORD not in done.out + done.err
        return done

    async def fail(self, *words: str, code: int) -> Done:
        """Run a command that must fail."""
        done = await airgap(*words, *self._config())
        assert done.code == code, done.out + done.err
        assert PASSWORD not in done.out + done.err
        return done

    def _config(self) -> tuple[str, str]:
        return "--config", str(self.folder / "airgap.yaml")


@pytest.fixture
def databases(postgres: PostgresServer) -> Iterator[list[str]]:
    """The URLs of two empty databases, which want a password."""
    with postgres.new_database() as one, postgres.new_database() as two:
        yield [postgres.tcp_url(database_name(each)) for each in (one, two)]


async def test_a_channel_across_the_gap(
    tmp_path: Path, upstream: ScriptedRegistry, databases: list[str]
) -> None:
    """Mirror, export, import, receipt; then the next bundle stands on the first."""
    connected, isolated = Side(tmp_path / "connected"), Side(tmp_path / "isolated")
    entry = f"{{repository: '{upstream.host}/team/app', tags: {{glob: '*'}}}}"
    mirrored = f"mirror: [{entry}]\nexport: {{plant: {{output: plant.tar}}}}\n"
    connected.configure(databases[0], mirrored)
    isolated.configure(databases[1], "import: {plant: {receipts: outbox}}\n")

    await connected.run("mirror")
    first = (await connected.run("export", "plant")).document
    assert (first["sequence"], first["kind"]) == (1, "full")
    await isolated.run("import", first["bundle"])
    receipt = isolated.folder / "outbox" / "plant-1.receipt"
    await connected.run("receipt", "apply", str(receipt))

    upstream.add("team/app:2", SECOND)
    await connected.run("mirror")
    second = (await connected.run("export", "plant", "--force")).document
    assert (second["sequence"], second["kind"], second["base"]) == (2, "incremental", 1)
    await isolated.run("import", second["bundle"])

    shown = (await isolated.run("images")).document
    assert {each["reference"].rpartition(":")[2] for each in shown["images"]} == {"1", "2"}
    for side in (connected, isolated):
        assert not (side.folder / "store" / "airgap" / "catalog.sqlite").exists()
        assert (await side.run("store", "fsck")).document["damaged"] == []
        await side.run("store", "gc", "--grace", "0")
        assert (await side.run("store", "rebuild")).document["history"]
    status = (await connected.run("status")).document["exports"]["plant"]
    assert status["last_exported"]["sequence"] == 2


async def test_the_environment_names_the_database_first(
    tmp_path: Path, databases: list[str]
) -> None:
    """Then a password may stand in it; the config's own database is left alone."""
    side = Side(tmp_path / "side")
    side.configure(databases[0], "")
    within = databases[1].replace("postgres@", f"postgres:{PASSWORD.replace(' ', '%20')}@")
    words = ("images", "--config", str(side.folder / "airgap.yaml"))
    refused = await airgap(*words, environment={"AIRGAP_DATABASE": within})
    assert refused.code == 5
    assert PASSWORD not in refused.err


async def test_a_wrong_password_is_an_error_like_others(
    tmp_path: Path, databases: list[str]
) -> None:
    """With what to do, and without the password."""
    side = Side(tmp_path / "side")
    side.configure(databases[0], "")
    (side.folder / "password").write_text("not this one")
    done = await side.fail("pull", "nowhere.example/app:1", code=6)
    assert "password authentication failed" in done.err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@host/db",
        "postgresql://me@host/db?password=s3cret",
        "mysql://me:s3cret@host/db",
        "postgresql://[s3cret/db",
    ],
)
async def test_a_config_with_a_password_or_another_database_is_refused(
    tmp_path: Path, url: str
) -> None:
    """Without saying it again."""
    side = Side(tmp_path / "side")
    side.configure(url, "")
    done = await side.fail("config", "check", code=3)
    assert "s3cret" not in done.out + done.err
