"""``commit``: a new image from one of the store's, without a daemon; or from an engine's container.

The layer is written to a folder for as long as it takes; the store gets it by the same copy as
every image, so nothing is visible before all of it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from airgap.archive.source import ArchiveSource
from airgap.content.copy_images import ImageCopy, copy_images
from airgap.content.ports import BlobReader, FileRegion, Source, Target
from airgap.content.report import CopyReport
from airgap.engine.engine import ContainerCommit
from airgap.errors import NotPermitted
from airgap.image.additions import Addition, LayerEntry, plan_layer
from airgap.image.commit import Commit, CommittedImage, commit_image
from airgap.image.filesystem import FileTree
from airgap.image.layer_builder import BuiltLayer, write_layer
from airgap.image.layers import read_file_tree
from airgap.image.threads import StopSign, in_thread
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.location import Location, Transport
from airgap.oci.manifest import Manifest
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference, Repository
from airgap.usecases.copy import CopyRequest, copy
from airgap.usecases.inspect_image import inspect_image
from airgap.usecases.local_images import UNTAGGED
from airgap.usecases.places import Adapters, PlacedImage, engine_images
from airgap.usecases.scratch_image import SCRATCH, scratch_image


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """What to make of a base.

    Attributes:
        target: the new image's name; None leaves it untagged.
        additions: what to put in.
        removals: absolute paths to take out.
        author: who; empty leaves the base's author.
        message: why.
        changes: Dockerfile instructions, in order.
        epoch: SOURCE_DATE_EPOCH, seconds since 1970; None takes the time as it is.
        platform: which image of a multi-platform base; None takes this machine's, or the only one.
    """

    target: Reference | None = None
    additions: tuple[Addition, ...] = ()
    removals: tuple[str, ...] = ()
    author: str = ""
    message: str = ""
    changes: tuple[str, ...] = ()
    epoch: int | None = None
    platform: Platform | None = None

    @property
    def created(self) -> datetime:
        """When the new image says that it was made."""
        if self.epoch is not None:
            return datetime.fromtimestamp(self.epoch, UTC)
        return datetime.now(UTC)

    @property
    def created_by(self) -> str:
        """The history's word for what is done; paths of this machine do not stand in it."""
        steps = [f"ADD {addition.target}" for addition in self.additions]
        steps += [f"REMOVE {path}" for path in self.removals]
        return "; ".join([*steps, *self.changes])


@dataclass(frozen=True, slots=True)
class CommitReport:
    """A new image in the store.

    Attributes:
        image_id: the digest of its config.
        digest: its manifest.
        reference: what finds it.
    """

    image_id: Digest
    digest: Digest
    reference: Reference


async def commit(
    request: CommitRequest,
    base: PlacedImage | None,
    adapters: Adapters,
    store: Target,
) -> CommitReport:
    """Make an image and take it into the store.

    Args:
        request: what to do.
        base: the image to begin with; None begins with an empty one.
        adapters: gives a folder for the new layer.
        store: where the new image goes.

    Raises:
        UsageError: an instruction is unknown or malformed.
        NotFound: a source, or a path to remove, is not there.
        ArchiveDamaged: a tar to add is broken, or leads out of its folder.
        Unsupported: the base is no image.
    """
    start = await _start(base, request, adapters.platform)
    with adapters.scratch() as scratch:
        layers = await _build(start, request, scratch)
        what = Commit(
            request.created, request.author, request.message, request.created_by, request.changes
        )
        made = commit_image(start.image, start.config, [layer for layer, _ in layers], what)
        source = _new_image(start, made, layers, scratch)
        descriptor = made.manifest.descriptor
        name = request.target or Reference(UNTAGGED, digest=descriptor.digest)
        found = Reference(name.repository, digest=descriptor.digest)
        report = await copy_images(source, store, [ImageCopy(found, name)])
    error = report.error()
    if error is not None:
        raise error
    return CommitReport(Digest.of(made.config), descriptor.digest, name)


async def commit_container(
    container: str,
    request: CommitRequest,
    adapters: Adapters,
    store: Target,
    *,
    pause: bool = True,
) -> CommitReport:
    """Let an engine make an image of a container, and take that into the store.

    The engine keeps nothing of it.

    Raises:
        NotFound: it has no such container.
        EngineFault: it does not take an instruction, or fails.
    """
    how = ContainerCommit(None, request.author, request.message, request.changes, pause)
    async with adapters.engine() as engine:
        image_id = await engine.commit(container, how)
        try:
            async with engine_images([image_id], adapters) as (placed,):
                return await _take(placed, request, adapters, store)
        finally:
            await engine.remove(image_id)


async def _take(
    placed: PlacedImage, request: CommitRequest, adapters: Adapters, store: Target
) -> CommitReport:
    found = await inspect_image(placed, None, adapters.platform)
    place = Location(Transport.STORE, reference=request.target)
    report: CopyReport = await copy(placed, store, place, CopyRequest())
    error = report.error()
    if error is not None:
        raise error
    return CommitReport(Digest.of(found.config), found.root.digest, report.images[0].target)


@dataclass(frozen=True, slots=True)
class _Start:
    """What a commit begins with; ``source`` has the layers of ``image``."""

    image: Manifest
    config: bytes
    source: Source | None
    repository: Repository


async def _start(base: PlacedImage | None, request: CommitRequest, here: Platform) -> _Start:
    if base is None:
        image, config = scratch_image(request.platform or here)
        return _Start(image, config, None, SCRATCH)
    found = await inspect_image(base, request.platform, here)
    return _Start(found.image, found.config, base.source, base.reference.repository)


async def _build(
    start: _Start, request: CommitRequest, scratch: Path
) -> list[tuple[BuiltLayer, Path]]:
    if not request.additions and not request.removals:
        return []
    tree: FileTree | None = None
    if start.source is not None:
        tree = await read_file_tree(start.source, start.repository, start.image)
    path = scratch / "layer"

    def build(sign: StopSign) -> BuiltLayer:
        entries: tuple[LayerEntry, ...] = plan_layer(
            request.additions, request.removals, tree, epoch=request.epoch
        )
        try:
            with path.open("wb") as output:
                return write_layer(entries, output, sign, scratch=scratch)
        except OSError as error:
            thing = str(error.filename or scratch)
            raise NotPermitted(thing, f"the layer cannot be made: {error.strerror}") from None

    return [(await in_thread(build), path)]


def _new_image(
    start: _Start,
    made: CommittedImage,
    layers: list[tuple[BuiltLayer, Path]],
    scratch: Path,
) -> Source:
    config = scratch / "config"
    config.write_bytes(made.config)
    files = {layer.descriptor.digest: path for layer, path in layers}
    files[Digest.of(made.config)] = config
    regions = {digest: FileRegion(path, 0, path.stat().st_size) for digest, path in files.items()}
    manifest = made.manifest
    own = ArchiveSource(
        "the new image", (), regions.get, {manifest.descriptor.digest: manifest.raw}
    )
    return _Layered(own, regions, manifest, start)


class _Layered:
    """The new image: its own pieces from files, those of its base from where the base is."""

    def __init__(
        self,
        own: ArchiveSource,
        files: Mapping[Digest, FileRegion],
        manifest: Manifest,
        start: _Start,
    ) -> None:
        self._own = own
        self._files = files
        self._manifest = manifest
        self._start = start

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return the only image."""
        return self._manifest.descriptor

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return the only manifest."""
        return self._manifest.raw

    def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob, the base's where it is one of those."""
        base = self._start.source
        if descriptor.digest in self._files or base is None:
            return self._own.open_blob(repository, descriptor, offset)
        return base.open_blob(self._start.repository, descriptor, offset)
