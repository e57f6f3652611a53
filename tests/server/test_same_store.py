"""One store, one catalog: what the registry takes in is listed, exported and collected at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from airgap.content.events import Event, Note
from airgap.content.transfer import opener
from airgap.errors import NotFound
from airgap.oci.reference import Reference
from airgap.server import running_registry
from airgap.server.pull_through import pulling_through
from airgap.store.store import Store
from airgap.usecases.export import ExportRequest, plan_export
from tests.server.api import Api
from tests.support.command import airgap
from tests.support.images import image, index, random_layer
from tests.support.memory import MemorySource

APP = image([random_layer(1), random_layer(2)])
OTHER = image([random_layer(1), random_layer(3)])
HUB = frozenset({"docker.io"})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """The store that is served."""
    async with Store.open(tmp_path / "store", create=True, sync=False, long_lived=True) as opened:
        yield opened


async def test_what_is_pushed_is_listed_exported_and_collected(
    store: Store, tmp_path: Path
) -> None:
    """The command line sees every push, and every deletion, while the registry runs."""
    place = ("--store", str(store.places.root), "--json")
    async with running_registry(store) as running, aiohttp.ClientSession() as session:
        api = Api(session, running.url)
        await api.push_image("team/app", APP, "1")
        await api.push_image("team/other", OTHER, "1")
        listed = (await airgap("images", *place)).document["images"]
        assert [entry["reference"] for entry in listed] == [
            "localhost/team/app:1",
            "localhost/team/other:1",
        ]
        exported = await airgap("export", "--all", "-o", str(tmp_path / "b.tar"), *place)
        assert exported.code == 0, exported.err
        assert len(exported.document["images"]) == 2
        gone = await airgap("store", "gc", "--grace", "0", *place)
        assert gone.document["removed"] == []
        deletion = await api.request("DELETE", f"/v2/team/other/manifests/{OTHER.digest}")
        assert deletion.status == 202
        listed = (await airgap("images", *place)).document["images"]
        assert [entry["reference"] for entry in listed] == ["localhost/team/app:1"]
        gone = await airgap("store", "gc", "--grace", "0", *place)
        only = (OTHER.blobs.keys() | {OTHER.digest}) - APP.blobs.keys()
        assert set(gone.document["removed"]) == set(only)
        await api.push_image("team/other", OTHER, "2")
        for digest, content in OTHER.blobs.items():
            assert (await api.request("GET", f"/v2/team/other/blobs/{digest}")).body == content


async def test_what_was_imported_is_pulled_at_once(store: Store, tmp_path: Path) -> None:
    """A bundle that is imported while the registry runs can be pulled from it."""
    other = ("--store", str(tmp_path / "other"), "--json")
    async with (
        Store.open(tmp_path / "other", create=True, sync=False) as source,
        running_registry(source) as running,
        aiohttp.ClientSession() as session,
    ):
        await Api(session, running.url).push_image("docker.io/library/app", APP, "1")
    bundle = str(tmp_path / "b.tar")
    assert (await airgap("export", "--all", "-o", bundle, *other)).code == 0
    async with running_registry(store) as running, aiohttp.ClientSession() as session:
        done = await airgap("import", bundle, "--store", str(store.places.root))
        assert done.code == 0, done.err
        path = "/v2/docker.io/library/app/manifests/1"
        assert (await Api(session, running.url).request("GET", path)).body == APP.root.raw


async def test_an_image_that_is_pulled_through_in_part_becomes_whole(store: Store) -> None:
    """A client that has some layers skips them; the store has them all the same."""
    upstream = MemorySource({"app:1": APP})
    async with (
        pulling_through(store, upstream, HUB) as place,
        running_registry(place) as running,
        aiohttp.ClientSession() as session,
    ):
        api = Api(session, running.url)
        assert (await api.request("GET", "/v2/library/app/manifests/1?ns=docker.io")).status == 200
        async with asyncio.timeout(20):
            for digest in APP.blobs:
                # The fetching runs by itself, and tells nobody; each question gives it its turn.
                while await store.blob_size(Reference.parse("app").repository, digest) is None:
                    pass
    plan = await plan_export(ExportRequest(), store)
    assert set(plan.digests()) == APP.blobs.keys() | {APP.digest}
    assert sorted(upstream.opened) == sorted(APP.blobs)


async def test_only_what_was_asked_for_of_an_index_is_fetched(store: Store) -> None:
    """Other platforms stay upstream, and an export takes what is here."""
    both = index({"linux/amd64": APP, "linux/arm64": OTHER})
    async with (
        pulling_through(store, MemorySource({"app:1": both}), HUB) as place,
        running_registry(place) as running,
        aiohttp.ClientSession() as session,
    ):
        api = Api(session, running.url)
        for name in ("1", APP.digest):
            path = f"/v2/library/app/manifests/{name}?ns=docker.io"
            assert (await api.request("GET", path)).status == 200
        for digest in APP.blobs:
            path = f"/v2/library/app/blobs/{digest}?ns=docker.io"
            assert (await api.request("GET", path)).status == 200
    plan = await plan_export(ExportRequest(), store)
    assert set(plan.digests()) == APP.blobs.keys() | {APP.digest, both.digest}
    assert [entry.digest for entry in plan.omitted] == [OTHER.digest]


class Told:
    """What an export says."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __call__(self, event: Event) -> None:
        """Write a note down."""
        if isinstance(event, Note):
            self.notes.append(event.text)


@pytest.mark.parametrize("lacking", ["layer", "everything below the index"])
async def test_an_export_of_everything_leaves_behind_what_is_not_whole(
    store: Store, lacking: str
) -> None:
    """One image that is not whole does not keep the others; whoever names it is told."""
    await _put(store, "app:1", with_blobs=True)
    if lacking == "layer":
        await _put(store, "partial:1", with_blobs=False)
    else:
        await store.publish_manifest(
            Reference.parse("partial").repository, index({"linux/amd64": OTHER}).root, ["1"]
        )
    told = Told()
    plan = await plan_export(ExportRequest(), store, told)
    assert [str(root.reference) for root in plan.roots] == ["docker.io/library/app:1"]
    assert told.notes == ["partial:1 stays behind: not all of it is here"]
    for request, leave_out in (
        (ExportRequest(("partial",)), told),
        (ExportRequest(("app:1", "partial:1")), told),
        (ExportRequest(("*/partial:*",)), told),
        (ExportRequest(), None),
    ):
        with pytest.raises(NotFound) as caught:
            await plan_export(request, store, leave_out)
        assert "partial" in caught.value.thing, request


async def _put(store: Store, name: str, *, with_blobs: bool) -> None:
    repository = Reference.parse(name).repository
    built = APP if with_blobs else OTHER
    if with_blobs:
        source = MemorySource({name: built})
        for child in built.root.children():
            open_at = opener(source, repository, child.descriptor)
            await store.put_blob(repository, child.descriptor, open_at, lambda _: None)
    await store.publish_manifest(repository, built.root, ["1"])
