"""Writing a bundle: a target of the graph copy that takes a plan in its order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from airgap.bundle import tar
from airgap.bundle.delivery import Increment
from airgap.bundle.destination import Written
from airgap.bundle.docker_manifest import DockerManifest, make_docker_manifest
from airgap.bundle.format import (
    MAX_BUNDLE_JSON_SIZE,
    BundleBase,
    BundleManifest,
    BundleReference,
    Kind,
    decode_bundle_json,
    docker_manifest_descriptor,
    encode_bundle_json,
)
from airgap.bundle.identity import BundleIdentity, named
from airgap.bundle.layout import BlobMember, Layout, Member, PartMembers, head_members, lay_out
from airgap.bundle.output import DEFAULT_OPTIONS, BundleOutput, WriteOptions
from airgap.bundle.packing import Packer, Packing
from airgap.bundle.pump import BLOCK_SIZE
from airgap.bundle.thread import OwnThread
from airgap.bundle.volumes import Inside, VolumeIndex
from airgap.content.plan import CopyPlan
from airgap.content.ports import BlobReader, FileRegion, OnBytes, OpenBlob, Source, TagMove
from airgap.errors import Unsupported
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository

Signer = Callable[[bytes], Mapping[str, bytes]]
"""Takes the bytes of ``bundle.json`` and returns detached signatures by key id."""

Announce = Callable[[BundleManifest], Awaitable[None]]
"""Told of a bundle that is complete, right before it gets its name; an error prevents that."""


@dataclass(frozen=True, slots=True)
class BundleReport:
    """A bundle that was written.

    Attributes:
        path: the file; of volumes, their folder and NAME.
        size: bytes of the file, or of all volumes that were written.
        digest: SHA-256 of the file, as its ``.sha256`` says; of volumes, that of their index.
        manifest: what its ``bundle.json`` says.
        not_loadable: references that ``docker load`` and its like will not find, with reasons.
        volumes: what the bundle was cut into, where it was.
    """

    path: Path
    size: int
    digest: Digest
    manifest: BundleManifest
    not_loadable: Mapping[Reference, str]
    volumes: VolumeIndex | None = None


class BundleWriter:
    """A bundle while it is written: ``Target`` and ``WantsPlan``, for one plan.

    Used as a context manager. The bundle has its name when :meth:`move_tags` returns; whatever goes
    wrong before that leaves nothing behind.
    """

    def __init__(
        self,
        path: Path,
        source: Source,
        identity: BundleIdentity,
        options: WriteOptions = DEFAULT_OPTIONS,
        sign: Signer | None = None,
        *,
        increment: Increment | None = None,
        announce: Announce | None = None,
        packer: Packer | None = None,
    ) -> None:
        """Prepare for writing; nothing is touched yet.

        Args:
            path: the file to be.
            source: where the plan's manifests and configs can be read.
            identity: id, time, place in a channel.
            options: compression, syncing, checking.
            sign: makes the signatures that the bundle carries.
            increment: what the bundle does to its channel; None for one that stands alone.
            announce: is told when the bundle is about to get its name.
            packer: finds out how to make the layers small; None leaves them as they are.
        """
        self._source = source
        self._identity = identity
        self._sign = sign
        self._increment = increment
        self._announce = announce
        self._packer = packer
        self._output = BundleOutput(path, options)
        self._thread = OwnThread("bundle-write")
        self._prepared: _Prepared | None = None
        self._report: BundleReport | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._output.stop()
        await self._thread.end(self._output.abandon)

    @property
    def report(self) -> BundleReport:
        """What was written, once it is published.

        Raises:
            RuntimeError: it is not.
        """
        if self._report is None:
            raise RuntimeError("the bundle is not complete")
        return self._report

    async def prepare(self, plan: CopyPlan) -> None:
        """Lay the bundle out and write its head.

        Raises:
            UsageError: the file is there already.
            NoSpace: the disk cannot take the whole bundle.
            Unsupported: there are too many blobs for one bundle.
            ContentMismatch: the plan is not one that a bundle can hold (a name twice, for one).
        """
        packing = await self._packer.pack(plan) if self._packer is not None else None
        docker = await self._docker_manifest(plan, packing)
        prepared = self._lay_out(plan, docker, packing)
        await self._thread.run(self._output.open, prepared.layout.size)
        await self._thread.run(self._write_head, prepared)
        self._prepared = prepared

    async def _docker_manifest(self, plan: CopyPlan, packing: Packing | None) -> DockerManifest:
        inside, opened = frozenset(plan.digests()), dict[Digest, Digest]()
        for part in packing.pack.parts if packing is not None else ():
            digests = [blob.digest for blob in part.blobs]
            if part.is_delta:
                inside = inside.difference(digests)
            else:
                opened |= dict.fromkeys(digests, part.plain.digest)
        return await make_docker_manifest(self._source, plan.roots, inside, opened)

    def _lay_out(
        self, plan: CopyPlan, docker: DockerManifest, packing: Packing | None
    ) -> _Prepared:
        increment = self._increment or Increment(
            tuple(BundleReference(root.reference, root.descriptor) for root in plan.roots)
        )
        base = _base(increment.base, packing)
        manifest = named(
            BundleManifest(
                id="",
                created=self._identity.created,
                tool=self._identity.tool,
                docker_manifest=docker_manifest_descriptor(docker.raw),
                references=increment.references,
                blobs=plan.items,
                omitted=tuple(sorted({descriptor.digest for descriptor in plan.omitted})),
                channel=self._identity.channel,
                sequence=self._identity.sequence,
                kind=Kind.FULL if base is None else Kind.INCREMENTAL,
                base=base,
                pack=packing.pack if packing is not None else None,
            ),
            self._identity.id,
        )
        raw = encode_bundle_json(manifest)
        if len(raw) > MAX_BUNDLE_JSON_SIZE:
            raise Unsupported(
                str(self._output.path),
                f"{len(plan.items):,} blobs are more than one bundle takes",
                "export fewer images at once",
            )
        # What could not be read on the other side is better not written.
        decode_bundle_json(raw)
        signatures = self._sign(raw) if self._sign is not None else {}
        head = head_members(manifest, raw, docker.raw, signatures)
        layout = lay_out([(name, len(content)) for name, content in head], manifest)
        inside = Inside(Digest.of(raw), manifest.created_text)
        packed = manifest.pack.digests() if manifest.pack is not None else frozenset()
        return _Prepared(manifest, docker, layout, head, inside, packing, packed)

    def _write_head(self, prepared: _Prepared) -> None:
        for member, (_, content) in zip(prepared.layout.head, prepared.head, strict=True):
            self._output.write(member.header + content + bytes(tar.padding(member.size)))

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return None: a bundle that is being written has no names yet."""
        del reference
        return None

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Return False: a bundle that is being written holds nothing yet."""
        del repository, descriptor, platforms
        return False

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return all of the blobs."""
        del repository
        return frozenset(blob.digest for blob in blobs)

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Append the next blob of the plan.

        Raises:
            ContentMismatch: digest or size differ; the bundle cannot be completed any more.
            NoSpace: the disk is full.
        """
        del repository
        if descriptor.digest in self._ready.packed:
            # It comes in the part that it belongs to, after all that travels as it is.
            on_bytes(descriptor.size)
            return
        blob = self._next(descriptor)
        async with open_at(0) as reader:
            if reader.region is not None:
                await self._thread.run(self._copy, blob, reader.region, _on_the_loop(on_bytes))
            else:
                await self._take_pieces(blob, reader, on_bytes)

    def _copy(self, blob: BlobMember, region: FileRegion, on_bytes: OnBytes) -> None:
        self._begin(blob)
        self._output.copy_content(region, on_bytes)
        self._end(blob, b"")

    async def _take_pieces(self, blob: BlobMember, reader: BlobReader, on_bytes: OnBytes) -> None:
        await self._thread.run(self._begin, blob)
        pieces: list[bytes] = []
        waiting = 0
        async for piece in reader:
            pieces.append(piece)
            waiting += len(piece)
            on_bytes(len(piece))
            if waiting >= BLOCK_SIZE:
                await self._thread.run(self._output.write_content, b"".join(pieces))
                pieces, waiting = [], 0
        await self._thread.run(self._end, blob, b"".join(pieces))

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Append the next manifest of the plan."""
        del repository
        blob = self._next(manifest.descriptor)

        def write() -> None:
            self._begin(blob)
            self._end(blob, manifest.raw)

        await self._thread.run(write)

    def _next(self, descriptor: Descriptor) -> BlobMember:
        member = next(self._ready.waiting, None)
        if member is None or member.item.descriptor.digest != descriptor.digest:
            raise RuntimeError(f"{descriptor.digest} is not what the plan has next")
        return member

    @property
    def _ready(self) -> _Prepared:
        if self._prepared is None:
            raise RuntimeError("a bundle is written by a plan; prepare() comes first")
        return self._prepared

    def _begin(self, blob: BlobMember) -> None:
        self._begin_member(blob.member, blob.item.descriptor.digest)

    def _begin_member(self, member: Member, digest: Digest) -> None:
        self._output.write(member.header)
        self._output.begin(digest, member.size)

    def _end(self, blob: BlobMember, last_piece: bytes) -> None:
        self._end_member(blob.member, last_piece)

    def _end_member(self, member: Member, last_piece: bytes) -> None:
        self._output.write_content(last_piece)
        self._output.end()
        self._output.write(bytes(tar.padding(member.size)))

    def _write_part(self, packing: Packing, members: PartMembers) -> None:
        part = members.part
        for blob in part.blobs:
            if blob.recipe is not None:
                member = members.recipes[blob.digest]
                self._begin_member(member, blob.recipe.digest)
                self._end_member(member, packing.recipe(blob.digest))
        self._begin_member(members.content, part.carried.digest)
        for piece in packing.part(part):
            self._output.write_content(piece)
        self._end_member(members.content, b"")

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Complete the bundle: its end, its name, and last the ``.sha256`` beside it."""
        prepared = self._ready
        if next(prepared.waiting, None) is not None:
            raise RuntimeError("the plan is not written to its end")
        planned = {reference.reference for reference in prepared.manifest.present}
        if {move.reference for move in moves} != planned:
            raise RuntimeError("the names are not those of the plan")
        if prepared.packing is not None:
            for members in prepared.layout.parts:
                await self._thread.run(self._write_part, prepared.packing, members)
        if self._announce is not None:
            await self._announce(prepared.manifest)

        def complete() -> Written:
            self._output.write(tar.END)
            return self._output.publish(prepared.inside)

        written = await self._thread.run(complete)
        self._report = BundleReport(
            self._output.path,
            written.size,
            written.digest,
            prepared.manifest,
            prepared.docker.left_out,
            written.volumes,
        )


def _base(base: BundleBase | None, packing: Packing | None) -> BundleBase | None:
    """Return what a bundle stands on, the bases of its deltas included."""
    bases = packing.pack.bases() if packing is not None else frozenset()
    if not bases or packing is None or packing.holding is None:
        return base
    relied_on = bases.union(base.digests if base is not None else ())
    return BundleBase(packing.holding.sequence, packing.holding.id, tuple(sorted(relied_on)))


def _on_the_loop(on_bytes: OnBytes) -> OnBytes:
    """Return a function that tells ``on_bytes`` from another thread."""
    loop = asyncio.get_running_loop()

    def tell(count: int) -> None:
        loop.call_soon_threadsafe(on_bytes, count)

    return tell


@dataclass(frozen=True, slots=True)
class _Prepared:
    manifest: BundleManifest
    docker: DockerManifest
    layout: Layout
    head: list[tuple[str, bytes]]
    inside: Inside
    packing: Packing | None
    packed: frozenset[Digest]
    waiting: Iterator[BlobMember] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "waiting", iter(self.layout.blobs.values()))
