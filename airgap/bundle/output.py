"""A bundle file while it is written; nothing has its name before it is whole.

Everything here blocks and belongs to one thread at a time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import zstandard

from airgap.bundle.checksum import checksum_line, checksum_path
from airgap.bundle.failures import telling
from airgap.bundle.pump import ContentHash, Pump
from airgap.content.ports import FileRegion
from airgap.errors import ContentMismatch, NoSpace, Refused, UsageError
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest

ZSTD_LEVEL = 3
ZSTD_WINDOW_LOG = 23
"""Readers need a window of 8 MiB, the most that RFC 8878 asks every decoder to support."""

_STORE_DAMAGED = "the store is damaged there: `airgap store fsck` finds what else is"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a bundle is written.

    Attributes:
        zstd: wrap the whole tar into one zstd frame.
        sync: return only when the bytes are on the disk.
        verify: check each blob against its digest while it is packed.
        replace: an existing file of the name may be replaced.
    """

    zstd: bool = False
    sync: bool = True
    verify: bool = True
    replace: bool = False


DEFAULT_OPTIONS = WriteOptions()


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        size: bytes of the file.
        digest: its SHA-256, as the ``.sha256`` beside it says.
    """

    size: int
    digest: Digest


@dataclass(slots=True)
class _Content:
    descriptor: Descriptor
    hash: ContentHash | None
    seen: int = 0


class BundleOutput:
    """Takes the bytes of a bundle in order, and publishes the file when they are all there."""

    def __init__(self, path: Path, options: WriteOptions) -> None:
        self.path = path
        self._options = options
        self._partial = path.with_name(f"{path.name}.partial")
        self._file = -1
        self._pump: Pump | None = None
        self._content: _Content | None = None
        self._stopped = Event()

    def open(self, size: int) -> None:
        """Begin a file whose uncompressed bytes will be ``size``.

        Raises:
            UsageError: the name is taken, or is a folder.
            Refused: another process writes the same file.
            NoSpace: the disk cannot take that much.
        """
        if self.path.is_dir():
            raise UsageError(str(self.path), "is a folder", "name a file in it")
        if self.path.exists() and not self._options.replace:
            raise UsageError(str(self.path), "is already there", "choose another name")
        with telling(self._partial):
            self._file = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._lock()
            os.ftruncate(self._file, 0)
            self._check_space(size)
        compressor = _compressor(size) if self._options.zstd else None
        self._pump = Pump(self._file, compressor, sync=self._options.sync)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            self._file = -1
            raise Refused(
                str(self.path), "another process is writing it", "wait for it, or choose a name"
            ) from None

    def _check_space(self, size: int) -> None:
        disk = os.fstatvfs(self._file)
        free = disk.f_bavail * disk.f_frsize
        if free < size and not self._options.zstd:
            raise NoSpace(
                str(self.path),
                f"the bundle has {size:,} bytes, and {free:,} are free",
                "free some space there, or write elsewhere; nothing was written",
            )

    def write(self, data: bytes) -> None:
        """Append bytes that are no blob's: headers, padding, the head."""
        with telling(self._partial):
            self._open_pump.append(data)

    def begin(self, descriptor: Descriptor) -> None:
        """Begin a blob."""
        verify = self._options.verify
        self._content = _Content(
            descriptor, ContentHash(descriptor.digest.hasher()) if verify else None
        )

    def write_content(self, data: bytes) -> None:
        """Append bytes of the blob that was begun."""
        content = self._open_content
        content.seen += len(data)
        with telling(self._partial):
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
            while copied < region.length and not self._stopped.is_set():
                with telling(self._partial):
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
        digest, size = content.descriptor.digest, content.descriptor.size
        if content.seen != size:
            raise ContentMismatch(
                str(digest),
                f"has {content.seen} bytes where {size} were announced",
                _STORE_DAMAGED,
            )
        if content.hash is not None and (actual := content.hash.digest()) != digest:
            raise ContentMismatch(str(digest), f"its bytes hash to {actual}", _STORE_DAMAGED)

    def publish(self) -> Written:
        """Give the file its name, and the ``.sha256`` beside it last."""
        with telling(self.path):
            size, digest = self._open_pump.finish()
            checksum_path(self.path).unlink(missing_ok=True)
            self._partial.rename(self.path)
            self._sync_folder()
            self._write_checksum(digest)
            self._close_file()
        return Written(size, digest)

    def _write_checksum(self, digest: Digest) -> None:
        final = checksum_path(self.path)
        temporary = final.with_name(f"{final.name}.partial")
        line = checksum_line(self.path.name, digest)
        with temporary.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(line)
            file.flush()
            if self._options.sync:
                os.fsync(file.fileno())
        temporary.rename(final)
        self._sync_folder()

    def _sync_folder(self) -> None:
        if not self._options.sync:
            return
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def stop(self) -> None:
        """Let what runs in another thread end soon; may be called from any thread."""
        self._stopped.set()

    def abandon(self) -> None:
        """Throw away what was written, unless it was published."""
        if self._pump is not None:
            self._pump.close()
        if self._file >= 0:
            with telling(self._partial):
                # Unlinked while it is locked, so that the file of another process never goes.
                self._partial.unlink(missing_ok=True)
                self._close_file()

    def _close_file(self) -> None:
        os.close(self._file)
        self._file = -1

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


def _compressor(size: int) -> zstandard.ZstdCompressionObj:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        ZSTD_LEVEL, source_size=size, window_log=ZSTD_WINDOW_LOG, write_checksum=True
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size)
