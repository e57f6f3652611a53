"""Reading tars: as the standard library does for honest ones, with an error for all others."""

from __future__ import annotations

import io
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap.errors import ArchiveDamaged
from airgap.image.tar_entries import Kind, TarEntry, TarReader

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0/"),
    min_size=1,
    max_size=150,
)
KINDS = {Kind.FILE: tarfile.REGTYPE, Kind.FOLDER: tarfile.DIRTYPE, Kind.SYMLINK: tarfile.SYMTYPE}


@st.composite
def members(draw: st.DrawFn) -> tuple[TarEntry, bytes]:
    """Make an entry and its content."""
    kind = draw(st.sampled_from(list(KINDS)))
    content = draw(st.binary(max_size=1500)) if kind is Kind.FILE else b""
    entry = TarEntry(
        name="/".join(draw(st.lists(NAMES, min_size=1, max_size=4))),
        kind=kind,
        size=len(content),
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**40)),
        gid=draw(st.integers(0, 2**21)),
        mtime=draw(st.integers(0, 2**40)),
        target=draw(NAMES) if kind is Kind.SYMLINK else "",
    )
    return entry, content


@given(st.lists(members(), max_size=6), st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_what_tarfile_writes_is_read(items: list[tuple[TarEntry, bytes]], form: int) -> None:
    """Names, owners, times, links and contents come back, whether skipped by seeking or reading."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for entry, content in items:
            info = tarfile.TarInfo(entry.name)
            info.type, info.size, info.mode = KINDS[entry.kind], len(content), entry.mode
            info.uid, info.gid, info.mtime = entry.uid, entry.gid, entry.mtime
            info.linkname = entry.target
            tar.addfile(info, io.BytesIO(content))
    whole = buffer.getvalue()
    for size in (None, len(whole)):
        reader = TarReader(io.BytesIO(whole), "tar", size=size)
        for (expected, content), found in zip(items, reader, strict=True):
            assert found.name.rstrip("/") == expected.name.rstrip("/")
            assert (found.kind, found.mode, found.target) == (
                expected.kind,
                expected.mode,
                expected.target,
            )
            assert (found.uid, found.gid, found.mtime) == (
                expected.uid,
                expected.gid,
                expected.mtime,
            )
            assert whole[found.offset : found.offset + found.stored] == content
            if len(content) % 2:
                assert b"".join(reader.pieces()) == content


@settings(max_examples=300)
@given(st.data())
def test_no_bytes_are_an_unknown_error(data: st.DataObject) -> None:
    """A changed or cut tar is read somehow, or refused with our error; never anything else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a" * 120, "ü"):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 700, 1.5
            tar.addfile(info, io.BytesIO(bytes(700)))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, 4000))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    for size in (None, len(cut)):
        with suppress(ArchiveDamaged):
            for entry in TarReader(io.BytesIO(cut), "tar", size=size):
                assert entry.size >= 0


def test_gnu_sparse_files_are_listed_with_their_real_size(tmp_path: Path) -> None:
    """GNU tar's sparse files, old and pax, do not throw the walk off its way."""
    hollow = tmp_path / "hollow"
    with hollow.open("wb") as file:
        for block in range(60):
            file.seek(block * 2**20)
            file.write(b"x" * 4096)
        file.truncate(2**26)
    (tmp_path / "next").write_text("after it")
    for form in ("oldgnu", "pax"):
        archive = tmp_path / f"{form}.tar"
        subprocess.run(
            ["tar", "-S", f"--format={form}", "-C", tmp_path, "-cf", archive, "hollow", "next"],
            check=True,
        )
        with archive.open("rb") as stream:
            reader = TarReader(stream, "tar")
            first, second = [(entry, b"".join(reader.pieces())) for entry in reader]
        assert (first[0].name, first[0].sparse, first[0].size) == ("hollow", True, 2**26)
        assert (second[0].name, second[1]) == ("next", b"after it")


@pytest.mark.parametrize(
    "headers",
    [{"size": "-1"}, {"size": "1e9"}, {"size": "9" * 30}, {"uid": "x"}, {"mtime": "soon"}],
)
def test_numbers_of_extended_headers_are_checked(headers: dict[str, str]) -> None:
    """What is no number of a sensible length is damage."""
    info = tarfile.TarInfo("a")
    info.pax_headers = headers
    with pytest.raises(ArchiveDamaged, match="unreadable"):
        list(TarReader(io.BytesIO(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)), "tar"))
