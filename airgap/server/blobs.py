"""Pulling and deleting blobs (distribution-spec, "Pulling blobs", "Deleting Blobs")."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from airgap.oci.descriptor import Descriptor
from airgap.server.answers import ApiError, Code
from airgap.server.call import Call, empty, scope_headers
from airgap.server.ranges import Span, UnsatisfiableRangeError, requested_span
from airgap.server.sending import send_blob

_OCTETS = "application/octet-stream"


async def get_blob(call: Call) -> web.StreamResponse:
    """Send a blob or the piece of it that ``Range`` asks for."""
    descriptor, headers = await _blob(call)
    try:
        span = requested_span(call.request.headers.get("Range"), descriptor.size)
    except UnsatisfiableRangeError:
        raise ApiError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            Code.SIZE_INVALID,
            f"the blob has {descriptor.size} bytes",
            headers={"Content-Range": f"bytes */{descriptor.size}"},
        ) from None
    status = HTTPStatus.OK
    if span is None:
        span = Span(0, descriptor.size)
    else:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = span.content_range(descriptor.size)
    if not span.length:
        return web.Response(headers=headers)
    async with call.hosting.open_blob(call.repository, descriptor, span.start) as reader:
        return await send_blob(
            call.request,
            reader,
            span,
            status=status,
            headers=headers,
            stall_seconds=call.service.settings.body_seconds,
        )


async def head_blob(call: Call) -> web.Response:
    """Tell whether a blob is in the repository, and its size."""
    if not call.may_push:
        descriptor, headers = await _blob(call)
    else:
        # Whoever pushes asks so what need not be sent, and then relies on its being there.
        async with call.push() as push:
            descriptor, headers = await _blob(call)
            push.rely_on(descriptor.digest)
    return empty(HTTPStatus.OK, headers | {"Content-Length": str(descriptor.size)})


async def delete_blob(call: Call) -> web.Response:
    """Take a blob out of the repository."""
    digest = call.digest()
    if not await call.hosting.remove_blob(call.repository, digest):
        raise _unknown()
    return empty(HTTPStatus.ACCEPTED, {"Docker-Content-Digest": digest})


async def _blob(call: Call) -> tuple[Descriptor, dict[str, str]]:
    digest = call.digest()
    size = await call.hosting.blob_size(call.repository, digest)
    if size is None:
        raise _unknown()
    headers = scope_headers(call.request) | {
        "Content-Type": _OCTETS,
        "Docker-Content-Digest": str(digest),
        "Accept-Ranges": "bytes",
        "ETag": f'"{digest}"',
        "Cache-Control": "max-age=31536000, immutable",
    }
    return Descriptor(_OCTETS, digest, size), headers


def _unknown() -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, Code.BLOB_UNKNOWN, "the repository has no such blob")
