"""The file system that the layers of an image make together, without running or unpacking it.

Layers are merged by the rules of the OCI image-spec, ``layer.md``: a file replaces what was there,
``.wh.NAME`` removes NAME of the layers below, ``.wh..wh..opq`` hides all that the layers below have
in its folder. Paths are resolved within the image's root only; nothing on this machine is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from airgap.errors import ArchiveDamaged, NotFound, Unsupported
from airgap.image.tar_entries import Kind, TarEntry

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
MAX_ENTRIES = 4_000_000
"""Files of one image; large real ones have some hundred thousand."""

_MAX_LINKS = 40
_MAX_DEPTH = 1024


@dataclass(frozen=True, slots=True)
class Located:
    """A file of the merged tree, and where its content is.

    Attributes:
        path: its place in the image, without a slash at the beginning; empty for the root.
        entry: its entry in the layer's tar.
        layer: the number of that layer, the lowest is 0; -1 for folders that no layer mentions.
    """

    path: str
    entry: TarEntry
    layer: int


@dataclass(slots=True)
class _Node:
    located: Located
    children: dict[str, _Node] = field(default_factory=dict)


def _folder(path: str) -> Located:
    return Located(path, TarEntry(path, Kind.FOLDER, mode=0o755), -1)


class FileTree:
    """The merged file system; layers are added lowest first, entry by entry."""

    def __init__(self, what: str) -> None:
        """Begin with an empty root.

        Args:
            what: the image, for errors.
        """
        self._what = what
        self._root = _Node(_folder(""))
        self._layer = -1
        self._count = 0

    def add_layer(self, entries: Iterable[TarEntry]) -> None:
        """Lay one layer over what is there.

        Raises:
            ArchiveDamaged: an entry's name leads out of the image, or there are too many.
        """
        self._layer += 1
        for entry in entries:
            self._count += 1
            if self._count > MAX_ENTRIES:
                raise ArchiveDamaged(self._what, f"has over {MAX_ENTRIES:,} files")
            self._add(entry, self._parts(entry.name))

    def entries(self, path: str = "/") -> Iterator[Located]:
        """Yield the files in a folder by name, or the one file that ``path`` is; links followed.

        Raises:
            NotFound: there is no such path.
        """
        node = self._resolve(path)
        if node.located.entry.kind is not Kind.FOLDER:
            yield node.located
            return
        for name in sorted(node.children):
            yield node.children[name].located

    def walk(self, path: str = "/") -> Iterator[Located]:
        """Yield everything below a folder, parents before children, by name; no links followed.

        Raises:
            NotFound: there is no such path.
        """
        waiting = [self._resolve(path)]
        while waiting:
            node = waiting.pop()
            if node.located.path:
                yield node.located
            waiting += (node.children[name] for name in sorted(node.children, reverse=True))

    def find(self, path: str, *, follow: bool = True) -> Located:
        """Return the file that a path leads to.

        Args:
            path: absolute or not, it begins at the image's root.
            follow: whether a symbolic link at its end is followed too.

        Raises:
            NotFound: there is no such path, or its links lead round in a circle.
        """
        return self._resolve(path, follow=follow).located

    def content_of(self, path: str) -> Located:
        """Return the regular file whose content a path stands for.

        Raises:
            NotFound: there is no such path, or it is no file with content.
            Unsupported: it is stored sparsely.
        """
        located = self.find(path)
        if located.entry.kind is not Kind.FILE:
            raise NotFound(f"{self._what}: {path}", f"is {_NAMED[located.entry.kind]}, not a file")
        if located.entry.sparse:
            raise Unsupported(f"{self._what}: {path}", "is stored as a sparse file")
        return located

    def _add(self, entry: TarEntry, parts: list[str]) -> None:
        if not parts:
            if entry.kind is Kind.FOLDER:
                self._root.located = Located("", entry, self._layer)
            return
        *folders, name = parts
        if name.startswith(WHITEOUT):
            self._white_out(folders, name)
            return
        parent = self._folder_at(folders)
        located = Located(_below(parent, name), entry, self._layer)
        if entry.kind is Kind.HARDLINK:
            located = self._linked(located)
        known = parent.children.get(name)
        if known is not None and entry.kind is Kind.FOLDER and _is_folder(known):
            known.located = located
        else:
            parent.children[name] = _Node(located)

    def _linked(self, link: Located) -> Located:
        """Return a hard link as what it is: another name of a file that is there already."""
        try:
            target = self._resolve("/".join(self._parts(link.entry.target)), follow=False).located
        except NotFound:
            target = link
        if target.entry.kind in {Kind.FOLDER, Kind.HARDLINK}:
            raise ArchiveDamaged(self._what, f"has a hard link {link.path[:80]!r} to no file")
        return Located(link.path, target.entry, target.layer)

    def _white_out(self, folders: list[str], name: str) -> None:
        node: _Node | None = self._root
        for part in folders:
            node = node.children.get(part) if node is not None else None
        if node is None:
            return
        hidden = list(node.children) if name == OPAQUE else [name.removeprefix(WHITEOUT)]
        for child in hidden:
            self._hide(node, child)

    def _hide(self, parent: _Node, name: str) -> None:
        """Remove what lower layers have under a name; what this layer has brought there stays."""
        node = parent.children.get(name)
        if node is None:
            return
        # Depth first without recursion: a hostile image nests folders deeper than Python does.
        stack = [(parent, name, node, iter(list(node.children.items())))]
        while stack:
            above, own_name, current, rest = stack[-1]
            child = next(rest, None)
            if child is not None:
                stack.append((current, child[0], child[1], iter(list(child[1].children.items()))))
                continue
            stack.pop()
            if current.located.layer != self._layer:
                if current.children:
                    current.located = _folder(current.located.path)
                else:
                    del above.children[own_name]

    def _folder_at(self, parts: list[str]) -> _Node:
        """Return the folder that a layer puts files into; it need not mention it."""
        node = self._root
        for part in parts:
            child = node.children.get(part)
            if child is not None and child.located.entry.kind is Kind.SYMLINK:
                # Engines unpack through links of lower layers, never above the image's root.
                child = self._folder_behind(child)
            if child is None or not _is_folder(child):
                path = _below(node, part)
                made = Located(path, _folder(path).entry, self._layer)
                child = node.children[part] = _Node(made)
            node = child
        return node

    def _folder_behind(self, link: _Node) -> _Node | None:
        try:
            return self._resolve(link.located.path)
        except NotFound:
            return None

    def _resolve(self, path: str, *, follow: bool = True) -> _Node:
        trail = [self._root]
        waiting = [part for part in reversed(path.split("/")) if part not in {"", "."}]
        links = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                # Above the root is the root, as in a container.
                if len(trail) > 1:
                    trail.pop()
                continue
            child = trail[-1].children.get(part)
            if child is None:
                raise NotFound(f"{self._what}: {path}", "is not in the image")
            entry = child.located.entry
            if entry.kind is not Kind.SYMLINK or not (follow or waiting):
                trail.append(child)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise NotFound(f"{self._what}: {path}", "leads round in a circle of links")
            if entry.target.startswith("/"):
                trail = [self._root]
            waiting += (p for p in reversed(entry.target.split("/")) if p not in {"", "."})
        return trail[-1]

    def _parts(self, name: str) -> list[str]:
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if ".." in parts or "\0" in name or len(parts) > _MAX_DEPTH:
            raise ArchiveDamaged(
                self._what, f"has a file whose name {name[:80]!r} leads out of the image"
            )
        return parts


_NAMED = {
    Kind.FOLDER: "a folder",
    Kind.SYMLINK: "a link",
    Kind.HARDLINK: "a link",
    Kind.CHARACTER_DEVICE: "a device",
    Kind.BLOCK_DEVICE: "a device",
    Kind.FIFO: "a pipe",
}


def _below(node: _Node, name: str) -> str:
    return f"{node.located.path}/{name}" if node.located.path else name


def _is_folder(node: _Node) -> bool:
    return node.located.entry.kind is Kind.FOLDER
