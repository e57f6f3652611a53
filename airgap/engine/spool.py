"""What an engine sends, kept in one temporary file for as long as it is needed."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from airgap.errors import AirgapError, NoSpace, NotPermitted

SPACE_RESERVE = 64 * 1024 * 1024
"""Bytes that a spool leaves free on its disk."""


class EngineSpool:
    """The file that is being written.

    Attributes:
        path: where it is.
    """

    def __init__(self, path: Path, number: int, what: str) -> None:
        self.path = path
        self._number = number
        self._what = what

    async def write(self, piece: bytes) -> None:
        """Append bytes.

        Raises:
            NoSpace: the scratch folder has no room for them.
            NotPermitted: they cannot be written.
        """
        try:
            await asyncio.to_thread(_write, self._number, piece)
        except OSError as error:
            raise _told(error, self._what, self.path.parent) from None


@asynccontextmanager
async def engine_spool(what: str, *, scratch: Path) -> AsyncIterator[EngineSpool]:
    """Open a new file in the scratch folder, which is gone when the block ends.

    Raises:
        NotPermitted: the folder may not be written to.
    """
    try:
        number, name = await asyncio.to_thread(
            tempfile.mkstemp, dir=scratch, prefix="airgap-engine-"
        )
    except OSError as error:
        raise NotPermitted(str(scratch), f"cannot be written to: {error.strerror}") from None
    path = Path(name)
    try:
        yield EngineSpool(path, number, what)
    finally:
        os.close(number)
        await asyncio.to_thread(path.unlink)


def _write(number: int, piece: bytes) -> None:
    disk = os.fstatvfs(number)
    if disk.f_bavail * disk.f_frsize < SPACE_RESERVE + len(piece):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(number, rest) :]


def _told(error: OSError, what: str, scratch: Path) -> AirgapError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return NoSpace(
            what,
            f"what the engine sends does not fit into {scratch}",
            "name a scratch folder on a larger disk",
        )
    return NotPermitted(str(scratch), f"cannot be written to: {error.strerror}")
