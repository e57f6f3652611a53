"""A file that is not a bundle is told apart, and the message says what to do with it."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from airgap.bundle.inspect import inspect_bundle
from airgap.bundle.verify import verify_bundle
from airgap.errors import BundleDamaged, NotFound
from tests.bundle.samples import several_images, write_bundle


def tar_of(*names: str) -> bytes:
    """Return a tar of empty files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


DOCKER_SAVE = tar_of("0123/layer.tar", "0123/VERSION", "manifest.json", "repositories")
OCI_ARCHIVE = tar_of("blobs/sha256/0", "index.json", "oci-layout")

CASES = {
    "empty": (b"", "is empty", "bring the copy again"),
    "text": (b"hello", "not a tar", "name another file"),
    "zeros": (bytes(5000), "not a tar", "name another file"),
    "a tar of other things": (tar_of("etc/passwd"), "is a tar, but not a bundle", "name the file"),
    "docker save": (DOCKER_SAVE, "image archive without airgap/bundle.json", "airgap load"),
    "docker save, cut": (DOCKER_SAVE[:2000], "image archive|is a tar", ""),
    "OCI archive": (OCI_ARCHIVE, "image archive without airgap/bundle.json", "airgap load"),
    "docker save in zstd": (zstandard.compress(DOCKER_SAVE), "image archive", "airgap load"),
    "docker save in gzip": (gzip.compress(DOCKER_SAVE), "compressed with gzip", "airgap load"),
    "zip": (b"PK\x03\x04", "is a zip file", ""),
    "zstd of nothing": (zstandard.compress(b""), "not a tar", ""),
    "zstd magic alone": (b"\x28\xb5\x2f\xfd", "zstd stream", "bring the copy again"),
}


@pytest.mark.parametrize("content, cause, hint", CASES.values(), ids=CASES)
def test_other_files_are_told_apart(tmp_path: Path, content: bytes, cause: str, hint: str) -> None:
    """Each ends in a message of its own, with the exit code of a damaged bundle."""
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(BundleDamaged, match=cause) as caught:
        inspect_bundle(tmp_path / "b")
    assert hint in caught.value.hint
    assert caught.value.thing == str(tmp_path / "b")
    assert caught.value.exit_code == 10


async def test_a_bundle_that_was_packed_again_is_told_apart(tmp_path: Path) -> None:
    """Unpacking a bundle and packing it with tar makes another file of it."""
    await write_bundle(tmp_path / "b", several_images())
    with tarfile.open(tmp_path / "b") as archive:
        names = archive.getnames()
    (tmp_path / "again").write_bytes(tar_of(*sorted(names)))
    with pytest.raises(BundleDamaged, match="packed again"):
        inspect_bundle(tmp_path / "again")


@pytest.mark.parametrize(
    "make, cause",
    [(Path.mkdir, "is a folder"), (os.mkfifo, "not a regular file")],
    ids=["folder", "pipe"],
)
def test_what_is_no_file_is_told_apart(
    tmp_path: Path, make: Callable[[Path], None], cause: str
) -> None:
    """A folder or a pipe is not opened, let alone waited for."""
    make(tmp_path / "b")
    with pytest.raises(BundleDamaged, match=cause):
        inspect_bundle(tmp_path / "b")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    """The exit code tells a wrong name from a damaged bundle."""
    with pytest.raises(NotFound):
        inspect_bundle(tmp_path / "b")


def test_verify_tells_other_files_apart_too(tmp_path: Path) -> None:
    """It reads without seeking, and still says what there is instead of a bundle."""
    (tmp_path / "b").write_bytes(DOCKER_SAVE)
    with pytest.raises(BundleDamaged, match="image archive"):
        verify_bundle(tmp_path / "b")
