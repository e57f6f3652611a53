"""Mirrors: asked first, for pulling alone, and never with the registry's own credentials."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airgap.errors import NotFound
from airgap.oci.reference import Reference, Repository
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings, Login
from tests.support import images
from tests.support.blob_sources import BlobSource
from tests.support.registry_clients import QUICK, MakeClient, Told, read_blob
from tests.support.registry_faults import Answer, Reset, Truncate
from tests.support.registry_gate import BasicGate
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

LAYER = images.random_layer(5, 3_000_000)
IMAGE = images.image([LAYER])
ROOT = IMAGE.root.descriptor


@pytest.fixture
async def client(
    scripted: ScriptedRegistry, second: ScriptedRegistry, make_client: MakeClient
) -> RegistryClient:
    """Return a client that knows ``second`` as a mirror of ``scripted``."""
    login = Login("user", "secret")
    scripted.guard(BasicGate("user", "secret"))
    hosts = {scripted.host: replace(QUICK, mirrors=(f"{second.host}/hub",), login=login)}
    return await make_client(ClientSettings(hosts=hosts, default=QUICK))


async def pull(client: RegistryClient, repository: Repository) -> None:
    """Pull an image whole."""
    assert await client.resolve(Reference(repository, "1")) == ROOT
    assert await client.read_manifest(repository, ROOT) == IMAGE.root.raw
    assert await read_blob(client, repository, LAYER.descriptor) == LAYER.content


async def test_a_mirror_serves_what_it_has(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient
) -> None:
    """Under its own path, and the registry is not even asked."""
    second.add("hub/team/app:1", IMAGE)
    await pull(client, scripted.repository("team/app"))
    assert scripted.count() == 0


async def test_what_a_mirror_lacks_comes_from_the_registry(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient, told: Told
) -> None:
    """Upstream last; and its credentials were never shown to the mirror."""
    repository = scripted.add("team/app:1", IMAGE)
    await pull(client, repository)
    assert second.count() > 0
    assert not any("Authorization" in seen.headers for seen in second.requests)
    assert told.has(f"asking {scripted.host} instead", "info")


async def test_a_mirror_with_other_bytes_is_passed_over(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient
) -> None:
    """A digest decides which of them is right."""
    repository = scripted.add("team/app:1", IMAGE)
    second.add("hub/team/app:1", IMAGE)
    second.fail(Answer(200, {}, b"{}"), "GET", "manifests", times=None)
    assert await client.read_manifest(repository, ROOT) == IMAGE.root.raw


async def test_a_blob_that_a_mirror_cannot_finish_is_finished_by_the_registry(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient
) -> None:
    """It goes on where the mirror stopped."""
    repository = scripted.add("team/app:1", IMAGE)
    second.add("hub/team/app:1", IMAGE)
    second.fail(Truncate(2_000_000), "GET", "blobs")
    second.fail(Reset(), "GET", "blobs", times=None)
    assert await read_blob(client, repository, LAYER.descriptor) == LAYER.content
    assert 0 < scripted.sent("blobs") < 1_500_000


async def test_the_registrys_own_error_counts(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Not that of a mirror."""
    with pytest.raises(NotFound, match=scripted.host):
        await client.resolve(Reference(scripted.repository("team/app"), "1"))


async def test_tags_are_the_registrys_own_while_it_answers(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient
) -> None:
    """A mirror knows only what passed through it; it is asked where the registry cannot be."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.add("team/app:2", IMAGE)
    second.add("hub/team/app:1", IMAGE)
    assert [tag async for tag in client.tags(repository)] == ["1", "2"]
    scripted.fail(Answer(403), times=None)
    assert [tag async for tag in client.tags(repository)] == ["1"]


async def test_a_mirror_that_is_gone_is_not_asked_again_and_again(
    scripted: ScriptedRegistry, make_client: MakeClient, told: Told
) -> None:
    """The first image pays for its tries; the others go to the registry at once."""
    async with scripted_registry() as gone:
        mirror = gone.host
    hosts = {scripted.host: replace(QUICK, mirrors=(mirror,))}
    client = await make_client(ClientSettings(hosts=hosts, default=QUICK))
    for number in range(5):
        repository = scripted.add(f"team/app{number}:1", IMAGE)
        await pull(client, repository)
    assert sum(mirror in note.text and "refused" in note.text for note in told.notes) == 3


async def test_nothing_is_pushed_to_a_mirror(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient
) -> None:
    """Mirrors are for pulling."""
    repository = scripted.repository("team/app")
    source = BlobSource(LAYER.content)
    await client.put_blob(repository, LAYER.descriptor, source, lambda _: None)
    assert await client.find(Reference(repository, "1")) is None
    assert second.count() == 0
