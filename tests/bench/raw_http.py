"""HTTP/1.1 by hand, for measuring servers: it costs next to nothing and keeps its connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

_READ = 1024 * 1024


class Connection:
    """One connection to a server on loopback, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Self]:
        """Connect until the block ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_READ)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def get(self, path: str, headers: str = "") -> None:
        """Get something and drop its bytes."""
        await self._ask("GET", path, headers)

    async def begin_upload(self, repository: str) -> str:
        """Begin an upload; return where it goes on."""
        path = f"/v2/{repository}/blobs/uploads/"
        return _path(await self._ask("POST", path, "Content-Length: 0\r\n"))

    async def patch(self, location: str, piece: bytes, count: int) -> str:
        """Send a chunk, which is a piece several times over; return where it goes on."""
        return _path(await self._send("PATCH", location, piece, count))

    async def put(self, location: str, digest: str, piece: bytes, count: int) -> None:
        """Send the rest of an upload, and finish it."""
        sign = "&" if "?" in location else "?"
        await self._send("PUT", f"{location}{sign}digest={digest}", piece, count)

    async def put_manifest(self, repository: str, name: str, raw: bytes, media_type: str) -> None:
        """Push a manifest."""
        path = f"/v2/{repository}/manifests/{name}"
        await self._send("PUT", path, raw, 1, media_type)

    async def _send(
        self, method: str, path: str, piece: bytes, count: int, media_type: str | None = None
    ) -> dict[str, str]:
        kind = media_type or "application/octet-stream"
        headers = f"Content-Length: {len(piece) * count}\r\nContent-Type: {kind}\r\n"
        return await self._ask(method, path, headers, piece, count)

    async def _ask(
        self, method: str, path: str, headers: str, piece: bytes = b"", count: int = 0
    ) -> dict[str, str]:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        self._writer.write(head.encode("ascii"))
        for _ in range(count):
            self._writer.write(piece)
            await self._writer.drain()
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = answer.strip().split("\r\n")
        fields = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        left = int(fields.get("content-length", "0"))
        body = b""
        while left:
            body = await self._reader.read(min(left, _READ))
            assert body, "the server hung up"
            left -= len(body)
        assert first.split()[1][0] == "2", (first, body[:500])
        return fields


def _path(fields: dict[str, str]) -> str:
    location = fields["location"]
    return "/" + location.split("/", 3)[3] if "://" in location else location
