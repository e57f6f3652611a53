"""What every content store must do, as tests that each store's own tests inherit.

A store's test module subclasses :class:`ContentStoreConformance`, and besides it those mixins
whose capability the store has, and gives them one fixture::

    class TestStore(ContentStoreConformance, ReferrersConformance):
        @pytest.fixture
        async def place(self, tmp_path: Path) -> AsyncIterator[Store]: ...

``place`` is an empty store, open for reading and writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.content.ports import (
    BlobReader,
    FileRegion,
    HasReferrers,
    KnowsGraphs,
    ListsRepositories,
    ListsTags,
    OpenBlob,
    Source,
    TagMove,
    Target,
)
from airgap.content.walk import WalkRules
from airgap.errors import ContentMismatch, NotFound, Unreachable
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.oci.platform import Platform
from airgap.oci.platform_filter import ALL_PLATFORMS
from airgap.oci.reference import Reference, Repository
from tests.support.images import BuiltImage, artifact, image, index, random_layer
from tests.support.memory import BytesReader, MemorySource

REPOSITORY = Repository.parse("registry.example:5000/team/app")
OTHER = Repository.parse("registry.example:5000/team/other")
AMD64 = frozenset({Platform.parse("linux/amd64")})
S390X = frozenset({Platform.parse("linux/s390x")})
OCTETS = "application/octet-stream"
LARGE = 3 * 1024 * 1024 + 17
"""Bytes; more than any store takes in one piece, and no round number."""


class Place(Source, Target, Protocol):
    """A store that images can go into and come from."""


class ReferrersPlace(Place, HasReferrers, Protocol):
    """One that knows referrers."""


class ListingPlace(Place, ListsTags, ListsRepositories, Protocol):
    """One that lists."""


class GraphPlace(ReferrersPlace, KnowsGraphs, Protocol):
    """One that plans."""


def named(tag: str, repository: Repository = REPOSITORY) -> Reference:
    """Return a reference in the tests' repository."""
    return Reference(repository, tag)


def giving(
    content: bytes, *, region: FileRegion | None = None, whole_only: bool = False
) -> OpenBlob:
    """Return an opener of bytes; with ``whole_only`` one that cannot start in the middle."""

    @asynccontextmanager
    async def open_at(offset: int) -> AsyncIterator[BlobReader]:
        start = 0 if whole_only else offset
        if region is not None:
            part = FileRegion(region.path, region.offset + start, region.length - start)
            yield BytesReader(content, start, part)
        else:
            yield BytesReader(content, start)

    return open_at


def breaking_after(content: bytes, count: int) -> OpenBlob:
    """Return an opener whose connection breaks after ``count`` bytes."""

    class Breaking(BytesReader):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in BytesReader(self.content[:count], self.offset):
                yield piece
            raise Unreachable("registry.example", "the connection broke")

    @asynccontextmanager
    async def open_at(offset: int) -> AsyncIterator[BlobReader]:
        yield Breaking(content, offset)

    return open_at


def ignore(_: int) -> None:
    """Take progress and do nothing."""


async def put_bytes(place: Target, content: bytes, repository: Repository = REPOSITORY) -> Digest:
    """Put a blob."""
    descriptor = Descriptor.of(content, OCTETS)
    await place.put_blob(repository, descriptor, giving(content), ignore)
    return descriptor.digest


async def read_bytes(
    place: Source,
    digest: Digest,
    size: int,
    *,
    offset: int = 0,
    repository: Repository = REPOSITORY,
) -> bytes:
    """Read a blob from an offset on."""
    async with place.open_blob(repository, Descriptor(OCTETS, digest, size), offset) as reader:
        assert reader.offset in {0, offset}
        pieces = [piece async for piece in reader]
    assert all(len(piece) <= 1024 * 1024 for piece in pieces)
    return b"".join(pieces)[offset - reader.offset :]


async def put_image(place: Target, reference: Reference, built: BuiltImage) -> Descriptor:
    """Put all of an image, and let a name stand for it."""
    for digest, content in built.blobs.items():
        descriptor = Descriptor(OCTETS, digest, len(content))
        await place.put_blob(reference.repository, descriptor, giving(content), ignore)
    for manifest in built.manifests:
        await place.put_manifest(reference.repository, manifest)
    await place.move_tags([TagMove(reference, built.root.descriptor)])
    return built.root.descriptor


def two_platforms() -> BuiltImage:
    """Build an index of two images that share a layer."""
    shared = random_layer(1)
    return index(
        {
            "linux/amd64": image([shared, random_layer(2)]),
            "linux/arm64": image([shared, random_layer(3)], platform="linux/arm64"),
        }
    )


class ContentStoreConformance:
    """What every store must do that is a source and a target."""

    @pytest.mark.parametrize("size", [0, 1, 4096, 1024 * 1024, LARGE])
    async def test_a_blob_comes_back_byte_for_byte(self, place: Place, size: int) -> None:
        """Whatever its size, a blob is read as it was put."""
        content = random_layer(size).content[:1] * size
        digest = await put_bytes(place, content)
        assert await read_bytes(place, digest, size) == content

    async def test_a_sha512_blob_is_taken(self, place: Place) -> None:
        """Digests need not be sha256."""
        digest = Digest.of(b"long digest", "sha512")
        descriptor = Descriptor(OCTETS, digest, 11)
        await place.put_blob(REPOSITORY, descriptor, giving(b"long digest"), ignore)
        assert await read_bytes(place, digest, 11) == b"long digest"

    async def test_a_blob_is_read_from_the_middle(self, place: Place) -> None:
        """Reading starts where it is asked to, or says that it starts at the beginning."""
        content = bytes(range(256)) * 1000
        digest = await put_bytes(place, content)
        assert await read_bytes(place, digest, len(content), offset=99_999) == content[99_999:]

    async def test_a_region_is_the_bytes_of_the_blob(self, place: Place) -> None:
        """Where a reader has a region, the file holds there just what iterating gives."""
        content = bytes(range(256)) * 1000
        digest = await put_bytes(place, content)
        descriptor = Descriptor(OCTETS, digest, len(content))
        async with place.open_blob(REPOSITORY, descriptor, 1000) as reader:
            region = reader.region
            if region is not None:
                raw = await asyncio.to_thread(region.path.read_bytes)
                assert raw[region.offset :][: region.length] == content[reader.offset :]

    async def test_a_source_with_a_region_is_taken(self, place: Place, tmp_path: Path) -> None:
        """A blob that is a piece of a file arrives as one that is iterated."""
        content = random_layer(5, LARGE).content
        file = tmp_path / "outer"
        file.write_bytes(b"before" + content + b"after")
        opener = giving(content, region=FileRegion(file, 6, len(content)))
        descriptor = Descriptor.of(content, OCTETS)
        told: list[int] = []
        await place.put_blob(REPOSITORY, descriptor, opener, told.append)
        assert await read_bytes(place, descriptor.digest, len(content)) == content
        assert sum(told) == len(content)

    @pytest.mark.parametrize("size", [1000, LARGE])
    async def test_a_blob_with_other_bytes_is_refused(self, place: Place, size: int) -> None:
        """A source that lies about content is found out, and nothing of it is kept."""
        promised = Descriptor.of(b"a" * size, OCTETS)
        with pytest.raises(ContentMismatch) as caught:
            await place.put_blob(REPOSITORY, promised, giving(b"b" * size), ignore)
        assert promised.digest in str(caught.value)
        assert await place.missing(REPOSITORY, [promised]) == {promised.digest}
        with pytest.raises(NotFound):
            await read_bytes(place, promised.digest, size)

    @pytest.mark.parametrize("size", [1000, LARGE])
    async def test_a_blob_that_is_too_short_is_refused(self, place: Place, size: int) -> None:
        """Fewer bytes than announced are no blob."""
        promised = Descriptor.of(b"a" * size, OCTETS)
        with pytest.raises(ContentMismatch):
            await place.put_blob(REPOSITORY, promised, giving(b"a" * (size - 1)), ignore)
        assert await place.missing(REPOSITORY, [promised]) == {promised.digest}

    @pytest.mark.parametrize("size", [1000, LARGE])
    async def test_an_endless_blob_is_cut_off(self, place: Place, size: int) -> None:
        """A source that never stops is not read past the announced size."""
        given = 0

        class Endless(BytesReader):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                nonlocal given
                while True:
                    given += 1000
                    yield bytes(1000)

        @asynccontextmanager
        async def open_at(offset: int) -> AsyncIterator[BlobReader]:
            yield Endless(b"", offset)

        promised = Descriptor.of(bytes(size), OCTETS)
        with pytest.raises(ContentMismatch):
            await place.put_blob(REPOSITORY, promised, open_at, ignore)
        assert given <= size + 2000
        assert await place.missing(REPOSITORY, [promised]) == {promised.digest}

    async def test_a_broken_blob_can_be_put_again(self, place: Place) -> None:
        """After a broken connection nothing is visible, and the next attempt succeeds."""
        content = random_layer(6, LARGE).content
        promised = Descriptor.of(content, OCTETS)
        with pytest.raises(Unreachable):
            await place.put_blob(REPOSITORY, promised, breaking_after(content, LARGE // 2), ignore)
        assert await place.missing(REPOSITORY, [promised]) == {promised.digest}
        await place.put_blob(REPOSITORY, promised, giving(content), ignore)
        assert await read_bytes(place, promised.digest, len(content)) == content

    async def test_a_source_that_starts_over_is_followed(self, place: Place) -> None:
        """A source that cannot go on in the middle begins anew, and the blob is right."""
        content = random_layer(7, LARGE).content
        promised = Descriptor.of(content, OCTETS)
        with pytest.raises(Unreachable):
            await place.put_blob(REPOSITORY, promised, breaking_after(content, LARGE // 2), ignore)
        await place.put_blob(REPOSITORY, promised, giving(content, whole_only=True), ignore)
        assert await read_bytes(place, promised.digest, len(content)) == content

    async def test_missing_tells_what_is_not_there(self, place: Place) -> None:
        """Of several blobs those are missing that were not put."""
        here = Descriptor.of(b"here", OCTETS)
        gone = Descriptor.of(b"gone", OCTETS)
        await put_bytes(place, b"here")
        assert await place.missing(REPOSITORY, [here, gone]) == {gone.digest}
        assert await place.missing(REPOSITORY, []) == frozenset()

    async def test_a_manifest_comes_back_byte_for_byte(self, place: Place) -> None:
        """Manifests are kept as they are, odd white space included."""
        built = image([random_layer(1)])
        descriptor = await put_image(place, named("1"), built)
        assert await place.read_manifest(REPOSITORY, descriptor) == built.root.raw

    async def test_an_absent_manifest_is_not_found(self, place: Place) -> None:
        """Reading what is not there says so."""
        absent = image([random_layer(9)]).root.descriptor
        with pytest.raises(NotFound):
            await place.read_manifest(REPOSITORY, absent)

    async def test_a_tag_stands_for_a_manifest(self, place: Place) -> None:
        """Tag and digest both resolve to the descriptor."""
        descriptor = await put_image(place, named("1.10"), image([random_layer(1)]))
        assert await place.resolve(named("1.10")) == descriptor
        assert await place.find(named("1.10")) == descriptor
        by_digest = Reference(REPOSITORY, digest=descriptor.digest)
        assert await place.resolve(by_digest) == descriptor

    async def test_an_unknown_name_is_not_found(self, place: Place) -> None:
        """What is not there resolves to an error, and is found to be None."""
        with pytest.raises(NotFound):
            await place.resolve(named("absent"))
        assert await place.find(named("absent")) is None
        absent = Reference(REPOSITORY, digest=Digest.of(b"absent"))
        with pytest.raises(NotFound):
            await place.resolve(absent)

    async def test_a_tag_moves(self, place: Place) -> None:
        """The newest move counts."""
        await put_image(place, named("1"), image([random_layer(1)]))
        newer = await put_image(place, named("1"), image([random_layer(2)]))
        assert await place.resolve(named("1")) == newer

    async def test_several_tags_move_at_once(self, place: Place) -> None:
        """Many names can be moved in one go."""
        built = image([random_layer(1)])
        descriptor = await put_image(place, named("first"), built)
        moves = [TagMove(named(f"v{n}"), descriptor) for n in range(20)]
        await place.move_tags(moves)
        assert [await place.find(move.reference) for move in moves] == [descriptor] * 20

    async def test_a_held_image_is_whole(self, place: Place) -> None:
        """A store never claims an image that lacks a layer."""
        built = image([random_layer(1), random_layer(2)])
        assert not await place.holds(REPOSITORY, built.root.descriptor, ALL_PLATFORMS)
        await place.put_manifest(REPOSITORY, built.root)
        assert not await place.holds(REPOSITORY, built.root.descriptor, ALL_PLATFORMS)

    async def test_an_artifact_travels_like_an_image(self, place: Place) -> None:
        """An empty config and a blob of any type are carried too."""
        built = artifact(b"a bill of materials")
        descriptor = await put_image(place, named("x"), built)
        assert await place.resolve(named("x")) == descriptor
        assert await place.read_manifest(REPOSITORY, descriptor) == built.root.raw

    async def test_an_index_is_copied_with_all_platforms(self, place: Place) -> None:
        """Every platform's content arrives, and the digests are the source's."""
        built = two_platforms()
        source = MemorySource({str(named("1")): built})
        report = await copy_images(source, place, [ImageCopy(named("1"), named("1"))])
        assert report.error() is None
        assert (await place.resolve(named("1"))).digest == built.digest
        for manifest in built.manifests:
            assert await place.read_manifest(REPOSITORY, manifest.descriptor) == manifest.raw
        blobs = [Descriptor(OCTETS, d, len(c)) for d, c in built.blobs.items()]
        assert await place.missing(REPOSITORY, blobs) == frozenset()

    async def test_a_platform_of_an_index_leaves_a_sparse_index(self, place: Place) -> None:
        """The index keeps its digest, and only the wanted platform's content comes."""
        built = two_platforms()
        source = MemorySource({str(named("1")): built})
        await copy_images(
            source, place, [ImageCopy(named("1"), named("1"), WalkRules(platforms=AMD64))]
        )
        amd64, arm64, root = built.manifests
        assert await place.read_manifest(REPOSITORY, root.descriptor) == root.raw
        assert await place.read_manifest(REPOSITORY, amd64.descriptor) == amd64.raw
        with pytest.raises(NotFound):
            await place.read_manifest(REPOSITORY, arm64.descriptor)

    async def test_a_shared_blob_is_read_once(self, place: Place) -> None:
        """Two images with a layer in common cost its bytes once."""
        shared = random_layer(1)
        first, second = image([shared, random_layer(2)]), image([shared, random_layer(3)])
        source = MemorySource({str(named("1")): first, str(named("2")): second})
        copies = [ImageCopy(named(tag), named(tag)) for tag in ("1", "2")]
        await copy_images(source, place, copies)
        assert source.opened.count(shared.descriptor.digest) == 1

    async def test_a_lying_source_fails_one_image_and_no_other(self, place: Place) -> None:
        """The image with the false layer has no name in the end; the other one has."""
        good, bad = image([random_layer(1)]), image([random_layer(2)])
        layer = bad.root.layers[0].digest
        source = MemorySource(
            {str(named("good")): good, str(named("bad")): bad}, lies={layer: b"something else"}
        )
        copies = [ImageCopy(named(tag), named(tag)) for tag in ("good", "bad")]
        report = await copy_images(source, place, copies)
        assert [type(failed.error) for failed in report.failures] == [ContentMismatch]
        assert await place.find(named("bad")) is None
        assert await place.find(named("good")) == good.root.descriptor

    async def test_blobs_can_be_put_side_by_side(self, place: Place) -> None:
        """Concurrent puts, some of the same blob, all succeed."""
        contents = [random_layer(n, 200_000).content for n in range(6)]
        async with asyncio.TaskGroup() as group:
            for content in contents * 2:
                group.create_task(put_bytes(place, content))
        for content in contents:
            assert await read_bytes(place, Digest.of(content), len(content)) == content

    async def test_a_cancelled_put_leaves_nothing_visible(self, place: Place) -> None:
        """A blob whose put was cancelled is missing, and can be put afterwards."""
        content = random_layer(8, LARGE).content
        promised = Descriptor.of(content, OCTETS)
        begun, never = asyncio.Event(), asyncio.Event()

        class Stuck(BytesReader):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield self.content[: LARGE // 2]
                begun.set()
                await never.wait()

        @asynccontextmanager
        async def open_at(offset: int) -> AsyncIterator[BlobReader]:
            yield Stuck(content, offset)

        task = asyncio.create_task(place.put_blob(REPOSITORY, promised, open_at, ignore))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await place.missing(REPOSITORY, [promised]) == {promised.digest}
        await place.put_blob(REPOSITORY, promised, giving(content), ignore)
        assert await place.missing(REPOSITORY, [promised]) == frozenset()


class HoldsConformance:
    """For stores that can be sure of what they hold."""

    async def test_a_whole_image_is_held(self, place: Place) -> None:
        """After a copy the store says that it has the image."""
        built = two_platforms()
        descriptor = await put_image(place, named("1"), built)
        assert await place.holds(REPOSITORY, descriptor, ALL_PLATFORMS)
        assert await place.holds(REPOSITORY, descriptor, AMD64)

    async def test_a_sparse_index_is_held_for_its_platform_only(self, place: Place) -> None:
        """With one platform absent, the other one is held, and all of them are not."""
        images = {
            "linux/amd64": image([random_layer(1)]),
            "linux/arm64": image([random_layer(2)], platform="linux/arm64"),
        }
        descriptor = await put_image(place, named("1"), index(images, absent=["linux/arm64"]))
        assert await place.holds(REPOSITORY, descriptor, AMD64)
        assert not await place.holds(REPOSITORY, descriptor, ALL_PLATFORMS)
        assert not await place.holds(REPOSITORY, descriptor, S390X)

    async def test_another_repository_does_not_hold_it(self, place: Place) -> None:
        """What belongs to one repository is not in another."""
        built = image([random_layer(1)])
        descriptor = await put_image(place, named("1"), built)
        assert not await place.holds(OTHER, descriptor, ALL_PLATFORMS)
        assert await place.find(named("1", OTHER)) is None
        layer = built.root.layers[0]
        assert await place.missing(OTHER, [layer]) == {layer.digest}

    async def test_a_second_copy_changes_nothing(self, place: Place) -> None:
        """An unchanged image costs no blob."""
        source = MemorySource({str(named("1")): two_platforms()})
        copies = [ImageCopy(named("1"), named("1"))]
        await copy_images(source, place, copies)
        source.opened.clear()
        report = await copy_images(source, place, copies)
        assert [str(result.outcome) for result in report.images] == ["unchanged"]
        assert source.opened == []


class ReferrersConformance:
    """For stores that know what refers to a manifest."""

    async def test_referrers_are_listed_with_type_and_annotations(
        self, place: ReferrersPlace
    ) -> None:
        """What has a manifest as its subject is listed with it, whether the subject is there."""
        subject = image([random_layer(1)]).root.descriptor
        sbom = artifact(b"sbom", subject=subject)
        annotated = image([random_layer(4)], subject=subject, annotations={"who": "me"})
        for number, built in enumerate((sbom, annotated)):
            await put_image(place, named(f"extra{number}"), built)
        found = await place.referrers(REPOSITORY, subject.digest)
        assert {item.digest for item in found} == {sbom.digest, annotated.digest}
        by_digest = {item.digest: item for item in found}
        assert by_digest[sbom.digest].artifact_type == "application/vnd.example.sbom.v1"
        assert by_digest[annotated.digest].annotations == {"who": "me"}
        assert by_digest[annotated.digest].artifact_type == annotated.root.artifact_type

    async def test_what_nothing_refers_to_has_no_referrers(self, place: ReferrersPlace) -> None:
        """The list is empty, and no error, also for what is not there."""
        assert list(await place.referrers(REPOSITORY, Digest.of(b"nothing"))) == []

    async def test_referrers_are_copied_with_their_image(self, place: ReferrersPlace) -> None:
        """A signature of a signature arrives as well."""
        built = image([random_layer(1)])
        sbom = artifact(b"sbom", subject=built.root.descriptor)
        signature = artifact(b"signature", subject=sbom.root.descriptor)
        for name, one in (("1", built), ("2", sbom), ("3", signature)):
            await put_image(place, named(name), one)
        found = await place.referrers(REPOSITORY, built.digest)
        assert [item.digest for item in found] == [sbom.digest]
        found = await place.referrers(REPOSITORY, sbom.digest)
        assert [item.digest for item in found] == [signature.digest]


class ListingConformance:
    """For stores that list repositories and tags."""

    async def test_tags_and_repositories_are_listed(self, place: ListingPlace) -> None:
        """Every tag of a repository comes once, and every repository."""
        built = image([random_layer(1)])
        for reference in (named("b"), named("a"), named("c", OTHER)):
            await put_image(place, reference, built)
        assert sorted([tag async for tag in place.tags(REPOSITORY)]) == ["a", "b"]
        assert sorted([r async for r in place.repositories()]) == [REPOSITORY, OTHER]

    async def test_an_unknown_repository_is_not_found(self, place: ListingPlace) -> None:
        """Listing the tags of a repository that is not there is an error."""
        with pytest.raises(NotFound):
            [tag async for tag in place.tags(OTHER)]


class GraphConformance:
    """For stores that plan."""

    async def test_a_plan_has_everything_once_and_in_order(self, place: GraphPlace) -> None:
        """Manifests come children first, then configs, then layers; shared content once."""
        built = two_platforms()
        descriptor = await put_image(place, named("1"), built)
        plan = await place.plan([TagMove(named("1"), descriptor)], ALL_PLATFORMS)
        roles = [item.role for item in plan.items]
        assert roles == [Role.MANIFEST] * 3 + [Role.CONFIG] * 2 + [Role.LAYER] * 3
        digests = [item.descriptor.digest for item in plan.items]
        assert digests[:3] == [manifest.descriptor.digest for manifest in built.manifests]
        assert set(digests[3:]) == set(built.blobs)
        again = await place.plan([TagMove(named("1"), descriptor)], ALL_PLATFORMS)
        assert again == plan

    async def test_a_plan_takes_only_the_wanted_platform(self, place: GraphPlace) -> None:
        """The rest is listed as left out."""
        built = two_platforms()
        amd64, arm64, root = (manifest.descriptor for manifest in built.manifests)
        await put_image(place, named("1"), built)
        plan = await place.plan([TagMove(named("1"), root)], AMD64)
        assert [i.descriptor for i in plan.items if i.role is Role.MANIFEST] == [amd64, root]
        assert plan.omitted == (arm64,)

    async def test_a_plan_without_the_wanted_platform_fails(self, place: GraphPlace) -> None:
        """Nothing of an index that is wanted is an error that names the platform."""
        descriptor = await put_image(place, named("1"), two_platforms())
        with pytest.raises(NotFound, match="s390x"):
            await place.plan([TagMove(named("1"), descriptor)], S390X)

    async def test_a_plan_leaves_absent_entries_out(self, place: GraphPlace) -> None:
        """What a sparse index lacks is no failure."""
        images = {
            "linux/amd64": image([random_layer(1)]),
            "linux/arm64": image([random_layer(2)], platform="linux/arm64"),
        }
        descriptor = await put_image(place, named("1"), index(images, absent=["linux/arm64"]))
        plan = await place.plan([TagMove(named("1"), descriptor)], ALL_PLATFORMS)
        assert plan.omitted == (images["linux/arm64"].root.descriptor,)

    async def test_a_plan_with_a_lost_layer_fails(self, place: GraphPlace) -> None:
        """An image that is not whole cannot be planned."""
        built = image([random_layer(1), random_layer(2)])
        lost = built.root.layers[1].digest
        partly = replace(built, blobs={d: c for d, c in built.blobs.items() if d != lost})
        descriptor = await put_image(place, named("1"), partly)
        with pytest.raises(NotFound, match=lost):
            await place.plan([TagMove(named("1"), descriptor)], ALL_PLATFORMS)

    async def test_a_plan_includes_referrers_where_asked(self, place: GraphPlace) -> None:
        """A signature of an SBOM of the image comes along, after what it refers to."""
        built = image([random_layer(1)])
        sbom = artifact(b"sbom", subject=built.root.descriptor)
        signature = artifact(b"signature", subject=sbom.root.descriptor)
        descriptor = await put_image(place, named("1"), built)
        for one in (sbom, signature):
            await put_image(place, Reference(REPOSITORY, digest=one.digest), one)
        roots = [TagMove(named("1"), descriptor)]
        plan = await place.plan(roots, ALL_PLATFORMS)
        manifests = [i.descriptor.digest for i in plan.items if i.role is Role.MANIFEST]
        assert manifests == [built.digest, sbom.digest, signature.digest]
        bare = await place.plan(roots, ALL_PLATFORMS, referrers=False)
        assert {item.descriptor.digest for item in bare.items} == {built.digest, *built.blobs}
