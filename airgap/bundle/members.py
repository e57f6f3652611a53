"""Reading members of a bundle, strictly: each header is the one that must stand there. Blocking."""

from __future__ import annotations

from airgap.bundle import tar
from airgap.bundle.layout import Member
from airgap.bundle.stream import ByteStream
from airgap.errors import BundleDamaged


def enter(stream: ByteStream, member: Member) -> None:
    """Go to a member and read its header, so that its content comes next.

    Raises:
        BundleDamaged: another header stands there.
    """
    stream.skip_to(member.start, member.name)
    expected = member.header
    found = stream.read(len(expected), member.name)
    if found != expected:
        raise wrong_header(stream, member, found[-tar.BLOCK :])


def leave(stream: ByteStream, member: Member) -> None:
    """Read what pads a member, once its content is read.

    Raises:
        BundleDamaged: it is not zeros.
    """
    size = tar.padding(member.size)
    if stream.read(size, member.name) != bytes(size):
        raise stream.damaged(member.name, "is padded with other bytes than zeros", member.end)


def expect_end(stream: ByteStream, end: int) -> None:
    """Check the end of the archive, which is the end of the file too.

    Args:
        stream: a bundle.
        end: where the bundle ends, in bytes.

    Raises:
        BundleDamaged: the end is cut short, changed, or not the end.
    """
    stream.skip_to(end - len(tar.END), "the end")
    if stream.read(len(tar.END), "the end") != tar.END:
        raise stream.damaged("the end", "has other bytes than zeros", end - len(tar.END))
    stream.expect_end()


def wrong_header(stream: ByteStream, member: Member, block: bytes) -> BundleDamaged:
    """Say what stands in the place of a member's header."""
    found = tar.read_foreign(block)
    if found is None:
        cause = "its header is damaged"
    elif found.name != member.name:
        cause = f"a member {found.name!r} stands in its place"
    elif found.size != member.size:
        cause = f"has {found.size} bytes where {member.size} are announced"
    else:
        cause = "is not a plain file with the owner, mode and time that members have"
    return stream.damaged(member.name, cause, member.start)
