"""Blobs from a scripted registry: broken off, resumed, bounded."""

from __future__ import annotations

import asyncio

import pytest

from airgap.errors import ContentMismatch, NotFound, RegistryFault, Unreachable
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Repository
from airgap.registry.client import RegistryClient
from tests.support import images
from tests.support.registry_clients import MakeClient, Told, quick, read_blob
from tests.support.registry_faults import (
    Answer,
    Change,
    Drip,
    EndEarly,
    Fault,
    IgnoreRange,
    Reset,
    Silence,
    Stall,
    Surplus,
    Truncate,
)
from tests.support.scripted_registry import ScriptedRegistry

LAYER = images.random_layer(7, 3_000_000)
BLOB = LAYER.content
DESCRIPTOR = LAYER.descriptor
IMAGE = images.image([LAYER])


@pytest.fixture
def repository(scripted: ScriptedRegistry) -> Repository:
    """Return a repository that holds a blob of 3 MB."""
    return scripted.add("team/app:1", IMAGE)


async def test_a_blob_arrives_in_large_pieces(
    repository: Repository, client: RegistryClient
) -> None:
    """The pieces are the blob, and none is over 1 MiB."""
    async with client.open_blob(repository, DESCRIPTOR) as reader:
        assert (reader.offset, reader.region) == (0, None)
        pieces = [piece async for piece in reader]
    assert b"".join(pieces) == BLOB
    assert max(map(len, pieces)) <= 1024 * 1024
    assert len(pieces) < 100


async def test_a_blob_is_read_from_the_middle(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """After a restart only the rest is asked for, and only the rest is sent."""
    async with client.open_blob(repository, DESCRIPTOR, 1_000_000) as reader:
        assert reader.offset == 1_000_000
        rest = b"".join([piece async for piece in reader])
    assert rest == BLOB[1_000_000:]
    assert scripted.sent("blobs") == len(BLOB) - 1_000_000


async def test_a_blob_that_is_whole_already_costs_no_request(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """There is no range for an empty rest."""
    assert await read_blob(client, repository, DESCRIPTOR, DESCRIPTOR.size) == b""
    assert scripted.count() == 0


async def test_a_registry_without_ranges_says_where_it_starts(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """The reader's offset is 0 then, and the target starts over."""
    scripted.fail(IgnoreRange())
    async with client.open_blob(repository, DESCRIPTOR, 1_000_000) as reader:
        assert reader.offset == 0
        assert b"".join([piece async for piece in reader]) == BLOB


@pytest.mark.parametrize("fault", [Truncate(1_200_000), EndEarly(1_200_000), Stall(1_200_000)])
async def test_a_blob_that_breaks_off_goes_on_where_it_was(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient, fault: Fault
) -> None:
    """Not a byte is sent twice that has arrived, whether the body breaks, ends, or stalls."""
    scripted.fail(fault, "GET")
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB
    first, second = scripted.requests
    start = int(second.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 1_200_000
    assert second.sent == len(BLOB) - start
    assert first.sent + second.sent < len(BLOB) + 400_000


async def test_a_blob_that_breaks_off_without_ranges_is_skipped_through(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """What comes a second time is not handed on a second time."""
    scripted.fail(Truncate(1_200_000), "GET")
    scripted.fail(IgnoreRange(), "GET", times=None)
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB


@pytest.mark.parametrize(
    "wrong",
    [
        {"Content-Range": "bytes 0-2999/3000"},
        {"Content-Range": None},
        {"Content-Range": "bytes 1200000-1200009/77"},
    ],
)
async def test_a_range_that_was_not_asked_for_is_not_taken(
    scripted: ScriptedRegistry,
    repository: Repository,
    client: RegistryClient,
    wrong: dict[str, str | None],
) -> None:
    """A 206 counts only with the Content-Range that matches; else the blob is asked for whole."""
    scripted.fail(Truncate(1_200_000), "GET")
    scripted.fail(Change(wrong), "GET")
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB


async def test_a_body_that_breaks_again_and_again_goes_on_while_it_progresses(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """More breaks than there are tries do not matter while each brings a good piece."""
    scripted.fail(Truncate(300_000), "GET", times=9)
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB
    assert scripted.count("GET") == 10


async def test_a_body_that_breaks_without_progress_fails(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """A few bytes before each break are no progress; after as many tries as allowed it ends."""
    scripted.fail(Truncate(1000), "GET", times=None)
    with pytest.raises(Unreachable, match="broke off"):
        await read_blob(client, repository, DESCRIPTOR)
    assert scripted.count("GET") == 8


@pytest.mark.parametrize("fault", [Reset(), Silence(), Answer(500), Answer(429), Answer(503)])
async def test_a_blob_that_does_not_begin_is_asked_for_again(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient, fault: Fault
) -> None:
    """Before the first byte as in the middle."""
    scripted.fail(fault, "GET", times=2)
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB


async def test_a_blob_that_never_stops_is_cut_at_its_size(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """Not a byte more than announced is handed on."""
    scripted.fail(Surplus(), "GET")
    received = bytearray()

    async def read() -> None:
        async with client.open_blob(repository, DESCRIPTOR) as reader:
            async for piece in reader:
                received.extend(piece)

    with pytest.raises(ContentMismatch, match="more bytes"):
        await read()
    assert len(received) <= len(BLOB)


async def test_a_blob_of_another_size_is_refused(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """The announced length is held against the descriptor before the first byte is taken."""
    other = Descriptor(DESCRIPTOR.media_type, DESCRIPTOR.digest, DESCRIPTOR.size - 1)
    with pytest.raises(ContentMismatch, match=f"{len(BLOB)} bytes where {len(BLOB) - 1}"):
        await read_blob(client, repository, other)
    assert scripted.count("GET") == 3


async def test_a_wrong_length_once_is_asked_again(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """A proxy that slipped once does no harm."""
    scripted.fail(Change({"Content-Length": "12"}), "GET")
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB


async def test_a_drip_is_given_up(
    scripted: ScriptedRegistry, repository: Repository, make_client: MakeClient
) -> None:
    """A body that is never quite silent, and yet never comes, is a stall too."""
    settings = quick()
    client = await make_client(settings)
    scripted.fail(Drip(1, 0.05), "GET", "blobs")
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB
    assert scripted.count("GET") == 2


async def test_a_blob_that_is_not_there_fails_at_once(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """On entering, with one request."""
    with pytest.raises(NotFound, match="blob unknown to registry"):
        await read_blob(client, scripted.repository("team/other"), DESCRIPTOR)
    assert scripted.count() == 1


async def test_a_blob_may_come_from_another_host(
    scripted: ScriptedRegistry,
    second: ScriptedRegistry,
    repository: Repository,
    client: RegistryClient,
) -> None:
    """Object stores hold the bytes; breaking off there, the registry is asked again first."""
    second.add("team/app:1", IMAGE)
    path = f"/v2/team/app/blobs/{DESCRIPTOR.digest}"
    scripted.fail(Answer(307, {"Location": f"{second.url}{path}?sig=a%2Bb"}), "GET", times=None)
    second.fail(Truncate(1_200_000), "GET")
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB
    assert second.requests[0].path == f"{path}?sig=a%2Bb"
    assert scripted.count("GET") == second.count("GET") == 2


async def test_a_reader_that_is_left_early_frees_its_slot(
    repository: Repository, make_client: MakeClient
) -> None:
    """With one transfer at a time, the next one begins."""
    client = await make_client(quick(concurrency=1))
    async with client.open_blob(repository, DESCRIPTOR) as reader:
        async for _ in reader:
            break
    assert await read_blob(client, repository, DESCRIPTOR) == BLOB


async def test_no_more_blobs_than_allowed_are_open_at_once(
    scripted: ScriptedRegistry, repository: Repository, make_client: MakeClient
) -> None:
    """The limit holds across everything that the process does."""
    client = await make_client(quick(concurrency=2))
    scripted.fail(Stall(1000), "GET", times=2)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read_blob(client, repository, DESCRIPTOR)) for _ in range(5)]
    assert [task.result() == BLOB for task in tasks] == [True] * 5


async def test_every_decision_is_told(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient, told: Told
) -> None:
    """Whoever watches learns what broke, of what, and when the next try is."""
    scripted.fail(Truncate(1_200_000), "GET")
    await read_blob(client, repository, DESCRIPTOR)
    assert told.has(f"{scripted.host}: the connection broke off ({repository}@{DESCRIPTOR.digest})")
    assert told.has("; try 2 in 0.0 s", "info")


async def test_a_redirect_that_may_not_be_followed_fails(
    scripted: ScriptedRegistry, repository: Repository, client: RegistryClient
) -> None:
    """A registry that leads to a file or nowhere is at fault."""
    scripted.fail(Answer(307, {"Location": "file:///etc/passwd"}), "GET")
    with pytest.raises(RegistryFault, match="another kind"):
        await read_blob(client, repository, DESCRIPTOR)
