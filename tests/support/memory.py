"""A source made of images in memory: the small, honest other side of many tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from airgap.content.ports import BlobReader, FileRegion
from airgap.errors import NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository
from tests.support.images import BuiltImage


@dataclass
class BytesReader:
    """A blob that is in memory."""

    content: bytes
    offset: int = 0
    region: FileRegion | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in small pieces."""
        for start in range(self.offset, len(self.content), 1000):
            yield self.content[start : start + 1000]


class MemorySource:
    """Images by reference, as text; a digest that ``lies`` names gets other bytes than its own."""

    def __init__(
        self, images: Mapping[str, BuiltImage], *, lies: Mapping[Digest, bytes] | None = None
    ) -> None:
        self.roots = {Reference.parse(name).tagged(): built for name, built in images.items()}
        self.blobs: dict[Digest, bytes] = {}
        for built in images.values():
            self.blobs.update(built.blobs)
            self.blobs.update({m.descriptor.digest: m.raw for m in built.manifests})
        self.descriptors = {
            m.descriptor.digest: m.descriptor for b in images.values() for m in b.manifests
        }
        self.blobs.update(lies or {})
        self.opened: list[Digest] = []

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return the root of an image by tag or digest."""
        if reference.digest is not None:
            found = self.descriptors.get(reference.digest)
        else:
            built = self.roots.get(reference)
            found = built.root.descriptor if built else None
        if found is None:
            raise NotFound(str(reference), "no such image here")
        return found

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        return self._content(repository, descriptor)

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob; each opening is written down in ``opened``."""
        content = self._content(repository, descriptor)
        self.opened.append(descriptor.digest)
        yield BytesReader(content, offset)

    def _content(self, repository: Repository, descriptor: Descriptor) -> bytes:
        content = self.blobs.get(descriptor.digest)
        if content is None:
            raise NotFound(f"{repository}@{descriptor.digest}", "no such content here")
        return content
