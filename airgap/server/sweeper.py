"""Uploads that nobody goes on with are discarded while the registry runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from airgap.content.hosting import Hosting
from airgap.errors import AirgapError

_ROUNDS_PER_LIFE = 10
"""How often in the life of an upload the sweeper looks, so none outlives it by over a tenth."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def sweep_uploads(hosting: Hosting, idle_seconds: float) -> AsyncIterator[None]:
    """Discard uploads idle for ``idle_seconds``, at once and again and again during the block."""
    sweeping = asyncio.create_task(_sweep(hosting, idle_seconds))
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)


async def _sweep(hosting: Hosting, idle_seconds: float) -> None:
    while True:
        try:
            count = await hosting.expire_uploads(idle_seconds)
        except AirgapError as error:
            # The store may be busy or its disk away; serving goes on, the next round tries again.
            _log.warning("uploads not swept", cause=f"{error}")
        else:
            if count:
                _log.info("idle uploads discarded", count=count)
        await asyncio.sleep(idle_seconds / _ROUNDS_PER_LIFE)
