"""Nothing that a running push needs is collected, however long it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository
from airgap.server import running_registry
from airgap.server.pushes import (
    ASKING_SECONDS,
    IDLE_SECONDS,
    LONGEST_SECONDS,
    Pushes,
)
from airgap.store.collection import GcRules, collect_garbage
from airgap.store.listing import list_images
from airgap.store.store import Store
from tests.server.api import Api
from tests.support.images import BuiltImage, artifact, image, index, random_layer

DAY = 24 * 3600.0
AT_ONCE = GcRules(grace=0.0)
APP = image([random_layer(1), random_layer(2)])
HERE = (Repository("localhost", "app"), "10.0.0.1")
A, B, C = (Digest.of(text) for text in (b"a", b"b", b"c"))


@dataclass
class Claim:
    """A claim that writes down what is said."""

    inherited: float | None = None
    said: list[float | None] = field(default_factory=list)

    async def reach_back_to(self, began: float | None) -> None:
        """Write it down."""
        self.said.append(began)


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Watched:
    """Pushes with a clock of the test's."""

    def __init__(self, inherited: float | None = None) -> None:
        self.claim = Claim(inherited)
        self.clock = Clock()
        self.pushes = Pushes(self.claim, DAY, self.clock)

    async def send(self, digest: Digest, client: tuple[Repository, str] = HERE) -> None:
        """Push a small blob."""
        async with self.pushes.request(client) as push:
            push.wrote = True
            push.rely_on(digest)

    async def began_after(self, seconds: float) -> float | None:
        """Let time pass, and tell how far back pushes reach then."""
        self.clock.now += seconds
        await self.pushes.renew()
        return self.pushes.began()


async def test_a_push_reaches_back_until_a_tag_leads_to_it() -> None:
    """A manifest by digest takes the place of what it names; a tag ends it."""
    watched = Watched()
    for digest in APP.blobs:
        await watched.send(digest)
        watched.clock.now += 10
    async with watched.pushes.request(HERE) as push:
        push.take_in(APP.root, tagged=False)
    assert watched.pushes.began() == 1000.0
    both = index({"linux/amd64": APP})
    async with watched.pushes.request(HERE) as push:
        push.take_in(both.root, tagged=True)
    assert watched.pushes.began() is None
    assert watched.claim.said == [1000.0, None]


async def test_a_running_request_is_never_given_up() -> None:
    """A layer that takes two days keeps what came before it."""
    watched = Watched()
    await watched.send(A)
    async with watched.pushes.request(HERE):
        assert await watched.began_after(2 * DAY) == 1000.0
    assert await watched.began_after(IDLE_SECONDS + 1) is None


async def test_an_unfinished_upload_is_waited_for() -> None:
    """A client may come back for its upload for a day, and what it sent before is still there."""
    watched = Watched()
    await watched.send(A)
    async with watched.pushes.request(HERE) as push:
        watched.pushes.begin_upload(push, "one")
    assert await watched.began_after(DAY - 10) == 1000.0
    watched.pushes.go_on(HERE[0], "one")
    assert await watched.began_after(DAY - 10) == 1000.0
    assert watched.pushes.end_upload(HERE[0], "one") == 1000.0
    assert await watched.began_after(IDLE_SECONDS + 1) is None


async def test_one_client_does_not_keep_what_another_gave_up() -> None:
    """Who went away is given up although somebody else pushes on; who only asked, sooner."""
    watched = Watched()
    await watched.send(A)
    async with watched.pushes.request((HERE[0], "ann")) as push:
        push.rely_on(B)
    assert await watched.began_after(ASKING_SECONDS + 1) == 1000.0
    assert list(watched.pushes._pushes) == [HERE]
    await watched.send(C, (HERE[0], "bob"))
    assert await watched.began_after(IDLE_SECONDS - ASKING_SECONDS) == 1000.0 + ASKING_SECONDS + 1


async def test_nothing_is_pending_for_ever() -> None:
    """A client that never stops pushing does not keep what it once left behind."""
    watched = Watched()
    await watched.send(A)
    for _ in range(int(LONGEST_SECONDS / 1800) + 2):
        await watched.send(B)
        await watched.began_after(1800)
    assert watched.pushes.began() != 1000.0


async def test_more_things_than_are_remembered_are_kept_all_the_same() -> None:
    """What is too much to be remembered one by one is remembered as a whole."""
    watched = Watched()
    async with watched.pushes.request(HERE) as push:
        push.wrote = True
        for number in range(20_010):
            push.rely_on(Digest.of(str(number).encode()))
        assert len(push.pending) == 20_000
        push.pending.clear()
    assert watched.pushes.began() == 1000.0
    assert await watched.began_after(IDLE_SECONDS + 1) is None


async def test_what_an_earlier_server_had_under_way_is_kept_while_it_goes_on() -> None:
    """After a restart uploads go on, and what belongs to them is still claimed."""
    watched = Watched(inherited=10.0)
    assert await watched.began_after(IDLE_SECONDS - 1) == 10.0
    watched.pushes.go_on(HERE[0], "begun earlier")
    assert await watched.began_after(IDLE_SECONDS - 1) == 10.0
    assert await watched.began_after(IDLE_SECONDS + 1) is None
    assert watched.claim.said[-1] is None


async def collected(root: Path) -> frozenset[Digest]:
    """Collect all that may go, from outside, as ``airgap store gc --grace 0`` does."""
    async with Store.open(root, sync=False) as other:
        report = await collect_garbage(other, AT_ONCE)
    return frozenset(digest for digest, _ in report.removed)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """The store that is served."""
    async with Store.open(tmp_path / "store", create=True, sync=False, long_lived=True) as opened:
        yield opened


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    """A client of the registry over the store."""
    async with running_registry(store) as running, aiohttp.ClientSession() as session:
        yield Api(session, running.url)


async def put(api: Api, built: BuiltImage, name: str) -> int:
    """Push a manifest; return the status."""
    answer = await api.request(
        "PUT",
        f"/v2/app/manifests/{name}",
        body=built.root.raw,
        Content_Type=built.root.descriptor.media_type,
    )
    return answer.status


async def test_collection_during_a_push_takes_nothing_of_it(api: Api, store: Store) -> None:
    """Between any two requests everything may be collected, and the push goes through."""
    old = image([random_layer(1), random_layer(7)])
    await api.push_image("app", old, "old")
    root = store.places.root
    assert await collected(root) == frozenset()
    there = random_layer(7).descriptor.digest
    assert (await api.request("HEAD", f"/v2/app/blobs/{there}")).status == 200
    assert (await api.request("DELETE", f"/v2/app/manifests/{old.digest}")).status == 202
    new = image([random_layer(7), random_layer(8)])
    for digest, content in new.blobs.items():
        if digest != there:
            await collected(root)
            await api.push_blob("app", content)
    await collected(root)
    assert await put(api, new, "new") == 201
    gone = await collected(root)
    assert gone == (old.blobs.keys() | {old.digest}) - new.blobs.keys()


async def test_a_push_survives_a_restart_and_a_collection(tmp_path: Path) -> None:
    """What was sent to a server that is gone is there for the next one."""
    root = tmp_path / "store"
    for step in range(2):
        async with (
            Store.open(root, create=True, sync=False, long_lived=True) as store,
            running_registry(store) as running,
            aiohttp.ClientSession() as session,
        ):
            api = Api(session, running.url)
            if step == 0:
                for content in APP.blobs.values():
                    await api.push_blob("app", content)
            else:
                assert await put(api, APP, "1") == 201
        await collected(root)
    async with Store.open(root) as store:
        assert [str(i.reference) for i in await list_images(store)] == ["localhost/app:1"]
        assert (await list_images(store))[0].size == sum(map(len, APP.blobs.values())) + len(
            APP.root.raw
        )


async def test_a_manifest_pushed_by_digest_stays_until_it_is_deleted(
    api: Api, store: Store
) -> None:
    """Clients that push by digest alone find it later; a deletion lets it go."""
    for content in APP.blobs.values():
        await api.push_blob("app", content)
    assert await put(api, APP, APP.digest) == 201
    assert await collected(store.places.root) == frozenset()
    listed = await list_images(store)
    assert [str(found.reference) for found in listed] == [f"localhost/app@{APP.digest}"]
    assert (await api.request("GET", "/v2/app/tags/list")).document["tags"] == []
    assert (await api.request("DELETE", f"/v2/app/manifests/{APP.digest}")).status == 202
    await api.push_image("other", image([random_layer(9)]), "1")
    assert await list_images(store) != listed


@pytest.mark.parametrize("children_first", [True, False])
async def test_what_an_index_brings_along_goes_with_it(
    api: Api, store: Store, *, children_first: bool
) -> None:
    """The images of an index are pushed by digest and have no life of their own."""
    both = index({"linux/amd64": APP, "linux/arm64": image([random_layer(3)])})
    for content in both.blobs.values():
        await api.push_blob("app", content)
    children = [BuiltImage((manifest,)) for manifest in both.manifests[:-1]]
    order = [*children, both] if children_first else [both, *children]
    for built in order:
        await put(api, built, "1" if built is both else built.digest)
    assert [str(f.reference) for f in await list_images(store)] == ["localhost/app:1"]
    await api.push_image("app", image([random_layer(4)]), "1")
    reference = Reference(Repository("localhost", "app"), digest=APP.digest)
    assert await store.find(reference) is not None


@pytest.mark.parametrize("subject_first", [True, False])
async def test_what_refers_to_an_image_goes_with_it(
    api: Api, store: Store, *, subject_first: bool
) -> None:
    """A signature may come before its image; then it belongs to it."""
    signature = artifact(b"signed", subject=APP.root.descriptor)
    for content in [*APP.blobs.values(), *signature.blobs.values()]:
        await api.push_blob("app", content)
    order = [(APP, "1"), (signature, str(signature.digest))]
    for built, name in order if subject_first else order[::-1]:
        assert await put(api, built, name) == 201
    assert [str(f.reference) for f in await list_images(store)] == ["localhost/app:1"]
    assert await collected(store.places.root) == frozenset()
    assert (await api.request("DELETE", f"/v2/app/manifests/{APP.digest}")).status == 202
    assert signature.digest in await collected(store.places.root)


async def test_many_pushes_and_collections_at_once(api: Api, store: Store) -> None:
    """Twenty clients push while everything is collected again and again."""
    built = [image([random_layer(100 + n), random_layer(1)]) for n in range(20)]
    pushing = asyncio.gather(*(api.push_image("app", b, f"{n}") for n, b in enumerate(built)))
    while not pushing.done():
        await collected(store.places.root)
    await pushing
    for one in built:
        for digest, content in one.blobs.items():
            assert (await api.request("GET", f"/v2/app/blobs/{digest}")).body == content
