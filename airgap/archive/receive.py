"""Taking in one blob: in large pieces, verified, its bytes handed on as they come."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable

from airgap.content.ports import BlobReader, FileRegion, OnBytes, OpenBlob
from airgap.errors import ContentMismatch, NotPermitted
from airgap.image.threads import open_in_thread
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest

PIECE = 1024 * 1024
"""Bytes handed on at once, where there are so many."""


async def receive_blob(
    descriptor: Descriptor,
    open_at: OpenBlob,
    write: Callable[[bytes], Awaitable[None]],
    on_bytes: OnBytes,
) -> None:
    """Read a blob once, hand its bytes to ``write``, and check what they were.

    Never more than the announced size is handed on.

    Raises:
        ContentMismatch: digest or size differ; what was written must be thrown away.
    """
    hasher = descriptor.digest.hasher()
    size = 0
    async with open_at(0) as reader:
        async for piece in _large_pieces(reader):
            size += len(piece)
            if size > descriptor.size:
                break
            await asyncio.to_thread(hasher.update, piece)
            await write(piece)
            on_bytes(len(piece))
    if size != descriptor.size:
        more = "more" if size > descriptor.size else f"{size:,}"
        raise ContentMismatch(
            descriptor.digest,
            f"has {more} bytes where {descriptor.size:,} were announced",
            "nothing of it was kept",
        )
    actual = Digest.from_hasher(hasher)
    if actual != descriptor.digest:
        raise ContentMismatch(
            descriptor.digest, f"its bytes hash to {actual}", "nothing of it was kept"
        )


async def _large_pieces(reader: BlobReader) -> AsyncIterator[bytes]:
    if reader.region is not None:
        async for piece in _region_pieces(reader.region):
            yield piece
        return
    waiting: list[bytes] = []
    size = 0
    async for piece in reader:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if size:
        yield b"".join(waiting)


async def _region_pieces(region: FileRegion) -> AsyncIterator[bytes]:
    try:
        file = await open_in_thread(region.path, "rb")
    except OSError as error:
        raise NotPermitted(str(region.path), f"cannot be read: {error.strerror}") from None
    with file:
        position, end = region.offset, region.offset + region.length
        while position < end:
            size = min(PIECE, end - position)
            piece = await asyncio.to_thread(os.pread, file.fileno(), size, position)
            if not piece:
                return
            position += len(piece)
            yield piece
