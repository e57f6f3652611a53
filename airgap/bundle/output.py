"""A bundle while it is written; nothing has its name before it is whole.

Everything here blocks and belongs to one thread at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import zstandard

from airgap.bundle.age_keys import Recipient
from airgap.bundle.destination import Demand, Destination, SingleFile, Written
from airgap.bundle.encryption import Encrypting
from airgap.bundle.failures import telling
from airgap.bundle.pump import ContentHash, Pump
from airgap.bundle.volume_writer import VolumeFiles
from airgap.bundle.volumes import Inside, VolumeCut
from airgap.content.ports import FileRegion
from airgap.errors import ContentMismatch
from airgap.oci.digest import Digest

ZSTD_LEVEL = 3
ZSTD_WINDOW_LOG = 23
"""Readers need a window of 8 MiB, the most that RFC 8878 asks every decoder to support."""

LONG_LEVEL = 12
LONG_WINDOW_LOG = 27
"""A packed bundle's window: the most that zstd's tools take without being asked to."""

LONG_WINDOW = 1 << LONG_WINDOW_LOG
"""Bytes of memory that reading it takes."""

_MAX_THREADS = 4
_STORE_DAMAGED = "the store is damaged there: `airgap store fsck` finds what else is"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a bundle is written.

    Attributes:
        zstd: wrap the whole tar into one zstd frame.
        long: that frame looks far back and takes its time, as packed bundles want it.
        sync: return only when the bytes are on the disk.
        verify: check each blob against its digest while it is packed.
        replace: an existing file of the name may be replaced.
        read_back: read everything again from the medium and compare.
        cut: how to cut the bundle into volumes; None for one file.
        recipients: whom to encrypt it for, as ``encryption.load_recipients`` returns them; none
            leaves it readable.
    """

    zstd: bool = False
    long: bool = False
    sync: bool = True
    verify: bool = True
    replace: bool = False
    read_back: bool = False
    cut: VolumeCut | None = None
    recipients: tuple[Recipient, ...] = ()


DEFAULT_OPTIONS = WriteOptions()


@dataclass(slots=True)
class _Content:
    digest: Digest
    size: int
    hash: ContentHash | None
    seen: int = 0


class BundleOutput:
    """Takes the bytes of a bundle in order, and publishes it when they are all there."""

    def __init__(self, path: Path, options: WriteOptions) -> None:
        self.path = path
        self._options = options
        self._demand = Demand()
        self._destination = _destination(path, options, self._demand)
        self._pump: Pump | None = None
        self._content: _Content | None = None

    def open(self, size: int) -> None:
        """Begin a bundle whose uncompressed bytes will be ``size``.

        Raises:
            UsageError: the name is taken, or is a folder; or there would be too many volumes.
            Refused: another process writes the same file.
            NoSpace: the disk cannot take that much.
        """
        self._destination.open(size, exact=not self._options.zstd)
        compressor = _compressor(size, self._options) if self._options.zstd else None
        self._pump = Pump(self._destination.write, compressor)

    def write(self, data: bytes) -> None:
        """Append bytes that are no blob's: headers, padding, the head."""
        self._open_pump.append(data)

    def begin(self, digest: Digest, size: int) -> None:
        """Begin a blob, or a part, of ``size`` bytes."""
        hashing = ContentHash(digest.hasher()) if self._options.verify else None
        self._content = _Content(digest, size, hashing)

    def write_content(self, data: bytes) -> None:
        """Append bytes of the blob that was begun."""
        content = self._open_content
        content.seen += len(data)
        self._open_pump.append(data, content.hash)

    def copy_content(self, region: FileRegion, on_bytes: Callable[[int], None]) -> None:
        """Append a piece of a file to the blob that was begun.

        Args:
            region: where the bytes are.
            on_bytes: is told, in this thread, how many more bytes have been taken.
        """
        content, pump = self._open_content, self._open_pump
        with telling(region.path):
            source = os.open(region.path, os.O_RDONLY | os.O_CLOEXEC)
        copied = 0

        def read_into(space: memoryview) -> int:
            with telling(region.path):
                return os.preadv(source, [space], region.offset + copied)

        try:
            while copied < region.length and not self._demand.is_over:
                count = pump.append_from(read_into, region.length - copied, content.hash)
                if count == 0:
                    break
                copied += count
                content.seen += count
                on_bytes(count)
        finally:
            os.close(source)

    def end(self) -> None:
        """End the blob that was begun.

        Raises:
            ContentMismatch: its size, or (where that is checked) its digest, is another.
        """
        content, self._content = self._open_content, None
        digest, size = content.digest, content.size
        if content.seen != size:
            raise ContentMismatch(
                str(digest),
                f"has {content.seen} bytes where {size} were announced",
                _STORE_DAMAGED,
            )
        if content.hash is not None and (actual := content.hash.digest()) != digest:
            raise ContentMismatch(str(digest), f"its bytes hash to {actual}", _STORE_DAMAGED)

    def publish(self, inside: Inside) -> Written:
        """Let the bundle have its name when all of it is on the medium; checksums come last."""
        self._open_pump.finish()
        self._destination.finish()
        self._demand.expect()
        return self._destination.publish(inside)

    def stop(self) -> None:
        """Let what runs in another thread end soon; may be called from any thread."""
        self._demand.end()

    def abandon(self) -> None:
        """Throw away what was written, unless it was published."""
        if self._pump is not None:
            self._pump.close()
        self._destination.abandon()

    @property
    def _open_pump(self) -> Pump:
        if self._pump is None:
            raise RuntimeError("the bundle was not opened")
        return self._pump

    @property
    def _open_content(self) -> _Content:
        if self._content is None:
            raise RuntimeError("no blob was begun")
        return self._content


def _destination(path: Path, options: WriteOptions, demand: Demand) -> Destination:
    target: Destination
    if options.cut is not None:
        cut = replace(options.cut, read_back=options.read_back)
        target = VolumeFiles(path, cut, demand, replace=options.replace, sync=options.sync)
    else:
        target = SingleFile(
            path,
            demand,
            replace=options.replace,
            sync=options.sync,
            read_back=options.read_back,
        )
    return Encrypting(target, options.recipients) if options.recipients else target


def _compressor(size: int, options: WriteOptions) -> zstandard.ZstdCompressionObj:
    if options.long:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LONG_LEVEL,
            source_size=size,
            window_log=LONG_WINDOW_LOG,
            enable_ldm=True,
            write_checksum=True,
            # With one thread or many the bytes are the same; without any they are others.
            threads=min(os.cpu_count() or 1, _MAX_THREADS),
        )
    else:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            ZSTD_LEVEL, source_size=size, window_log=ZSTD_WINDOW_LOG, write_checksum=True
        )
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size)
