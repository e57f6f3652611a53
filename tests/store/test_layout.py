"""What other programs see of a store."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from airgap.content.ports import TagMove
from airgap.oci.reference import Reference
from airgap.store.layout import is_current
from airgap.store.store import Store
from tests.content.conformance import put_image, two_platforms
from tests.support.images import artifact, image, random_layer

ALPINE = Reference.parse("alpine:3")


async def skopeo(*arguments: str) -> dict[str, Any]:
    """Run skopeo, and return the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        "skopeo", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    found: dict[str, Any] = json.loads(output)
    return found


async def test_skopeo_inspects_an_image_by_its_full_name(store: Store, root: Path) -> None:
    """`skopeo inspect oci:STORE:REF` finds the image among others, with the right digest."""
    built = image([random_layer(1), random_layer(2)])
    await put_image(store, ALPINE, built)
    await put_image(store, Reference.parse("quay.io/a/b:3"), image([random_layer(3)]))
    found = await skopeo("inspect", f"oci:{root}:docker.io/library/alpine:3")
    assert found["Digest"] == built.digest
    assert found["Layers"] == [layer.digest for layer in built.root.layers]


async def test_skopeo_reads_an_index(store: Store, root: Path) -> None:
    """The raw index that skopeo shows is the one that came."""
    built = two_platforms()
    await put_image(store, ALPINE, built)
    found = await skopeo("inspect", "--raw", f"oci:{root}:docker.io/library/alpine:3")
    assert found == json.loads(built.root.raw)


async def test_names_stand_in_the_index_in_full(store: Store, root: Path) -> None:
    """Each entry has the normalised name under both keys, also where it is kept by digest."""
    tagged, kept = image([random_layer(1)]), artifact(b"data")
    by_digest = Reference(ALPINE.repository, digest=kept.digest)
    await put_image(store, ALPINE, tagged)
    await put_image(store, by_digest, kept)
    entries = json.loads((root / "index.json").read_bytes())["manifests"]
    names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries]
    assert names == ["docker.io/library/alpine:3", f"docker.io/library/alpine@{kept.digest}"]
    assert names == [entry["annotations"]["io.containerd.image.name"] for entry in entries]
    assert json.loads((root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


async def test_a_removed_name_leaves_the_index(store: Store, root: Path) -> None:
    """Removing a tag shows at once to other programs."""
    await put_image(store, ALPINE, image([random_layer(1)]))
    assert await store.remove_tag(ALPINE)
    assert not await store.remove_tag(ALPINE)
    assert json.loads((root / "index.json").read_bytes())["manifests"] == []


async def test_a_name_can_be_given_to_another_repository(store: Store) -> None:
    """Tagging elsewhere makes everything below belong there, without copying."""
    built = two_platforms()
    descriptor = await put_image(store, ALPINE, built)
    other = Reference.parse("localhost:5000/mine:1")
    await store.move_tags([TagMove(other, descriptor)])
    assert await store.holds(other.repository, descriptor, frozenset())


async def test_an_index_left_behind_is_written_when_opened(root: Path) -> None:
    """Where a process died between the catalog and index.json, the next one finishes."""
    async with Store.open(root, create=True) as store:
        await put_image(store, ALPINE, image([random_layer(1)]))
    written = (root / "index.json").read_bytes()
    (root / "index.json").unlink()
    async with Store.open(root) as store:
        assert is_current(store.places, store.database)
    assert (root / "index.json").read_bytes() == written
