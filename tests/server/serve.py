"""Serve a store until standard input ends: ``python -m tests.server.serve STORE [nosync]``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from airgap.server import running_registry
from airgap.store.store import Store


async def _serve(path: Path, *, sync: bool) -> None:
    async with (
        Store.open(path, create=True, sync=sync, long_lived=True) as store,
        running_registry(store) as registry,
    ):
        sys.stdout.write(f"{registry.url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sync="nosync" not in sys.argv[2:]))
