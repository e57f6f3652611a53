"""Walking the graph below a manifest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airgap.content.walk import ImageGraph, WalkRules, referrers_below, walk_image
from airgap.errors import ContentMismatch, InvalidReference, NotFound
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference, Repository
from tests.support.images import BuiltImage, Layer, artifact, image, index, random_layer
from tests.support.memory import MemorySource

REPOSITORY = Repository("a.example", "app")
AMD = image([random_layer(1), random_layer(2)])
ARM = image([random_layer(1), random_layer(3)], platform="linux/arm64")
BOTH = index({"linux/amd64": AMD, "linux/arm64": ARM})


async def _walk(
    built: BuiltImage, rules: WalkRules | None = None, *, held: frozenset[Digest] = frozenset()
) -> ImageGraph:
    async def holds(descriptor: Descriptor) -> bool:
        return descriptor.digest in held

    source = MemorySource({"a.example/app:1": built})
    root = await source.resolve(Reference.parse("a.example/app:1"))
    return await walk_image(source, REPOSITORY, root, rules or WalkRules(), holds)


async def test_manifests_come_children_before_parents() -> None:
    """A target that checks what a manifest names never sees a parent too early."""
    graph = await _walk(BOTH)
    assert list(graph.manifests) == [AMD.digest, ARM.digest, BOTH.digest]


async def test_a_shared_layer_is_there_once() -> None:
    """Two platforms with a layer in common have it in common in the copy too."""
    graph = await _walk(BOTH)
    assert len(graph.blobs) == 5  # two configs, three layers


async def test_a_held_manifest_is_not_walked() -> None:
    """What the target has with all below it costs nothing."""
    graph = await _walk(BOTH, held=frozenset({AMD.digest}))
    assert list(graph.manifests) == [ARM.digest, BOTH.digest]
    assert list(graph.reused) == [AMD.digest]


async def test_choosing_a_platform_keeps_the_index_byte_for_byte() -> None:
    """The index goes on naming what stays behind, and keeps its digest."""
    graph = await _walk(BOTH, WalkRules(frozenset({Platform.parse("linux/arm64")})))
    assert graph.root.digest == BOTH.digest
    assert list(graph.manifests) == [ARM.digest, BOTH.digest]
    assert list(graph.omitted) == [AMD.digest]


async def test_a_rewritten_index_names_only_what_travels() -> None:
    """On request the index is written anew, and then has a digest of its own."""
    rules = WalkRules(frozenset({Platform.parse("linux/arm64")}), rewrite_index=True)
    graph = await _walk(BOTH, rules)
    rewritten = graph.manifests[graph.root.digest]
    assert graph.root.digest != BOTH.digest
    assert [entry.digest for entry in rewritten.manifests] == [ARM.digest]


async def test_a_platform_that_is_not_offered_is_an_error() -> None:
    """Selecting nothing is never silent; the error lists what there is."""
    with pytest.raises(InvalidReference) as caught:
        await _walk(BOTH, WalkRules(frozenset({Platform.parse("linux/s390x")})))
    assert "linux/amd64, linux/arm64" in caught.value.hint


async def test_a_sparse_index_is_taken_as_its_publisher_left_it() -> None:
    """An entry without content is left out, and is said to be."""
    sparse = index({"linux/amd64": AMD, "linux/arm64": ARM}, absent=["linux/arm64"])
    graph = await _walk(sparse)
    assert list(graph.omitted) == [ARM.digest]


async def test_an_absent_entry_that_was_asked_for_is_an_error() -> None:
    """The person asked for just this platform, so leaving it out would be silent."""
    sparse = index({"linux/amd64": AMD, "linux/arm64": ARM}, absent=["linux/arm64"])
    with pytest.raises(NotFound):
        await _walk(sparse, WalkRules(frozenset({Platform.parse("linux/arm64")})))


async def test_a_foreign_layer_travels_only_on_request() -> None:
    """What only its vendor may hand out stays behind unless the person says otherwise."""
    own = random_layer(1)
    foreign = Layer(
        b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", own.diff_id
    )
    built = image([own, foreign])
    assert list((await _walk(built)).omitted) == [foreign.descriptor.digest]
    assert not (await _walk(built, WalkRules(foreign_layers=True))).omitted


async def test_a_source_that_lies_about_a_manifest_is_caught() -> None:
    """Other bytes under the same digest never pass."""
    source = MemorySource({"a.example/app:1": AMD}, lies={AMD.digest: ARM.root.raw})

    async def holds(_: Descriptor) -> bool:
        return False

    with pytest.raises(ContentMismatch):
        await walk_image(source, REPOSITORY, AMD.root.descriptor, WalkRules(), holds)


async def test_indexes_nested_without_end_are_refused() -> None:
    """A chain of indexes deeper than any real one ends in an error, not in recursion."""
    nested = index({"linux/amd64": AMD})
    for _ in range(9):
        nested = index({"linux/amd64": nested})
    with pytest.raises(ContentMismatch, match="nest over"):
        await _walk(nested)


async def test_referrers_of_referrers_are_found_once() -> None:
    """A signature, and what is said about the signature, and a registry that repeats itself."""
    signature = artifact(b"signature", subject=AMD.root.descriptor)
    about = artifact(b"about it", subject=signature.root.descriptor)

    class Place:
        async def referrers(self, repository: Repository, digest: Digest) -> list[Descriptor]:
            assert repository == REPOSITORY
            if digest == AMD.digest:
                return [signature.root.descriptor, signature.root.descriptor]
            return [about.root.descriptor]

    found = await referrers_below(Place(), REPOSITORY, [AMD.digest])
    assert [d.digest for d in found] == [signature.digest, about.digest]
    assert found[0].media_type == media_types.OCI_MANIFEST


async def test_a_wrong_size_from_head_is_no_reason_to_fail() -> None:
    """A registry whose HEAD and GET differ in length is believed where the digest is right."""
    source = MemorySource({"a.example/app:1": AMD})
    root = replace(AMD.root.descriptor, size=AMD.root.descriptor.size + 7)

    async def holds(_: Descriptor) -> bool:
        return False

    graph = await walk_image(source, REPOSITORY, root, WalkRules(), holds)
    assert graph.root.size == AMD.root.descriptor.size
