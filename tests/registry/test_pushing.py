"""Blobs and manifests into a scripted registry."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from airgap.content.ports import SomeTagsFailed, TagMove
from airgap.errors import AccessDenied, ContentMismatch, RateLimited, RegistryFault, Unreachable
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference, Repository
from airgap.registry.client import RegistryClient
from tests.support import images
from tests.support.blob_sources import BlobSource
from tests.support.images import BuiltImage
from tests.support.registry_clients import MakeClient, Told, quick
from tests.support.registry_faults import Answer, Change, Refuse, Reset, Silence
from tests.support.scripted_registry import ScriptedRegistry

LAYER = images.random_layer(9, 3_000_000)
BLOB = LAYER.content
DESCRIPTOR = LAYER.descriptor
IMAGE = images.image([LAYER])
BIG = bytes(range(256)) * 100_000
BIG_DESCRIPTOR = Descriptor.of(BIG, "application/octet-stream")


async def put(
    client: RegistryClient, repository: Repository, source: BlobSource | None = None
) -> list[int]:
    """Push the blob; return the progress that was reported."""
    progress: list[int] = []
    await client.put_blob(repository, DESCRIPTOR, source or BlobSource(BLOB), progress.append)
    return progress


async def push(client: RegistryClient, repository: Repository, built: BuiltImage, tag: str) -> None:
    """Push an image as the copy does: blobs, manifests, tag."""
    for digest, content in built.blobs.items():
        blob = Descriptor("application/octet-stream", digest, len(content))
        await client.put_blob(repository, blob, BlobSource(content), lambda _: None)
    for manifest in built.manifests:
        await client.put_manifest(repository, manifest)
    await client.move_tags([TagMove(Reference(repository, tag), built.root.descriptor)])


@pytest.mark.parametrize("kind", ["stream", "file"])
@pytest.mark.parametrize("relative", [False, True])
async def test_a_blob_goes_out_in_one_request(
    scripted: ScriptedRegistry, client: RegistryClient, tmp_path: Path, kind: str, *, relative: bool
) -> None:
    """A look, a begin, and one PUT with its length; whatever the Location's query is, it stays."""
    scripted.habits.relative = relative
    source = BlobSource(BLOB) if kind == "stream" else BlobSource.in_file(BLOB, tmp_path)
    repository = scripted.repository("team/app")
    progress = await put(client, repository, source)
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB
    assert sum(progress) == len(BLOB)
    assert [seen.method for seen in scripted.requests] == ["HEAD", "POST", "PUT"]
    last = scripted.requests[-1]
    assert last.headers["Content-Length"] == str(len(BLOB))
    assert last.path.endswith(f"?_state=upload-0&digest={DESCRIPTOR.digest}")
    assert source.opened == [0]


async def test_an_empty_blob_is_pushed(scripted: ScriptedRegistry, client: RegistryClient) -> None:
    """Nothing is content too."""
    empty = Descriptor.of(b"", "application/octet-stream")
    await client.put_blob(scripted.repository("team/app"), empty, BlobSource(b""), lambda _: None)
    assert scripted.content("team/app").blobs == {empty.digest: b""}


async def test_a_blob_that_is_there_does_not_move(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """One HEAD, and the source is not even opened."""
    repository = scripted.add("team/app:1", IMAGE)
    source = BlobSource(BLOB)
    assert sum(await put(client, repository, source)) == len(BLOB)
    assert source.opened == []
    assert scripted.count() == 1


async def test_what_is_missing_is_looked_for_once(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """After the survey no blob is looked for again."""
    repository = scripted.add("team/app:1", IMAGE)
    other = images.random_layer(10)
    blobs = [DESCRIPTOR, other.descriptor, DESCRIPTOR]
    assert await client.missing(repository, blobs) == {other.descriptor.digest}
    assert await client.missing(repository, [DESCRIPTOR]) == set()
    await client.put_blob(repository, other.descriptor, BlobSource(other.content), lambda _: None)
    assert scripted.count("HEAD") == 2


async def test_a_blob_is_mounted_from_another_repository(
    scripted: ScriptedRegistry, client: RegistryClient, told: Told
) -> None:
    """What the run has put into one repository need not travel to the next."""
    await put(client, scripted.repository("team/one"))
    source = BlobSource(BLOB)
    progress = await put(client, scripted.repository("team/two"), source)
    assert sum(progress) == len(BLOB)
    assert source.opened == []
    assert scripted.received("blobs") == len(BLOB)
    assert scripted.content("team/two").blobs[DESCRIPTOR.digest] == BLOB
    assert told.has("mounted", "debug")


async def test_a_mount_that_begins_an_upload_instead_is_gone_on_with(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """202 comes with a Location, which is used."""
    scripted.habits.mounts = False
    await put(client, scripted.repository("team/one"))
    await put(client, scripted.repository("team/two"))
    assert scripted.count("POST") == 2
    assert scripted.content("team/two").blobs[DESCRIPTOR.digest] == BLOB


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
async def test_a_mount_that_is_refused_is_done_without(
    scripted: ScriptedRegistry, client: RegistryClient, status: int
) -> None:
    """Whatever the registry has against it, the bytes go the plain way."""
    await put(client, scripted.repository("team/one"))
    scripted.fail(Answer(status), "POST", "mount=")
    await put(client, scripted.repository("team/two"))
    assert scripted.content("team/two").blobs[DESCRIPTOR.digest] == BLOB


async def test_the_same_blob_at_once_travels_once(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """One of many brings it; in its own repository the others find it, elsewhere they mount it."""
    repositories = [scripted.repository(f"team/app{number % 3}") for number in range(9)]
    await asyncio.gather(*(put(client, repository) for repository in repositories))
    assert scripted.received("blobs") == len(BLOB)
    assert scripted.count("PUT") == 1
    assert scripted.count("POST", "mount=") == 2


async def test_one_failure_leaves_the_blob_to_the_next(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Who waited for a blob that did not arrive brings it."""
    scripted.fail(Answer(403), "POST")
    repository = scripted.repository("team/app")
    results = await asyncio.gather(
        put(client, repository), put(client, repository), return_exceptions=True
    )
    assert isinstance(results[0], AccessDenied)
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB


@pytest.mark.parametrize("kind", ["stream", "file"])
async def test_a_broken_upload_goes_on_where_it_can(
    scripted: ScriptedRegistry, client: RegistryClient, tmp_path: Path, kind: str, told: Told
) -> None:
    """What has arrived is asked for, and only the rest is sent."""
    source = BlobSource(BLOB) if kind == "stream" else BlobSource.in_file(BLOB, tmp_path)
    scripted.fail(Reset(2_000_000), "PUT")
    progress = await put(client, scripted.repository("team/app"), source)
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB
    assert [seen.method for seen in scripted.requests] == [
        *("HEAD", "POST", "PUT", "GET", "PATCH", "PUT")
    ]
    assert scripted.requests[-2].headers["Content-Range"] == f"2000000-{len(BLOB) - 1}"
    assert scripted.requests[-2].received == len(BLOB) - 2_000_000
    assert sum(progress) == len(BLOB)
    assert told.has("going on with", "info")


async def test_a_broken_upload_of_which_nothing_is_left_begins_anew(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A registry that keeps nothing gets everything again."""
    scripted.habits.keeps_broken_uploads = False
    scripted.fail(Reset(2_000_000), "PUT")
    await put(client, scripted.repository("team/app"))
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB
    assert scripted.count("POST") == 2


async def test_a_registry_that_loses_pieces_gets_blobs_whole(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """ECR answers a PATCH well and forgets it: after one wrong digest nothing is resumed there."""
    scripted.habits.loses_chunks = True
    scripted.fail(Reset(2_000_000), "PUT", times=1)
    await put(client, scripted.repository("team/app"))
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB


async def test_a_blob_goes_out_in_pieces_where_that_is_set(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """Each piece says where it belongs and goes to the newest Location; the source opens once."""
    client = await make_client(quick(chunk_size=1_000_000))
    source = BlobSource(BLOB, piece=300_000)
    progress = await put(client, scripted.repository("team/app"), source)
    patches = [seen for seen in scripted.requests if seen.method == "PATCH"]
    assert [seen.headers["Content-Range"] for seen in patches][:2] == [
        "0-999999",
        "1000000-1999999",
    ]
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB
    assert sum(progress) == len(BLOB)
    assert source.opened == [0]


async def test_the_smallest_piece_that_a_registry_takes_is_heeded(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """``OCI-Chunk-Min-Length`` outweighs the setting."""
    scripted.habits.smallest_chunk = 2_000_000
    client = await make_client(quick(chunk_size=100_000))
    await put(client, scripted.repository("team/app"))
    patches = [seen.received for seen in scripted.requests if seen.method == "PATCH"]
    assert patches == [2_000_000, len(BLOB) - 2_000_000]


async def test_a_body_limit_is_met_by_smaller_pieces(
    scripted: ScriptedRegistry, client: RegistryClient, told: Told
) -> None:
    """413 from a proxy in between makes the pieces smaller until they pass."""
    scripted.habits.largest_body = 2_000_000
    await put(client, scripted.repository("team/app"))
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB
    assert told.has("takes no larger bodies", "info")


@pytest.mark.parametrize("kind", ["stream", "file"])
async def test_a_refusal_before_the_end_of_a_body_is_heard(
    scripted: ScriptedRegistry, client: RegistryClient, tmp_path: Path, kind: str, told: Told
) -> None:
    """A proxy that closes the connection on a body that is too large has said so before."""
    source = (
        BlobSource(BIG, piece=1_000_000) if kind == "stream" else BlobSource.in_file(BIG, tmp_path)
    )
    # While the kernel sends a file the answer is missed once, and then listened for.
    scripted.fail(Refuse(413), "PUT", times=1 if kind == "stream" else 2)
    await client.put_blob(scripted.repository("team/app"), BIG_DESCRIPTOR, source, lambda _: None)
    assert scripted.content("team/app").blobs[BIG_DESCRIPTOR.digest] == BIG
    assert told.has("takes no larger bodies")


async def test_a_piece_out_of_place_is_put_right(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """After a 416 the registry is asked how far it is."""
    client = await make_client(quick(chunk_size=1_500_000))
    scripted.fail(Answer(416), "PATCH", after=1)
    await put(client, scripted.repository("team/app"))
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB
    assert scripted.count("GET", "uploads") == 1
    assert scripted.count("POST") == 1


async def test_pieces_that_are_too_large_become_smaller(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """GHCR says 416 of a PATCH over 4 MiB."""
    scripted.habits.largest_chunk = 700_000
    client = await make_client(quick(chunk_size=2_500_000))
    await put(client, scripted.repository("team/app"))
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_form_of_yes_is_taken(
    scripted: ScriptedRegistry, client: RegistryClient, status: int
) -> None:
    """Registries do not agree on which it is."""
    scripted.habits.created = status
    await push(client, scripted.repository("team/app"), IMAGE, "1")
    assert scripted.content("team/app").tags == {"1": IMAGE.digest}


async def test_a_source_that_lies_is_told_from_a_registry_that_fails(
    scripted: ScriptedRegistry, client: RegistryClient, tmp_path: Path
) -> None:
    """Wrong bytes, too few and too many are a mismatch, and nothing is kept."""
    repository = scripted.repository("team/app")
    for content in (BLOB[:-1] + b"x", BLOB[:-1], BLOB + b"x"):
        with pytest.raises(ContentMismatch):
            await put(client, repository, BlobSource(content))
        with pytest.raises(ContentMismatch):
            await put(client, repository, BlobSource.in_file(content, tmp_path))
    assert scripted.content("team/app").blobs == {}


async def test_an_error_of_the_source_is_raised_as_it_is(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """It is not taken for one of the registry, and not tried again."""
    broken = BlobSource(BLOB, breaks=Unreachable("upstream", "is gone"))
    with pytest.raises(Unreachable, match="upstream: is gone"):
        await put(client, scripted.repository("team/app"), broken)
    assert broken.opened == [0]


async def test_a_source_that_cannot_seek_is_read_up_to_where_it_goes_on(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """It starts over; the registry gets only the rest."""
    scripted.fail(Reset(2_000_000), "PUT")
    await put(client, scripted.repository("team/app"), BlobSource(BLOB, seeks=False))
    assert scripted.content("team/app").blobs[DESCRIPTOR.digest] == BLOB


async def test_an_upload_that_nobody_reads_is_given_up(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A connection that takes no more bytes stalls, and the upload begins anew."""
    scripted.fail(Silence(), "PUT")
    await client.put_blob(
        scripted.repository("team/app"),
        BIG_DESCRIPTOR,
        BlobSource(BIG, piece=1_000_000),
        lambda _: None,
    )
    assert scripted.content("team/app").blobs[BIG_DESCRIPTOR.digest] == BIG


async def test_an_upload_may_not_wander_to_another_private_address(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """The bytes would go to whoever listens there."""
    scripted.fail(Change({"Location": "http://10.255.255.1/x"}), "POST")
    with pytest.raises(RegistryFault, match="private address"):
        await put(client, scripted.repository("team/app"))


async def test_a_manifest_travels_byte_for_byte_with_its_type(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """By digest first, then under its name: the same bytes."""
    repository = scripted.repository("team/app")
    docker = images.image([LAYER], docker=True)
    await push(client, repository, docker, "1")
    root = docker.root
    assert scripted.content("team/app").manifests[docker.digest] == (
        root.descriptor.media_type,
        root.raw,
    )
    assert await client.find(Reference(repository, "1")) == root.descriptor
    assert await client.find(Reference(repository, "2")) is None


async def test_a_manifest_is_put_again_after_a_failure(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A PUT of a manifest is the same each time."""
    scripted.fail(Reset(), "PUT", "manifests")
    scripted.fail(Answer(502), "PUT", "manifests")
    await push(client, scripted.repository("team/app"), IMAGE, "1")
    assert scripted.content("team/app").tags == {"1": IMAGE.digest}


async def test_a_refused_manifest_says_why(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """The registry's reason is in the error."""
    with pytest.raises(RegistryFault, match=r"blob unknown: sha256:.*MANIFEST_BLOB_UNKNOWN"):
        await client.put_manifest(scripted.repository("team/app"), IMAGE.root)


async def test_tags_that_do_not_move_are_named_and_the_others_move(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A registry has no transactions; the manifest is read back where it is not at hand."""
    repository = scripted.add("team/app:old", IMAGE)
    scripted.fail(Answer(403), "PUT", "manifests/bad$")
    moves = [
        TagMove(Reference(repository, tag), IMAGE.root.descriptor) for tag in ("a", "bad", "c")
    ]
    with pytest.raises(SomeTagsFailed) as caught:
        await client.move_tags(moves)
    assert list(caught.value.failures) == [Reference(repository, "bad")]
    assert set(scripted.content("team/app").tags) == {"old", "a", "c"}


async def test_a_digest_alone_needs_no_name(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Untagged content is there already."""
    repository = scripted.add("team/app", IMAGE)
    move = TagMove(Reference(repository, digest=IMAGE.digest), IMAGE.root.descriptor)
    await client.move_tags([move])
    assert scripted.count() == 0


async def test_an_image_is_held_and_an_index_is_not_sure(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Of an index a registry cannot tell whether it is sparse."""
    index = images.index({"linux/amd64": IMAGE})
    repository = scripted.add("team/app:1", index)
    assert await client.holds(repository, IMAGE.root.descriptor, frozenset())
    assert not await client.holds(repository, index.root.descriptor, frozenset())
    absent = replace(IMAGE.root.descriptor, digest=DESCRIPTOR.digest)
    assert not await client.holds(repository, absent, frozenset())


async def test_an_empty_repository_that_is_denied_is_empty(
    scripted: ScriptedRegistry, client: RegistryClient, told: Told
) -> None:
    """GitLab says 401 of one; whether we may push, the push will tell."""
    scripted.fail(Answer(401), "HEAD", times=2)
    assert await client.find(Reference(scripted.repository("team/app"), "1")) is None
    assert told.has("for absent")
    assert await put(client, scripted.repository("team/app"))


async def test_a_namespace_that_must_exist_gives_the_registrys_reason(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Alibaba Cloud refuses what was not created before; the reason is given in full."""
    body = b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied",'
    body += b'"detail":"namespace team does not exist, create it first"}]}'
    scripted.fail(Answer(403, {}, body), "POST")
    with pytest.raises(AccessDenied, match="namespace team does not exist, create it first"):
        await put(client, scripted.repository("team/app"))


async def test_a_limit_beyond_the_rules_is_named(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """The registry asks to wait for hours: that is told, not waited for."""
    headers = {
        "Retry-After": "21600",
        "RateLimit-Limit": "100;w=21600",
        "RateLimit-Remaining": "0;w=21600",
    }
    body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit reached"}]}'
    scripted.fail(Answer(429, headers, body), "GET")
    with pytest.raises(RateLimited, match=r"pull rate limit reached.*0 of 100.*wait 21600 s"):
        await client.read_manifest(scripted.repository("team/app"), DESCRIPTOR)
    assert scripted.count() == 1
