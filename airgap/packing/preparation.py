"""Layers made small: opened, held against what the other side has, and put in order. Blocking.

The same layers, images and bases give the same parts, whatever the caches know.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from airgap.errors import ContentMismatch, NotFound
from airgap.oci.digest import Digest
from airgap.packing.base_choice import LayeredImage, choose_bases
from airgap.packing.cutting import MAX_WINDOW
from airgap.packing.delta import delta_memory, make_delta
from airgap.packing.inflating import GZIP_MAGIC, inflated
from airgap.packing.opened import Coder, Form, Opened, open_blob, plain_pieces
from airgap.packing.opened_cache import KnownBlob, OpenedCache
from airgap.packing.ordering import PlainLayer, in_stream_order
from airgap.packing.pool import Job, run_jobs
from airgap.packing.scratch import OnBytes, file_pieces, file_size, telling, unheard
from airgap.packing.signature import Signature, tar_signature

MAX_DELTA_SHARE = 0.55
"""A delta that is larger than this share of the blob is no gain: one long stream does as well."""

CODER_MEMORY = 16 * 1024 * 1024
"""Bytes that opening or rebuilding one blob takes."""

MAX_BASE_SIZE = 1 << 40
"""Plain bytes of a base at most."""

FindBlob = Callable[[Digest], Path]
"""Returns the file of a blob; raises NotFound where it is not there."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that is to travel.

    Attributes:
        digest: of the blob.
        size: its bytes.
        path: its file.
    """

    digest: Digest
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class ReadyLayer:
    """A layer that was opened.

    Attributes:
        layer: the blob.
        form: gzip or plain.
        recipe: the file that holds its recipe; None where the plain bytes are the blob.
        recipe_digest: of the recipe.
        recipe_size: its bytes.
    """

    layer: Layer
    form: Form
    recipe: Path | None = None
    recipe_digest: Digest | None = None
    recipe_size: int = 0


@dataclass(frozen=True, slots=True)
class Base:
    """A blob that the other side has, opened.

    Attributes:
        digest: of the blob.
        plain_digest: of its plain bytes.
        plain_size: how many they are.
    """

    digest: Digest
    plain_digest: Digest
    plain_size: int


@dataclass(frozen=True, slots=True)
class Delta:
    """A part as what differs from its bases.

    Attributes:
        path: the file that holds it.
        digest: of the file.
        size: its bytes.
        needs: bytes of memory that it takes to apply it.
        bases: what it was made against, in order.
    """

    path: Path
    digest: Digest
    size: int
    needs: int
    bases: tuple[Base, ...]


@dataclass(frozen=True, slots=True)
class ReadyPart:
    """Plain bytes that travel once, with the layers that are made of them.

    Attributes:
        plain_digest: of the plain bytes.
        plain_size: how many they are.
        layers: in the order they came; the plain bytes are taken out of the first.
        delta: how they travel; None where they travel as they are.
    """

    plain_digest: Digest
    plain_size: int
    layers: tuple[ReadyLayer, ...]
    delta: Delta | None = None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes that travel.

        Raises:
            ContentMismatch: while iterating; the blob has changed since it was opened.
        """
        if self.delta is not None:
            return file_pieces(self.delta.path)
        first = self.layers[0]
        return plain_pieces(first.layer.path, first.form, self.plain_size)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of the layers.

    Attributes:
        parts: in the order in which they travel best.
        whole: why each of the others travels as it is, as a clause for people.
    """

    parts: tuple[ReadyPart, ...]
    whole: Mapping[Digest, str]


@dataclass(frozen=True, slots=True)
class Held:
    """What the other side has, and deltas may be made against.

    Attributes:
        images: the images.
        find: where their layers are on this side.
    """

    images: Sequence[LayeredImage]
    find: FindBlob


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where and with what layers are made small.

    Attributes:
        folder: for files that are needed until the parts have been written; somebody else's to
            remove.
        opened: what is known of blobs that were opened.
        looked_into: signatures of blobs that were only inflated.
        coder: opens gzip.
        memory: bytes that may be used, at most.
        on_bytes: told of bytes of layers that are done; may raise to break off.
    """

    folder: Path
    opened: OpenedCache
    looked_into: OpenedCache
    coder: Coder
    memory: int
    on_bytes: OnBytes = field(default=unheard)


def prepare(
    layers: Sequence[Layer],
    images: Sequence[LayeredImage],
    held: Held | None,
    workshop: Workshop,
) -> Prepared:
    """Find out how each layer travels best.

    Args:
        layers: what is to travel.
        images: what they belong to.
        held: what deltas may be made against; None where there is nothing.
        workshop: where to work.

    Raises:
        UsageError: there is too little memory for any delta.
        NoSpace, NotPermitted: the folder does not take what it must.
        NotFound, ContentMismatch: a layer has gone, or is damaged.
    """
    with telling(workshop.folder):
        return _Preparation(layers, images, held, workshop).run()


@dataclass(frozen=True, slots=True)
class _Opened:
    """A layer, and what came of opening it."""

    digest: Digest
    ready: ReadyLayer | None
    plain_digest: Digest | None = None
    plain_size: int = 0
    signature: Signature | None = None
    reason: str = ""


class _Preparation:
    def __init__(
        self,
        layers: Sequence[Layer],
        images: Sequence[LayeredImage],
        held: Held | None,
        workshop: Workshop,
    ) -> None:
        self.layers = layers
        self.images = images
        self.held = held
        self.shop = workshop

    def run(self) -> Prepared:
        jobs = (Job(partial(self._open, layer), CODER_MEMORY) for layer in self.layers)
        opened = list(run_jobs(jobs, memory=self.shop.memory))
        whole = {one.digest: one.reason for one in opened if one.ready is None}
        known = {one.digest: one for one in opened}
        parts = _grouped(opened)
        if self.held is not None:
            parts = self._with_deltas(parts, known, self.held)
        return Prepared(_in_order(parts, known), whole)

    def _open(self, layer: Layer) -> _Opened:
        found = self.shop.opened.get(layer.digest)
        if found is None:
            with TemporaryDirectory(dir=self.shop.folder) as folder:
                plain = Path(folder) / "plain"
                opened = open_blob(
                    layer.path, plain, coder=self.shop.coder, on_bytes=self.shop.on_bytes
                )
                found = KnownBlob(opened, _signature(layer.path, plain, opened.form))
            self.shop.opened.put(layer.digest, found)
        else:
            self.shop.on_bytes(layer.size)
        return self._kept(layer, found)

    def _kept(self, layer: Layer, known: KnownBlob) -> _Opened:
        """Put the recipe aside: memory is not for as many of them as there may be."""
        opened = known.opened
        if opened.plain_digest is None:
            return _Opened(layer.digest, None, reason=opened.reason)
        ready = ReadyLayer(layer, opened.form)
        if opened.recipe is not None:
            path = self.shop.folder / f"{layer.digest.hex}.recipe"
            with telling(path):
                path.write_bytes(opened.recipe)
            digest = Digest.of(opened.recipe)
            ready = ReadyLayer(layer, opened.form, path, digest, len(opened.recipe))
        return _Opened(layer.digest, ready, opened.plain_digest, opened.plain_size, known.signature)

    def _with_deltas(
        self, parts: Sequence[ReadyPart], known: Mapping[Digest, _Opened], held: Held
    ) -> list[ReadyPart]:
        there = sorted({layer for image in held.images for layer in image.layers})
        looks = (Job(partial(self._look_into, blob, held.find), 0) for blob in there)
        signatures = {blob: s for blob, s in run_jobs(looks, memory=1) if s is not None}
        signatures |= {
            blob: one.signature for blob, one in known.items() if one.signature is not None
        }
        bases = choose_bases(self.images, held.images, signatures)
        jobs = [self._delta_job(part, bases, held) for part in parts]
        return list(run_jobs(jobs, memory=self.shop.memory))

    def _look_into(self, blob: Digest, find: FindBlob) -> tuple[Digest, Signature | None]:
        """Return what a held layer has in it; None where it is no tar, or not on this side."""
        found = self.shop.opened.get(blob) or self.shop.looked_into.get(blob)
        if found is None:
            try:
                with TemporaryDirectory(dir=self.shop.folder) as folder:
                    plain = Path(folder) / "plain"
                    _inflate(find(blob), plain)
                    signature = tar_signature(plain)
            except (NotFound, ContentMismatch):
                return blob, None
            found = KnownBlob(Opened(Form.WHOLE, reason="was only looked into"), signature)
            self.shop.looked_into.put(blob, found)
        return blob, found.signature

    def _delta_job(
        self, part: ReadyPart, bases: Mapping[Digest, Sequence[Digest]], held: Held
    ) -> Job[ReadyPart]:
        chosen = next(filter(None, (bases.get(one.layer.digest) for one in part.layers)), ())
        if not chosen:
            return Job(lambda: part, 0)
        # Their plain sizes are not known yet, so that they count as large as a window can be.
        memory = delta_memory([MAX_WINDOW], part.plain_size, self.shop.memory)
        return Job(partial(self._delta, part, chosen, held.find), memory)

    def _delta(self, part: ReadyPart, chosen: Sequence[Digest], find: FindBlob) -> ReadyPart:
        delta = self.shop.folder / f"{part.plain_digest.hex}.delta"
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(dir=self.shop.folder)))
            opened: list[tuple[Base, Path]] = []
            for blob in chosen:
                plain = folder / blob.hex
                try:
                    digest = _inflate(find(blob), plain)
                except (NotFound, ContentMismatch):
                    continue
                opened.append((Base(blob, digest, file_size(plain)), plain))
            if not opened:
                return part
            target = folder / "target"
            with target.open("wb") as file:
                file.writelines(part.pieces())
            facts = make_delta(
                [plain for _, plain in opened],
                target,
                delta,
                memory=self.shop.memory,
                # These bytes were counted when they were opened; it may break off all the same.
                on_bytes=lambda _: self.shop.on_bytes(0),
            )
        if facts.size > MAX_DELTA_SHARE * min(one.layer.size for one in part.layers):
            delta.unlink()
            return part
        hasher = hashlib.sha256()
        for piece in file_pieces(delta):
            hasher.update(piece)
        made = Delta(
            delta,
            Digest.from_hasher(hasher),
            facts.size,
            facts.needs,
            tuple(base for base, _ in opened),
        )
        return ReadyPart(part.plain_digest, part.plain_size, part.layers, made)


def _grouped(layers: Sequence[_Opened]) -> list[ReadyPart]:
    """Put layers of the same plain bytes together."""
    groups: dict[Digest, list[_Opened]] = defaultdict(list)
    for one in layers:
        if one.plain_digest is not None:
            groups[one.plain_digest].append(one)
    return [
        ReadyPart(plain, members[0].plain_size, tuple(one.ready for one in members if one.ready))
        for plain, members in groups.items()
    ]


def _signature(blob: Path, plain: Path, form: Form) -> Signature | None:
    if form is Form.WHOLE:
        return None
    return tar_signature(plain if form is Form.GZIP else blob)


def _inflate(blob: Path, plain: Path) -> Digest:
    """Write the plain bytes of a blob, be it compressed or not, and return their digest."""
    with blob.open("rb") as file:
        is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    pieces = file_pieces(blob)
    if is_gzip:
        pieces = inflated(pieces, str(blob), limit=MAX_BASE_SIZE)
    hasher = hashlib.sha256()
    with plain.open("wb") as file:
        for piece in pieces:
            hasher.update(piece)
            file.write(piece)
    return Digest.from_hasher(hasher)


def _in_order(parts: Sequence[ReadyPart], known: Mapping[Digest, _Opened]) -> tuple[ReadyPart, ...]:
    """Put plain parts like beside like, and deltas behind them."""
    plain = {part.plain_digest: part for part in parts if part.delta is None}
    ordered = in_stream_order(
        PlainLayer(part.plain_digest, part.plain_size, known[part.layers[0].layer.digest].signature)
        for part in plain.values()
    )
    return (
        *(plain[layer.digest] for layer in ordered),
        *(part for part in parts if part.delta is not None),
    )
