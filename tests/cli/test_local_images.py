"""Images of the local store by docker's verbs: listed, tagged, removed, reached by id."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.store.collection import GcRules
from airgap.store.locks import SWEEP, shared
from airgap.store.store import Store
from airgap.usecases.remove_images import remove_images
from tests.archive.moving import write_archive
from tests.support.command import Done, airgap
from tests.support.images import BuiltImage, image, index, random_layer
from tests.support.memory import MemorySource

SHARED = random_layer(1, 2000)
APP = image([SHARED, random_layer(2)])
OTHER = image([SHARED], author="somebody else")
MANY = index(
    {
        "linux/amd64": image([SHARED], platform="linux/amd64", author="many"),
        "linux/arm64": image([SHARED], platform="linux/arm64", author="many"),
    }
)


def _id(built: BuiltImage) -> str:
    assert built.root.config is not None
    return built.root.config.digest


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with three images."""
    images = {"app:1": APP, "quay.io/team/other:2": OTHER, "many:1": MANY}
    await write_archive(MemorySource(images), list(images), tmp_path / "images.tar")
    await ok(tmp_path / "store", "load", "-i", str(tmp_path / "images.tar"))
    return tmp_path / "store"


async def ok(store: Path, *arguments: str, code: int = 0) -> Done:
    """Run a command on a store that must end with this code."""
    done = await airgap(*arguments, "--store", str(store))
    assert done.code == code, done.out + done.err
    return done


async def names(store: Path) -> list[str | None]:
    """Return every name that the store lists."""
    listed = await ok(store, "images", "--json")
    return [entry["reference"] for entry in listed.document["images"]]


async def test_the_list_is_a_table(store: Path) -> None:
    """Reference, id, platform, age, size, shared size; an index has its digest as id."""
    lines = (await ok(store, "images")).out.splitlines()
    heads, *rows, count = lines
    assert heads.split() == ["REFERENCE", "IMAGE", "ID", "PLATFORM", "CREATED", "SIZE", "SHARED"]
    assert count == "3 images"
    found = {row.split()[0]: row for row in rows}
    assert _id(APP).removeprefix("sha256:")[:12] in found["app:1"]
    assert MANY.digest.short in found["many:1"]
    assert "linux/amd64, linux/arm64" in found["many:1"]
    assert "years ago" in found["app:1"]


async def test_the_list_can_be_narrowed_and_read_by_machines(store: Path) -> None:
    """One repository, ids alone, digests, and a JSON document with everything."""
    assert (await ok(store, "images", "quay.io/team/other", "-q", "--no-trunc")).out.split() == [
        _id(OTHER)
    ]
    assert str(APP.digest) in (await ok(store, "images", "--digests", "app")).out
    entry = (await ok(store, "images", "many:1", "--json")).document["images"][0]
    assert (entry["id"], entry["digest"]) == (MANY.digest, MANY.digest)
    assert {found["platform"] for found in entry["images"]} == {"linux/amd64", "linux/arm64"}
    assert 0 < entry["shared_size"] < entry["size"]


async def test_a_name_goes_like_a_hard_link(store: Path) -> None:
    """Removing one of two names untags; removing the last one deletes, as docker says it."""
    await ok(store, "tag", "app:1", "app:stable")
    first = await ok(store, "rmi", "app:1")
    assert first.out.splitlines() == ["untagged: app:1"]
    assert (await ok(store, "ls", "app:stable", "data")).out.split() == ["1.bin", "2.bin"]
    last = await ok(store, "rmi", "app:stable")
    assert last.out.splitlines()[:2] == ["untagged: app:stable", f"deleted: {_id(APP)}"]
    # What it shared with others is theirs still.
    assert (await ok(store, "store", "gc", "--grace", "0", "--json")).document["removed_bytes"] > 0
    assert (await ok(store, "store", "fsck")).code == 0
    assert await names(store) == ["docker.io/library/many:1", "quay.io/team/other:2"]


async def test_an_id_with_several_names_needs_force(store: Path) -> None:
    """With --force all names of an id go, and the image with them."""
    await ok(store, "tag", _id(APP)[:20], "other/name:7")
    await ok(store, "rmi", _id(APP)[7:19], code=15)
    done = await ok(store, "rmi", "--force", _id(APP)[7:19])
    assert done.out.splitlines()[:3] == [
        "untagged: app:1",
        "untagged: other/name:7",
        f"deleted: {_id(APP)}",
    ]


async def test_either_all_is_removed_or_nothing(store: Path) -> None:
    """One name that is not there keeps the others where they are."""
    before = await names(store)
    await ok(store, "rmi", "app:1", "absent:1", code=5)
    assert await names(store) == before


async def test_an_untagged_image_is_reached_by_its_id(store: Path, tmp_path: Path) -> None:
    """Commit without a name: listed as <none>, inspected, saved, loaded and tagged by its id."""
    made = await ok(store, "commit", "app:1", "-c", "USER 7", "--json")
    known = made.document["id"].removeprefix("sha256:")[:12]
    assert any(row.startswith("<none>") for row in (await ok(store, "images")).out.splitlines())
    user = await ok(store, "inspect", known, "--format", "{{.Config.User}}{{.RepoTags}}")
    assert user.out == "7[]\n"
    await ok(store, "save", "-o", str(tmp_path / "one.tar"), known)
    loaded = await ok(tmp_path / "elsewhere", "load", "-i", str(tmp_path / "one.tar"))
    assert loaded.out == f"Loaded image ID: {made.document['id']}\n"
    await ok(store, "tag", known, "named:1")
    assert None not in await names(store)
    await ok(store, "rmi", known)
    assert "docker.io/library/named:1" not in await names(store)


async def test_an_image_that_an_index_names_is_not_deleted(store: Path) -> None:
    """Its own name goes; the index still has it."""
    arm = MANY.manifests[1]
    assert arm.config is not None
    await ok(store, "tag", arm.config.digest.hex[:12], "arm:1")
    done = await ok(store, "rmi", "arm:1")
    assert done.out.splitlines() == ["untagged: arm:1"]
    platform = ("--platform", "linux/arm64", "--format", "{{.Architecture}} {{.Id}}")
    shown = await ok(store, "inspect", "many:1", *platform)
    assert shown.out.strip() == f"arm64 {arm.config.digest}"


async def test_names_go_although_another_process_is_publishing(store: Path) -> None:
    """What cannot be freed now is said; the removal itself has gone through."""
    rules = GcRules(patience=0)
    async with Store.open(store) as opened:
        with shared(opened.locks, SWEEP):
            report = await remove_images(["app:1"], opened, rules=rules)
    assert report.deleted == (_id(APP),)
    assert report.busy is not None
    assert "docker.io/library/app:1" not in await names(store)
