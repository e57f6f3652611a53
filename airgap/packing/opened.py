"""Blobs opened into the plain bytes below their compression, and rebuilt from them. Blocking.

A delta against compressed bytes is as large as they are. So a blob is opened into its plain bytes
and a *recipe*, a few hundred bytes for most, that rebuild it bit for bit; and whether they do is
tried before anyone relies on it. What cannot be opened travels as it is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from airgap.errors import ContentMismatch
from airgap.oci.digest import Digest
from airgap.packing.inflating import GZIP_MAGIC, inflated
from airgap.packing.scratch import OnBytes, file_pieces, file_size, telling, unheard

DEFAULT_RECIPE_SHARE = 0.25
"""How large a recipe may be, as a share of the blob; beyond that there is little to gain."""

MIN_RECIPE = 4096
"""Bytes that a recipe may always have."""

MAX_RECIPE = 64 * 1024 * 1024
"""Bytes that no recipe may exceed; both sides hold it in memory."""

MAX_EXPANSION = 64
"""How many plain bytes one byte of a blob may become; layers have three or four."""

FREE_EXPANSION = 64 * 1024 * 1024
"""Bytes that every blob may become besides."""

_OTHER_COMPRESSIONS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
}
_HEAD = 6


class Form(StrEnum):
    """What a blob is, to those who want its plain bytes."""

    GZIP = "gzip"
    """Its plain bytes and a recipe rebuild it."""

    PLAIN = "plain"
    """It is not compressed: it is its own plain bytes."""

    WHOLE = "whole"
    """It cannot be opened, or opening it gains nothing."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a blob gave.

    Attributes:
        form: what the blob is.
        plain_digest: SHA-256 of the plain bytes, a layer's diff id; None for ``WHOLE``.
        plain_size: bytes of them; 0 for ``WHOLE``.
        recipe: what rebuilds the blob from them; for ``GZIP`` only.
        reason: why it is ``WHOLE``, as a clause for people; otherwise empty.
    """

    form: Form
    plain_digest: Digest | None = None
    plain_size: int = 0
    recipe: bytes | None = None
    reason: str = ""


class Opening(Protocol):
    """A gzip file on its way to plain bytes and a recipe."""

    def pieces(self, piece: bytes, /) -> Iterator[bytes]:
        """Take the next bytes of the file; yield the plain ones that become known."""
        ...

    def finish(self) -> bytes:
        """Return the recipe; the file is complete."""
        ...


class Rebuilding(Protocol):
    """Plain bytes on their way back."""

    def pieces(self, piece: bytes, /) -> Iterator[bytes]:
        """Take the next plain bytes; yield the bytes of the file that become known."""
        ...

    def last_pieces(self) -> Iterator[bytes]:
        """Yield the last bytes of the file; the plain bytes are complete."""
        ...


@dataclass(frozen=True, slots=True)
class Coder:
    """What opens and rebuilds gzip.

    Attributes:
        opener: begins an opening whose recipe has so many bytes at most.
        rebuilder: begins a rebuilding by a recipe, which may be hostile.
        cannot_open: what opening raises where it cannot be done.
    """

    opener: Callable[[int], Opening]
    rebuilder: Callable[[bytes], Rebuilding]
    cannot_open: type[Exception]


def open_blob(
    blob: Path,
    plain: Path,
    *,
    coder: Coder,
    max_recipe_share: float = DEFAULT_RECIPE_SHARE,
    on_bytes: OnBytes = unheard,
) -> Opened:
    """Open a blob by what it is, whatever its media type says.

    Args:
        blob: the blob, which stays as it is.
        plain: the file to write its plain bytes to, made where there is none; for ``GZIP`` only. It
            is empty afterwards where it was tried in vain.
        coder: what opens gzip.
        max_recipe_share: what a recipe may have at most, as a share of the blob's bytes.
        on_bytes: told of bytes of the blob that are done; may raise to break off.

    Raises:
        NoSpace, NotPermitted, NotFound: a file cannot be read or written.
    """
    with telling(blob), blob.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(GZIP_MAGIC):
        try:
            opened = _open_gzip(blob, plain, coder, max_recipe_share, on_bytes)
        except coder.cannot_open as error:
            opened = Opened(Form.WHOLE, reason=str(error))
        if opened.form is Form.WHOLE:
            # Not removed: it may be a file that has no name.
            with telling(plain):
                os.truncate(plain, 0)
        return opened
    for magic, name in _OTHER_COMPRESSIONS.items():
        if head.startswith(magic):
            return Opened(Form.WHOLE, reason=f"{name} cannot be rebuilt bit for bit")
    hasher = hashlib.sha256()
    size = 0
    for piece in file_pieces(blob):
        hasher.update(piece)
        size += len(piece)
        on_bytes(len(piece))
    return Opened(Form.PLAIN, Digest.from_hasher(hasher), size)


def rebuild_blob(plain: Iterable[bytes], recipe: bytes, *, coder: Coder) -> Iterator[bytes]:
    """Yield a blob's bytes from its plain ones and its recipe; neither is trusted or verified.

    Raises:
        ContentMismatch: while iterating; the recipe is damaged, or made for other bytes.
    """
    rebuilding = coder.rebuilder(recipe)
    for piece in plain:
        yield from filter(None, rebuilding.pieces(piece))
    yield from filter(None, rebuilding.last_pieces())


def plain_pieces(blob: Path, form: Form, plain_size: int) -> Iterator[bytes]:
    """Yield the plain bytes of a blob that was opened before, 1 MiB at most at a time.

    No recipe comes of it, so it is many times faster than opening.

    Args:
        blob: the blob.
        form: ``GZIP`` or ``PLAIN``, as it was when it was opened.
        plain_size: bytes, likewise.

    Raises:
        ContentMismatch: while iterating; it is damaged, or has fewer bytes.
        NotFound, NotPermitted: while iterating; it cannot be read.
    """
    if form is Form.WHOLE:
        raise ValueError("a blob that cannot be opened has no plain bytes")
    pieces = file_pieces(blob)
    if form is Form.GZIP:
        pieces = inflated(pieces, str(blob), limit=plain_size)
    size = 0
    for piece in pieces:
        size += len(piece)
        yield piece
    if size != plain_size:
        raise ContentMismatch(
            str(blob), f"has {size:,} plain bytes, and had {plain_size:,} when it was opened"
        )


def _open_gzip(
    blob: Path, plain: Path, coder: Coder, max_recipe_share: float, on_bytes: OnBytes
) -> Opened:
    size = file_size(blob)
    most = FREE_EXPANSION + size * MAX_EXPANSION
    most_recipe = min(max(int(size * max_recipe_share), MIN_RECIPE), MAX_RECIPE)
    opening = coder.opener(most_recipe)
    packed_hasher, plain_hasher = hashlib.sha256(), hashlib.sha256()
    plain_size = 0
    with telling(plain), plain.open("wb", buffering=0) as file:
        for piece in file_pieces(blob):
            packed_hasher.update(piece)
            for opened in opening.pieces(piece):
                plain_hasher.update(opened)
                plain_size += len(opened)
                if plain_size > most:
                    return Opened(Form.WHOLE, reason="it expands without measure")
                file.write(opened)
            on_bytes(len(piece))
        recipe = opening.finish()
    if not _rebuilds(plain, recipe, coder, packed_hasher.digest(), plain_hasher.digest()):
        return Opened(Form.WHOLE, reason="what was rebuilt by its recipe is not the same")
    return Opened(Form.GZIP, Digest.from_hasher(plain_hasher), plain_size, recipe)


def _rebuilds(plain: Path, recipe: bytes, coder: Coder, packed: bytes, digest: bytes) -> bool:
    """Tell whether a recipe does rebuild a blob, and zlib sees the same plain bytes in it."""
    packed_hasher, plain_hasher = hashlib.sha256(), hashlib.sha256()

    def rebuilt() -> Iterator[bytes]:
        for piece in rebuild_blob(file_pieces(plain), recipe, coder=coder):
            packed_hasher.update(piece)
            yield piece

    pieces = rebuilt()
    try:
        for piece in inflated(pieces, str(plain), limit=file_size(plain)):
            plain_hasher.update(piece)
        for _ in pieces:
            pass
    except ContentMismatch:
        return False
    return packed_hasher.digest() == packed and plain_hasher.digest() == digest
