"""Plans from the catalog, held against a walk over the manifests themselves."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.content.ports import TagMove
from airgap.content.walk import WalkRules, walk_image
from airgap.errors import ContentMismatch, InvalidReference, NotFound
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.manifest import parse_manifest
from airgap.oci.platform import Platform
from airgap.oci.platform_filter import ALL_PLATFORMS
from airgap.store.store import Store
from tests.content.conformance import REPOSITORY, named, put_image
from tests.support.images import BuiltImage, image, index, random_layer
from tests.support.memory import MemorySource

PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7", "windows/amd64"]


def build(platforms: set[str]) -> BuiltImage:
    """Build an index whose images share a layer."""
    return index(
        {
            platform: image(
                [random_layer(0), random_layer(PLATFORMS.index(platform) + 1)], platform=platform
            )
            for platform in sorted(platforms)
        }
    )


async def never(_: Descriptor) -> bool:
    """Hold nothing."""
    return False


@settings(max_examples=15, deadline=None)
@given(
    st.sets(st.sampled_from(PLATFORMS), min_size=1),
    st.sets(st.sampled_from([*PLATFORMS, "linux/arm"]), max_size=3),
)
def test_a_plan_is_what_a_walk_finds(offered: set[str], wanted: set[str]) -> None:
    """For any choice of platforms, the catalog and the manifests agree on what is needed."""
    built = build(offered)
    platforms = frozenset(map(Platform.parse, wanted))
    roots = [TagMove(named("1"), built.root.descriptor)]

    async def run(root: Path) -> None:
        source = MemorySource({str(named("1")): built})
        async with Store.open(root, create=True, sync=False) as store:
            await put_image(store, named("1"), built)
            rules = WalkRules(platforms=platforms)
            try:
                graph = await walk_image(source, REPOSITORY, built.root.descriptor, rules, never)
            except InvalidReference:
                with pytest.raises(NotFound):
                    await store.plan(roots, platforms)
                return
            plan = await store.plan(roots, platforms)
            assert set(plan.digests()) == {*graph.manifests, *graph.blobs}
            assert {entry.digest for entry in plan.omitted} == set(graph.omitted)
            assert await store.holds(REPOSITORY, built.root.descriptor, platforms)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder) / "store"))


async def test_indexes_without_end_are_refused(store: Store) -> None:
    """Hostile nesting is an error of its content, and no overflow of ours."""
    inner = image([random_layer(1)])
    await put_image(store, named("0"), inner)
    descriptor = inner.root.descriptor
    for _ in range(12):
        raw = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": media_types.OCI_INDEX,
                "manifests": [descriptor.to_json()],
            }
        )
        manifest = parse_manifest(raw.encode(), media_types.OCI_INDEX)
        await store.put_manifest(REPOSITORY, manifest)
        descriptor = manifest.descriptor
    await store.move_tags([TagMove(named("deep"), descriptor)])
    with pytest.raises(ContentMismatch, match="deep"):
        await store.plan([TagMove(named("deep"), descriptor)], ALL_PLATFORMS)


async def test_foreign_layers_are_left_out(store: Store) -> None:
    """A layer that only its vendor may hand out is neither planned nor needed to hold an image."""
    built = image([random_layer(1)])
    document = json.loads(built.root.raw)
    foreign = Descriptor.of(b"licensed", "application/vnd.oci.image.layer.nondistributable.v1.tar")
    document["layers"].append(foreign.to_json())
    manifest = parse_manifest(json.dumps(document).encode(), media_types.OCI_MANIFEST)
    await put_image(store, named("1"), BuiltImage((manifest,), built.blobs))
    plan = await store.plan([TagMove(named("1"), manifest.descriptor)], ALL_PLATFORMS)
    assert plan.omitted == (foreign,)
    assert foreign.digest not in set(plan.digests())
    assert await store.holds(REPOSITORY, manifest.descriptor, ALL_PLATFORMS)


async def test_a_thousand_names_of_one_image_are_one_image(store: Store) -> None:
    """Every name is a root of the plan, and the content is there once."""
    built = image([random_layer(1)])
    descriptor = await put_image(store, named("0"), built)
    moves = [TagMove(named(f"t{number}"), descriptor) for number in range(1000)]
    await store.move_tags(moves)
    plan = await store.plan(moves, ALL_PLATFORMS)
    assert plan.roots == tuple(moves)
    assert len(plan.items) == 1 + len(built.blobs)
