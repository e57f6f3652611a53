"""Where the finished bytes of a bundle go: one file, or volumes, with or without encryption.

Everything here blocks and belongs to one thread at a time.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from airgap.bundle import durable
from airgap.bundle.checksum import checksum_line, checksum_path
from airgap.bundle.failures import telling
from airgap.bundle.read_back import expect_on_medium
from airgap.bundle.volumes import Inside, VolumeIndex
from airgap.errors import AirgapError, UsageError
from airgap.oci.digest import Digest

SYNC_EVERY = 32 * 1024 * 1024
"""Bytes after which the disk is set to work, where it will have to at the end anyway."""

_PIECES_AHEAD = 8
"""Pieces written that the hash has not seen yet."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        size: bytes of all files of the bundle, without checksums and indices.
        digest: SHA-256 of the file, as its ``.sha256`` says; for volumes that of their index.
        volumes: the volumes, where it was cut.
    """

    size: int
    digest: Digest
    volumes: VolumeIndex | None = None


class Demand:
    """Whether anybody still waits for the bundle; asked between long pieces of work."""

    def __init__(self) -> None:
        self._over = Event()

    def end(self) -> None:
        """Let the work end soon; may be called from any thread."""
        self._over.set()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""
        return self._over.is_set()

    def expect(self) -> None:
        """Go on while somebody waits.

        Raises:
            AirgapError: nobody does.
        """
        if self.is_over:
            raise AirgapError("the bundle", "was given up while it was written")


class Destination(Protocol):
    """Takes bytes in order, and lets them appear under their names when they are all there."""

    def open(self, size: int, *, exact: bool) -> None:
        """Begin.

        Args:
            size: how many bytes will come.
            exact: whether that is so; otherwise it is about as many, or fewer.

        Raises:
            UsageError: the name is taken, or is a folder.
            Refused: another process writes the same file.
            NoSpace: the disk cannot take that much.
        """
        ...

    def write(self, data: memoryview | bytes) -> Future[None] | None:
        """Append bytes.

        Returns:
            What to wait for before the bytes may change; None where nothing reads them any more.
        """
        ...

    def finish(self) -> None:
        """Take that no more bytes come; bring everything to the medium, and check it there."""
        ...

    def publish(self, inside: Inside) -> Written:
        """Let everything have its name, the checksums last."""
        ...

    def abandon(self) -> None:
        """Throw away what was not published; let go of files and threads; may be called twice."""
        ...


class HashedFile:
    """A file that is hashed by a thread while it is written, and synced by another."""

    def __init__(self, file: int, *, sync: bool) -> None:
        """Take the descriptor of an empty file; it is the caller's to close."""
        self.size = 0
        self._file = file
        self._sync = sync
        self._sha256 = hashlib.sha256()
        self._hashing = ThreadPoolExecutor(1, "bundle-hash")
        self._syncing = ThreadPoolExecutor(1, "bundle-sync")
        self._waiting: deque[Future[None]] = deque()
        self._last_sync: Future[None] | None = None
        self._unsynced = 0

    def write(self, data: memoryview | bytes) -> Future[None]:
        """Append bytes; they may change when the future is done."""
        hashing = self._hashing.submit(self._sha256.update, data)
        self._waiting.append(hashing)
        if len(self._waiting) > _PIECES_AHEAD:
            self._waiting.popleft().result()
        durable.write_all(self._file, data)
        self.size += len(data)
        self._unsynced += len(data)
        if self._sync and self._unsynced >= SYNC_EVERY:
            self._start_sync()
        return hashing

    def _start_sync(self) -> None:
        if self._last_sync is not None:
            if not self._last_sync.done():
                return
            self._last_sync.result()
        self._unsynced = 0
        self._last_sync = self._syncing.submit(os.fdatasync, self._file)

    def finish(self) -> Digest:
        """Bring what was written to the disk, where that is wanted; return its SHA-256."""
        if self._last_sync is not None:
            self._last_sync.result()
        if self._sync:
            os.fdatasync(self._file)
        self.close()
        return Digest.from_hasher(self._sha256)

    def close(self) -> None:
        """Wait for the threads and let them go; may be called twice."""
        for executor in (self._hashing, self._syncing):
            executor.shutdown(wait=True)


class SingleFile:
    """A bundle in one file, with its ``.sha256`` beside it."""

    def __init__(
        self, path: Path, demand: Demand, *, replace: bool, sync: bool, read_back: bool = False
    ) -> None:
        """Prepare; nothing is touched yet.

        Args:
            path: the file to be.
            demand: whether anybody waits for it.
            replace: an existing one may be replaced.
            sync: return only when the bytes are on the disk.
            read_back: read the file again from the medium and compare.
        """
        self.path = path
        self._demand = demand
        self._replace = replace
        self._sync = sync
        self._read_back = read_back
        self._partial = durable.partial(path)
        self._file = -1
        self._hashed: HashedFile | None = None
        self._digest: Digest | None = None

    def open(self, size: int, *, exact: bool) -> None:
        """Begin a file; see ``Destination``."""
        if self.path.is_dir():
            raise UsageError(str(self.path), "is a folder", "name a file in it")
        if self.path.exists() and not self._replace:
            raise UsageError(
                str(self.path),
                "is already there",
                "choose another name, or replace it with --force",
            )
        with telling(self._partial):
            self._file = durable.create_locked(self._partial, self.path)
        if exact:
            durable.check_space(self._file, self.path, size)
        self._hashed = HashedFile(self._file, sync=self._sync)

    def write(self, data: memoryview | bytes) -> Future[None]:
        """Append bytes."""
        with telling(self._partial):
            return self._open_file.write(data)

    def finish(self) -> None:
        """Bring everything to the medium, and check it there."""
        with telling(self._partial):
            self._digest = self._open_file.finish()
        if self._read_back:
            expect_on_medium(self._partial, self._digest, "the bundle", self._demand.expect)

    def publish(self, inside: Inside) -> Written:
        """Give the file its name, and the ``.sha256`` beside it last."""
        del inside
        if self._digest is None:
            raise RuntimeError("the file is not finished")
        with telling(self.path):
            checksum_path(self.path).unlink(missing_ok=True)
            self._partial.rename(self.path)
            self._sync_folder()
            line = checksum_line(self.path.name, self._digest)
            content = line.encode("utf-8", "surrogateescape")
            durable.replace_file(checksum_path(self.path), content, sync=self._sync)
            self._sync_folder()
            self._close_file()
        return Written(self._open_file.size, self._digest)

    def _sync_folder(self) -> None:
        if self._sync:
            durable.sync_folder(self.path.parent)

    def abandon(self) -> None:
        """Throw away what was written, unless it was published."""
        if self._hashed is not None:
            self._hashed.close()
        if self._file >= 0:
            with telling(self._partial):
                # Unlinked while it is locked, so that the file of another process never goes.
                self._partial.unlink(missing_ok=True)
                self._close_file()

    def _close_file(self) -> None:
        os.close(self._file)
        self._file = -1

    @property
    def _open_file(self) -> HashedFile:
        if self._hashed is None:
            raise RuntimeError("the bundle was not opened")
        return self._hashed
