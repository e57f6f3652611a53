"""``--pack``: the layers of a plan, made small before they are written."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import airgap
from airgap.bundle.delivery import Holding
from airgap.bundle.pack import DeltaBase, Pack, PackedBlob, Part, Piece
from airgap.config.transfer import PackKind
from airgap.content import events
from airgap.content.events import Emit
from airgap.content.plan import CopyPlan
from airgap.content.ports import Source, TagMove
from airgap.errors import AirgapError, NotFound
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.oci.reference import Repository
from airgap.packing.base_choice import LayeredImage
from airgap.packing.coder import DEFLATE, recipe_models
from airgap.packing.opened_cache import OpenedCache
from airgap.packing.preparation import (
    FindBlob,
    Held,
    Layer,
    Prepared,
    ReadyPart,
    Workshop,
)
from airgap.packing.preparation import prepare as prepare_layers
from airgap.packing.scratch import telling
from airgap.usecases.layered_images import layered_images
from airgap.usecases.pack_figures import PackFigures, figures_of
from airgap.usecases.pack_rules import BESIDE, PackRules

_ANY_TYPE = "application/octet-stream"


class Broken(Exception):
    """Nobody waits any more for what is packed."""


@dataclass(frozen=True, slots=True)
class LayerPacking:
    """Layers that are ready to be written; see ``airgap.bundle.packing.Packing``.

    Attributes:
        pack: how each of them travels.
        whole: why each of the others travels as it is.
        holding: what deltas were made against.
        models: the encoder models that the recipe of each blob speaks of.
    """

    pack: Pack
    whole: Mapping[Digest, str]
    holding: Holding | None
    models: Mapping[Digest, str]
    _parts: Mapping[Digest, ReadyPart] = field(repr=False)
    _recipes: Mapping[Digest, Path] = field(repr=False)

    def part(self, part: Part) -> Iterator[bytes]:
        """Yield the bytes of a part as it is carried."""
        return self._parts[part.plain.digest].pieces()

    def recipe(self, blob: Digest) -> bytes:
        """Return the recipe of a blob."""
        with telling(self._recipes[blob]):
            return self._recipes[blob].read_bytes()


class LayerPacker:
    """Makes the layers of plans small; see ``airgap.bundle.packing.Packer``.

    Attributes:
        packing: what came of the last plan; None where everything travels as it is.
    """

    def __init__(
        self,
        source: Source,
        rules: PackRules,
        workshop: Workshop,
        holding: Holding | None = None,
        emit: Emit = events.discard,
    ) -> None:
        """Prepare for packing.

        Args:
            source: has the layers as files; what it has otherwise travels as it is.
            rules: how.
            workshop: where.
            holding: what the other side has; deltas are made against it.
            emit: is told of what takes long.
        """
        self._source = source
        self._rules = rules
        self._workshop = workshop
        self._holding = holding if rules.kind is PackKind.DELTA else None
        self._emit = emit
        self.packing: LayerPacking | None = None

    async def pack(self, plan: CopyPlan) -> LayerPacking | None:
        """Find out how each layer of a plan travels best.

        Raises:
            NoSpace, NotPermitted: the working folder does not take what it must.
            NotFound, ContentMismatch: a layer has gone, or is damaged.
        """
        if not plan.roots:
            return None
        repository = plan.roots[0].reference.repository
        layers = [
            Layer(item.descriptor.digest, item.descriptor.size, path)
            for item in plan.items
            if item.role is Role.LAYER
            and (path := await self._file(repository, item.descriptor.digest)) is not None
        ]
        self._emit(events.Note("info", f"making {len(layers)} layers small"))
        images = await layered_images(self._source, plan.roots)
        held = await self._held(repository)
        prepared = await _in_a_thread(layers, images, held, self._workshop)
        self.packing = await asyncio.to_thread(self._packing, prepared)
        return self.packing

    async def _held(self, repository: Repository) -> Held | None:
        holding = self._holding
        if holding is None:
            return None
        names = [TagMove(name, descriptor) for name, descriptor in holding.names.items()]
        images = await layered_images(self._source, names)
        layers = {layer for image in images for layer in image.layers} & holding.content
        files: dict[Digest, Path] = {}
        for layer in layers:
            try:
                path = await self._file(repository, layer)
            except NotFound:
                continue
            if path is not None:
                files[layer] = path
        return Held(images, _finder(files)) if files else None

    async def _file(self, repository: Repository, digest: Digest) -> Path | None:
        blob = Descriptor(_ANY_TYPE, digest, 0)
        async with self._source.open_blob(repository, blob) as reader:
            region = reader.region
            return region.path if region is not None and region.offset == 0 else None

    def _packing(self, prepared: Prepared) -> LayerPacking | None:
        if not prepared.parts:
            return None
        needs = max((part.delta.needs for part in prepared.parts if part.delta), default=0)
        kind = PackKind.DELTA if needs else PackKind.SMALL
        pack = Pack(kind, BESIDE + needs, tuple(map(_part, prepared.parts)))
        recipes = {
            one.layer.digest: one.recipe
            for part in prepared.parts
            for one in part.layers
            if one.recipe is not None
        }
        parts = {part.plain_digest: part for part in prepared.parts}
        models = {blob: recipe_models(path.read_bytes()) for blob, path in recipes.items()}
        return LayerPacking(pack, prepared.whole, self._holding, models, parts, recipes)

    def figures(self, plan: CopyPlan) -> PackFigures:
        """Return what packing the plan came to."""
        packing = self.packing
        if packing is None:
            return figures_of(plan.items, None, {}, {})
        return figures_of(plan.items, packing.pack, packing.models, packing.whole)


def _finder(files: Mapping[Digest, Path]) -> FindBlob:
    def find(blob: Digest) -> Path:
        if blob not in files:
            raise NotFound(str(blob), "is not in the store any more")
        return files[blob]

    return find


def _part(part: ReadyPart) -> Part:
    plain = Piece(part.plain_digest, part.plain_size)
    blobs = tuple(
        PackedBlob(
            one.layer.digest,
            Piece(one.recipe_digest, one.recipe_size) if one.recipe_digest is not None else None,
        )
        for one in part.layers
    )
    if part.delta is None:
        return Part(plain, plain, (), blobs)
    bases = tuple(
        DeltaBase(base.digest, Piece(base.plain_digest, base.plain_size))
        for base in part.delta.bases
    )
    return Part(Piece(part.delta.digest, part.delta.size), plain, bases, blobs)


def open_workshop(folder: Path, caches: Path, rules: PackRules) -> Workshop:
    """Return a place to work in.

    Args:
        folder: for files that go with the bundle's completion.
        caches: the folder of what is known of blobs.
        rules: how much memory there is.
    """
    return Workshop(
        folder,
        OpenedCache(caches / "opened", generation=airgap.__version__),
        OpenedCache(caches / "looked-into", generation="1"),
        DEFLATE,
        rules.for_deltas,
    )


async def _in_a_thread(
    layers: list[Layer], images: list[LayeredImage], held: Held | None, workshop: Workshop
) -> Prepared:
    """Prepare the layers in a thread that ends soon when nobody waits for it any more."""
    is_over = threading.Event()

    def on_bytes(count: int) -> None:
        if is_over.is_set():
            raise Broken
        workshop.on_bytes(count)

    shop = replace(workshop, on_bytes=on_bytes)
    work = asyncio.get_running_loop().run_in_executor(
        None, prepare_layers, layers, images, held, shop
    )
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        is_over.set()
        with contextlib.suppress(Broken, AirgapError):
            await work
        raise
