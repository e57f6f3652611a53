"""Tar headers as a bundle has them: one form for each name and size, and no other. Pure.

POSIX ustar; what does not fit there (a name over 100 characters, 8 GiB and more) stands in a pax
extended header before it (POSIX.1-2017, ``pax``, "ustar Interchange Format" and "pax Extended
Header"). Owner, mode and time are the same for every member, so that the same content gives the
same bytes. A reader needs no tolerance: it makes the header that it expects, and compares.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCK = 512
"""Bytes; headers and the padded content of members are multiples of it."""

END = bytes(2 * BLOCK)
"""What follows the last member."""

_MAX_NAME = 100
_MAX_OCTAL_SIZE = 0o77777777777
_PAX_NAME = "././@PaxHeader"
_REGULAR = b"0"
_PAX = b"x"
_OCTAL = re.compile(rb"[0-7]+")
_SIZE_FIELD = slice(124, 136)
_CHECKSUM_FIELD = slice(148, 156)
_PREFIX_FIELD = slice(345, 500)


def padding(size: int) -> int:
    """Return how many zero bytes follow content of ``size`` bytes."""
    return -size % BLOCK


def header(name: str, size: int) -> bytes:
    """Return everything that stands before the content of a regular file.

    Args:
        name: ASCII.
        size: bytes of the content.
    """
    records = b""
    if len(name) > _MAX_NAME:
        records += _pax_record("path", name)
        name = name[:_MAX_NAME]
    if size > _MAX_OCTAL_SIZE:
        records += _pax_record("size", str(size))
        size = 0
    own = _ustar(name, size, _REGULAR)
    if not records:
        return own
    extended = _ustar(_PAX_NAME, len(records), _PAX)
    return extended + records + bytes(padding(len(records))) + own


def _pax_record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n"
    length = len(rest) + 1
    # The length counts its own digits.
    while len(rest) + len(str(length)) != length:
        length = len(rest) + len(str(length))
    return f"{length}{rest}".encode("ascii")


def _ustar(name: str, size: int, kind: bytes) -> bytes:
    block = b"".join(
        (
            name.encode("ascii").ljust(100, b"\0"),
            b"0000644\0",  # mode
            b"0000000\0",  # uid
            b"0000000\0",  # gid
            b"%011o\0" % size,
            b"00000000000\0",  # mtime
            b" " * 8,  # the checksum counts as blanks
            kind,
            bytes(100),  # link name
            b"ustar\x00",
            b"00",  # version
            bytes(32),  # user name
            bytes(32),  # group name
            b"0000000\0",  # device, major
            b"0000000\0",  # device, minor
            bytes(155),  # prefix
            bytes(12),
        )
    )
    checksum = b"%06o\0 " % sum(block)
    return block[: _CHECKSUM_FIELD.start] + checksum + block[_CHECKSUM_FIELD.stop :]


@dataclass(frozen=True, slots=True)
class ForeignHeader:
    """What a header of any tar says, read only to tell a person what there is instead.

    Attributes:
        name: the member's name, with what is not ASCII replaced.
        size: bytes of its content.
        kind: the type flag, one character.
    """

    name: str
    size: int
    kind: str


def read_foreign(block: bytes) -> ForeignHeader | None:
    """Read a tar header of any origin; None where the block is not one."""
    if len(block) != BLOCK:
        return None
    blanked = block[: _CHECKSUM_FIELD.start] + b" " * 8 + block[_CHECKSUM_FIELD.stop :]
    size = _number(block[_SIZE_FIELD])
    if size is None or _number(block[_CHECKSUM_FIELD]) != sum(blanked):
        return None
    name = _text(block[:_MAX_NAME])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[_PREFIX_FIELD])):
        name = f"{prefix}/{name}"
    return ForeignHeader(name, size, chr(block[156]))


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("ascii", "backslashreplace")


def _number(field: bytes) -> int | None:
    if field[0] == 0x80:  # noqa: PLR2004 - GNU's mark for a number that is binary
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not digits:
        return 0
    return int(digits, 8) if _OCTAL.fullmatch(digits) else None
