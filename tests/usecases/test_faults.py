"""Mirroring over bad links: with failing requests, and with a process that is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap.content.report import Outcome
from airgap.oci import media_types
from airgap.oci.digest import Digest
from airgap.oci.name_mapping import Destination, NameMapping
from airgap.oci.selection import TagSelection
from airgap.oci.tag_pattern import TagPattern
from airgap.registry.client import RegistryClient
from airgap.store.store import Store
from airgap.usecases.mirror import Wanted, mirror, select
from airgap.usecases.push import PushRequest, push
from tests.support import cosign
from tests.support.command import airgap
from tests.support.images import BuiltImage, Layer, artifact, image, random_layer
from tests.support.registry_faults import (
    PASSING_FAULTS,
    Answer,
    Stall,
)
from tests.support.registry_gate import TokenGate
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

IMAGES = 50
MEGABYTE = 1_000_000


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_fifty_images_cross_with_a_fifth_of_all_requests_failing(
    upstream: ScriptedRegistry,
    destination: ScriptedRegistry,
    client: RegistryClient,
    store: Store,
    *,
    seed: int,
) -> None:
    """Listing, choosing, mirroring with signatures and SBOMs, pushing, the audit: all of it."""
    key = cosign.new_key()
    shared = random_layer(0, 200_000)
    built = [image([shared, random_layer(n + 1, 20_000)]) for n in range(IMAGES)]
    for number, one in enumerate(built):
        path = f"team/app{number % 5}"
        repository = upstream.add(f"{path}:{number}", one)
        signature = cosign.signature(key, repository, one.digest)
        upstream.add(f"{path}:{cosign_tag(one)}", signature)
        upstream.add(path, artifact(b"packages %d" % number, subject=one.root.descriptor))
    upstream.guard(TokenGate())
    faults = [
        upstream.fail_at_random(0.2, PASSING_FAULTS, seed),
        destination.fail_at_random(0.2, PASSING_FAULTS, seed + 100),
    ]
    everything = TagSelection(globs=(TagPattern.glob("*"),))
    wanted = [
        Wanted(repository=upstream.repository(f"team/app{number}"), tags=everything)
        for number in range(5)
    ]
    selection = await select(wanted, client)
    report = await mirror(selection, client, store)
    assert [str(failed.error) for failed in report.failures] == []
    assert [len(result.attached) for result in report.images] == [2] * IMAGES
    names = [result.target for result in report.images]
    mapping = NameMapping(Destination.parse(destination.host))
    pushed = await push(PushRequest(names, mapping.map_all), store, client)
    assert [str(failed.error) for failed in pushed.copied.failures] == []
    assert pushed.audit.error() is None
    for path, content in upstream.contents.content.items():
        there = next(
            found for name, found in destination.contents.content.items() if name.endswith(path)
        )
        assert there.tags == content.tags
        assert set(content.manifests) <= set(there.manifests)
        assert set(content.blobs) <= set(there.blobs)
    assert all(fault.struck > 50 for fault in faults)


def cosign_tag(built: BuiltImage) -> str:
    """Return the tag of an image's signature."""
    return f"sha256-{built.digest.hex}.sig"


@dataclass(frozen=True)
class Resumed:
    """What two runs took from a registry, the first one killed in the middle.

    Attributes:
        size: bytes of the only layer.
        first: bytes of it that were sent before the kill.
        kept: bytes of it that the killed process left behind.
        second: bytes of it that were sent after it.
        asked: the range that the second run asked for.
    """

    size: int
    first: int
    kept: int
    second: int
    asked: str


async def kill_and_start_again(folder: Path, size: int) -> Resumed:
    """Mirror one large layer, kill the process half-way, and start it again."""
    noise = random.Random(size).randbytes(MEGABYTE)  # noqa: S311 - test data, not a secret
    content = noise * (size // MEGABYTE)
    layer = Layer(content, media_types.OCI_LAYER, Digest.of(content))
    built = image([layer])
    store = folder / "store"
    half = size // 2
    async with scripted_registry() as registry:
        registry.add("large:1", built)
        path = f"/blobs/{layer.descriptor.digest}"
        registry.fail(Stall(half), "GET", path)
        command = ("mirror", f"{registry.host}/large:1", "--store", str(store))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "airgap", *command),
            env={**os.environ, "AIRGAP_CONFIG": os.devnull},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(120):
            # Another process writes a file: there is nothing to await but time.
            while _kept(store) < half * 9 // 10:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        first, kept = registry.sent(path), _kept(store)
        registry.requests.clear()
        done = await airgap(*command)
        assert done.code == 0, done.err
        (request,) = [seen for seen in registry.requests if path in seen.path]
        second, asked = registry.sent(path), request.headers.get("Range", "")
    blob = store / "blobs/sha256" / layer.descriptor.digest.hex
    assert blob.stat().st_size == size
    assert Digest.of(blob.read_bytes()) == layer.descriptor.digest
    return Resumed(size, first, kept, second, asked)


def _kept(store: Path) -> int:
    """Return how many bytes of blobs have come in and are not whole."""
    ingest = store / "airgap" / "ingest"
    found = [path for path in ingest.rglob("*") if path.is_file()] if ingest.exists() else []
    return max((path.stat().st_size for path in found), default=0)


async def test_a_mirror_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """Only the rest of the blob travels: counted where it is sent."""
    resumed = await kill_and_start_again(tmp_path, 300 * MEGABYTE)
    assert resumed.asked == f"bytes={resumed.kept}-"
    assert resumed.second == resumed.size - resumed.kept
    # What was in the sockets and buffers when the process died is all that travels twice.
    assert resumed.first + resumed.second <= resumed.size + 32 * MEGABYTE
    assert resumed.second < resumed.size * 6 // 10


async def test_a_whole_run_that_fails_is_mended_by_another(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """What has arrived is not fetched again; the names of what failed were never there."""
    built = [image([random_layer(n, 50_000)]) for n in range(4)]
    for number, one in enumerate(built):
        upstream.add(f"app:{number}", one)
    upstream.fail(Answer(403), "GET", f"/blobs/{built[3].root.layers[0].digest}", times=None)
    everything = TagSelection(globs=(TagPattern.glob("*"),))
    wanted = [Wanted(repository=upstream.repository("app"), tags=everything)]
    report = await mirror(await select(wanted, client), client, store)
    assert [result.outcome for result in report.images] == [*[Outcome.COPIED] * 3, Outcome.FAILED]
    assert await store.find(report.images[3].target) is None
    upstream.rules.clear()
    upstream.requests.clear()
    report = await mirror(await select(wanted, client), client, store)
    assert [result.outcome for result in report.images] == [
        *[Outcome.UNCHANGED] * 3,
        Outcome.COPIED,
    ]
    of_the_last = {entry.descriptor.digest for entry in built[3].root.children()}
    fetched = {seen.path.rpartition("/")[2] for seen in upstream.requests if "/blobs/" in seen.path}
    assert fetched <= of_the_last
