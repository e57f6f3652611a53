"""The distribution API as a client sees it, one small step at a time, nothing hidden."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from airgap.oci.digest import Digest
from tests.support.images import BuiltImage


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    document: Any = None

    @property
    def codes(self) -> list[str]:
        """The error codes of a refusal."""
        return [error["code"] for error in self.document["errors"]]


@dataclass(frozen=True)
class Api:
    """A client that sends what it is told and keeps nothing."""

    session: aiohttp.ClientSession
    base: str
    headers: Mapping[str, str] = field(default_factory=dict)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | list[tuple[str, str]] | None = None,
        **headers: str,
    ) -> Answer:
        """Send one request; underscores in header names stand for hyphens."""
        if query:
            path += ("&" if "?" in path else "?") + urlencode(query, safe=":/")
        sent = dict(self.headers) | {k.replace("_", "-"): v for k, v in headers.items()}
        async with self.session.request(
            method,
            URL(self.base + path, encoded=True),
            data=io.BytesIO(body) if isinstance(body, bytes) else body,
            headers=sent,
            allow_redirects=False,
            skip_auto_headers=["Content-Type"],
        ) as response:
            content = await response.read()
            document = None
            if content and "json" in response.headers.get("Content-Type", ""):
                document = await response.json(content_type=None)
            return Answer(response.status, response.headers, content, document)

    async def post(self, repository: str, **query: str) -> Answer:
        """Begin an upload."""
        return await self.request("POST", f"/v2/{repository}/blobs/uploads/", query=query)

    async def push_blob(self, repository: str, content: bytes, algorithm: str = "sha256") -> Digest:
        """Push a blob with POST and PUT."""
        digest = Digest.of(content, algorithm)
        begun = await self.post(repository)
        assert begun.status == 202
        query = {"digest": digest}
        done = await self.request("PUT", begun.headers["Location"], body=content, query=query)
        assert done.status == 201, done.body
        return digest

    async def push_image(self, repository: str, image: BuiltImage, tag: str) -> None:
        """Push an image with everything below it, the root by tag and the rest by digest."""
        for content in image.blobs.values():
            await self.push_blob(repository, content)
        for manifest in image.manifests:
            name = tag if manifest is image.root else str(manifest.descriptor.digest)
            answer = await self.request(
                "PUT",
                f"/v2/{repository}/manifests/{name}",
                body=manifest.raw,
                Content_Type=manifest.descriptor.media_type,
            )
            assert answer.status == 201, answer.body
