"""Headers are ones that every tar reader reads, and the same for the same name and size."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.bundle import tar
from airgap.bundle.layout import blob_name
from airgap.oci.digest import Digest

NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,60}(/[A-Za-z0-9._-]{1,60}){0,4}", fullmatch=True)
SIZES = st.integers(0, 1 << 50) | st.sampled_from([0o77777777777, 0o77777777777 + 1])


@given(NAMES, SIZES)
def test_python_reads_every_header(name: str, size: int) -> None:
    """Long names and sizes of 8 GiB and more included."""
    raw = tar.header(name, size)
    assert len(raw) % tar.BLOCK == 0
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        member = archive.next()
    assert member is not None
    assert (member.name, member.size, member.isreg()) == (name, size, True)
    assert (member.mode, member.uid, member.gid, member.mtime) == (0o644, 0, 0, 0)
    assert (member.uname, member.gname, member.linkname) == ("", "", "")


@given(NAMES, st.integers(0, 0o77777777777))
def test_the_lenient_reader_reads_our_headers(name: str, size: int) -> None:
    """What stands in the place of a header can be named in a message."""
    found = tar.read_foreign(tar.header(name, size)[-tar.BLOCK :])
    assert found is not None
    assert (found.name, found.size, found.kind) == (name[:100], size, "0")


@given(
    st.text(min_size=1, max_size=90).filter(lambda t: "\0" not in t),
    st.integers(0, 1 << 40),
    st.booleans(),
)
def test_the_lenient_reader_reads_other_tars(
    name: str,
    size: int,
    gnu: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    """GNU's binary sizes and ustar's split names too."""
    info = tarfile.TarInfo(name)
    info.size = size
    try:
        block = info.tobuf(
            tarfile.GNU_FORMAT if gnu else tarfile.USTAR_FORMAT, errors="surrogateescape"
        )[-tar.BLOCK :]
    except ValueError:
        return  # The form cannot hold it.
    found = tar.read_foreign(block)
    assert found is not None
    assert found.size == size


@given(st.binary(max_size=600))
def test_the_lenient_reader_never_fails(block: bytes) -> None:
    """Anything at all is either a header or not one."""
    found = tar.read_foreign(block)
    assert found is None or found.size >= 0


@pytest.mark.parametrize("field", [b"-0000000001\0", b"+0000000001\0", b"0_000000001\0"])
def test_numbers_are_octal_digits_only(field: bytes) -> None:
    """Python reads signs and underscores as numbers; a tar has none."""
    block = bytearray(tar.header("a", 1))
    block[124:136] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert tar.read_foreign(bytes(block)) is None


def test_a_sha512_blob_has_its_whole_name() -> None:
    """Its path is longer than a ustar header holds."""
    name = blob_name(Digest.of(b"x", "sha512"))
    with tarfile.open(fileobj=io.BytesIO(tar.header(name, 0) + tar.END)) as archive:
        assert archive.getnames() == [name]
