"""What goes into a bundle comes out of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgap.bundle.access import open_bundle
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.output import WriteOptions
from airgap.bundle.pump import BLOCK_SIZE
from airgap.bundle.reader import CompressedBundle, PlainBundle
from airgap.content.copy_plan import plan_copy
from airgap.content.ports import (
    BlobReader,
    FileRegion,
    HasReferrers,
    KnowsGraphs,
    ListsRepositories,
    ListsTags,
    ReadsInOrder,
    capability,
)
from airgap.content.walk import WalkRules
from airgap.errors import NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference, Repository
from tests.bundle.samples import (
    COMPRESSED,
    NOON,
    QUICK,
    Collected,
    content_of,
    names_in,
    plan_of,
    roots_of,
    several_images,
    take_in,
    write_bundle,
)
from tests.support import images
from tests.support.memory import BytesReader, MemorySource

BOTH = pytest.mark.parametrize("options", [QUICK, COMPRESSED], ids=["plain", "zstd"])


@BOTH
async def test_everything_comes_out_as_it_went_in(tmp_path: Path, options: WriteOptions) -> None:
    """Names, manifests and blobs are the same on the other side, byte for byte."""
    source = several_images()
    await write_bundle(tmp_path / "b", source, options)
    taken = await take_in(tmp_path / "b")
    assert taken.blobs == content_of(source)
    assert taken.names == {r: b.root.descriptor for r, b in source.roots.items()}


@BOTH
async def test_the_same_content_gives_the_same_bytes(tmp_path: Path, options: WriteOptions) -> None:
    """Only the time sets two bundles of the same content apart, and the id that follows from it."""
    first = await write_bundle(tmp_path / "1", several_images(), options)
    again = await write_bundle(tmp_path / "2", several_images(), options)
    assert first.digest == again.digest
    later = BundleIdentity(NOON.replace(hour=13))
    other = await write_bundle(tmp_path / "3", several_images(), options, identity=later)
    assert other.manifest.id != first.manifest.id
    assert other.manifest.blobs == first.manifest.blobs


async def test_the_report_has_the_digest_of_the_file(tmp_path: Path) -> None:
    """The SHA-256 that was computed while writing is that of the file."""
    report = await write_bundle(tmp_path / "b.tar", several_images())
    content = (tmp_path / "b.tar").read_bytes()
    assert report.digest.hex == hashlib.sha256(content).hexdigest()
    assert report.size == len(content)
    assert (tmp_path / "b.tar.sha256").read_text() == f"{report.digest.hex}  b.tar\n"
    assert names_in(tmp_path) == ["b.tar", "b.tar.sha256"]


class FileSource(MemorySource):
    """A source whose blobs are pieces of files, as a store's are."""

    folder: Path

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob as a region in the middle of a file."""
        content = self._content(repository, descriptor)
        path = self.folder / descriptor.digest.hex
        path.write_bytes(b"before" + content + b"after")
        region = FileRegion(path, 6 + offset, len(content) - offset)
        yield BytesReader(content, offset, region)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(
            st.integers(0, 5000), st.sampled_from([BLOCK_SIZE, BLOCK_SIZE - 512, 3 * BLOCK_SIZE])
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_blobs_of_any_size_cross_from_files(
    tmp_path: Path,
    sizes: list[int],
    zstd: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    """Sizes around the blocks that bytes travel in make no difference."""

    async def scenario() -> None:
        layers = [images.random_layer(n, size) for n, size in enumerate(sizes)]
        source = FileSource({"a:1": images.image(layers)})
        source.folder = tmp_path
        options = WriteOptions(sync=False, zstd=zstd, replace=True)
        await write_bundle(tmp_path / "b", source, options)
        assert (await take_in(tmp_path / "b")).blobs == content_of(source)

    asyncio.run(scenario())


async def test_syncing_changes_no_byte(tmp_path: Path) -> None:
    """A bundle that is synced to the disk, and one that is not checked, have the same bytes."""
    digests = {
        (await write_bundle(tmp_path / f"{n}", several_images(), options)).digest
        for n, options in enumerate([QUICK, WriteOptions(), WriteOptions(verify=False)])
    }
    assert len(digests) == 1


async def test_a_plain_bundle_gives_out_pieces_of_its_file(tmp_path: Path) -> None:
    """Blobs can be read at random, from any offset, by region or by iterating."""
    source = several_images()
    await write_bundle(tmp_path / "b", source)
    async with open_bundle(tmp_path / "b") as bundle:
        assert isinstance(bundle, PlainBundle)
        assert capability(bundle, ReadsInOrder) is None
        for item in reversed(bundle.manifest.blobs):
            expected = source.blobs[item.descriptor.digest][3:]
            async with bundle.open_blob(ANY, item.descriptor, 3) as reader:
                region = reader.region
                assert region is not None
                with region.path.open("rb") as file:
                    file.seek(region.offset)
                    # The two bytes of an empty config end before offset 3.
                    assert file.read(region.length) == expected
                assert b"".join([piece async for piece in reader]) == expected


async def test_a_compressed_bundle_is_read_in_its_order(tmp_path: Path) -> None:
    """Wanted content comes in the bundle's order, and a second opening reads it again."""
    source = several_images()
    await write_bundle(tmp_path / "b", source, COMPRESSED)
    async with open_bundle(tmp_path / "b") as bundle:
        assert isinstance(bundle, CompressedBundle)
        wanted = [item.descriptor.digest for item in bundle.manifest.blobs][::2]
        seen = []
        async for descriptor, open_at in bundle.in_order(frozenset(wanted)):
            seen.append(descriptor.digest)
            for _ in range(2):
                async with open_at(0) as reader:
                    content = b"".join([piece async for piece in reader])
                assert content == source.blobs[descriptor.digest]
        assert seen == wanted


@BOTH
async def test_a_bundle_is_a_source_like_any_other(tmp_path: Path, options: WriteOptions) -> None:
    """It resolves names and digests, lists, knows graphs and referrers, and says what it lacks."""
    subject = images.image([images.random_layer(5)])
    signature = images.artifact(b"signed", subject=subject.root.descriptor)
    source = MemorySource({"a:1": subject, "a:signature": signature})
    await write_bundle(tmp_path / "b", source, options)
    async with open_bundle(tmp_path / "b") as bundle:
        repository = Repository.parse("a")
        for wanted in (KnowsGraphs, ListsTags, ListsRepositories, HasReferrers):
            assert capability(bundle, wanted) is not None
        assert await bundle.resolve(Reference.parse("a:1")) == subject.root.descriptor
        by_digest = Reference(repository, digest=signature.digest)
        assert await bundle.resolve(by_digest) == signature.root.descriptor
        assert [tag async for tag in bundle.tags(repository)] == ["1", "signature"]
        assert [r async for r in bundle.repositories()] == [repository]
        assert [d.digest for d in await bundle.referrers(repository, subject.digest)] == [
            signature.digest
        ]
        raw = await bundle.read_manifest(repository, signature.root.descriptor)
        assert raw == signature.root.raw
        only_subject = [root for root in bundle.roots if root.reference.tag == "1"]
        plan = await bundle.plan(only_subject, frozenset())
        assert signature.digest in set(plan.digests())
        plan = await bundle.plan(only_subject, frozenset(), referrers=False)
        assert signature.digest not in set(plan.digests())
        for missing in ("a:2", "b:1"):
            with pytest.raises(NotFound):
                await bundle.resolve(Reference.parse(missing))
        with pytest.raises(NotFound):
            _ = [tag async for tag in bundle.tags(Repository.parse("b"))]


@BOTH
async def test_part_of_a_bundle_can_be_taken(tmp_path: Path, options: WriteOptions) -> None:
    """A plan for one reference and one platform has only what is below them, in bundle order."""
    source = several_images()
    await write_bundle(tmp_path / "b", source, options)
    everything = await plan_of(source)
    async with open_bundle(tmp_path / "b") as bundle:
        assert (await plan_copy(bundle, bundle.roots, WalkRules())).items == everything.items
        root = next(r for r in bundle.roots if r.reference.tag == "v2")
        arm = frozenset({Platform.parse("linux/arm64")})
        plan = await bundle.plan([root], arm)
        assert len(plan.items) == 4  # the index, a manifest, its config, its layer
        assert len(plan.omitted) == 1
        in_order = [item for item in everything.items if item in plan.items]
        assert list(plan.items) == in_order


async def test_a_sparse_index_crosses_with_its_digest(tmp_path: Path) -> None:
    """Platforms that stay behind are written down as left out; the index keeps its bytes."""
    built = images.index(
        {
            "linux/amd64": images.image([images.random_layer(1)]),
            "linux/s390x": images.image([images.random_layer(2)], platform="linux/s390x"),
        },
        absent=["linux/s390x"],
    )
    source = MemorySource({"a:1": built})
    report = await write_bundle(tmp_path / "b", source)
    assert len(report.manifest.omitted) == 1
    taken = await take_in(tmp_path / "b")
    assert taken.blobs[built.digest] == built.root.raw


async def test_content_that_the_target_has_is_not_read(tmp_path: Path) -> None:
    """Damage in a blob that the target already holds does not stop the import of the others."""
    source = several_images()
    report = await write_bundle(tmp_path / "b", source)
    layer = report.manifest.blobs[-1].descriptor.digest
    target = Collected(blobs={layer: source.blobs[layer]})
    await take_in(tmp_path / "b", target)
    assert set(target.names) == {root.reference for root in roots_of(source)}


ANY = Repository.parse("any")
