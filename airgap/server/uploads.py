"""Pushing blobs in every way there is (distribution-spec, "Pushing blobs")."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from airgap.content.hosting import Upload
from airgap.oci.digest import Digest
from airgap.server.answers import ApiError, Code
from airgap.server.call import Call, empty
from airgap.server.policy import Action
from airgap.server.pushes import MAX_UPLOADS, Push
from airgap.server.ranges import announced_span
from airgap.server.reading import BodyReader
from airgap.server.upload_desk import out_of_order, upload_headers

_ALGORITHMS = frozenset({"sha256", "sha512"})


async def post_upload(call: Call) -> web.Response:
    """Mount a blob, take one in whole, or begin an upload."""
    async with call.push() as push:
        return await _post_upload(call, push)


async def _post_upload(call: Call, push: Push) -> web.Response:
    query = call.request.query
    if "mount" in query:
        digest = call.digest(query["mount"])
        if await _mount(call, digest):
            push.rely_on(digest)
            return _created(call, digest)
    wanted = call.digest(query["digest"]) if "digest" in query else None
    algorithm = query.get("digest-algorithm") or (wanted.algorithm if wanted else "sha256")
    if algorithm not in _ALGORITHMS:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            Code.DIGEST_INVALID,
            f"digest algorithm {algorithm[:32]!r} cannot be verified here",
        )
    if len(push.uploads) >= MAX_UPLOADS:
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            Code.TOOMANYREQUESTS,
            f"{MAX_UPLOADS} uploads are unfinished; finish or delete some",
            headers={"Retry-After": "60"},
        )
    upload = await call.service.uploads.begin(call.repository, algorithm)
    if wanted is None:
        call.service.pushes.begin_upload(push, upload.id)
        await upload.close()
        return empty(HTTPStatus.ACCEPTED, _headers(call, upload))
    finished = False
    try:
        await _append(_body(call), upload)
        await upload.commit(wanted)
        finished = True
        push.wrote = True
        push.rely_on(wanted)
    finally:
        # Nobody has been told this upload's name, so nobody can go on with it.
        if not finished:
            await upload.discard()
    return _created(call, wanted)


async def patch_upload(call: Call) -> web.Response:
    """Take the next bytes of an upload, as a stream or as a chunk with its position."""
    body = _body(call)
    async with _going_on(call, body) as (_, upload):
        _check_position(call, upload)
        await _append(body, upload)
        return empty(HTTPStatus.ACCEPTED, _headers(call, upload))


async def put_upload(call: Call) -> web.Response:
    """Take the last bytes of an upload, if any, and publish the blob."""
    digest = call.digest(call.request.query.get("digest", ""))
    body = _body(call)
    async with _going_on(call, body) as (push, upload):
        _check_position(call, upload)
        await _append(body, upload)
        try:
            await upload.commit(digest)
        finally:
            # It is over, however it ended; what it relied on since it began goes on from here.
            began = call.service.pushes.end_upload(call.repository, upload.id)
        push.rely_on(digest, began)
    return _created(call, digest)


async def get_upload(call: Call) -> web.Response:
    """Tell how far an upload has come."""
    size = await call.service.uploads.size(call.repository, call.route.leaf)
    location = call.location(f"blobs/uploads/{call.route.leaf}")
    return empty(HTTPStatus.NO_CONTENT, upload_headers(location, call.route.leaf, size))


async def delete_upload(call: Call) -> web.Response:
    """Throw an upload away."""
    async with _going_on(call) as (_, upload):
        await upload.discard()
        call.service.pushes.end_upload(call.repository, upload.id)
    return empty(HTTPStatus.NO_CONTENT, {"Docker-Upload-UUID": call.route.leaf})


@asynccontextmanager
async def _going_on(
    call: Call, body: BodyReader | None = None
) -> AsyncIterator[tuple[Push, Upload]]:
    """Have the upload that a request goes on with to oneself."""
    service = call.service
    async with (
        call.push() as push,
        service.uploads.take(call.repository, call.route.leaf, body) as upload,
    ):
        push.wrote = True
        service.pushes.go_on(call.repository, upload.id)
        yield push, upload


async def _mount(call: Call, digest: Digest) -> bool:
    source = call.request.query.get("from")
    policy = call.service.gate.policy
    if not source:
        # Any repository will do, so it must be one that the client could read.
        return policy.reads_all(call.user) and await call.hosting.mount_blob(
            call.repository, digest, None
        )
    try:
        origin = call.service.repository(source, call.ns)
    except ApiError:
        return False
    if not policy.allows(call.user, call.service.name_of(origin), Action.PULL):
        return False
    return await call.hosting.mount_blob(call.repository, digest, origin)


def _check_position(call: Call, upload: Upload) -> None:
    header = call.request.headers.get("Content-Range")
    if header is None:
        return
    span = announced_span(header)
    length = call.request.content_length
    # Some clients (regclient) count one byte too many, also for the empty end of an upload.
    if span is None or (length is not None and span.length not in {length, length + 1}):
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            Code.SIZE_INVALID,
            "Content-Range is not FIRST-LAST, or not the body's length",
        )
    if span.start != upload.size:
        location = call.location(f"blobs/uploads/{upload.id}")
        raise out_of_order(location, upload)


async def _append(body: BodyReader, upload: Upload) -> None:
    async with aclosing(body.pieces()) as pieces:
        async for piece in pieces:
            if upload.size + len(piece) > body.limit:
                raise ApiError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    Code.SIZE_INVALID,
                    f"a blob may have {body.limit} bytes at most",
                )
            await upload.write(piece)


def _body(call: Call) -> BodyReader:
    return call.service.body(call.request, call.service.settings.max_blob_size)


def _headers(call: Call, upload: Upload) -> dict[str, str]:
    return upload_headers(call.location(f"blobs/uploads/{upload.id}"), upload.id, upload.size)


def _created(call: Call, digest: Digest) -> web.Response:
    headers = {
        "Location": call.location(f"blobs/{digest}"),
        "Docker-Content-Digest": str(digest),
    }
    return empty(HTTPStatus.CREATED, headers)
