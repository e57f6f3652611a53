"""A place that hosts images and does not say that its blobs are files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from airgap.content.hosting import Hosting
from airgap.content.ports import BlobReader, FileRegion
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Repository


@dataclass
class FrontToBack:
    """A blob that can be read from its start only, in small pieces."""

    content: BlobReader
    offset: int = 0
    region: FileRegion | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes."""
        async for piece in self.content:
            for start in range(0, len(piece), 1000):
                yield piece[start : start + 1000]


class _WithoutFiles:
    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hosting, name)

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        del offset
        async with self._hosting.open_blob(repository, descriptor) as reader:
            yield FrontToBack(reader)


def without_files(hosting: Hosting) -> Hosting:
    """Return another host as one whose blobs are read from front to back, whatever is asked."""
    return cast("Hosting", _WithoutFiles(hosting))
