"""``ls`` and ``cat``: look into an image's merged file system without running or unpacking it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from airgap.errors import InvalidReference
from airgap.image.filesystem import FileTree, Located
from airgap.image.layers import read_file, read_file_tree
from airgap.oci.manifest import Manifest
from airgap.oci.platform import Platform
from airgap.usecases.places import PlacedImage
from airgap.usecases.platform_choice import image_of_platform


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image whose layers have been read and merged.

    Attributes:
        placed: where it is.
        image: its manifest.
        tree: its file system.
    """

    placed: PlacedImage
    image: Manifest
    tree: FileTree

    def content(self, path: str) -> AsyncIterator[bytes]:
        """Yield the content of a file, links within the image followed.

        Raises:
            NotFound: there is no such file.
            Unsupported: it is stored sparsely.
            InvalidReference: the path climbs above the image's root.
        """
        _refuse_traversal(path)
        located = self.tree.content_of(path)
        return read_file(self.placed.source, self.placed.reference.repository, self.image, located)

    def entries(self, path: str, *, recursive: bool = False) -> list[Located]:
        """Return what is in a folder, or the file that the path is.

        Raises:
            NotFound: there is no such path.
            InvalidReference: the path climbs above the image's root.
        """
        _refuse_traversal(path)
        return list(self.tree.walk(path) if recursive else self.tree.entries(path))


def _refuse_traversal(path: str) -> None:
    depth = 0
    for part in path.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            raise InvalidReference(
                repr(path), "leads out of the image", "paths begin at the image's root"
            )


async def look_inside(placed: PlacedImage, wanted: Platform | None, here: Platform) -> OpenedImage:
    """Read the layers of an image once and merge them.

    Raises:
        ArchiveDamaged: a layer is broken, or has files that lead out of the image.
        Unsupported: it is an artifact without a file system.
    """
    repository = placed.reference.repository
    root = await placed.resolve()
    image = await image_of_platform(placed.source, repository, root, wanted, here)
    return OpenedImage(placed, image, await read_file_tree(placed.source, repository, image))
