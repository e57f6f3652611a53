"""Opening what holds images: a docker or OCI archive, an OCI layout, skopeo's ``dir``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from airgap.archive import docker_manifest, layout
from airgap.archive.docker_images import DockerImages
from airgap.archive.members import FolderMembers, Members, read_member
from airgap.archive.names import ArchiveImage
from airgap.archive.source import ArchiveSource
from airgap.archive.spool import tar_members
from airgap.errors import ArchiveDamaged, Unsupported
from airgap.image.threads import StopSign, in_thread
from airgap.oci.digest import Digest
from airgap.oci.manifest import MAX_MANIFEST_SIZE, parse_manifest


@asynccontextmanager
async def open_archive(origin: Path | BinaryIO, *, scratch: Path) -> AsyncIterator[ArchiveSource]:
    """Open an archive of any kind: docker (old, new), OCI, packed or not.

    Args:
        origin: a file, or an open stream such as standard input.
        scratch: an existing folder for what has to be unpacked; it is empty again afterwards.

    Raises:
        ArchiveDamaged: it is none, is truncated, hostile, or misses content that it names.
        ContentMismatch: a layer is not the one that its image's config names.
        NoSpace: it has to be unpacked, and the scratch folder has no room for that.
        Unsupported: an archive of before Docker 1.10, which has no image ids.
    """
    async with tar_members(origin, scratch=scratch) as members:
        yield await in_thread(lambda sign: _source_of(members, sign))


async def open_layout(folder: Path) -> ArchiveSource:
    """Open an OCI image layout (OCI image-spec, ``image-layout.md``).

    Raises:
        ArchiveDamaged: the folder is no layout, or its ``index.json`` is broken.
        NotFound, NotPermitted: there is no such folder, or it may not be read.
    """

    def open_it(_: StopSign) -> ArchiveSource:
        members = FolderMembers(folder)
        if read_member(members, layout.MARKER, layout.MAX_MARKER_SIZE) is None:
            raise ArchiveDamaged(
                str(folder), "is not an OCI layout", f"it has no file {layout.MARKER}"
            )
        return _source_of(members, StopSign())

    return await in_thread(open_it)


async def open_dir(folder: Path) -> ArchiveSource:
    """Open a folder that ``skopeo copy … dir:FOLDER`` has written; its only image has no name.

    Raises:
        ArchiveDamaged: the folder holds no ``manifest.json``.
        NotFound, NotPermitted: there is no such folder, or it may not be read.
    """

    def open_it() -> ArchiveSource:
        members = FolderMembers(folder)
        raw = read_member(members, layout.DIR_MANIFEST, MAX_MANIFEST_SIZE)
        if raw is None:
            raise ArchiveDamaged(str(folder), f"has no {layout.DIR_MANIFEST}, as dir: folders have")
        root = parse_manifest(raw).descriptor
        names = layout.dir_names(members, root.digest)
        return ArchiveSource(str(folder), (ArchiveImage(root),), names)

    return await asyncio.to_thread(open_it)


def _source_of(members: Members, sign: StopSign) -> ArchiveSource:
    index = read_member(members, layout.INDEX, layout.MAX_INDEX_SIZE)
    docker = read_member(members, docker_manifest.FILE_NAME, docker_manifest.MAX_SIZE)
    if index is None and docker is None:
        raise _not_an_archive(members)
    images = layout.images_of(index, members) if index is not None else ()
    extra = DockerImages(members, images, sign)
    if docker is not None:
        what = f"{members.what}: {docker_manifest.FILE_NAME}"
        for entry in docker_manifest.parse_docker_manifest(docker, what):
            extra.add(entry)

    return ArchiveSource(members.what, _merged(extra.images), extra.find, extra.made)


def _not_an_archive(members: Members) -> ArchiveDamaged | Unsupported:
    if members.find("repositories") is not None:
        return Unsupported(
            members.what,
            "was saved by a Docker older than 1.10, which knew no image ids",
            "load it into any newer Docker and save it again",
        )
    return ArchiveDamaged(
        members.what,
        "holds no images: it has neither index.json nor manifest.json",
        "an exported file system (docker export) is no image; save images with docker save",
    )


def _merged(images: Iterable[ArchiveImage]) -> tuple[ArchiveImage, ...]:
    """Let each image stand once, with all of its names."""
    merged: dict[Digest, ArchiveImage] = {}
    for image in images:
        digest = image.descriptor.digest
        known = merged.get(digest, image)
        merged[digest] = ArchiveImage(
            known.descriptor,
            tuple(dict.fromkeys(known.names + image.names)),
            tuple(dict.fromkeys(known.labels + image.labels)),
        )
    return tuple(merged.values())
