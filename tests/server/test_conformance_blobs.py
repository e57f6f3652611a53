"""The conformance suite's blob tests (distribution-spec, ``conformance/run.go``), case for case.

The names in parentheses are the suite's own. It runs each of them with sha256 and with sha512.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from airgap.oci.digest import Digest
from tests.server.api import Answer, Api

REPO, OTHER = "conformance/repo1", "conformance/repo2"
OCTETS = "application/octet-stream"

pytestmark = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])


def some_bytes(size: int, seed: int = 1) -> bytes:
    """Return ``size`` bytes without pattern, the same for the same seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - test data, not a secret


async def post_only(api: Api, content: bytes, digest: Digest) -> Answer:
    """Push with one POST."""
    path = f"/v2/{REPO}/blobs/uploads/"
    return await api.request(
        "POST", path, query={"digest": digest}, body=content, Content_Type=OCTETS
    )


async def post_put(api: Api, content: bytes, digest: Digest) -> Answer:
    """Push with POST and PUT."""
    begun = await api.post(REPO)
    assert begun.status == 202
    location = begun.headers["Location"]
    return await api.request("PUT", location, query={"digest": digest}, body=content)


async def chunked(api: Api, content: bytes, digest: Digest, *, last_by_put: bool = False) -> Answer:
    """Push in three chunks that say their position."""
    begun = await api.request(
        "POST", f"/v2/{REPO}/blobs/uploads/", query={"digest-algorithm": digest.algorithm}
    )
    location = begun.headers["Location"]
    third = len(content) // 3 + 1
    pieces = [content[at : at + third] for at in range(0, len(content), third)]
    position = 0
    for number, piece in enumerate(pieces, start=1):
        position_header = f"{position}-{position + len(piece) - 1}"
        position += len(piece)
        if last_by_put and number == len(pieces):
            return await api.request(
                "PUT",
                location,
                query={"digest": digest},
                body=piece,
                Content_Range=position_header,
            )
        answer = await api.request("PATCH", location, body=piece, Content_Range=position_header)
        assert answer.status == 202
        assert answer.headers["Range"] == f"0-{position - 1}"
        location = answer.headers["Location"]
    return await api.request("PUT", location, query={"digest": digest})


async def chunked_and_put_chunk(api: Api, content: bytes, digest: Digest) -> Answer:
    """Push in chunks, the last of them in the PUT."""
    return await chunked(api, content, digest, last_by_put=True)


async def chunked_single(api: Api, content: bytes, digest: Digest) -> Answer:
    """Push one chunk that says its position."""
    if not content:  # An empty blob has no byte for a chunk to be at.
        return await post_put(api, content, digest)
    begun = await api.post(REPO)
    answer = await api.request(
        "PATCH", begun.headers["Location"], body=content, Content_Range=f"0-{len(content) - 1}"
    )
    assert answer.status == 202
    return await api.request("PUT", answer.headers["Location"], query={"digest": digest})


async def stream(api: Api, content: bytes, digest: Digest) -> Answer:
    """Push with one PATCH of unknown length."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100):
            yield content[start : start + 100]

    begun = await api.post(REPO)
    answer = await api.request("PATCH", begun.headers["Location"], body=pieces())
    assert answer.status == 202
    return await api.request("PUT", answer.headers["Location"], query={"digest": digest})


Push = Callable[[Api, bytes, Digest], Awaitable[Answer]]
every_push = pytest.mark.parametrize(
    "push", [post_only, post_put, chunked_single, chunked, chunked_and_put_chunk, stream]
)


async def check_pull_and_delete(api: Api, content: bytes, digest: Digest, repo: str = REPO) -> None:
    """HEAD, GET and DELETE a blob, and see that it is gone at once."""
    path = f"/v2/{repo}/blobs/{digest}"
    head = await api.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    got = await api.request("GET", path)
    assert (got.status, got.body) == (200, content)
    for answer in (head, got):
        assert answer.headers["Content-Length"] == str(len(content))
        assert answer.headers["Docker-Content-Digest"] == digest
    assert (await api.request("DELETE", path)).status == 202
    assert (await api.request("HEAD", path)).status == 404
    assert (await api.request("DELETE", path)).status == 404


async def test_get_missing(api: Api, algorithm: str) -> None:
    """A blob that was never pushed is not found (get-missing)."""
    digest = Digest.of(b"never", algorithm)
    answer = await api.request("GET", f"/v2/{REPO}/blobs/{digest}")
    assert answer.status == 404
    assert answer.codes == ["BLOB_UNKNOWN"]


@every_push
async def test_push_in_every_way(api: Api, push: Push, algorithm: str) -> None:
    """A pushed blob is at the Location that the answer names, and can be deleted again."""
    content = some_bytes(3000)
    digest = Digest.of(content, algorithm)
    done = await push(api, content, digest)
    assert done.status == 201
    assert done.headers["Docker-Content-Digest"] == digest
    assert (await api.request("GET", done.headers["Location"])).body == content
    await check_pull_and_delete(api, content, digest)


@every_push
async def test_bad_digest(api: Api, push: Push, algorithm: str) -> None:
    """Bytes with another digest are refused however they come (bad digest ...)."""
    content = some_bytes(3000)
    digest = Digest.of(content, algorithm)
    answer = await push(api, content + b"oh no", digest)
    assert answer.status == 400
    assert answer.codes == ["DIGEST_INVALID"]
    assert (await api.request("HEAD", f"/v2/{REPO}/blobs/{digest}")).status == 404


@pytest.mark.parametrize("last_by_put", [False, True])
async def test_chunked_out_of_order(api: Api, algorithm: str, *, last_by_put: bool) -> None:
    """A chunk out of order is refused, and the upload goes on where it was (... and put chunk)."""
    content = some_bytes(3000)
    digest = Digest.of(content, algorithm)
    location = (await api.post(REPO)).headers["Location"]
    for start in (0, 1000, 2000):
        wrong_start = start + 1000 if start < 2000 else 0
        wrong = content[wrong_start : wrong_start + 1000]
        last = wrong_start == 2000
        refused = await api.request(
            "PUT" if last_by_put and last else "PATCH",
            location,
            query={"digest": digest} if last_by_put and last else None,
            body=wrong,
            Content_Range=f"{wrong_start}-{wrong_start + 999}",
        )
        assert refused.status == 416
        status = await api.request("GET", location)
        assert status.status == 204
        assert status.headers["Range"] == f"0-{max(start - 1, 0)}"
        location = status.headers["Location"]
        by_put = last_by_put and start == 2000
        answer = await api.request(
            "PUT" if by_put else "PATCH",
            location,
            query={"digest": digest} if by_put else None,
            body=content[start : start + 1000],
            Content_Range=f"{start}-{start + 999}",
        )
        assert answer.status == (201 if by_put else 202)
        location = answer.headers["Location"]
    if not last_by_put:
        done = await api.request("PUT", location, query={"digest": digest})
        assert done.status == 201
    await check_pull_and_delete(api, content, digest)


async def test_mount(api: Api, algorithm: str) -> None:
    """A blob of another repository is mounted, and stays when it is deleted there (mount)."""
    content = some_bytes(512)
    digest = await api.push_blob(OTHER, content, algorithm)
    mounted = await api.post(REPO, mount=digest, **{"from": OTHER})
    assert mounted.status == 201
    assert mounted.headers["Docker-Content-Digest"] == digest
    assert (await api.request("GET", mounted.headers["Location"])).body == content
    await check_pull_and_delete(api, content, digest, OTHER)
    await check_pull_and_delete(api, content, digest)


async def test_mount_anonymous(api: Api, algorithm: str) -> None:
    """A blob is mounted from wherever it is (mount anonymous)."""
    content = some_bytes(512)
    digest = await api.push_blob(OTHER, content, algorithm)
    mounted = await api.post(REPO, mount=digest)
    assert mounted.status == 201
    await check_pull_and_delete(api, content, digest)


async def test_mount_missing(api: Api, algorithm: str) -> None:
    """Where there is nothing to mount an upload begins instead (mount missing)."""
    content = some_bytes(512)
    digest = Digest.of(content, algorithm)
    begun = await api.post(REPO, mount=digest, **{"from": OTHER})
    assert begun.status == 202
    location = begun.headers["Location"]
    done = await api.request("PUT", location, query={"digest": digest}, body=content)
    assert done.status == 201
    await check_pull_and_delete(api, content, digest)


async def test_post_cancel(api: Api, algorithm: str) -> None:
    """A cancelled upload is gone (post cancel)."""
    begun = await api.request(
        "POST", f"/v2/{REPO}/blobs/uploads/", query={"digest-algorithm": algorithm}
    )
    location = begun.headers["Location"]
    assert (await api.request("DELETE", location)).status == 204
    answer = await api.request("GET", location)
    assert answer.status == 404
    assert answer.codes == ["BLOB_UPLOAD_UNKNOWN"]


@pytest.mark.parametrize(
    "header, first, last",
    [
        ("bytes=500-1499", 500, 1499),
        ("bytes=500-", 500, 2047),
        ("bytes=-500", 1548, 2047),
        ("bytes=2000-5000", 2000, 2047),
    ],
)
async def test_range_requests(api: Api, header: str, first: int, last: int, algorithm: str) -> None:
    """A range of a blob is answered with just that range (range requests)."""
    content = some_bytes(2048)
    digest = await api.push_blob(REPO, content, algorithm)
    answer = await api.request("GET", f"/v2/{REPO}/blobs/{digest}", Range=header)
    assert answer.status == 206
    assert answer.body == content[first : last + 1]
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/2048"


@pytest.mark.parametrize("header", ["bytes=500-0", "bytes=5000-10000"])
async def test_impossible_range_requests(api: Api, header: str, algorithm: str) -> None:
    """A range without a byte of the blob is refused (range 500-0, range 5000-10000)."""
    digest = await api.push_blob(REPO, some_bytes(2048), algorithm)
    answer = await api.request("GET", f"/v2/{REPO}/blobs/{digest}", Range=header)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == "bytes */2048"


@every_push
@pytest.mark.parametrize("content", [b"", b"{}"])
async def test_well_known_contents(api: Api, content: bytes, push: Push, algorithm: str) -> None:
    """Blobs of no bytes and of two are blobs (empty, emptyJSON)."""
    digest = Digest.of(content, algorithm)
    done = await push(api, content, digest)
    assert done.status == 201
    await check_pull_and_delete(api, content, digest)
