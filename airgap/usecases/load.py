"""``load``: the images of an archive into the store, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airgap.archive.names import ArchiveImage
from airgap.archive.source import ArchiveSource
from airgap.content import events
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.events import Emit
from airgap.content.plan import CopyPlan
from airgap.content.ports import Source, TagMove, Target
from airgap.content.report import CopyReport
from airgap.content.walk import WalkRules, read_verified
from airgap.errors import ContentMismatch, NotFound
from airgap.image.layers import diff_id_of
from airgap.oci import media_types
from airgap.oci.digest import Digest
from airgap.oci.image_config import parse_image_config
from airgap.oci.manifest import Manifest, Role
from airgap.oci.reference import Reference, Repository
from airgap.usecases.created import read_small_blob
from airgap.usecases.local_images import UNTAGGED


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was loaded.

    Attributes:
        copied: the fate of every name.
        untagged: ids of the images that have no name.
    """

    copied: CopyReport
    untagged: tuple[Digest, ...]


async def load(archive: ArchiveSource, store: Target, emit: Emit = events.discard) -> LoadReport:
    """Take in every image of an archive; the names move last, all together.

    Layers are unpacked once and held against the diff ids of their configs, as an engine would do
    when it unpacks them: what a runtime would refuse is refused here, not on the other side.

    Raises:
        ArchiveDamaged: a layer is missing or broken; no name has moved.
        ContentMismatch: a layer is not the one that a config names; no name has moved.
        NotFound: the archive holds no image.
        NoSpace: it does not fit into the store.
    """
    if not archive.images:
        raise NotFound("the archive", "holds no image")
    roots = [move for image in archive.images for move in await _moves(archive, image)]
    plan = await plan_copy(archive, roots, WalkRules())
    await check_layers(archive, plan)
    copied = await copy_plan(archive, store, plan, emit=emit)
    nameless = [move for move in plan.roots if move.reference.tag is None]
    ids = [await _image_id(archive, move) for move in nameless]
    return LoadReport(copied, tuple(ids))


async def check_layers(source: Source, plan: CopyPlan) -> None:
    """Hold the layers of every image of a plan against the diff ids of its config.

    Raises:
        ContentMismatch: they differ, or are not as many.
    """
    repository = plan.roots[0].reference.repository
    known: dict[Digest, Digest] = {}
    for item in plan.items:
        if item.role is Role.MANIFEST:
            manifest = await read_verified(source, repository, item.descriptor)
            if manifest.is_image and not _has_foreign_layers(manifest):
                await _check_image(source, repository, manifest, known)


async def _check_image(
    source: Source, repository: Repository, image: Manifest, known: dict[Digest, Digest]
) -> None:
    if image.config is None:
        return
    raw = await read_small_blob(source, repository, image.config)
    config = parse_image_config(raw, f"config {image.config.digest}")
    if len(config.diff_ids) != len(image.layers):
        raise ContentMismatch(
            f"image {image.config.digest}",
            f"has {len(image.layers)} layers, and its config names {len(config.diff_ids)}",
            "save the image again; nothing was taken in",
        )
    for layer, wanted in zip(image.layers, config.diff_ids, strict=True):
        if layer.digest not in known:
            known[layer.digest] = await diff_id_of(source, repository, layer)
        if known[layer.digest] != wanted:
            raise ContentMismatch(
                f"layer {layer.digest}",
                f"has the diff id {known[layer.digest]}, and the config of its image says {wanted}",
                "save the image again; nothing was taken in",
            )


def _has_foreign_layers(image: Manifest) -> bool:
    return any(media_types.is_foreign_layer(layer.media_type) for layer in image.layers)


async def _moves(archive: ArchiveSource, image: ArchiveImage) -> Sequence[TagMove]:
    by_digest = Reference(UNTAGGED, digest=image.descriptor.digest)
    descriptor = await archive.resolve(by_digest)
    return [TagMove(name, descriptor) for name in image.names or (by_digest,)]


async def _image_id(archive: ArchiveSource, move: TagMove) -> Digest:
    manifest = await read_verified(archive, UNTAGGED, move.descriptor)
    return manifest.config.digest if manifest.config is not None else move.descriptor.digest
