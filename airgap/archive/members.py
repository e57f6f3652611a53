"""The members of an archive, wherever they are: in a tar on disk, in a spool, in a folder.

A member is a region of a local file. Names are made safe when the members are listed: a closed
grammar, no way out, no two files of the same name, links only to members.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from airgap.content.ports import FileRegion
from airgap.errors import ArchiveDamaged, NotFound, NotPermitted
from airgap.image.tar_entries import Kind, TarEntry

MAX_MEMBERS = 200_000
"""Entries of one archive; ten thousand images of twenty layers each."""

_MAX_NAME = 1024
_MAX_LINK_STEPS = 8


class Members(Protocol):
    """Named pieces of local files.

    Attributes:
        what: what they are the members of, for errors.
    """

    @property
    def what(self) -> str:
        """What they are the members of."""
        ...

    def find(self, name: str) -> FileRegion | None:
        """Return where a member's bytes are, links followed; None where there is none.

        Raises:
            ArchiveDamaged: a link leads nowhere, out, or round in a circle.
        """
        ...


class TarMembers:
    """The members of a tar whose content is in a local file."""

    def __init__(
        self, what: str, files: Mapping[str, FileRegion], links: Mapping[str, str]
    ) -> None:
        """Take what a :class:`MemberList` has gathered."""
        self._what = what
        self._files = files
        self._links = links

    @property
    def what(self) -> str:
        """The archive's path."""
        return self._what

    def find(self, name: str) -> FileRegion | None:
        """Return where a member's bytes are."""
        for _ in range(_MAX_LINK_STEPS):
            if (region := self._files.get(name)) is not None:
                return region
            target = self._links.get(name)
            if target is None:
                return None
            if target not in self._files and target not in self._links:
                raise ArchiveDamaged(self._what, f"its link {name!r} leads nowhere")
            name = target
        raise ArchiveDamaged(self._what, f"its link {name!r} leads round in a circle")

    def __iter__(self) -> Iterator[str]:
        yield from self._files
        yield from self._links


class MemberList:
    """Gathers the members of a tar one by one and refuses what no archive has."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._files: dict[str, FileRegion] = {}
        self._links: dict[str, str] = {}
        self._count = 0

    def add(self, entry: TarEntry, path: Path, offset: int) -> None:
        """Take one entry whose content stands at ``offset`` of ``path``.

        Raises:
            ArchiveDamaged: its name leads out or was there before, or it is no file, folder, link.
        """
        self._count += 1
        if self._count > MAX_MEMBERS:
            raise self._damaged(f"has over {MAX_MEMBERS:,} members")
        name = self._safe(entry.name, entry.kind)
        if entry.kind is Kind.FOLDER:
            return
        if name in self._files or name in self._links:
            raise self._damaged(f"has two members {name!r}")
        match entry.kind:
            case Kind.FILE if not entry.sparse:
                self._files[name] = FileRegion(path, offset, entry.size)
            case Kind.SYMLINK:
                self._links[name] = self._target(name, PurePosixPath(name).parent, entry.target)
            case Kind.HARDLINK:
                self._links[name] = self._target(name, PurePosixPath(), entry.target)
            case _:
                raise self._damaged(f"its member {name!r} is neither file, folder nor link")

    def finish(self) -> TarMembers:
        """Return all members."""
        return TarMembers(self._what, self._files, self._links)

    def _safe(self, name: str, kind: Kind) -> str:
        path = name.rstrip("/") if kind is Kind.FOLDER else name
        while path.startswith("./"):
            path = path[2:]
        if kind is Kind.FOLDER and path in {"", "."}:
            return path
        parts = path.split("/")
        if (
            len(name) > _MAX_NAME
            or not path.isprintable()
            or any(p in {"", ".", ".."} for p in parts)
        ):
            raise self._damaged(f"its member name {name[:80]!r} is not one that an archive has")
        return path

    def _target(self, name: str, folder: PurePosixPath, target: str) -> str:
        parts = list(folder.parts)
        outside = target.startswith("/") or len(target) > _MAX_NAME
        for part in target.split("/"):
            if part == "..":
                outside = outside or not parts
                del parts[-1:]
            elif part not in {"", "."}:
                parts.append(part)
        if outside:
            raise self._damaged(f"its link {name!r} leads out of it, to {target[:80]!r}")
        return "/".join(parts)

    def _damaged(self, cause: str) -> ArchiveDamaged:
        return ArchiveDamaged(self._what, cause, "nothing was taken from it")


class FolderMembers:
    """The files of a folder; links that stay within it are followed."""

    def __init__(self, folder: Path) -> None:
        """Use a folder that exists.

        Raises:
            NotFound: there is no such folder.
            NotPermitted: it may not be looked into.
        """
        self._folder = folder
        try:
            self._root = folder.resolve(strict=True)
            mode = self._root.stat().st_mode
        except FileNotFoundError:
            raise NotFound(str(folder), "there is no such folder") from None
        except OSError as error:
            raise NotPermitted(str(folder), f"cannot be read: {error.strerror}") from None
        if not stat.S_ISDIR(mode):
            raise NotFound(str(folder), "is not a folder")

    @property
    def what(self) -> str:
        """The folder's path."""
        return str(self._folder)

    def find(self, name: str) -> FileRegion | None:
        """Return where a file's bytes are.

        Raises:
            ArchiveDamaged: a link leads out, or the name is no regular file.
            NotPermitted: the operating system does not let us look.
        """
        try:
            path = (self._root / name).resolve(strict=True)
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, RuntimeError) as error:
            raise NotPermitted(f"{self._folder}/{name}", f"cannot be read: {error}") from None
        if not path.is_relative_to(self._root):
            raise ArchiveDamaged(
                f"{self._folder}/{name}",
                "is a link that leads out of the folder",
                "copy the folder with its links followed (cp -rL)",
            )
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveDamaged(f"{self._folder}/{name}", "is not a regular file")
        return FileRegion(path, 0, status.st_size)


def read_member(members: Members, name: str, limit: int) -> bytes | None:
    """Return a member's bytes, or None where there is no such member.

    Args:
        members: where to look.
        name: of the member.
        limit: how many bytes it may have at most.

    Raises:
        ArchiveDamaged: it is larger.
    """
    region = members.find(name)
    return None if region is None else read_region(region, f"{members.what}: {name}", limit)


def read_region(region: FileRegion, what: str, limit: int) -> bytes:
    """Return the bytes of a region that has at most ``limit`` of them.

    Raises:
        ArchiveDamaged: it is larger, or the file has become shorter.
    """
    if region.length > limit:
        raise ArchiveDamaged(what, f"has {region.length:,} bytes where {limit:,} are allowed")
    try:
        with region.path.open("rb") as file:
            content = os.pread(file.fileno(), region.length, region.offset)
    except OSError as error:
        raise NotPermitted(what, f"cannot be read: {error.strerror}") from None
    if len(content) != region.length:
        raise ArchiveDamaged(what, "ends too early", "bring the file again")
    return content
