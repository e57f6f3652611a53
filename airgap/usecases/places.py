"""Opening any place that a person can name: the store, a registry, an engine, an archive.

What is opened is a ``Source`` or a ``Target`` as every other; only here it matters which one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from airgap.archive.folder_target import DirTarget, LayoutTarget
from airgap.archive.opening import open_archive, open_dir, open_layout
from airgap.archive.sinks import StreamSink
from airgap.archive.source import ArchiveSource
from airgap.archive.tar_target import ArchiveFormat, TarTarget, archive_file
from airgap.content.events import Emit
from airgap.content.ports import BlobReader, Source, Target
from airgap.engine.engine import Engine
from airgap.engine.target import engine_target
from airgap.errors import NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.location import STANDARD_STREAM, Location, Transport, parse_location
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference, Repository
from airgap.registry.client import RegistryClient
from airgap.store.listing import list_images
from airgap.store.store import Store
from airgap.usecases.local_images import UNTAGGED, find_image

_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}", re.ASCII)
_FORMATS = {
    Transport.DOCKER_ARCHIVE: ArchiveFormat.DOCKER,
    Transport.OCI_ARCHIVE: ArchiveFormat.OCI,
}


class Adapters(Protocol):
    """Opens the places that a config and an environment describe."""

    @property
    def platform(self) -> Platform:
        """The platform of this machine's containers."""
        ...

    def open_store(self, *, create: bool = False) -> AbstractAsyncContextManager[Store]:
        """Open the local store."""
        ...

    def registries(self, emit: Emit = ...) -> RegistryClient:
        """Return the client for all registries, not yet entered."""
        ...

    def engine(self) -> AbstractAsyncContextManager[Engine]:
        """Open the Docker Engine."""
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """Make a folder for what is needed for a while only."""
        ...


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """One image in a place that is open.

    Attributes:
        source: the place.
        reference: finds the image there.
        name: what it is called; None where it has no name.
        has_referrers: whether the place knows what refers to it.
        names: every name that it has there, as far as the place can tell.
    """

    source: Source
    reference: Reference
    name: Reference | None
    has_referrers: bool = False
    names: tuple[Reference, ...] = ()

    async def resolve(self) -> Descriptor:
        """Return the image's manifest or index."""
        return await self.source.resolve(self.reference)


def parse_place(text: str) -> Location:
    """Read a place; an image id of 64 digits is one in the store.

    Raises:
        InvalidReference, Unsupported: see ``parse_location``.
    """
    if _IMAGE_ID.fullmatch(text):
        return Location(Transport.STORE, image_id=Digest(f"sha256:{text[-64:]}"))
    return parse_location(text)


@asynccontextmanager
async def image_at(text: str, adapters: Adapters, emit: Emit) -> AsyncIterator[PlacedImage]:
    """Open the place that a person names, and find the image in it.

    Args:
        text: a name or id in the store, or a location with one of skopeo's transport names.
        adapters: opens places.
        emit: is told of a registry's retries and pauses.

    Raises:
        NotFound: there is no such image, or the place holds several and none was named.
    """
    location = parse_place(text)
    match location.transport:
        case Transport.STORE:
            async with adapters.open_store() as store:
                found = find_image(text, await list_images(store))
                yield PlacedImage(
                    store, found.reference, found.name, has_referrers=True, names=found.names
                )
        case Transport.REGISTRY:
            reference = _required(location)
            async with adapters.registries(emit) as client:
                source = _InRepository(client, reference.repository)
                yield PlacedImage(
                    source, reference, reference, has_referrers=True, names=(reference,)
                )
        case Transport.ENGINE:
            name = location.image_id or _required(location)
            async with engine_images([name], adapters) as (image,):
                yield image
        case _:
            async with _archive_at(location, adapters) as archive:
                inside = archive.select(location.label)
                first = inside.names[0] if inside.names else None
                asked = location.reference if location.reference in inside.names else first
                by_digest = Reference(UNTAGGED, digest=inside.descriptor.digest)
                yield PlacedImage(archive, by_digest, asked, names=inside.names)


@asynccontextmanager
async def engine_images(
    names: Sequence[Reference | Digest], adapters: Adapters
) -> AsyncIterator[Sequence[PlacedImage]]:
    """Let the engine save images, and give each of them, in the order asked for.

    Raises:
        NotFound: the engine has no such image.
        Unreachable, NotPermitted: the engine cannot be talked to.
    """
    with adapters.scratch() as scratch:
        async with adapters.engine() as engine:
            ids = [await engine.image_id(name) for name in names]
            async with engine.saved(names, scratch=scratch) as saved:
                yield [
                    await _saved_image(saved, name, image_id)
                    for name, image_id in zip(names, ids, strict=True)
                ]


async def _saved_image(
    saved: ArchiveSource, name: Reference | Digest, image_id: Digest
) -> PlacedImage:
    image = await saved.image_with_id(image_id)
    named = name if isinstance(name, Reference) else next(iter(image.names), None)
    return PlacedImage(saved, image.reference(UNTAGGED), named, names=image.names)


@asynccontextmanager
async def target_at(
    location: Location, adapters: Adapters, emit: Emit, platform: Platform
) -> AsyncIterator[Target]:
    """Open a place to write to; it is made where it is not there.

    Args:
        location: where.
        adapters: opens places.
        emit: is told of a registry's retries and pauses.
        platform: which image of an index an engine gets, and a docker archive offers first.
    """
    match location.transport:
        case Transport.STORE:
            async with adapters.open_store(create=True) as store, store.writing():
                yield store
        case Transport.REGISTRY:
            async with adapters.registries(emit) as client:
                yield client
        case Transport.ENGINE:
            async with (
                adapters.engine() as engine,
                engine_target(engine, platform=platform) as target,
            ):
                yield target
        case Transport.LAYOUT:
            yield LayoutTarget(Path(location.path), label=location.label)
        case Transport.DIR:
            yield DirTarget(Path(location.path))
        case archive:
            form = _FORMATS[archive]
            label = location.label if location.reference is None else None
            if location.path == STANDARD_STREAM:
                sink = StreamSink(sys.stdout.buffer)
                yield TarTarget(sink, form, platform=platform, label=label)
                return
            path = Path(location.path)
            async with archive_file(path, form, platform=platform, label=label) as target:
                yield target


@asynccontextmanager
async def _archive_at(location: Location, adapters: Adapters) -> AsyncIterator[ArchiveSource]:
    path = Path(location.path)
    if location.transport is Transport.LAYOUT:
        yield await open_layout(path)
    elif location.transport is Transport.DIR:
        yield await open_dir(path)
    else:
        origin = sys.stdin.buffer if location.path == STANDARD_STREAM else path
        with adapters.scratch() as scratch:
            async with open_archive(origin, scratch=scratch) as archive:
                yield archive


def _required(location: Location) -> Reference:
    if location.reference is None:
        raise NotFound(str(location), "names no image", "write an image name after it")
    return location.reference


class _InRepository:
    """A registry's client that reads from one repository, whatever the copy calls it."""

    def __init__(self, client: RegistryClient, repository: Repository) -> None:
        self._client = client
        self._repository = repository

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a name stands for."""
        return await self._client.resolve(reference)

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        return await self._client.read_manifest(self._repository, descriptor)

    def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob."""
        return self._client.open_blob(self._repository, descriptor, offset)

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return what refers to a manifest."""
        return await self._client.referrers(self._repository, digest)
