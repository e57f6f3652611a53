"""Writing a planned layer: the same plan over the same files gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from airgap.errors import ContentMismatch
from airgap.image.additions import LayerEntry
from airgap.image.compression import HEAD_SIZE, Compression, detect, unpacked
from airgap.image.tar_entries import Kind
from airgap.image.threads import StopSign
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest

_PIECE = 1024 * 1024
_GZIP_LEVEL = 6
_TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.FOLDER: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.HARDLINK: tarfile.LNKTYPE,
    Kind.CHARACTER_DEVICE: tarfile.CHRTYPE,
    Kind.BLOCK_DEVICE: tarfile.BLKTYPE,
    Kind.FIFO: tarfile.FIFOTYPE,
}


@dataclass(frozen=True, slots=True)
class BuiltLayer:
    """A layer that has been written.

    Attributes:
        descriptor: of the packed bytes, as an OCI layer.
        diff_id: digest of the plain tar.
    """

    descriptor: Descriptor
    diff_id: Digest


def write_layer(
    entries: Sequence[LayerEntry],
    output: BinaryIO,
    sign: StopSign,
    *,
    scratch: Path,
    compress: bool = True,
) -> BuiltLayer:
    """Write a layer; blocking, for a worker thread.

    Args:
        entries: what ``plan_layer`` returned.
        output: where the bytes go, from where it stands on.
        sign: asks the writing to end.
        scratch: an existing folder, where a packed tar is unpacked for as long as it is read.
        compress: pack with gzip, which every runtime reads; otherwise a plain tar.

    Raises:
        ContentMismatch: a source has changed since it was planned.
        OSError: the output cannot be written, or a source not be read.
    """
    packed = _HashingWriter(output)
    with ExitStack() as stack:
        target: _Writer = packed
        if compress:
            target = stack.enter_context(
                gzip.GzipFile("", "wb", _GZIP_LEVEL, fileobj=packed, mtime=0)
            )
        plain = _HashingWriter(target)
        contents = _Contents(scratch, stack)
        for item in entries:
            plain.write(_header(item))
            if item.entry.kind is Kind.FILE and item.entry.size:
                _write_content(item, contents.of(item), plain, sign)
        plain.write(bytes(2 * tarfile.BLOCKSIZE))
    kind = media_types.OCI_LAYER_GZIP if compress else media_types.OCI_LAYER
    digest = Digest.from_hasher(packed.hasher)
    return BuiltLayer(Descriptor(kind, digest, packed.size), Digest.from_hasher(plain.hasher))


class _Writer(Protocol):
    def write(self, data: bytes, /) -> int: ...


class _HashingWriter:
    """Passes bytes on, hashes and counts them."""

    def __init__(self, target: _Writer) -> None:
        self._target = target
        self.hasher = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self.hasher.update(data)
        self.size += len(data)
        self._target.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""


class _Contents:
    """The content of planned files, from folders and from tars; a packed tar is unpacked once."""

    def __init__(self, scratch: Path, stack: ExitStack) -> None:
        self._scratch = scratch
        self._stack = stack
        self._tars: dict[Path, BinaryIO] = {}

    def of(self, item: LayerEntry) -> Iterator[bytes]:
        """Yield the content of one file, 1 MiB at most at a time."""
        if item.source is None:
            return
        if not item.in_tar:
            with item.source.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
            return
        tar = self._tars.get(item.source)
        if tar is None:
            tar = self._tars[item.source] = self._plain_tar(item.source)
        tar.seek(item.entry.offset)
        left = item.entry.size
        while left and (piece := tar.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece

    def _plain_tar(self, path: Path) -> BinaryIO:
        file = self._stack.enter_context(path.open("rb"))
        if detect(file.read(HEAD_SIZE)) is Compression.NONE:
            return file
        file.seek(0)
        stream = unpacked(file, str(path))
        opened = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 - the stack closes it
        plain = self._stack.enter_context(opened)
        while piece := stream.read(_PIECE):
            plain.write(piece)
        return plain


def _write_content(
    item: LayerEntry, content: Iterator[bytes], target: _HashingWriter, sign: StopSign
) -> None:
    written = 0
    try:
        for piece in content:
            sign.check()
            written += len(piece)
            if written > item.entry.size:
                break
            target.write(piece)
    except FileNotFoundError:
        written = -1
    if written != item.entry.size:
        raise ContentMismatch(str(item.source), "has changed while it was added", "add it again")
    target.write(bytes(-written % tarfile.BLOCKSIZE))


def _header(item: LayerEntry) -> bytes:
    entry = item.entry
    info = tarfile.TarInfo(entry.name)
    info.type = _TYPES[entry.kind]
    info.size = entry.size if entry.kind is Kind.FILE else 0
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, entry.mtime
    info.linkname = entry.target
    info.devmajor, info.devminor = entry.device
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
