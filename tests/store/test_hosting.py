"""The store as a registry sees it: repositories with a content of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from airgap.content.hosting import Hosting
from airgap.content.ports import (
    HasCapacity,
    HasReferrers,
    KnowsGraphs,
    ListsRepositories,
    ListsTags,
    capability,
)
from airgap.errors import ContentMismatch, Refused, Unsupported
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store.address import DatabaseAddress
from airgap.store.store import Store
from tests.content.conformance import (
    LARGE,
    OTHER,
    REPOSITORY,
    named,
    put_bytes,
    put_image,
    read_bytes,
)
from tests.support.images import artifact, image, random_layer
from tests.support.postgres import ON_BOTH


async def take_and_give(place: Hosting, content: bytes) -> int | None:
    """Use a store as nothing but a host of repositories."""
    upload = await place.begin_upload(REPOSITORY)
    await upload.write(content)
    descriptor = await upload.commit(Digest.of(content))
    return await place.blob_size(REPOSITORY, descriptor.digest)


@ON_BOTH
async def test_the_store_can_be_served_and_has_every_capability(store: Store) -> None:
    """It fits the port of a host, and is found to plan and to know its space."""
    assert await take_and_give(store, b"content") == 7
    for wanted in (KnowsGraphs, HasReferrers, ListsTags, ListsRepositories, HasCapacity):
        assert capability(store, wanted) is store


@ON_BOTH
async def test_a_small_blob_in_two_repositories_belongs_to_both(store: Store) -> None:
    """Put into both at the same time, it is there for both at once."""
    for repository in (REPOSITORY, OTHER):
        await put_bytes(store, b"content", repository)
    for repository in (REPOSITORY, OTHER):
        assert await store.blob_size(repository, Digest.of(b"content")) == 7


@ON_BOTH
async def test_a_blob_belongs_to_the_repository_it_was_put_into(store: Store) -> None:
    """Another repository does not have it until it is mounted."""
    digest = await put_bytes(store, b"content")
    assert await store.blob_size(REPOSITORY, digest) == 7
    assert await store.blob_size(OTHER, digest) is None
    assert not await store.mount_blob(OTHER, digest, OTHER)
    assert await store.mount_blob(OTHER, digest, REPOSITORY)
    assert await store.blob_size(OTHER, digest) == 7
    assert not await store.mount_blob(OTHER, Digest.of(b"nothing"), None)


@ON_BOTH
async def test_a_blob_is_mounted_from_anywhere(store: Store) -> None:
    """Without an origin any repository will do."""
    digest = await put_bytes(store, b"content")
    assert await store.mount_blob(OTHER, digest, None)
    assert await store.blob_size(OTHER, digest) == 7


@ON_BOTH
async def test_a_removed_blob_is_gone_at_once_from_its_repository_only(store: Store) -> None:
    """Membership ends, the other repository's copy stays."""
    digest = await put_bytes(store, b"content")
    await store.mount_blob(OTHER, digest, REPOSITORY)
    assert await store.remove_blob(REPOSITORY, digest)
    assert not await store.remove_blob(REPOSITORY, digest)
    assert await store.blob_size(REPOSITORY, digest) is None
    assert await store.blob_size(OTHER, digest) == 7


@ON_BOTH
async def test_a_removed_manifest_takes_its_tags_along(store: Store) -> None:
    """Tags that stand for it go, others stay; the same image elsewhere stays."""
    built, other = image([random_layer(1)]), image([random_layer(2)])
    for reference in (named("1"), named("2"), named("1", OTHER)):
        await put_image(store, reference, built)
    await put_image(store, named("3"), other)
    assert await store.remove_manifest(REPOSITORY, built.digest)
    assert not await store.remove_manifest(REPOSITORY, built.digest)
    assert [tag async for tag in store.tags(REPOSITORY)] == ["3"]
    assert await store.find(Reference(REPOSITORY, digest=built.digest)) is None
    assert await store.find(named("1", OTHER)) == built.root.descriptor


@ON_BOTH
async def test_a_manifest_removed_is_still_a_blob_where_it_was_one(store: Store) -> None:
    """The same bytes can belong as a manifest and as a blob; each goes for itself."""
    built = image([random_layer(1)])
    await put_image(store, named("1"), built)
    assert await store.blob_size(REPOSITORY, built.digest) is None
    await put_bytes(store, built.root.raw)
    assert await store.remove_manifest(REPOSITORY, built.digest)
    assert await store.blob_size(REPOSITORY, built.digest) == len(built.root.raw)


@ON_BOTH
async def test_referrers_are_those_of_the_repository(store: Store) -> None:
    """A signature in another repository does not show."""
    subject = image([random_layer(1)]).root.descriptor
    await put_image(store, named("sig", OTHER), artifact(b"signature", subject=subject))
    assert list(await store.referrers(REPOSITORY, subject.digest)) == []
    assert len(await store.referrers(OTHER, subject.digest)) == 1


@ON_BOTH
async def test_content_kept_by_digest_is_no_tag(store: Store) -> None:
    """Listing tags leaves out names that are digests."""
    built = image([random_layer(1)])
    await put_image(store, Reference(REPOSITORY, digest=built.digest), built)
    assert [tag async for tag in store.tags(REPOSITORY)] == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@ON_BOTH
async def test_an_upload_becomes_a_blob(store: Store, algorithm: str) -> None:
    """Pieces of any size, committed under the digest of all of them."""
    content = random_layer(1, LARGE).content
    upload = await store.begin_upload(REPOSITORY, algorithm)
    for start in range(0, len(content), 300_000):
        await upload.write(content[start : start + 300_000])
    assert upload.size == len(content)
    digest = Digest.of(content, algorithm)
    descriptor = await upload.commit(digest)
    assert (descriptor.digest, descriptor.size) == (digest, len(content))
    assert await store.blob_size(REPOSITORY, digest) == len(content)
    assert await read_bytes(store, digest, len(content)) == content
    assert await store.find_upload(REPOSITORY, upload.id) is None


@ON_BOTH
async def test_an_upload_is_committed_under_another_algorithm(store: Store) -> None:
    """What was begun for sha256 may end as sha512."""
    upload = await store.begin_upload(REPOSITORY)
    await upload.write(b"content")
    digest = Digest.of(b"content", "sha512")
    await upload.commit(digest)
    assert await store.blob_size(REPOSITORY, digest) == 7


@ON_BOTH
async def test_an_empty_upload_is_the_empty_blob(store: Store) -> None:
    """Nothing written is a blob too."""
    upload = await store.begin_upload(REPOSITORY)
    await upload.commit(Digest.of(b""))
    assert await store.blob_size(REPOSITORY, Digest.of(b"")) == 0


@ON_BOTH
async def test_an_upload_with_another_digest_is_thrown_away(store: Store) -> None:
    """Nothing of it stays, and it cannot be found again."""
    upload = await store.begin_upload(REPOSITORY)
    await upload.write(b"these")
    with pytest.raises(ContentMismatch):
        await upload.commit(Digest.of(b"those"))
    assert await store.find_upload(REPOSITORY, upload.id) is None
    assert await store.blob_size(REPOSITORY, Digest.of(b"these")) is None
    assert list(store.places.uploads.iterdir()) == []


@ON_BOTH
async def test_an_upload_goes_on_in_another_process(
    root: Path, address: DatabaseAddress | None
) -> None:
    """After the store was closed and opened again the upload has what it had."""
    async with Store.open(root, address, create=True) as store:
        upload = await store.begin_upload(REPOSITORY)
        await upload.write(b"first half, ")
        await upload.close()
    async with Store.open(root, address) as store:
        assert await store.find_upload(OTHER, upload.id) is None
        assert await store.find_upload(REPOSITORY, "../../catalog.sqlite") is None
        found = await store.find_upload(REPOSITORY, upload.id)
        assert found is not None
        assert found.size == 12
        await found.write(b"second half")
        await found.commit(Digest.of(b"first half, second half"))
        assert await store.blob_size(REPOSITORY, Digest.of(b"first half, second half")) == 23


@ON_BOTH
async def test_an_upload_let_go_and_found_again_goes_on(store: Store) -> None:
    """A request a piece, as registry clients send them."""
    upload = await store.begin_upload(REPOSITORY)
    for _ in range(5):
        await upload.write(b"piece")
        await upload.close()
        found = await store.find_upload(REPOSITORY, upload.id)
        assert found is not None
        upload = found
    await upload.commit(Digest.of(b"piece" * 5))


@ON_BOTH
async def test_two_requests_cannot_write_to_one_upload(store: Store) -> None:
    """The second one is refused while the first has it."""
    upload = await store.begin_upload(REPOSITORY)
    with pytest.raises(Refused):
        await store.find_upload(REPOSITORY, upload.id)
    await upload.discard()
    assert await store.find_upload(REPOSITORY, upload.id) is None


@ON_BOTH
async def test_old_uploads_expire(store: Store) -> None:
    """Those that nobody has open go; open ones stay."""
    forgotten = await store.begin_upload(REPOSITORY)
    await forgotten.close()
    running = await store.begin_upload(REPOSITORY)
    assert await store.expire_uploads(older_than=0.0) == 1
    assert await store.find_upload(REPOSITORY, forgotten.id) is None
    await running.write(b"content")
    await running.commit(Digest.of(b"content"))


@ON_BOTH
async def test_an_upload_of_an_unknown_algorithm_is_refused(store: Store) -> None:
    """What cannot be verified cannot be uploaded."""
    with pytest.raises(Unsupported):
        await store.begin_upload(REPOSITORY, "md5")


@ON_BOTH
async def test_many_uploads_run_side_by_side(store: Store) -> None:
    """Each keeps its own bytes."""
    contents = [random_layer(number, 50_000).content for number in range(10)]

    async def upload(content: bytes) -> None:
        upload = await store.begin_upload(REPOSITORY)
        for start in range(0, len(content), 10_000):
            await upload.write(content[start : start + 10_000])
        await upload.commit(Digest.of(content))

    await asyncio.gather(*map(upload, contents))
    for content in contents:
        assert await read_bytes(store, Digest.of(content), len(content)) == content
