"""An engine as a target: the archive goes to it while it is written, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from airgap.archive.tar_target import DEFAULT_PLATFORM, TarTarget
from airgap.engine.engine import Engine
from airgap.oci.platform import Platform


class _UploadSink:
    """Hands the bytes of an archive to a request that is sent meanwhile; one piece waits at most.

    Where the engine ends the request early, writing fails with the reason that it gives.
    """

    def __init__(self, engine: Engine) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._upload = asyncio.create_task(engine.load(self._body()))

    async def write(self, data: bytes) -> None:
        """Hand on the next bytes."""
        await self._put(data)

    async def commit(self) -> None:
        """Say that this was all, and wait until the engine has loaded it."""
        await self._put(None)
        await self._upload

    async def close(self) -> None:
        """Break off what is not finished; the engine keeps nothing of it."""
        self._upload.cancel()
        await asyncio.wait([self._upload])
        if not self._upload.cancelled():
            self._upload.exception()

    async def _put(self, piece: bytes | None) -> None:
        handing = asyncio.ensure_future(self._pieces.put(piece))
        try:
            await asyncio.wait([handing, self._upload], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not handing.done():
                handing.cancel()
        if self._upload.done():
            self._upload.result()

    async def _body(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece


@asynccontextmanager
async def engine_target(
    engine: Engine, *, platform: Platform = DEFAULT_PLATFORM
) -> AsyncIterator[TarTarget]:
    """Load images into an engine, through the archive that is written to it.

    An engine takes all images of an archive or none. What it takes is ``manifest.json``: one
    platform of each image, with its image id.

    Args:
        engine: which engine.
        platform: which entry of an index it gets.

    Raises:
        EngineFault: while writing or at the end; the engine does not take the archive.
    """
    sink = _UploadSink(engine)
    try:
        yield TarTarget(sink, platform=platform)
    finally:
        await sink.close()
