"""Writing folders: OCI layouts (OCI image-spec, ``image-layout.md``), and skopeo's ``dir``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from airgap.archive import layout
from airgap.archive.disk import (
    sync_folder,
    temporary_beside,
    told_as_ours,
    write_all,
    write_whole,
)
from airgap.archive.members import FolderMembers, read_member
from airgap.archive.names import IMAGE_NAME, REF_NAME, annotations_for
from airgap.archive.receive import receive_blob
from airgap.content.ports import OnBytes, OpenBlob, TagMove
from airgap.errors import Refused, UsageError
from airgap.image.threads import open_in_thread
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest
from airgap.oci.platform_filter import Platforms, select_entries
from airgap.oci.reference import Reference, Repository


class _BlobFolder:
    """Content by digest in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _blob_path(self, digest: Digest) -> Path:
        raise NotImplementedError

    def _manifest_path(self, digest: Digest) -> Path:
        return self._blob_path(digest)

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return what the folder lacks; a file of another size counts as lacking."""
        return await asyncio.to_thread(
            lambda: frozenset(blob.digest for blob in blobs if not self._has(blob))
        )

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Write one blob beside its place, verify it, sync it, and move it there."""
        path = self._blob_path(descriptor.digest)
        temporary = temporary_beside(path)
        with told_as_ours(path):
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        try:
            with told_as_ours(path):
                file = await open_in_thread(temporary, "xb")
            with file:

                async def write(piece: bytes) -> None:
                    with told_as_ours(path):
                        await asyncio.to_thread(write_all, file, piece)

                await receive_blob(descriptor, open_at, write, on_bytes)
                with told_as_ours(path):
                    await asyncio.to_thread(os.fsync, file.fileno())
            with told_as_ours(path):
                await asyncio.to_thread(temporary.replace, path)
                await asyncio.to_thread(sync_folder, path.parent)
        finally:
            await asyncio.to_thread(temporary.unlink, missing_ok=True)

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Write one manifest."""
        path = self._manifest_path(manifest.descriptor.digest)
        with told_as_ours(path):
            await asyncio.to_thread(write_whole, path, manifest.raw)

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Tell whether a manifest and all that is wanted below it is in the folder."""
        return await asyncio.to_thread(self._holds, descriptor, platforms)

    def _holds(self, descriptor: Descriptor, platforms: Platforms) -> bool:
        path = self._manifest_path(descriptor.digest)
        if not _is_file(path, descriptor.size) or descriptor.size > MAX_MANIFEST_SIZE:
            return False
        with told_as_ours(path):
            raw = path.read_bytes()
        if Digest.of(raw, descriptor.digest.algorithm) != descriptor.digest:
            return False
        manifest = parse_manifest(raw, descriptor.media_type)
        if manifest.is_index:
            entries = select_entries(manifest, platforms).taken
            return all(self._holds(entry, platforms) for entry in entries)
        return all(
            self._has(child.descriptor) or media_types.is_foreign_layer(child.descriptor.media_type)
            for child in manifest.children()
        )

    def _has(self, blob: Descriptor) -> bool:
        return _is_file(self._blob_path(blob.digest), blob.size)


def _is_file(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False


class LayoutTarget(_BlobFolder):
    """An OCI image layout; what it holds already stays, names that move apart."""

    def __init__(self, folder: Path, *, label: str | None = None) -> None:
        """Write to a folder, which is made where it is missing.

        Args:
            folder: a layout, an empty folder, or none yet.
            label: what ``oci:DIR:LABEL`` finds the only image by, instead of its full name.
        """
        super().__init__(folder)
        self._label = label
        self._turn = asyncio.Lock()

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return what a name stands for in ``index.json``."""
        annotations = annotations_for(reference, self._label)
        for entry in await asyncio.to_thread(self._entries):
            if reference.digest is not None and reference.tag is None:
                if entry.digest == reference.digest:
                    return entry
            elif entry.annotations.get(REF_NAME) == annotations.get(REF_NAME):
                return entry
        return None

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Write ``index.json`` anew, with these names in it.

        Raises:
            UsageError: several images were to have one label.
        """
        if self._label is not None and len({move.descriptor for move in moves}) > 1:
            raise UsageError(
                f"oci:{self._folder}:{self._label}", "is one name, for more than one image"
            )
        async with self._turn:
            with told_as_ours(self._folder):
                await asyncio.to_thread(self._rewrite_index, moves)

    def _rewrite_index(self, moves: Sequence[TagMove]) -> None:
        added = {
            (annotations.get(REF_NAME), annotations.get(IMAGE_NAME), move.descriptor.digest): (
                layout.index_entry(move.descriptor, annotations)
            )
            for move in moves
            for annotations in [annotations_for(move.reference, self._label)]
        }
        names = {key[0] for key in added} - {None}
        unnamed = {key[2] for key in added if key[0] is None}
        kept = [
            layout.index_entry(entry, dict(entry.annotations))
            for entry in self._entries()
            if entry.annotations.get(REF_NAME) not in names
            and not (REF_NAME not in entry.annotations and entry.digest in unnamed)
        ]
        write_whole(self._folder / layout.MARKER, layout.MARKER_CONTENT)
        write_whole(self._folder / layout.INDEX, layout.index_bytes([*kept, *added.values()]))

    def _entries(self) -> list[Descriptor]:
        if not self._folder.is_dir():
            return []
        raw = read_member(FolderMembers(self._folder), layout.INDEX, layout.MAX_INDEX_SIZE)
        if raw is None:
            return []
        what = f"{self._folder}/{layout.INDEX}"
        document = JsonObject.parse(raw, what, limit=layout.MAX_INDEX_SIZE)
        return [Descriptor.from_json(entry) for entry in document.objects("manifests")]

    def _blob_path(self, digest: Digest) -> Path:
        return self._folder / layout.blob_name(digest)


class DirTarget(_BlobFolder):
    """The layout of skopeo's ``dir:``: one image, without a name."""

    def __init__(self, folder: Path) -> None:
        """Write to a folder, which is made where it is missing.

        Raises:
            Refused: the folder holds something else.
        """
        super().__init__(folder)
        with told_as_ours(folder):
            if folder.is_dir() and any(folder.iterdir()):
                version = folder / layout.DIR_VERSION
                if not version.is_file():
                    raise Refused(
                        f"dir:{folder}", "is a folder with other content", "name an empty folder"
                    )

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return the image that is there; a ``dir:`` knows no names."""
        path = self._folder / layout.DIR_MANIFEST
        if not await asyncio.to_thread(path.is_file):
            return None
        with told_as_ours(path):
            raw = await asyncio.to_thread(path.read_bytes)
        return parse_manifest(raw).descriptor

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Let the manifest of the only image be the folder's ``manifest.json``.

        Raises:
            UsageError: there are several images.
        """
        roots = {move.descriptor.digest for move in moves}
        if len(roots) != 1:
            raise UsageError(f"dir:{self._folder}", f"holds one image, not {len(roots)}")
        root = self._manifest_path(roots.pop())
        with told_as_ours(self._folder):
            await asyncio.to_thread(self._publish, root)

    def _publish(self, root: Path) -> None:
        write_whole(self._folder / layout.DIR_VERSION, layout.DIR_VERSION_CONTENT)
        write_whole(self._folder / layout.DIR_MANIFEST, root.read_bytes())
        root.unlink()

    def _blob_path(self, digest: Digest) -> Path:
        return self._folder / digest.hex

    def _manifest_path(self, digest: Digest) -> Path:
        return self._folder / f"{digest.hex}.manifest.json"
