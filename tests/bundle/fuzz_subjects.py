"""What the fuzzer starts from: small bundles of every kind, with what must come out of them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import zstandard

from airgap.bundle.age_keys import Identity
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.keys import PrivateKey
from airgap.bundle.output import WriteOptions
from airgap.bundle.signatures import SignaturePolicy, signer
from airgap.bundle.stream import MAX_WINDOW
from airgap.bundle.volumes import VolumeCut, read_file_name
from airgap.bundle.writer import BundleWriter, Signer
from airgap.config.transfer import PackKind
from airgap.content.copy_plan import copy_plan
from airgap.content.events import discard
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.operations.packing import packer_at
from airgap.store.store import Store
from airgap.usecases.pack_rules import PackRules
from tests.bundle.samples import NOON, roots_of, several_images, write_bundle
from tests.support import images
from tests.support.filled_store import filled_store
from tests.support.memory import MemorySource

NAME = "bundle"
_VOLUME_SIZE = 16 * 1024
_LARGEST_INSIDE = 1 << 28
_KEY = PrivateKey.generate("fuzz")


@dataclass(frozen=True)
class Subject:
    """A good bundle.

    Attributes:
        name: its kind.
        files: what its folder holds.
        names: what the import of it publishes.
        blobs: the content that the store then has.
        identity: opens it, where it is encrypted.
        is_compressed: zstd is around it.
        policy: whose signatures its importer wants.
        others: the volumes of another set of the same name; none where there are no volumes.
    """

    name: str
    files: Mapping[str, bytes]
    names: Mapping[Reference, Digest]
    blobs: Mapping[Digest, bytes]
    identity: Identity | None = None
    is_compressed: bool = False
    policy: SignaturePolicy = field(default_factory=SignaturePolicy)
    others: Mapping[str, bytes] | None = None

    @property
    def has_volumes(self) -> bool:
        """Whether it is cut."""
        return self.others is not None

    @property
    def identities(self) -> tuple[Identity, ...]:
        """What can open it."""
        return (self.identity,) if self.identity is not None else ()

    def inside(self, files: Mapping[str, bytes] | None = None) -> bytes:
        """Return the plain tar in files; without them, in its own.

        Raises:
            ValueError: they cannot be joined, opened or decompressed.
        """
        stored = _joined(self.files if files is None else files)
        if self.identity is not None:
            try:
                stored = pyrage.decrypt(stored, [self.identity])
            except pyrage.DecryptError as error:
                raise ValueError(str(error)) from None
        if not self.is_compressed:
            return stored
        try:
            decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
            with decompressor.stream_reader(io.BytesIO(stored), read_across_frames=True) as reader:
                return reader.read(_LARGEST_INSIDE)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from None

    def around(self, inside: bytes) -> bytes:
        """Wrap a tar as the bundle was wrapped."""
        if self.is_compressed:
            inside = zstandard.ZstdCompressor(write_checksum=True).compress(inside)
        return self.sealed(inside)

    def sealed(self, content: bytes) -> bytes:
        """Encrypt bytes, where the bundle was encrypted."""
        if self.identity is None:
            return content
        return bytes(pyrage.encrypt(content, [self.identity.to_public()]))


def _joined(files: Mapping[str, bytes]) -> bytes:
    if NAME in files:
        return files[NAME]
    volumes = {found[1]: raw for name, raw in files.items() if (found := read_file_name(name))}
    data = [raw for volume, raw in sorted(volumes.items()) if volume.kind == "data"]
    if not data:
        raise ValueError("no volumes")
    return b"".join(data)


def make_subjects(folder: Path) -> list[Subject]:
    """Write one bundle of each kind.

    Args:
        folder: empty; where they are made.
    """
    return [
        _make(folder, "plain"),
        _make(folder, "zstd", zstd=True),
        _make(folder, "plain signed", signed=True),
        _make(folder, "zstd signed", zstd=True, signed=True),
        _make(folder, "encrypted signed", encrypted=True, signed=True),
        _make(folder, "volumes", cut=VolumeCut(_VOLUME_SIZE)),
        _make(folder, "volumes zstd signed", zstd=True, signed=True, cut=VolumeCut(_VOLUME_SIZE)),
        _make(folder, "volumes encrypted", encrypted=True, cut=VolumeCut(_VOLUME_SIZE)),
        _make(folder, "packed", zstd=True, packed=True),
        _make(folder, "packed signed", zstd=True, signed=True, packed=True),
    ]


def _make(
    folder: Path,
    name: str,
    *,
    zstd: bool = False,
    encrypted: bool = False,
    signed: bool = False,
    packed: bool = False,
    cut: VolumeCut | None = None,
) -> Subject:
    source = several_images()
    identity = pyrage.x25519.Identity.generate() if encrypted else None
    recipients = (identity.to_public(),) if identity is not None else ()
    options = WriteOptions(zstd=zstd, long=packed, sync=False, cut=cut, recipients=recipients)
    others = None
    if cut is not None:
        another = MemorySource({"other:1": images.image([images.random_layer(9, 40_000)])})
        others = _written(folder / f"{name} other", another, options, signed=signed)
    return Subject(
        name,
        _written(folder / name, source, options, signed=signed),
        {root.reference: root.descriptor.digest for root in roots_of(source)},
        source.blobs,
        identity,
        zstd,
        SignaturePolicy((_KEY.public,)) if signed else SignaturePolicy(),
        others,
    )


def _written(
    folder: Path, source: MemorySource, options: WriteOptions, *, signed: bool
) -> dict[str, bytes]:
    folder.mkdir()
    sign = signer([_KEY]) if signed else None
    if options.long:
        asyncio.run(_pack(folder / NAME, source, options, sign))
    else:
        asyncio.run(write_bundle(folder / NAME, source, options, sign=sign))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def _pack(
    path: Path, source: MemorySource, options: WriteOptions, sign: Signer | None
) -> None:
    """Write a packed bundle, from a store that has everything of a source."""
    place = await filled_store(path.parent.with_name(f"{path.parent.name} store"), source)
    async with (
        Store.open(place, sync=False) as store,
        packer_at(store, PackRules(PackKind.SMALL), None, discard) as packer,
        BundleWriter(path, store, BundleIdentity(NOON), options, sign, packer=packer) as writer,
    ):
        await copy_plan(store, writer, await store.plan(roots_of(source), frozenset()))
