"""Sending blobs: by the kernel where they are a piece of a file, by hand where not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from http import HTTPStatus
from io import BufferedReader

from aiohttp import web

from airgap.content.ports import BlobReader, FileRegion
from airgap.server.ranges import Span

_SMALL = 64 * 1024
"""Bytes up to which a blob goes out with its headers in one write."""

_SENDFILE_SIZE = 8 * 1024 * 1024
"""Bytes that the kernel sends before the client must have proven that it still reads."""

_READ_SIZE = 512 * 1024


async def send_blob(
    request: web.BaseRequest,
    reader: BlobReader,
    span: Span,
    *,
    status: HTTPStatus,
    headers: Mapping[str, str],
    stall_seconds: float,
) -> web.StreamResponse:
    """Answer with a piece of an open blob.

    Args:
        request: what is answered.
        reader: the blob, opened at ``span.start`` or before.
        span: the piece to send.
        status: 200 or 206.
        headers: of the answer; its length is added.
        stall_seconds: how long a client may take for 8 MiB before it is given up.

    Raises:
        ConnectionError: the client has gone away.
    """
    region = reader.region
    if region is not None and span.length <= _SMALL:
        body = await asyncio.to_thread(
            _read_region, region, span.start - reader.offset, span.length
        )
        return web.Response(status=status, headers=headers, body=body)
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = span.length
    await response.prepare(request)
    if region is not None:
        offset = region.offset + span.start - reader.offset
        await _send_region(request, response, region, Span(offset, span.length), stall_seconds)
    else:
        await _send_pieces(response, reader, span, stall_seconds)
    await response.write_eof()
    return response


async def _send_region(
    request: web.BaseRequest,
    response: web.StreamResponse,
    region: FileRegion,
    span: Span,
    stall_seconds: float,
) -> None:
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has gone away")
    loop = asyncio.get_running_loop()
    file = await asyncio.to_thread(region.path.open, "rb")
    try:
        position, end = span.start, span.start + span.length
        while position < end:
            async with asyncio.timeout(stall_seconds):
                if request.secure:
                    # The kernel does not encrypt for us; large reads in a thread are next best.
                    data = await asyncio.to_thread(
                        _read_at, file, position, min(_READ_SIZE, end - position)
                    )
                    await response.write(data)
                    position += len(data)
                else:
                    position += await loop.sendfile(
                        transport,
                        file,
                        position,
                        min(_SENDFILE_SIZE, end - position),
                        fallback=False,
                    )
    except TimeoutError:
        transport.abort()
        raise ConnectionAbortedError("the client does not read any more") from None
    finally:
        await asyncio.to_thread(file.close)


async def _send_pieces(
    response: web.StreamResponse, reader: BlobReader, span: Span, stall_seconds: float
) -> None:
    skip = span.start - reader.offset
    left = span.length
    async for piece in reader:
        if skip >= len(piece):
            skip -= len(piece)
            continue
        data = piece[skip : skip + left]
        skip = 0
        async with asyncio.timeout(stall_seconds):
            await response.write(data)
        left -= len(data)
        if not left:
            return


def _read_region(region: FileRegion, skip: int, length: int) -> bytes:
    with region.path.open("rb") as file:
        return _read_at(file, region.offset + skip, length)


def _read_at(file: BufferedReader, position: int, length: int) -> bytes:
    return os.pread(file.fileno(), length, position)
