"""A small place that hosts images: facts in memory, bytes in a folder."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from airgap.content.ports import BlobReader, FileRegion, OnBytes, OpenBlob, TagMove
from airgap.errors import ContentMismatch, NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository


@dataclass
class FileReader:
    """A blob that is a file."""

    region: FileRegion
    offset: int

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in one piece."""
        yield self.region.path.read_bytes()[self.offset :]


@dataclass
class StreamReader:
    """A blob that comes as a stream and cannot be started in the middle."""

    content: bytes
    offset: int = 0
    region: FileRegion | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in small pieces."""
        for start in range(0, len(self.content), 1000):
            yield self.content[start : start + 1000]


@dataclass
class RepositoryContent:
    """What belongs to one repository."""

    blobs: set[Digest] = field(default_factory=set)
    manifests: dict[Digest, Manifest] = field(default_factory=dict)
    tags: dict[str, Digest] = field(default_factory=dict)


class MemoryUpload:
    """An upload; its bytes stand in memory."""

    def __init__(self, host: MemoryHosting, repository: Repository) -> None:
        self.id = uuid.uuid4().hex
        self.repository = repository
        self.content = bytearray()
        self.touched = time.monotonic()
        self._host = host

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return len(self.content)

    async def write(self, data: bytes) -> None:
        """Append bytes."""
        self.content += data
        self.touched = time.monotonic()

    async def commit(self, digest: Digest) -> Descriptor:
        """Publish the blob where its digest is right."""
        self._host.uploads.pop(self.id)
        if Digest.of(self.content, digest.algorithm) != digest:
            raise ContentMismatch(str(digest), "the bytes hash to another digest")
        self._host.keep(self.repository, digest, bytes(self.content))
        return Descriptor("application/octet-stream", digest, self.size)

    async def close(self) -> None:
        """Let go of the upload; it stays findable."""

    async def discard(self) -> None:
        """Forget the upload."""
        self._host.uploads.pop(self.id, None)


class MemoryHosting:
    """Repositories in memory; with ``stream`` set, blobs are not offered as files."""

    def __init__(self, folder: Path, *, stream: bool = False) -> None:
        self.content: defaultdict[Repository, RepositoryContent] = defaultdict(RepositoryContent)
        self.uploads: dict[str, MemoryUpload] = {}
        self._folder = folder
        self._stream = stream

    def keep(self, repository: Repository, digest: Digest, content: bytes) -> None:
        """Put a blob into a repository."""
        self._path(digest).write_bytes(content)
        self.content[repository].blobs.add(digest)

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a tag or digest stands for."""
        found = await self.find(reference)
        if found is None:
            raise NotFound(str(reference), "no such image here")
        return found

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return what a tag or digest stands for, or None."""
        content = self._content(reference.repository)
        digest = reference.digest or content.tags.get(reference.tag or "")
        manifest = content.manifests.get(digest) if digest else None
        return manifest.descriptor if manifest else None

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        return self._content(repository).manifests[descriptor.digest].raw

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob of the repository."""
        if descriptor.digest not in self._content(repository).blobs:
            raise NotFound(f"{repository}@{descriptor.digest}", "no such blob here")
        path = self._path(descriptor.digest)
        if self._stream:
            yield StreamReader(path.read_bytes())
        else:
            yield FileReader(FileRegion(path, offset, path.stat().st_size - offset), offset)

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Never be sure."""
        del repository, descriptor, platforms
        return False

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return the blobs that are not in the repository."""
        return frozenset({blob.digest for blob in blobs} - self._content(repository).blobs)

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Take in a blob, verified."""
        async with open_at(0) as reader:
            content = b"".join([piece async for piece in reader])
        if Digest.of(content, descriptor.digest.algorithm) != descriptor.digest:
            raise ContentMismatch(str(descriptor.digest), "the bytes hash to another digest")
        on_bytes(len(content))
        self.keep(repository, descriptor.digest, content)

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Take in a manifest."""
        self.content[repository].manifests[manifest.descriptor.digest] = manifest

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Let tags stand for manifests."""
        for move in moves:
            if move.reference.tag is not None:
                tags = self.content[move.reference.repository].tags
                tags[move.reference.tag] = move.descriptor.digest

    async def tags(self, repository: Repository) -> AsyncIterator[str]:
        """Yield the tags of a repository, newest first."""
        if repository not in self.content:
            raise NotFound(str(repository), "no such repository here")
        for tag in reversed(self.content[repository].tags):
            yield tag

    async def repositories(self) -> AsyncIterator[Repository]:
        """Yield the repositories."""
        for repository in list(self.content):
            yield repository

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return what refers to a manifest."""
        return [
            replace(
                manifest.descriptor,
                artifact_type=manifest.artifact_type,
                annotations=manifest.annotations or {},
            )
            for manifest in self._content(repository).manifests.values()
            if manifest.subject is not None and manifest.subject.digest == digest
        ]

    async def blob_size(self, repository: Repository, digest: Digest) -> int | None:
        """Return the size of a blob of the repository."""
        if digest not in self._content(repository).blobs:
            return None
        return self._path(digest).stat().st_size

    async def mount_blob(
        self, repository: Repository, digest: Digest, origin: Repository | None
    ) -> bool:
        """Let a blob belong to one more repository."""
        origins = list(self.content) if origin is None else [origin]
        if not any(digest in self._content(item).blobs for item in origins):
            return False
        self.content[repository].blobs.add(digest)
        return True

    async def begin_upload(self, repository: Repository, algorithm: str = "sha256") -> MemoryUpload:
        """Begin an upload."""
        del algorithm
        upload = MemoryUpload(self, repository)
        self.uploads[upload.id] = upload
        return upload

    async def find_upload(self, repository: Repository, upload_id: str) -> MemoryUpload | None:
        """Return an upload that goes on."""
        upload = self.uploads.get(upload_id)
        return upload if upload is not None and upload.repository == repository else None

    async def discard_idle_uploads(self, idle_for: float) -> int:
        """Discard uploads untouched for so many seconds."""
        limit = time.monotonic() - idle_for
        idle = [upload for upload in self.uploads.values() if upload.touched <= limit]
        for upload in idle:
            await upload.discard()
        return len(idle)

    async def remove_blob(self, repository: Repository, digest: Digest) -> bool:
        """Take a blob out of the repository."""
        there = digest in self._content(repository).blobs
        self._content(repository).blobs.discard(digest)
        return there

    async def remove_manifest(self, repository: Repository, digest: Digest) -> bool:
        """Take a manifest and its tags out of the repository."""
        content = self._content(repository)
        content.tags = {tag: held for tag, held in content.tags.items() if held != digest}
        return content.manifests.pop(digest, None) is not None

    async def remove_tag(self, reference: Reference) -> bool:
        """Remove one tag."""
        tags = self._content(reference.repository).tags
        return tags.pop(reference.tag or "", None) is not None

    def _content(self, repository: Repository) -> RepositoryContent:
        return self.content.get(repository) or RepositoryContent()

    def _path(self, digest: Digest) -> Path:
        return self._folder / digest.replace(":", "-")
