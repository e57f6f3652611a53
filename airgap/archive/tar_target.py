"""Writing an archive: the tar that ``docker save`` writes since Docker 25, or an OCI archive.

Members: ``oci-layout``, ``index.json``, the manifests, ``manifest.json`` (docker format), then
configs and layers. Everything that says what is inside stands before the first layer. The same plan
over the same content gives the same bytes.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

from airgap.archive import docker_manifest, layout
from airgap.archive.docker_manifest import LoadableImage, write_docker_manifest
from airgap.archive.names import annotations_for
from airgap.archive.receive import receive_blob
from airgap.archive.sinks import ArchiveSink, Packing, file_sink
from airgap.content.plan import CopyPlan
from airgap.content.ports import OnBytes, OpenBlob, TagMove
from airgap.errors import ContentMismatch, UsageError
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest, Role
from airgap.oci.platform import Platform
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository

_MODE = 0o644
_END = bytes(2 * tarfile.BLOCKSIZE)


class ArchiveFormat(StrEnum):
    """Which loaders an archive is for; both hold every manifest byte for byte.

    ``DOCKER`` is an OCI layout with a ``manifest.json`` beside it: every loader takes it. ``OCI``
    leaves that out, and so holds nothing but what the OCI image-spec says.
    """

    DOCKER = "docker"
    OCI = "oci"


DEFAULT_PLATFORM = Platform("linux", "amd64")


class TarTarget:
    """An archive that is being written, front to back, in the order of its plan."""

    def __init__(
        self,
        sink: ArchiveSink,
        archive_format: ArchiveFormat = ArchiveFormat.DOCKER,
        *,
        platform: Platform = DEFAULT_PLATFORM,
        label: str | None = None,
    ) -> None:
        """Write to a sink.

        Args:
            sink: where the bytes go; it is committed when the names move.
            archive_format: whether there is a ``manifest.json``.
            platform: which entry of an index stands in ``manifest.json``, which knows no indexes;
                where that platform is not inside, the first that is.
            label: what ``oci-archive:FILE:LABEL`` finds the only image by, instead of its name.
        """
        self._sink = sink
        self._format = archive_format
        self._platform = platform
        self._label = label
        self._plan: CopyPlan | None = None
        self._manifests: dict[Digest, Manifest] = {}
        self._waiting = 0
        self._written: set[Digest] = set()

    async def prepare(self, plan: CopyPlan) -> None:
        """Take the whole plan and write what stands before all content."""
        self._plan = plan
        self._waiting = sum(item.role is Role.MANIFEST for item in plan.items)
        await self._write_member(layout.MARKER, layout.MARKER_CONTENT)
        entries = (
            layout.index_entry(move.descriptor, annotations_for(move.reference, self._label))
            for move in plan.roots
        )
        await self._write_member(layout.INDEX, layout.index_bytes(entries))

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return None: an archive begins empty."""
        return None

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Return False: an archive begins empty."""
        return False

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return what has not been written yet."""
        return frozenset(blob.digest for blob in blobs) - self._written

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Write one blob; where it is not what it should be, the archive is never finished."""
        if descriptor.digest in self._written:
            return
        name = layout.blob_name(descriptor.digest)
        await self._sink.write(_header(name, descriptor.size))
        await receive_blob(descriptor, open_at, self._sink.write, on_bytes)
        await self._sink.write(_padding(descriptor.size))
        self._written.add(descriptor.digest)

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Write one manifest; after the plan's last one comes ``manifest.json``."""
        digest = manifest.descriptor.digest
        if digest in self._written:
            return
        await self._write_member(layout.blob_name(digest), manifest.raw)
        self._written.add(digest)
        self._manifests[digest] = manifest
        self._waiting -= 1
        if not self._waiting:
            if self._format is ArchiveFormat.DOCKER:
                content = write_docker_manifest(self._loadable())
                await self._write_member(docker_manifest.FILE_NAME, content)
            self._manifests.clear()

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Finish the archive; its names stand in it since the beginning.

        Raises:
            ContentMismatch: something of the plan has not come.
        """
        lacking = set(self._prepared().digests()) - self._written
        if lacking:
            raise ContentMismatch(min(lacking), "is planned for the archive but did not come")
        await self._sink.write(_END)
        await self._sink.commit()

    def _prepared(self) -> CopyPlan:
        if self._plan is None:
            raise UsageError("archive", "is written from a plan, and has been given none")
        return self._plan

    def _loadable(self) -> list[LoadableImage]:
        """Return the images for ``manifest.json``: each once, with all its names."""
        plan = self._prepared()
        inside = set(plan.digests())
        images: dict[Digest, LoadableImage] = {}
        for move in plan.roots:
            manifest = self._runnable(move.descriptor.digest, inside)
            if manifest is None or manifest.config is None:
                continue
            digest = manifest.descriptor.digest
            names = images[digest].names if digest in images else ()
            if move.reference.tag is not None and move.reference not in names:
                names = (*names, move.reference)
            images[digest] = LoadableImage(manifest.config, manifest.layers, names)
        return list(images.values())

    def _runnable(self, digest: Digest, inside: set[Digest]) -> Manifest | None:
        """Return the image of one platform that stands for a manifest, all of it inside."""
        manifest = self._manifests.get(digest)
        if manifest is None or not manifest.is_index:
            whole = manifest is not None and all(
                child.descriptor.digest in inside for child in manifest.children()
            )
            return manifest if manifest is not None and manifest.is_image and whole else None
        preferred = sorted(
            manifest.manifests,
            key=lambda entry: entry.platform is None or not entry.platform.matches(self._platform),
        )
        candidates = (self._runnable(entry.digest, inside) for entry in preferred)
        return next((found for found in candidates if found is not None), None)

    async def _write_member(self, name: str, content: bytes) -> None:
        await self._sink.write(_header(name, len(content)) + content + _padding(len(content)))


@asynccontextmanager
async def archive_file(
    path: Path,
    archive_format: ArchiveFormat = ArchiveFormat.DOCKER,
    *,
    packing: Packing = Packing.NONE,
    platform: Platform = DEFAULT_PLATFORM,
    label: str | None = None,
) -> AsyncIterator[TarTarget]:
    """Write an archive to a file, which is there only when the archive is whole.

    Args:
        path: an existing file is replaced at the end.
        archive_format: docker or oci.
        packing: what is wrapped around it.
        platform: see :class:`TarTarget`.
        label: see :class:`TarTarget`.

    Raises:
        NotPermitted: the folder is not there or may not be written to.
    """
    with file_sink(path, packing) as sink:
        yield TarTarget(sink, archive_format, platform=platform, label=label)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, _MODE
    # The newest format that Go's and Python's readers both take; it bounds no size.
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
