"""Files without a name, for what is needed for a while: a process that is killed leaves none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from airgap.bundle.failures import BRING_AGAIN, telling
from airgap.errors import ContentMismatch
from airgap.oci.digest import Digest


class NamelessFile:
    """A temporary file of a folder that no listing shows. Blocking.

    Attributes:
        size: bytes written so far.
    """

    def __init__(self, folder: Path) -> None:
        """Make an empty one.

        Raises:
            NoSpace, NotPermitted, NotFound: the folder takes no file.
        """
        self._folder = folder
        with telling(folder):
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - close()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """A path by which this process can open it (proc(5)), until it is closed."""
        return Path(f"/proc/self/fd/{self._file.fileno()}")

    def fill(self, pieces: Iterable[bytes], like: Digest, most: int) -> Digest:
        """Append bytes and return the digest of those, by the algorithm of ``like``.

        Args:
            pieces: whoever makes them may be led by somebody hostile.
            like: what they should hash to.
            most: bytes that the file may have.

        Raises:
            ContentMismatch: there are more.
            NoSpace: the disk is full.
        """
        hasher = like.hasher()
        for piece in pieces:
            if self.size + len(piece) > most:
                raise ContentMismatch(
                    str(like), f"more than {most:,} bytes come out of it", BRING_AGAIN
                )
            hasher.update(piece)
            self._append(piece)
        return Digest.from_hasher(hasher)

    def _append(self, piece: bytes) -> None:
        view = memoryview(piece)
        with telling(self._folder):
            while view:
                written = os.write(self._file.fileno(), view)
                view = view[written:]
        self.size += len(piece)

    def close(self) -> None:
        """Let it go; a second time does nothing."""
        self._file.close()
