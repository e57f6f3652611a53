"""With a share of all requests failing at random, everything still arrives."""

from __future__ import annotations

import pytest

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.oci.reference import Reference
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings, HostSettings, RetryRules
from tests.support import images
from tests.support.registry_clients import QUICK, MakeClient, quick
from tests.support.registry_faults import (
    PASSING_FAULTS,
    Corrupt,
    Stall,
)
from tests.support.registry_gate import TokenGate
from tests.support.scripted_registry import ScriptedRegistry

IMAGES = 50


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_fifty_images_arrive_with_a_fifth_of_all_requests_failing(
    scripted: ScriptedRegistry, second: ScriptedRegistry, make_client: MakeClient, seed: int
) -> None:
    """On both sides, tokens included; every digest is the same in the end."""
    shared = images.random_layer(0, 200_000)
    built = {
        f"{number}": images.image([shared, images.random_layer(number + 1, 20_000)])
        for number in range(IMAGES)
    }
    for tag, one in built.items():
        scripted.add(f"team/app{int(tag) % 5}:{tag}", one)
    scripted.guard(TokenGate())
    faults = [
        scripted.fail_at_random(0.2, PASSING_FAULTS, seed),
        second.fail_at_random(0.2, PASSING_FAULTS, seed + 100),
    ]
    client = await make_client()
    copies = [
        ImageCopy(
            Reference(scripted.repository(f"team/app{int(tag) % 5}"), tag),
            Reference(second.repository(f"mirror/app{int(tag) % 5}"), tag),
            referrers=False,
        )
        for tag in built
    ]
    report = await copy_images(client, client, copies)
    assert [str(failed.error) for failed in report.failures] == []
    for tag, one in built.items():
        content = second.content(f"mirror/app{int(tag) % 5}")
        assert content.tags[tag] == one.digest
        assert set(one.blobs) <= set(content.blobs)
    assert all(fault.struck > 30 for fault in faults)


async def test_a_thousand_unchanged_tags_cost_a_thousand_heads(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Looking whether anything has changed costs one request a tag, and nothing else."""
    built = images.image([images.random_layer(1)])
    for number in range(1000):
        repository = scripted.add(f"team/app:v{number}", built)
    for number in range(1000):
        found = await client.resolve(Reference(repository, f"v{number}"))
        assert found == built.root.descriptor
    assert scripted.count("HEAD") == scripted.count() == 1000


async def test_copying_within_a_host_does_not_wait_for_itself(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """With one transfer at a time a blob is read and written at once, as it is not mounted."""
    client = await make_client(quick(concurrency=1))
    scripted.habits.mounts = False
    layers = [images.random_layer(number, 600_000) for number in range(4)]
    repository = scripted.add("team/app:1", images.image(layers))
    copies = [
        ImageCopy(Reference(repository, "1"), Reference(scripted.repository(f"copy/{n}"), "1"))
        for n in range(2)
    ]
    report = await copy_images(client, client, copies)
    assert report.error() is None


async def test_a_corrupt_blob_is_not_the_registrys_word_against_the_digest(
    scripted: ScriptedRegistry, second: ScriptedRegistry, client: RegistryClient
) -> None:
    """One flipped bit: the image fails, names the blob, and nothing of it is at the target."""
    layer = images.random_layer(1, 100_000)
    repository = scripted.add("team/app:1", images.image([layer]))
    scripted.fail(Corrupt(), "GET", str(layer.descriptor.digest), times=None)
    target = Reference(second.repository("team/app"), "1")
    report = await copy_images(client, client, [ImageCopy(Reference(repository, "1"), target)])
    (failure,) = report.failures
    assert layer.descriptor.digest in str(failure.error)
    assert await client.find(target) is None
    assert layer.descriptor.digest not in second.content("team/app").blobs


async def test_a_stalling_registry_does_not_hang_a_client(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """After as many stalls as there are tries the image fails, and says why."""
    retry = RetryRules(attempts=2, first_delay=0.001)
    client = await make_client(
        ClientSettings(default=HostSettings(retry=retry, timeouts=QUICK.timeouts))
    )
    repository = scripted.add("team/app:1", images.image([images.random_layer(1)]))
    scripted.fail(Stall(), "GET", times=None)
    copy = ImageCopy(Reference(repository, "1"), Reference(repository, "2"))
    (failure,) = (await copy_images(client, client, [copy])).failures
    assert "nothing came for 0.4 s" in str(failure.error)
