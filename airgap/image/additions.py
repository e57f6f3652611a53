"""What a new layer holds: files, folders and tars put into an image, and paths taken out of it.

Planning decides every entry of the layer and its order; writing (``layer_builder``) only copies.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airgap.errors import ArchiveDamaged, InvalidReference, NotFound, NotPermitted, Unsupported
from airgap.image.compression import read_exactly, unpacked
from airgap.image.filesystem import WHITEOUT, FileTree
from airgap.image.tar_entries import BLOCK, Kind, TarEntry, TarReader

_ADDITION = re.compile(
    r"(?P<source>.+?):(?P<target>/[^:]*)(?::(?P<uid>\d{1,10}):(?P<gid>\d{1,10}):(?P<mode>[0-7]{3,4}))?",
    re.ASCII | re.DOTALL,
)
_TAR_MAGIC = b"ustar"
_TAR_MAGIC_AT = 257


@dataclass(frozen=True, slots=True)
class Addition:
    """One ``SRC:DEST[:uid:gid:mode]``.

    Attributes:
        source: a file, a folder (its content is put into ``target``), or a tar, packed or not
            (likewise).
        target: an absolute path in the image; with a slash at its end a file keeps its own name.
        uid: owner of everything added; None leaves a tar's owners and gives files to root.
        gid: group, likewise.
        mode: permission bits of every file added; None leaves them.
    """

    source: Path
    target: str
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None

    @classmethod
    def parse(cls, text: str) -> Addition:
        """Read an addition as it stands on the command line.

        Raises:
            InvalidReference: it is not of this form.
        """
        match = _ADDITION.fullmatch(text)
        if match is None or ".." in match["target"].split("/"):
            raise InvalidReference(
                repr(text),
                "does not say what to add where",
                "write SRC:/DEST or SRC:/DEST:uid:gid:mode, such as site:/data/html:0:0:644",
            )
        source, target = Path(match["source"]), match["target"]
        if match["mode"] is None:
            return cls(source, target)
        mode = int(match["mode"], 8)
        return cls(source, target, int(match["uid"]), int(match["gid"]), mode)


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """One entry of a new layer.

    Attributes:
        entry: what its header says; ``name`` has no slash at the beginning.
        source: the file that holds its content, or a tar that does; None where it has none.
        in_tar: whether ``source`` is a tar, and the content is there at ``entry.offset``.
    """

    entry: TarEntry
    source: Path | None = None
    in_tar: bool = False


def plan_layer(
    additions: Sequence[Addition],
    removals: Sequence[str],
    base: FileTree | None,
    *,
    epoch: int | None = None,
) -> tuple[LayerEntry, ...]:
    """Decide what a layer holds, sorted by path: whiteouts, folders above, files.

    Args:
        additions: later ones win over earlier ones.
        removals: absolute paths of the base image.
        base: the image's file tree. Folders above an addition keep its modes and owners, and links
            in the way are followed. None for an image without files.
        epoch: SOURCE_DATE_EPOCH, seconds since 1970: the time of everything added. None leaves
            each file its own.

    Raises:
        NotFound: a source or a removed path is not there.
        NotPermitted: a source may not be read.
        Unsupported: a source is a device, a socket or a pipe.
        ArchiveDamaged: a tar to add is broken or leads out of its folder.
    """
    planner = _Planner(base or FileTree("scratch"), epoch)
    for path in removals:
        planner.remove(path)
    for addition in additions:
        for entry in _entries_of(addition):
            planner.add(entry)
    return planner.finish()


class _Planner:
    def __init__(self, base: FileTree, epoch: int | None) -> None:
        self._base = base
        self._epoch = epoch
        self._entries: dict[str, LayerEntry] = {}

    def remove(self, path: str) -> None:
        """Plan a whiteout."""
        located = self._base.find(path, follow=False)
        folder, _, name = located.path.rpartition("/")
        if not name:
            raise InvalidReference(repr(path), "is the root of the image, which stays")
        self._put_folders(folder)
        whiteout = f"{folder}/{WHITEOUT}{name}".lstrip("/")
        self._entries[whiteout] = LayerEntry(TarEntry(whiteout, Kind.FILE, mtime=self._epoch or 0))

    def add(self, addition: LayerEntry) -> None:
        """Plan one entry at the place that its path leads to in the base."""
        folder, _, name = addition.entry.name.strip("/").rpartition("/")
        entry = addition.entry
        if not name:
            return
        folder = self._real(folder)
        self._put_folders(folder)
        path = f"{folder}/{name}".lstrip("/")
        if entry.kind is Kind.FOLDER:
            path = self._real(path)
        if self._epoch is not None:
            entry = replace(entry, mtime=self._epoch)
        self._entries[path] = replace(addition, entry=replace(entry, name=path))

    def finish(self) -> tuple[LayerEntry, ...]:
        """Return all entries; whiteouts stand in their folder before anything else."""
        return tuple(self._entries[path] for path in sorted(self._entries, key=_sort_key))

    def _real(self, folder: str) -> str:
        """Follow the links of the base as far as it has the path."""
        parts, missing = [part for part in folder.split("/") if part], list[str]()
        while parts:
            try:
                return "/".join([self._base.find("/".join(parts)).path, *missing]).lstrip("/")
            except NotFound:
                missing.insert(0, parts.pop())
        return "/".join(missing)

    def _put_folders(self, folder: str) -> None:
        parts = folder.split("/") if folder else []
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path in self._entries:
                continue
            try:
                known = self._base.find(path, follow=False).entry
            except NotFound:
                known = None
            if known is None or known.kind is not Kind.FOLDER:
                known = TarEntry(path, Kind.FOLDER, mode=0o755, mtime=self._epoch or 0)
            self._entries[path] = LayerEntry(
                TarEntry(path, Kind.FOLDER, 0, 0, 0, known.mode, known.uid, known.gid, known.mtime)
            )


def _sort_key(path: str) -> tuple[tuple[bool, str], ...]:
    return tuple((not part.startswith(WHITEOUT), part) for part in path.split("/"))


def _entries_of(addition: Addition) -> Iterator[LayerEntry]:
    try:
        status = addition.source.stat()
        if stat.S_ISDIR(status.st_mode):
            yield from _owned(addition, _folder_entries(addition))
        elif not stat.S_ISREG(status.st_mode):
            raise Unsupported(str(addition.source), "is neither file nor folder")
        elif _is_tar(addition.source):
            yield from _owned(addition, _tar_entries(addition))
        else:
            name = addition.source.name if addition.target.endswith("/") else ""
            target = f"{addition.target.rstrip('/')}/{name}".rstrip("/")
            yield from _owned(addition, [_file_entry(addition.source, target)])
    except FileNotFoundError as error:
        raise NotFound(str(error.filename), "there is no such file or folder") from None
    except OSError as error:
        raise NotPermitted(str(addition.source), f"cannot be read: {error.strerror}") from None


def _owned(addition: Addition, entries: Iterable[LayerEntry]) -> Iterator[LayerEntry]:
    for item in entries:
        entry = item.entry
        if addition.uid is not None and addition.gid is not None:
            entry = replace(entry, uid=addition.uid, gid=addition.gid)
        if addition.mode is not None and entry.kind is Kind.FILE:
            entry = replace(entry, mode=addition.mode)
        yield replace(item, entry=entry)


def _folder_entries(addition: Addition) -> Iterator[LayerEntry]:
    target = addition.target.rstrip("/")
    yield _file_entry(addition.source, target)
    waiting = [addition.source]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            inside = path.relative_to(addition.source).as_posix()
            yield _file_entry(path, f"{target}/{inside}")
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)


def _file_entry(path: Path, target: str) -> LayerEntry:
    status = path.lstat()
    mode, mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    if stat.S_ISREG(status.st_mode):
        entry = TarEntry(target, Kind.FILE, status.st_size, status.st_size, mode=mode, mtime=mtime)
        return LayerEntry(entry, path)
    if stat.S_ISDIR(status.st_mode):
        return LayerEntry(TarEntry(target, Kind.FOLDER, mode=mode, mtime=mtime))
    if stat.S_ISLNK(status.st_mode):
        link = str(path.readlink())
        return LayerEntry(TarEntry(target, Kind.SYMLINK, mode=0o777, mtime=mtime, target=link))
    raise Unsupported(str(path), "is a device, a socket or a pipe, which is not added")


def _tar_entries(addition: Addition) -> Iterator[LayerEntry]:
    target = addition.target.rstrip("/")
    with addition.source.open("rb") as file:
        for entry in TarReader(unpacked(file, str(addition.source)), str(addition.source)):
            inside = _inside(entry.name, addition.source)
            if not inside:
                continue
            moved = replace(entry, name=f"{target}/{inside}")
            if entry.kind is Kind.HARDLINK:
                link = f"{target}/{_inside(entry.target, addition.source)}"
                moved = replace(moved, target=link.lstrip("/"))
            if entry.sparse:
                raise Unsupported(f"{addition.source}: {entry.name}", "is stored as a sparse file")
            source = addition.source if entry.kind is Kind.FILE else None
            yield LayerEntry(moved, source, in_tar=True)


def _inside(name: str, archive: Path) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in name or any(part.startswith(WHITEOUT) for part in parts):
        raise ArchiveDamaged(str(archive), f"has a member {name[:80]!r} that is not a plain file")
    return "/".join(parts)


def _is_tar(path: Path) -> bool:
    """Tell whether a file is a tar, packed or not, as ``ADD`` in a Dockerfile would unpack it."""
    with path.open("rb") as file:
        try:
            head = read_exactly(unpacked(file, str(path)), BLOCK)
        except ArchiveDamaged:
            return False
    return head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + len(_TAR_MAGIC)] == _TAR_MAGIC
