"""Uploads of registry clients: they survive the connection, and the process."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from airgap.errors import ContentMismatch, InvalidReference, NotFound, Refused, Unsupported
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.reference import Repository
from airgap.store.committer import StagedFile
from airgap.store.durable import replace_file
from airgap.store.hashed_file import HashedFile
from airgap.store.locks import Locks
from airgap.store.opening import OpenStore
from airgap.store.os_errors import explained
from airgap.store.places import Places
from airgap.store.pump import Pump
from airgap.store.threads import Threads

if TYPE_CHECKING:
    from airgap.oci.digest import Hasher

BLOB = "application/octet-stream"
_ALGORITHMS = frozenset({"sha256", "sha512"})
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_REMEMBERED = 256
_MAX_NOTE = 4096

Publish: TypeAlias = Callable[[Repository, StagedFile, int], Awaitable[None]]
"""Makes a verified file of so many bytes a blob of a repository."""


class StoreUpload:
    """A blob on its way in; see ``airgap.content.hosting.Upload``."""

    def __init__(
        self, uploads: Uploads, upload_id: str, repository: Repository, file: HashedFile
    ) -> None:
        self._uploads = uploads
        self._id = upload_id
        self._repository = repository
        self._file = file
        self._pump = Pump(uploads.threads, file)
        self._size = file.length
        self._open = True

    @property
    def id(self) -> str:
        """An opaque name of URL-safe characters."""
        return self._id

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._size

    async def write(self, data: bytes) -> None:
        """Append bytes; a thread hashes and writes them in batches of half a MiB."""
        await self._pump.feed(data)
        self._size += len(data)

    async def commit(self, digest: Digest) -> Descriptor:
        """Verify and publish the blob in its repository; the upload is over.

        Raises:
            ContentMismatch: the bytes have another digest; they are thrown away.
        """
        threads, file = self._uploads.threads, self._file
        try:
            await self._pump.flush()
            if file.digest.algorithm != digest.algorithm:
                await threads.on_files(file.rehash, digest.hasher())
            if file.digest != digest:
                raise ContentMismatch(
                    digest,
                    f"the {file.length} bytes that came hash to {file.digest}",
                    "they were thrown away; upload the blob again",
                )
            await threads.on_files(file.sync)
            staged = StagedFile(digest, file.path)
            await self._uploads.publish(self._repository, staged, file.length)
        finally:
            await self.discard()
        return Descriptor(BLOB, digest, file.length)

    async def close(self) -> None:
        """Let go of the upload in this process; it can be found again and goes on."""
        if not self._open:
            return
        self._open = False
        try:
            await self._pump.flush()
        finally:
            await self._pump.stop()
            await self._uploads.threads.on_files(self._uploads.put_away, self._id, self._file)

    async def discard(self) -> None:
        """Throw the bytes away; the upload is over."""
        if not self._open:
            return
        self._open = False
        await self._pump.stop()
        await self._uploads.threads.on_files(self._uploads.forget, self._id, self._file)


class Uploads:
    """All uploads of one store. Methods that are not coroutines block."""

    def __init__(self, found: OpenStore, threads: Threads, publish: Publish, *, sync: bool) -> None:
        self.threads = threads
        self.publish = publish
        self._places = found.places
        self._locks = found.locks
        self._sync = sync
        # Hashers of uploads that were let go of: a few hundred bytes each, and the oldest of too
        # many is forgotten, which costs reading its file again.
        self._hashers: OrderedDict[str, tuple[Hasher, int]] = OrderedDict()

    async def begin(self, repository: Repository, algorithm: str) -> StoreUpload:
        """Begin an upload.

        Raises:
            Unsupported: no digest of this algorithm can be verified here.
        """
        if algorithm not in _ALGORITHMS:
            raise Unsupported(algorithm, "is no digest algorithm known here", "use sha256")
        upload_id = uuid.uuid4().hex
        return await self.threads.on_files(self._begin, upload_id, repository, algorithm)

    async def find(self, repository: Repository, upload_id: str) -> StoreUpload | None:
        """Return an upload of this repository that is not over.

        Raises:
            Refused: somebody is writing to it at this moment.
        """
        if not _ID.fullmatch(upload_id):
            return None
        return await self.threads.on_files(self._find, repository, upload_id)

    async def expire(self, older_than: float) -> int:
        """Throw away uploads untouched for ``older_than`` seconds; return how many."""
        return await self.threads.on_files(expire_uploads, self._places, self._locks, older_than)

    def _begin(self, upload_id: str, repository: Repository, algorithm: str) -> StoreUpload:
        note = {"domain": repository.domain, "path": repository.path, "algorithm": algorithm}
        replace_file(
            self._note(upload_id),
            json.dumps(note).encode(),
            temporary=self._places.temporary(),
            sync=False,
        )
        file = self._open(upload_id, algorithm, os.O_CREAT | os.O_EXCL)
        return StoreUpload(self, upload_id, repository, file)

    def _find(self, repository: Repository, upload_id: str) -> StoreUpload | None:
        try:
            raw = self._note(upload_id).read_bytes()
            note = JsonObject.parse(raw, f"upload {upload_id}", limit=_MAX_NOTE)
            home = Repository(note.text("domain"), note.text("path"))
            if home != repository:
                return None
            file = self._open(upload_id, note.text("algorithm"), 0)
        except (FileNotFoundError, NotFound, ContentMismatch, InvalidReference):
            return None
        return StoreUpload(self, upload_id, repository, file)

    def _open(self, upload_id: str, algorithm: str, flags: int) -> HashedFile:
        path = self._places.uploads / upload_id
        with explained(path):
            descriptor, lock = self._locks.open_file(path, os.O_RDWR | flags)
        hasher = Digest.of(b"", algorithm).hasher()
        file = HashedFile(path, descriptor, hasher, sync=self._sync, lock=lock)
        if lock is None:
            file.close()
            raise Refused(
                f"upload {upload_id}",
                "another request is writing to it",
                "send its pieces one after another",
            )
        remembered = self._hashers.pop(upload_id, None)
        if remembered is not None and os.fstat(descriptor).st_size == remembered[1]:
            file.adopt(*remembered)
        elif not flags:
            file.rehash(hasher)
        return file

    def put_away(self, upload_id: str, file: HashedFile) -> None:
        """Close an upload's file, and remember its hash."""
        self._hashers[upload_id] = (file.hasher, file.length)
        while len(self._hashers) > _REMEMBERED:
            self._hashers.popitem(last=False)
        file.close()

    def forget(self, upload_id: str, file: HashedFile) -> None:
        """Remove an upload's files."""
        try:
            file.discard()
            self._note(upload_id).unlink(missing_ok=True)
        finally:
            file.close()

    def _note(self, upload_id: str) -> Path:
        return self._places.uploads / f"{upload_id}.json"


def expire_uploads(places: Places, locks: Locks, older_than: float) -> int:
    """Remove uploads that nobody has open or has touched for ``older_than`` seconds.

    Returns:
        How many they were.
    """
    deadline = time.time() - older_than
    expired = 0
    with explained(places.uploads):
        for note in sorted(places.uploads.glob("*.json")):
            data = note.with_suffix("")
            try:
                descriptor, lock = locks.open_file(data, os.O_RDWR)
            except FileNotFoundError:
                # An upload that was killed while it began or ended, or one that ends right now.
                with suppress(FileNotFoundError):
                    if note.stat().st_mtime <= deadline:
                        note.unlink()
                continue
            try:
                if os.fstat(descriptor).st_mtime <= deadline and lock is not None:
                    data.unlink(missing_ok=True)
                    note.unlink(missing_ok=True)
                    expired += 1
            finally:
                os.close(descriptor)
                if lock is not None:
                    lock.release()
    return expired
