"""Uploads in progress: one request at a time for each, and none that stalls for ever."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from airgap.content.hosting import Hosting, Upload
from airgap.oci.reference import Repository
from airgap.server.answers import ApiError, Code
from airgap.server.ranges import received_range
from airgap.server.reading import BodyReader

_UPLOAD_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,255}", re.ASCII)


@dataclass(slots=True)
class _Lease:
    """An upload in the hands of one request."""

    upload: Upload | None = None
    body: BodyReader | None = None
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


class UploadDesk:
    """Hands each upload to one request at a time.

    A client that lost its connection comes back before the server has noticed; the newer request is
    then the real one, and the older stops reading.
    """

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self._leases: dict[tuple[Repository, str], _Lease] = {}

    async def begin(self, repository: Repository, algorithm: str) -> Upload:
        """Begin an upload; whoever begins it closes it."""
        return await self._hosting.begin_upload(repository, algorithm)

    async def size(self, repository: Repository, upload_id: str) -> int:
        """Return how many bytes an upload has taken.

        Raises:
            ApiError: there is no such upload (404).
        """
        while (lease := self._leases.get((repository, upload_id))) is not None:
            if lease.upload is not None:
                return lease.upload.size
            await lease.opened.wait()
        async with self.take(repository, upload_id) as upload:
            return upload.size

    @asynccontextmanager
    async def take(
        self, repository: Repository, upload_id: str, body: BodyReader | None = None
    ) -> AsyncIterator[Upload]:
        """Have an upload to oneself; it is closed at the end and can be taken again.

        Args:
            repository: where it was begun.
            upload_id: its name.
            body: what the request goes on reading from, so that a newer request can stop it.

        Raises:
            ApiError: there is no such upload (404).
        """
        key = (repository, upload_id)
        while (older := self._leases.get(key)) is not None:
            if older.body is not None:
                older.body.interrupt()
            await older.released.wait()
        lease = self._leases[key] = _Lease(body=body)
        try:
            upload = lease.upload = await self._find(repository, upload_id)
            lease.opened.set()
            try:
                yield upload
            finally:
                await upload.close()
        finally:
            del self._leases[key]
            lease.opened.set()
            lease.released.set()

    async def _find(self, repository: Repository, upload_id: str) -> Upload:
        upload = None
        if _UPLOAD_ID.fullmatch(upload_id):
            upload = await self._hosting.find_upload(repository, upload_id)
        if upload is None:
            raise ApiError(
                HTTPStatus.NOT_FOUND, Code.BLOB_UPLOAD_UNKNOWN, "no such upload, or it is over"
            )
        return upload


def out_of_order(location: str, upload: Upload) -> ApiError:
    """Return the answer to a chunk that does not continue an upload; the upload goes on."""
    return ApiError(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        Code.BLOB_UPLOAD_INVALID,
        f"the next byte is {upload.size}",
        headers=upload_headers(location, upload.id, upload.size),
    )


def upload_headers(location: str, upload_id: str, size: int) -> dict[str, str]:
    """Return the headers that tell a client how to go on with an upload."""
    return {
        "Location": location,
        "Range": received_range(size),
        "Docker-Upload-UUID": upload_id,
    }
