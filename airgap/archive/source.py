"""An archive as a source: images by name, content by digest, every blob a region of a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from airgap.archive.members import read_region
from airgap.archive.names import ArchiveImage
from airgap.content.ports import BlobReader, FileRegion
from airgap.errors import ArchiveDamaged, InvalidReference, NotFound, NotPermitted
from airgap.image.threads import StopSign, in_thread, open_in_thread
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import MAX_MANIFEST_SIZE, Child, Role, parse_manifest
from airgap.oci.reference import Reference, Repository

PIECE = 1024 * 1024
"""Bytes read at once."""

FindRegion = Callable[[Digest], FileRegion | None]
"""Tells where the bytes of a digest stand, by the archive's own naming."""


@dataclass(frozen=True, slots=True)
class RegionReader:
    """An open blob that is a piece of a local file."""

    file: BinaryIO
    region: FileRegion
    offset: int
    what: str

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes, 1 MiB at a time."""
        position, end = self.region.offset, self.region.offset + self.region.length
        while position < end:
            size = min(PIECE, end - position)
            piece = await asyncio.to_thread(os.pread, self.file.fileno(), size, position)
            if not piece:
                raise ArchiveDamaged(self.what, "ends too early", "bring the file again")
            position += len(piece)
            yield piece


class ArchiveSource:
    """The images of one archive or folder.

    Repositories mean nothing in an archive: content is found by digest alone, names as a whole.

    Attributes:
        images: all of them, in the archive's own order.
    """

    def __init__(
        self,
        what: str,
        images: Sequence[ArchiveImage],
        find_region: FindRegion,
        made: Mapping[Digest, bytes] | None = None,
    ) -> None:
        """Offer what an opened archive holds.

        Args:
            what: the archive, for errors.
            images: its images.
            find_region: where content stands.
            made: manifests that the archive does not hold, and that were made for its images.

        Raises:
            ArchiveDamaged: two images have the same name.
        """
        self.images = tuple(images)
        self._what = what
        self._find_region = find_region
        self._made = made or {}
        self._named: dict[Reference, Descriptor] = {}
        self._whole: set[Digest] = set()
        for image in images:
            for name in image.names:
                if self._named.setdefault(name, image.descriptor) != image.descriptor:
                    raise ArchiveDamaged(what, f"gives the name {name.familiar} to two images")

    def select(self, label: str | None) -> ArchiveImage:
        """Return the image that a person names as skopeo has it: ``oci:DIR:LABEL``.

        Args:
            label: a text of ``index.json``, a reference, an ``@index`` counted from 0, a digest, or
                None for the only image.

        Raises:
            NotFound: there is no such image, or, without label, not exactly one.
        """
        if label is None:
            if len(self.images) == 1:
                return self.images[0]
            raise NotFound(
                self._what, f"holds {len(self.images)} images", f"name one of: {self._offer()}"
            )
        if label.startswith("@") and label[1:].isdecimal() and len(label) < 8:  # noqa: PLR2004 - no archive has a million images
            found = self.images[int(label[1:]) :][:1]
        else:
            found = tuple(i for i in self.images if label in i.labels) or self._by_name(label)
        if len({image.descriptor for image in found}) != 1:
            many = "more than one image" if found else "no image"
            raise NotFound(self._what, f"holds {many} {label!r}", f"it holds: {self._offer()}")
        return found[0]

    async def image_with_id(self, image_id: Digest) -> ArchiveImage:
        """Return the image that an engine calls by an id: its config's digest, or its own.

        Raises:
            NotFound: none of the archive's images has this id.
        """
        for image in self.images:
            if image_id in {image.descriptor.digest, await self._config_of(image)}:
                return image
        raise NotFound(image_id, f"is not in {self._what}", f"it holds: {self._offer()}")

    async def _config_of(self, image: ArchiveImage) -> Digest | None:
        raw = await asyncio.to_thread(self._manifest_bytes, image.descriptor)
        if raw is None:
            return None
        config = parse_manifest(raw, image.descriptor.media_type).config
        return config.digest if config is not None else None

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a name or digest stands for, having looked that all below it is inside.

        So an archive that misses a layer is refused before the first byte of it moves.

        Raises:
            ArchiveDamaged: something below it is not inside, or has another size.
        """
        if reference.digest is not None:
            descriptor = await self._by_digest(reference, reference.digest)
        elif reference in self._named:
            descriptor = self._named[reference]
        else:
            raise NotFound(
                reference.familiar, f"is not in {self._what}", f"it holds: {self._offer()}"
            )
        await in_thread(lambda sign: self._check_whole(descriptor, sign))
        return descriptor

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        raw = await asyncio.to_thread(self._manifest_bytes, descriptor)
        if raw is None:
            raise NotFound(f"{repository}@{descriptor.digest}", f"is not in {self._what}")
        return raw

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob."""
        whole = await self._region(repository, descriptor)
        region = FileRegion(whole.path, whole.offset + offset, max(0, whole.length - offset))
        try:
            file = await open_in_thread(region.path, "rb")
        except OSError as error:
            raise NotPermitted(str(region.path), f"cannot be read: {error.strerror}") from None
        try:
            yield RegionReader(file, region, offset, f"{self._what}: {descriptor.digest}")
        finally:
            file.close()

    async def repositories(self) -> AsyncIterator[Repository]:
        """Yield every repository that an image is named in."""
        for repository in sorted({name.repository for name in self._named}):
            yield repository

    async def tags(self, repository: Repository) -> AsyncIterator[str]:
        """Yield every tag of a repository."""
        tags = [name.tag for name in self._named if name.repository == repository and name.tag]
        if not tags:
            raise NotFound(str(repository), f"is not in {self._what}")
        for tag in sorted(tags):
            yield tag

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the images of the archive whose subject is ``digest``."""
        found: dict[Digest, Descriptor] = {}
        for image in self.images:
            raw = await asyncio.to_thread(self._manifest_bytes, image.descriptor)
            if raw is None:
                continue
            manifest = parse_manifest(raw, image.descriptor.media_type)
            if manifest.subject is not None and manifest.subject.digest == digest:
                found[image.descriptor.digest] = image.descriptor
        return tuple(found.values())

    def _check_whole(self, root: Descriptor, sign: StopSign) -> None:
        """Look whether everything below a manifest is inside; entries of an index may be absent."""
        waiting, seen = [root], set[Digest]()
        while waiting:
            sign.check()
            descriptor = waiting.pop()
            if descriptor.digest in self._whole | seen:
                continue
            seen.add(descriptor.digest)
            raw = self._manifest_bytes(descriptor)
            if raw is None:
                if descriptor is root:
                    raise self._lacks("manifest", root.digest)
                continue
            manifest = parse_manifest(raw, descriptor.media_type, digest=descriptor.digest)
            waiting += manifest.manifests
            for child in manifest.children():
                foreign = media_types.is_foreign_layer(child.descriptor.media_type)
                if child.role is not Role.MANIFEST and not foreign:
                    self._check_inside(child)
        self._whole |= seen

    def _check_inside(self, child: Child) -> None:
        region = self._find_region(child.descriptor.digest)
        if region is None:
            raise self._lacks(child.role, child.descriptor.digest)
        self._check_size(region, child.descriptor)

    def _lacks(self, role: str, digest: Digest) -> ArchiveDamaged:
        return ArchiveDamaged(
            self._what,
            f"does not hold the {role} {digest} that it names",
            "save the image again; nothing was taken from it",
        )

    def _manifest_bytes(self, descriptor: Descriptor) -> bytes | None:
        made = self._made.get(descriptor.digest)
        if made is not None:
            return made
        region = self._find_region(descriptor.digest)
        if region is None:
            return None
        self._check_size(region, descriptor)
        return read_region(region, f"{self._what}: {descriptor.digest}", MAX_MANIFEST_SIZE)

    def _check_size(self, region: FileRegion, descriptor: Descriptor) -> None:
        if region.length != descriptor.size:
            raise ArchiveDamaged(
                f"{self._what}: {descriptor.digest}",
                f"has {region.length:,} bytes where {descriptor.size:,} were announced",
                "nothing was taken from it",
            )

    def _by_name(self, label: str) -> tuple[ArchiveImage, ...]:
        try:
            wanted = Reference.parse(label).tagged()
        except InvalidReference:
            wanted = None
        return tuple(
            image
            for image in self.images
            if label in {image.descriptor.digest, f"@{image.descriptor.digest}"}
            or wanted in image.names
        )

    async def _by_digest(self, reference: Reference, digest: Digest) -> Descriptor:
        for image in self.images:
            if image.descriptor.digest == digest:
                return image.descriptor
        region = await asyncio.to_thread(self._find_region, digest)
        if region is None:
            raise NotFound(str(reference), f"is not in {self._what}")
        what = f"{self._what}: {digest}"
        raw = await asyncio.to_thread(read_region, region, what, MAX_MANIFEST_SIZE)
        return parse_manifest(raw, digest=digest).descriptor

    async def _region(self, repository: Repository, descriptor: Descriptor) -> FileRegion:
        region = await asyncio.to_thread(self._find_region, descriptor.digest)
        if region is None:
            raise NotFound(f"{repository}@{descriptor.digest}", f"is not in {self._what}")
        self._check_size(region, descriptor)
        return region

    def _offer(self) -> str:
        shown = [
            image.names[0].familiar if image.names else (*image.labels, image.descriptor.digest)[0]
            for image in self.images[:10]
        ]
        return ", ".join(shown) + (", …" if len(self.images) > len(shown) else "") or "none"
