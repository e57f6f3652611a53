"""Opening a bundle for reading, whichever of its forms it has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from airgap.bundle import members
from airgap.bundle.format import BundleManifest
from airgap.bundle.head import Head, read_head
from airgap.bundle.medium import Medium, as_medium
from airgap.bundle.reader import Bundle, CompressedBundle, PlainBundle
from airgap.bundle.stream import ByteStream, has_zstd_around_it, open_stream
from airgap.bundle.thread import OwnThread
from airgap.bundle.unpacking_means import UnpackingMeans

FindMeans: TypeAlias = Callable[[BundleManifest], UnpackingMeans]
"""Says with which means a bundle is unpacked, by what it says of itself."""


@asynccontextmanager
async def open_bundle(
    place: Path | Medium, means: FindMeans | None = None
) -> AsyncIterator[Bundle]:
    """Open a bundle and read its head; nothing is unpacked.

    Args:
        place: where it is.
        means: what it takes to unpack it, should it be packed; without it a packed bundle gives
            out what travels as it is, and nothing else.

    Yields:
        A ``PlainBundle``; or one that ``ReadsInOrder``: ``CompressedBundle``, ``PackedBundle``.

    Raises:
        BundleDamaged: it is not a bundle, is cut short, or does not agree with itself.
        AccessDenied: it is encrypted.
        NotFound, NotPermitted: it cannot be opened.
        Refused: the means are not enough to unpack it.
        NoSpace: there is no room to unpack it.
    """
    thread = OwnThread("bundle-read")
    try:
        bundle = await thread.run(_open, as_medium(place), thread, means)
        yield bundle
    finally:
        await thread.end(lambda: None)


def _open(medium: Medium, thread: OwnThread, means: FindMeans | None) -> Bundle:
    compressed = has_zstd_around_it(medium)
    with open_stream(medium, compressed=compressed) as stream:
        head = read_head(stream)
        pack = head.manifest.pack
        if pack is not None:
            # The coders take a while to load, and few bundles want them.
            from airgap.bundle.packed_reader import PackedBundle  # noqa: PLC0415

            found = means(head.manifest) if means is not None else None
            if found is not None:
                found.require(str(medium.path), pack)
            return PackedBundle(medium, head, thread, found, compressed=compressed)
        if compressed or not medium.is_seekable:
            return CompressedBundle(medium, head, thread, compressed=compressed)
        _expect_whole(stream, head, medium.size())
    return PlainBundle(medium, head, thread)


def _expect_whole(stream: ByteStream, head: Head, size: int) -> None:
    if size < head.layout.size:
        cut = next((b for b in head.layout.blobs.values() if b.member.end > size), None)
        name = cut.member.name if cut is not None else "the end"
        raise stream.damaged(
            name, f"the bundle ends here, and should have {head.layout.size} bytes", size
        )
    members.expect_end(stream, head.layout.size)
