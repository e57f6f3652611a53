"""Group commit: one thread publishes everything that waits, with one round of syncs for all of it.

The order makes a crash harmless at any point: files are synced before they are renamed, folders
before the catalog says that content is there, the catalog before ``index.json`` names it.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from airgap.errors import AirgapError, StoreUnusable
from airgap.oci.digest import Digest
from airgap.store.changes import Change, apply_changes
from airgap.store.durable import sync_folder, write_all
from airgap.store.layout import index_update
from airgap.store.locks import SWEEP, shared
from airgap.store.opening import OpenStore
from airgap.store.os_errors import explained
from airgap.store.sessions import Session

MAX_BATCH = 256
"""Operations in one transaction; bounds what a batch holds in memory (small blobs, manifests)."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SmallFile:
    """Content in memory that is to be a blob."""

    digest: Digest
    content: bytes


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A verified (and synced) file that is to be a blob; it is renamed."""

    digest: Digest
    path: Path


def _nothing(_: Connection, there: frozenset[Digest]) -> frozenset[Digest]:
    return there


@dataclass(eq=False, slots=True)
class Operation(Generic[Result]):
    """What one caller wants published.

    Attributes:
        change: what it adds to the catalog.
        files: the content that it brings.
        act: done in the transaction after all changes of the batch; is given which of the content
            that the batch names is there. If it raises an ``AirgapError``, what it wrote is undone
            and only this operation fails.
        renames: ``index.json`` is to be written before the operation is done.
        future: what ``act`` returned.
    """

    change: Change
    files: Sequence[SmallFile | StagedFile] = ()
    act: Callable[[Connection, frozenset[Digest]], Result] = _nothing  # type: ignore[assignment]
    renames: bool = False
    future: Future[Result] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Those who wait for a batch: an error of the batch, whatever it is, is raised at each."""

    batch: Sequence[Operation[Any]]

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        if error is None:
            return False
        for operation in self.batch:
            operation.future.set_exception(error)
        return True


class Committer:
    """The one thread of a store that publishes."""

    def __init__(self, found: OpenStore, session: Session, *, sync: bool) -> None:
        self._places = found.places
        self._database = found.database
        self._locks = found.locks
        self._session = session
        self._sync = sync
        self._queue: queue.SimpleQueue[Operation[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-committer", daemon=True)
        self._closed = False
        self._thread.start()

    def submit(self, operation: Operation[Result]) -> Future[Result]:
        """Queue an operation; its future is done when everything of it is on disk.

        Raises:
            StoreUnusable: the store has been closed.
        """
        if self._closed:
            raise StoreUnusable(str(self._places.root), "the store has been closed")
        self._queue.put(operation)
        return operation.future

    def close(self) -> None:
        """Finish what is queued, and end; blocks until then."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_for_more = True
        while open_for_more:
            batch: list[Operation[Any]] = []
            item = self._queue.get()
            while item is not None:
                if item.future.set_running_or_notify_cancel():
                    batch.append(item)
                if len(batch) == MAX_BATCH or self._queue.empty():
                    break
                item = self._queue.get()
            open_for_more = item is not None
            if batch:
                self._publish_or_fail(batch)

    def _publish_or_fail(self, batch: Sequence[Operation[Any]]) -> None:
        with _Waiting(batch):
            outcomes = self._publish(batch)
            for operation, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, AirgapError):
                    operation.future.set_exception(outcome)
                else:
                    operation.future.set_result(outcome)

    def _publish(self, batch: Sequence[Operation[Any]]) -> list[Any]:
        # Held shared by every publisher, so that collection never takes content out between its
        # arrival on disk and the catalog's knowing of it.
        with shared(self._locks, SWEEP) as sweep:
            under = (sweep, *self._session.locks)
            self._place_files(batch)
            if not any(operation.renames for operation in batch):
                with self._database.writing(*under) as connection:
                    return self._write_catalog(connection, batch)
            with index_update(self._places, self._database, self._locks, sync=self._sync) as index:
                with self._database.writing(*under) as connection:
                    outcomes = self._write_catalog(connection, batch)
                    index.stage(connection)
                return outcomes

    def _place_files(self, batch: Sequence[Operation[Any]]) -> None:
        files = {file.digest: file for operation in batch for file in operation.files}
        small = [file for file in files.values() if isinstance(file, SmallFile)]
        with self._written(small) as written:
            staged = [f for f in files.values() if isinstance(f, StagedFile)]
            folders = set[Path]()
            for digest, path in [*written, *((f.digest, f.path) for f in staged)]:
                final = self._places.blob(digest)
                with explained(final):
                    path.replace(final)
                folders.add(final.parent)
        for folder in sorted(folders) if self._sync else ():
            with explained(folder):
                sync_folder(folder)

    @contextmanager
    def _written(self, files: Sequence[SmallFile]) -> Iterator[list[tuple[Digest, Path]]]:
        """Write small files under temporary names, which are gone afterwards in any case."""
        written: list[tuple[Digest, Path]] = []
        descriptors: list[int] = []
        try:
            for file in files:
                path = self._places.temporary()
                with explained(path):
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                    descriptor = os.open(path, flags, 0o666)
                    descriptors.append(descriptor)
                    written.append((file.digest, path))
                    write_all(descriptor, file.content)
                    if self._sync:
                        # Begin to write back now, so that one journal commit serves them all.
                        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            for descriptor, (_, path) in zip(descriptors, written, strict=True):
                if self._sync:
                    with explained(path):
                        os.fsync(descriptor)
            yield written
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
            for _, path in written:
                path.unlink(missing_ok=True)

    def _write_catalog(self, connection: Connection, batch: Sequence[Operation[Any]]) -> list[Any]:
        changes = [operation.change for operation in batch]
        there = apply_changes(connection, changes, time.time())
        outcomes: list[Any] = []
        for operation in batch:
            try:
                outcomes.append(self._act(connection, operation, there))
            except AirgapError as error:
                outcomes.append(error)
        return outcomes

    @staticmethod
    def _act(
        connection: Connection, operation: Operation[Result], there: frozenset[Digest]
    ) -> Result:
        if operation.act is _nothing:
            return operation.act(connection, there)
        with connection.begin_nested():
            return operation.act(connection, there)
