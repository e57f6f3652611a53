"""Checking everything about a bundle in one reading, without keeping any of it. Blocking."""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from airgap.bundle import members
from airgap.bundle.checksum import checksum_path, read_checksum
from airgap.bundle.encryption import Decrypted
from airgap.bundle.failures import BRING_AGAIN, telling
from airgap.bundle.format import BundleManifest
from airgap.bundle.graph import BundleGraph
from airgap.bundle.head import Head, read_head
from airgap.bundle.layout import BlobMember, Member
from airgap.bundle.medium import Medium, OneFile, as_medium
from airgap.bundle.stream import ByteStream, has_zstd_around_it, stream_of
from airgap.content.ports import FileRegion
from airgap.errors import AirgapError, BundleDamaged, ContentMismatch, Unsupported
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest, Role, parse_manifest

_PIECE = 1024 * 1024
_PIECES_AHEAD = 4
"""Pieces read that the file's own hash has not seen yet."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check of a bundle found.

    Attributes:
        path: the file; of volumes, their folder and NAME.
        head: everything before the first blob.
        digest: SHA-256 of the file as it is stored, of volumes that of all of them joined; None
            where it could not be read to its end.
        checksum: what the ``.sha256`` beside it says; None where there is none.
        problems: everything that is wrong, in the order of the file; empty means that it is whole.
    """

    path: Path
    head: Head
    digest: Digest | None
    checksum: Digest | None
    problems: tuple[str, ...]

    @property
    def manifest(self) -> BundleManifest:
        """What ``bundle.json`` says."""
        return self.head.manifest

    def error(self) -> AirgapError | None:
        """Return the error that the whole check ends with, or None."""
        if not self.problems:
            return None
        first, others = self.problems[0], len(self.problems) - 1
        return BundleDamaged(
            str(self.path), first + (f" (and {others} more)" if others else ""), BRING_AGAIN
        )


def verify_bundle(
    place: Path | Medium, on_bytes: Callable[[int], None] = lambda _: None
) -> VerifyReport:
    """Check the checksum beside a bundle, every member of it, and that its graph is complete.

    Args:
        place: the bundle. Volumes are taken as they come; ``check_volumes`` says which is damaged.
        on_bytes: is told, in this thread, how many more bytes of content have been checked.

    Raises:
        BundleDamaged: it is not a bundle, or its head is damaged, so that nothing else can be said.
        AccessDenied: it is encrypted.
        NotFound, NotPermitted: it cannot be opened.
    """
    medium = as_medium(place)
    compressed = has_zstd_around_it(medium)
    stored = medium.inner if isinstance(medium, Decrypted) else medium
    with telling(medium.path):
        checksum = read_checksum(stored.path) if isinstance(stored, OneFile) else None
    hashed = _HashedMedium(stored)
    outer = replace(medium, inner=hashed) if isinstance(medium, Decrypted) else hashed
    with stream_of(medium.path, outer.open(), compressed=compressed) as stream:
        check = _Check(stream, read_head(stream), on_bytes)
        check.run()
        digest = hashed.digest() if check.reached_the_end else None
    if digest is not None and checksum is not None and digest != checksum:
        check.problems.append(
            f"hashes to {digest}, and {checksum_path(medium.path).name} says {checksum}"
        )
    return VerifyReport(medium.path, check.head, digest, checksum, tuple(check.problems))


class _Check:
    def __init__(self, stream: ByteStream, head: Head, on_bytes: Callable[[int], None]) -> None:
        self.head = head
        self.problems: list[str] = []
        self.reached_the_end = False
        self._stream = stream
        self._on_bytes = on_bytes

    def run(self) -> None:
        """Read everything that follows the head."""
        try:
            graph = BundleGraph.of(self.head.manifest, self._manifests())
            members.expect_end(self._stream, self.head.layout.size)
        except (BundleDamaged, Unsupported) as error:
            self.problems.append(error.cause)
            return
        self.reached_the_end = True
        # What is missing below a damaged manifest would only repeat that it is damaged.
        if not self.problems:
            self.problems.extend(graph.problems())

    def _manifests(self) -> Iterator[Manifest]:
        """Check every blob and part, and yield those that are manifests."""
        for blob in self.head.layout.blobs.values():
            try:
                if blob.item.role is Role.MANIFEST:
                    yield self._checked_manifest(blob)
                else:
                    self._check_member(blob.member, blob.item.descriptor.digest)
            except BundleDamaged as error:
                # Where content stands is known without it, so the others can be checked too.
                if self._stream.is_compressed or self._stream.position < blob.member.start:
                    raise
                self.problems.append(error.cause)
                self._pass(blob.member)
        for part in self.head.layout.parts:
            for packed in part.part.blobs:
                if packed.recipe is not None:
                    self._check_piece(part.recipes[packed.digest], packed.recipe.digest)
            self._check_piece(part.content, part.part.carried.digest)

    def _check_piece(self, member: Member, digest: Digest) -> None:
        try:
            self._check_member(member, digest)
        except BundleDamaged as error:
            if self._stream.is_compressed or self._stream.position < member.start:
                raise
            self.problems.append(error.cause)
            self._pass(member)

    def _checked_manifest(self, blob: BlobMember) -> Manifest:
        member, descriptor = blob.member, blob.item.descriptor
        members.enter(self._stream, member)
        raw = self._stream.read(member.size, member.name)
        members.leave(self._stream, member)
        self._on_bytes(member.size)
        try:
            return parse_manifest(raw, descriptor.media_type, digest=descriptor.digest)
        except (ContentMismatch, Unsupported) as error:
            raise self._stream.damaged(member.name, str(error), member.start) from None

    def _check_member(self, member: Member, digest: Digest) -> None:
        members.enter(self._stream, member)
        hasher = digest.hasher()
        left = member.size
        while left:
            piece = self._stream.read(min(left, _PIECE), member.name)
            hasher.update(piece)
            left -= len(piece)
            self._on_bytes(len(piece))
        members.leave(self._stream, member)
        actual = Digest.from_hasher(hasher)
        if actual != digest:
            raise self._stream.damaged(member.name, f"its bytes hash to {actual}", member.start)

    def _pass(self, member: Member) -> None:
        """Read on to the next member, so that the hash of the file sees every byte."""
        while self._stream.position < member.end:
            if not self._stream.read_some(min(member.end - self._stream.position, _PIECE)):
                return


class _HashedMedium:
    """A medium that is read once from front to back, and hashed meanwhile by another thread."""

    is_seekable = False

    def __init__(self, inner: Medium) -> None:
        self.path = inner.path
        self._inner = inner
        self._file: _HashedFile | None = None

    def open(self) -> BinaryIO:
        self._file = _HashedFile(self._inner.open())
        return cast("BinaryIO", self._file)

    def size(self) -> int:
        return self._inner.size()

    def region(self, offset: int, length: int) -> FileRegion | None:
        del offset, length
        return None

    def digest(self) -> Digest | None:
        """Return the digest of everything, once all of it is read."""
        return self._file.digest() if self._file is not None else None


class _HashedFile(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._sha256 = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "bundle-checksum")
        self._waiting: deque[Future[None]] = deque()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._waiting.append(self._thread.submit(self._sha256.update, data))
        if len(self._waiting) > _PIECES_AHEAD:
            self._waiting.popleft().result()
        return data

    def digest(self) -> Digest:
        """Return the digest of everything that was read."""
        for hashing in self._waiting:
            hashing.result()
        return Digest.from_hasher(self._sha256)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._file.close()
        super().close()
