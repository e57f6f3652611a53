"""From the parts of a packed bundle back to blobs, each verified before it exists. Blocking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from airgap.bundle import members
from airgap.bundle.layout import Member, PartMembers
from airgap.bundle.nameless import NamelessFile
from airgap.bundle.pack import DeltaBase, Piece
from airgap.bundle.stream import ByteStream
from airgap.bundle.unpacking_means import UnpackingMeans
from airgap.errors import ContentMismatch, Refused
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.packing.coder import DEFLATE
from airgap.packing.delta import apply_delta
from airgap.packing.opened import Form, plain_pieces, rebuild_blob

_PIECE = 1024 * 1024


class OpenedPart:
    """The plain bytes of a part, in a file, and the recipes to make blobs of them."""

    def __init__(self, plain: NamelessFile, recipes: Mapping[Digest, bytes]) -> None:
        self._plain = plain
        self._recipes = recipes

    def close_blob(self, blob: Descriptor, into: NamelessFile) -> None:
        """Make a blob; several may be made at the same time.

        Raises:
            ContentMismatch: something else comes out.
        """
        pieces = _file_pieces(self._plain.path)
        recipe = self._recipes.get(blob.digest)
        if recipe is not None:
            pieces = rebuild_blob(pieces, recipe, coder=DEFLATE)
        made = into.fill(pieces, blob.digest, blob.size)
        if made != blob.digest or into.size != blob.size:
            raise ContentMismatch(
                str(blob.digest), f"{made} comes out when it is rebuilt", "ask for a plain bundle"
            )

    def close(self) -> None:
        """Let the plain bytes go."""
        self._plain.close()


def open_part(
    stream: ByteStream, part_members: PartMembers, wanted: frozenset[Digest], means: UnpackingMeans
) -> OpenedPart:
    """Read a part, verified.

    Args:
        stream: a bundle, before the part.
        part_members: where it stands.
        wanted: the blobs that will be made of it.
        means: where to.

    Raises:
        BundleDamaged: a member is damaged, or other plain bytes come out.
        NotFound: the base of a delta is not here.
        Refused: it takes more memory than it may.
        NoSpace: the disk is full.
    """
    part = part_members.part
    recipes: dict[Digest, bytes] = {}
    for blob in part.blobs:
        if blob.recipe is not None:
            pieces = _verified(stream, part_members.recipes[blob.digest], blob.recipe)
            if blob.digest in wanted:
                recipes[blob.digest] = b"".join(pieces)
            else:
                _exhaust(pieces)
    plain = NamelessFile(means.folder)
    try:
        _fill(plain, stream, part_members, means)
    except BaseException:
        plain.close()
        raise
    return OpenedPart(plain, recipes)


def _fill(
    plain: NamelessFile, stream: ByteStream, part_members: PartMembers, means: UnpackingMeans
) -> None:
    part, content = part_members.part, part_members.content
    with ExitStack() as stack:
        bases = [_open_base(base, means, stack) for base in part.bases]
        carried = _verified(stream, content, part.carried)
        pieces = apply_delta(bases, carried, memory=means.memory) if bases else carried
        try:
            made = plain.fill(pieces, part.plain.digest, part.plain.size)
        except ContentMismatch as error:
            raise stream.damaged(content.name, str(error)) from None
        _exhaust(carried)
    if (made, plain.size) != (part.plain.digest, part.plain.size):
        raise stream.damaged(content.name, f"{made} comes out of it, not {part.plain.digest}")


def _open_base(base: DeltaBase, means: UnpackingMeans, stack: ExitStack) -> Path:
    """Open a blob that is held here; what comes out is verified, whatever the store says."""
    if means.find_blob is None:
        raise Refused(str(base.blob), "is the base of a delta, and there is no store to find it in")
    opened = stack.enter_context(NamelessFile(means.folder))
    form = Form.PLAIN if base.blob == base.plain.digest else Form.GZIP
    blob = plain_pieces(means.find_blob(base.blob), form, base.plain.size)
    made = opened.fill(blob, base.plain.digest, base.plain.size)
    if (made, opened.size) != (base.plain.digest, base.plain.size):
        raise ContentMismatch(
            str(base.blob),
            f"{made} comes out when it is opened, and not {base.plain.digest}",
            "the store is damaged there (`airgap store fsck`), or the sender's was",
        )
    return opened.path


def _verified(stream: ByteStream, member: Member, piece: Piece) -> Iterator[bytes]:
    """Yield a member's bytes, and raise at their end where they are not what was announced."""
    members.enter(stream, member)
    hasher = piece.digest.hasher()
    left = member.size
    while left:
        data = stream.read(min(left, _PIECE), member.name)
        hasher.update(data)
        left -= len(data)
        if not left:
            # Before the last piece is given out: nobody need be told that it was wrong all along.
            _expect(stream, member, piece, Digest.from_hasher(hasher))
        yield data
    if not member.size:
        _expect(stream, member, piece, Digest.from_hasher(hasher))
    members.leave(stream, member)


def _expect(stream: ByteStream, member: Member, piece: Piece, made: Digest) -> None:
    if made != piece.digest:
        raise stream.damaged(member.name, f"its bytes hash to {made}", member.start)


def _exhaust(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass


def _file_pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece
