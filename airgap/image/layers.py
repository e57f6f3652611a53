"""Reading the layers of an image out of any source: its file tree, and single files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import BinaryIO, Self, TypeVar

from airgap.content.ports import BlobReader, FileRegion, Source
from airgap.errors import ArchiveDamaged, NotPermitted, Unsupported
from airgap.image.compression import ByteStream, unpacked
from airgap.image.filesystem import FileTree, Located
from airgap.image.tar_entries import TarReader
from airgap.image.threads import StopSign, in_thread, open_in_thread
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.reference import Repository

PIECE = 1024 * 1024
"""Bytes read and given at once."""

Result = TypeVar("Result")


async def read_file_tree(source: Source, repository: Repository, image: Manifest) -> FileTree:
    """Merge the layers of an image of one platform; each is read once, none is kept.

    Raises:
        ArchiveDamaged: a layer is broken, or has files that lead out of the image.
        NotFound: a layer is not there.
        Unsupported: the manifest is an index, or an artifact without layer tars.
    """
    if not image.is_image:
        raise Unsupported(
            f"{repository}@{image.descriptor.digest}",
            "has no file system: it is an index or an artifact",
            "choose one platform of an index",
        )
    tree = FileTree(f"{repository}@{image.descriptor.digest}")
    for layer in image.layers:
        what = f"layer {layer.digest}"

        def add(stream: ByteStream, what: str = what) -> None:
            tree.add_layer(TarReader(unpacked(stream, what), what))

        await _with_stream(source.open_blob(repository, layer), what, add)
    return tree


async def read_file(
    source: Source, repository: Repository, image: Manifest, file: Located
) -> AsyncIterator[bytes]:
    """Yield the content of one file, 1 MiB at most at a time.

    Args:
        source: where the image is.
        repository: where it is there.
        image: the image that the tree was read from.
        file: what ``FileTree.content_of`` returned.

    Raises:
        ArchiveDamaged: the layer is broken, or not the one that the tree was read from.
    """
    layer = image.layers[file.layer]
    what = f"layer {layer.digest}"
    async with source.open_blob(repository, layer) as reader, _stream_of(reader, what) as stream:
        left = file.entry.size

        def begin(sign: StopSign) -> ByteStream:
            plain = unpacked(stream, what)
            _skip(plain, file.entry.offset, what, sign)
            return plain

        def read_next(_: StopSign) -> bytes:
            return plain.read(min(left, PIECE))

        plain = await in_thread(begin)
        while left:
            piece = await in_thread(read_next)
            if not piece:
                raise ArchiveDamaged(what, "ends in the middle of a file")
            left -= len(piece)
            yield piece


async def diff_id_of(source: Source, repository: Repository, layer: Descriptor) -> Digest:
    """Return the digest of a layer's plain tar.

    Raises:
        ArchiveDamaged: its packing is broken.
    """
    what = f"layer {layer.digest}"
    hasher = hashlib.sha256()

    def read(stream: ByteStream) -> None:
        plain = unpacked(stream, what)
        while piece := plain.read(PIECE):
            hasher.update(piece)

    await _with_stream(source.open_blob(repository, layer), what, read)
    return Digest.from_hasher(hasher)


async def _with_stream(
    opening: AbstractAsyncContextManager[BlobReader],
    what: str,
    work: Callable[[ByteStream], Result],
) -> Result:
    """Run blocking work on an open blob in a thread."""
    async with opening as reader, _stream_of(reader, what) as stream:
        return await in_thread(lambda sign: work(_Stopping(stream, sign)))


def _skip(stream: ByteStream, size: int, what: str, sign: StopSign) -> None:
    while size:
        sign.check()
        piece = stream.read(min(size, PIECE))
        if not piece:
            raise ArchiveDamaged(what, "is shorter than its file list says")
        size -= len(piece)


def _stream_of(reader: BlobReader, what: str) -> AbstractAsyncContextManager[ByteStream]:
    if reader.region is not None:
        return _RegionStream(reader.region, what)
    return _PulledStream(reader)


class _Stopping:
    """A stream that ends its thread's work when nobody waits for it any more."""

    def __init__(self, stream: ByteStream, sign: StopSign) -> None:
        self._stream = stream
        self._sign = sign

    def read(self, size: int, /) -> bytes:
        self._sign.check()
        return self._stream.read(size)


class _RegionStream:
    """A piece of a local file as a stream."""

    def __init__(self, region: FileRegion, what: str) -> None:
        self._region = region
        self._what = what
        self._left = region.length
        self._file: BinaryIO

    async def __aenter__(self) -> Self:
        try:
            self._file = await open_in_thread(self._region.path, "rb")
        except OSError as error:
            raise NotPermitted(self._what, f"cannot be read: {error.strerror}") from None
        self._file.seek(self._region.offset)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int, /) -> bytes:
        piece = self._file.read(min(size, self._left))
        self._left -= len(piece)
        return piece


class _PulledStream:
    """A reader of the event loop, read from a thread: each piece is asked for when it is needed."""

    def __init__(self, reader: BlobReader) -> None:
        self._pieces = aiter(reader)
        self._loop = asyncio.get_running_loop()
        self._rest = memoryview(b"")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing of its own is open."""

    def read(self, size: int, /) -> bytes:
        while not self._rest:
            piece = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        head, self._rest = self._rest[:size], self._rest[size:]
        return bytes(head)

    async def _next(self) -> bytes | None:
        return await anext(self._pieces, None)
