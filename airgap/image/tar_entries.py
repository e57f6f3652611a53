"""Reading a tar of unknown origin, entry by entry, in bounded memory.

The headers are parsed by the standard library (``TarInfo.frombuf``); the walk over them is ours,
because ``tarfile`` reads extended headers of any size into memory and follows what it is told.
Formats: POSIX ustar and pax (IEEE 1003.1, "pax"), GNU long names, old GNU sparse headers.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from airgap.errors import ArchiveDamaged
from airgap.image.compression import ByteStream, read_exactly

BLOCK = tarfile.BLOCKSIZE
MAX_EXTENDED_HEADER = 1024 * 1024
"""Bytes of one pax or long-name header; names, link targets and xattrs stand there."""

_PIECE = 1024 * 1024
_GNU_EXTENDED_AT = 482
_GNU_REAL_SIZE = slice(483, 495)
_GNU_MORE_EXTENDED_AT = 504


class Kind(StrEnum):
    """What an entry is, as ``ls -l`` shows it."""

    FILE = "-"
    FOLDER = "d"
    SYMLINK = "l"
    HARDLINK = "h"
    CHARACTER_DEVICE = "c"
    BLOCK_DEVICE = "b"
    FIFO = "p"


_KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.CONTTYPE: Kind.FILE,
    tarfile.GNUTYPE_SPARSE: Kind.FILE,
    tarfile.DIRTYPE: Kind.FOLDER,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARDLINK,
    tarfile.CHRTYPE: Kind.CHARACTER_DEVICE,
    tarfile.BLKTYPE: Kind.BLOCK_DEVICE,
    tarfile.FIFOTYPE: Kind.FIFO,
}


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One entry of a tar.

    Attributes:
        name: the path as written; bytes that are not UTF-8 are surrogate-escaped.
        kind: what it is.
        size: bytes of content that a reader of the file sees.
        stored: bytes that the content takes in the tar; differs from ``size`` for sparse files.
        offset: where the stored content begins, in bytes from the tar's beginning.
        mode: permission bits, set-uid and the like included.
        uid: owner.
        gid: group.
        mtime: seconds since 1970.
        target: where a link leads, as written.
        device: major and minor number of a device.
        sparse: whether the stored content is not the file's content.
    """

    name: str
    kind: Kind
    size: int = 0
    stored: int = 0
    offset: int = 0
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    target: str = ""
    device: tuple[int, int] = (0, 0)
    sparse: bool = False


class TarReader:
    """The entries of one tar, and the content of the entry at hand.

    Iterate over it once; within the loop :meth:`content` gives the current entry's stored bytes.
    What is not read is skipped: by seeking where ``size`` says that the stream is a file.

    Raises:
        ArchiveDamaged: while iterating or reading; a header is broken, or the tar ends too early.
    """

    def __init__(self, stream: ByteStream, what: str, *, size: int | None = None) -> None:
        """Read from a stream that stands at the tar's beginning.

        Args:
            stream: where the tar is read from.
            what: what the tar is, for errors.
            size: for a stream that can seek and begins at 0: its length in bytes.
        """
        self._stream = stream
        self._what = what
        self._size = size
        self._position = 0
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[TarEntry]:
        global_headers: dict[str, str] = {}
        local_headers: dict[str, str] = {}
        while (info := self._header()) is not None:
            if info.type == tarfile.XGLTYPE:
                global_headers |= self._pax_headers(info.size)
            elif info.type in {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}:
                local_headers |= self._pax_headers(info.size)
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                local_headers["path"] = self._long_text(info.size)
            elif info.type == tarfile.GNUTYPE_LONGLINK:
                local_headers["linkpath"] = self._long_text(info.size)
            else:
                entry = self._entry(info, global_headers | local_headers)
                local_headers = {}
                yield entry
                self._skip()

    def content(self, size: int = _PIECE) -> bytes:
        """Return the next bytes of the current entry, at most ``size``; none at its end."""
        if not self._left:
            return b""
        piece = self._stream.read(min(size, self._left))
        if not piece:
            raise self._damaged("ends in the middle of a file")
        self._left -= len(piece)
        self._position += len(piece)
        return piece

    def pieces(self) -> Iterator[bytes]:
        """Yield the rest of the current entry's stored bytes, 1 MiB at most at a time."""
        while piece := self.content():
            yield piece

    def _entry(self, info: tarfile.TarInfo, headers: dict[str, str]) -> TarEntry:
        kind = _KINDS.get(info.type)
        if kind is None:
            raise self._damaged(f"holds an entry of unknown type {info.type!r}")
        name = headers.get("path", info.name)
        stored = self._number(headers, "size", info.size) if kind is Kind.FILE else 0
        if self._size is not None and self._position + stored > self._size:
            raise self._damaged(f"is shorter than its entry {name!r} needs")
        self._left = stored
        self._padding = -stored % BLOCK
        entry = TarEntry(
            name=name,
            kind=kind,
            size=stored,
            stored=stored,
            offset=self._position,
            mode=info.mode & 0o7777,
            uid=self._number(headers, "uid", info.uid),
            gid=self._number(headers, "gid", info.gid),
            mtime=self._number(headers, "mtime", int(info.mtime)),
            target=headers.get("linkpath", info.linkname),
            device=(info.devmajor, info.devminor),
        )
        if info.type == tarfile.GNUTYPE_SPARSE:
            return replace(entry, sparse=True, size=self._old_sparse_size, offset=self._position)
        if "GNU.sparse.major" in headers or "GNU.sparse.size" in headers:
            real = headers.get("GNU.sparse.realsize", headers.get("GNU.sparse.size", "0"))
            return replace(
                entry,
                sparse=True,
                name=headers.get("GNU.sparse.name", name),
                size=self._number({"size": real}, "size", 0),
            )
        return entry

    def _header(self) -> tarfile.TarInfo | None:
        block = read_exactly(self._stream, BLOCK)
        self._position += len(block)
        # Go's and Python's readers both take a missing end marker; layers without one exist.
        if not block or block == bytes(BLOCK):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise self._damaged(f"is not a tar, or its headers are broken ({error})") from None
        if min(info.size, info.uid, info.gid) < 0:
            raise self._damaged(f"has a negative number in the header of {info.name!r}")
        if info.type == tarfile.GNUTYPE_SPARSE:
            self._old_sparse_size = self._read_sparse_map(block)
        return info

    def _read_sparse_map(self, block: bytes) -> int:
        extended = block[_GNU_EXTENDED_AT] != 0
        while extended:
            more = read_exactly(self._stream, BLOCK)
            self._position += len(more)
            if len(more) < BLOCK:
                raise self._damaged("ends in the middle of a header")
            extended = more[_GNU_MORE_EXTENDED_AT] != 0
        try:
            return int(block[_GNU_REAL_SIZE].strip(b" \0") or b"0", 8)
        except ValueError:
            raise self._damaged("has a sparse file of unreadable size") from None

    def _extended(self, size: int) -> bytes:
        if size > MAX_EXTENDED_HEADER:
            raise self._damaged(
                f"has an extended header of {size:,} bytes; {MAX_EXTENDED_HEADER:,} are allowed"
            )
        padded = size + -size % BLOCK
        content = read_exactly(self._stream, padded)
        self._position += len(content)
        if len(content) < padded:
            raise self._damaged("ends in the middle of a header")
        return content[:size]

    def _long_text(self, size: int) -> str:
        return self._extended(size).partition(b"\0")[0].decode("utf-8", "surrogateescape")

    def _pax_headers(self, size: int) -> dict[str, str]:
        content = self._extended(size).rstrip(b"\0")
        headers: dict[str, str] = {}
        while content:
            length_text, space, _ = content.partition(b" ")
            length = int(length_text) if length_text.isdigit() and len(length_text) < 8 else 0  # noqa: PLR2004 - digits of the bound above
            record, content = content[len(length_text) + 1 : length], content[length:]
            key, equals, value = record.partition(b"=")
            if not space or not equals or not value.endswith(b"\n"):
                raise self._damaged("has a broken extended header")
            headers[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        return headers

    def _number(self, headers: dict[str, str], key: str, otherwise: int) -> int:
        text = headers.get(key)
        if text is None:
            return otherwise
        whole = text.partition(".")[0]
        digits = whole.removeprefix("-") if key == "mtime" else whole
        # 2**63 has 19 digits; more would be a number that no file system knows.
        if not digits.isascii() or not digits.isdigit() or len(digits) > 19:  # noqa: PLR2004
            raise self._damaged(f"has an unreadable {key} in an extended header")
        return int(whole)

    def _skip(self) -> None:
        if self._size is not None:
            position = self._position + self._left + self._padding
            self._stream.seek(position)  # type: ignore[attr-defined]
            self._position, self._left = position, 0
            return
        for _ in self.pieces():
            pass
        self._position += len(read_exactly(self._stream, self._padding))

    def _damaged(self, cause: str) -> ArchiveDamaged:
        return ArchiveDamaged(self._what, cause, "bring it again from where it was made")
