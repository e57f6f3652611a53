"""Verify and inspect: what a person asks of a bundle before taking it in."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.bundle.format import Change
from airgap.bundle.inspect import inspect_bundle
from airgap.bundle.output import WriteOptions
from airgap.bundle.verify import verify_bundle
from airgap.errors import BundleDamaged
from airgap.oci.manifest import Role
from tests.bundle.samples import COMPRESSED, QUICK, several_images, write_bundle

BOTH = pytest.mark.parametrize("options", [QUICK, COMPRESSED], ids=["plain", "zstd"])


@BOTH
async def test_a_whole_bundle_has_no_problems(tmp_path: Path, options: WriteOptions) -> None:
    """Checksum, digests and graph agree, and every byte of content was looked at."""
    written = await write_bundle(tmp_path / "b", several_images(), options)
    counts: list[int] = []
    report = verify_bundle(tmp_path / "b", counts.append)
    assert report.problems == ()
    assert report.error() is None
    assert report.digest == report.checksum == written.digest
    assert sum(counts) == written.manifest.size


async def test_without_a_checksum_the_content_is_checked_all_the_same(tmp_path: Path) -> None:
    """A stick without the .sha256 is no reason to trust or to refuse."""
    await write_bundle(tmp_path / "b", several_images())
    (tmp_path / "b.sha256").unlink()
    report = verify_bundle(tmp_path / "b")
    assert report.checksum is None
    assert report.problems == ()


@pytest.mark.parametrize("line", ["", "nonsense", "0" * 64 + "  other\n"])
async def test_a_checksum_of_another_file_is_no_checksum(tmp_path: Path, line: str) -> None:
    """The .sha256 must speak of the bundle beside it."""
    await write_bundle(tmp_path / "b", several_images())
    (tmp_path / "b.sha256").write_text(line)
    with pytest.raises(BundleDamaged, match="does not speak of b"):
        verify_bundle(tmp_path / "b")


async def test_a_checksum_that_differs_is_a_problem(tmp_path: Path) -> None:
    """Even where the content is whole; binary marks and other lines are read as sha256sum does."""
    await write_bundle(tmp_path / "b", several_images())
    (tmp_path / "b.sha256").write_text("f" * 64 + "  other\n" + "0" * 64 + " *b\n")
    report = verify_bundle(tmp_path / "b")
    assert len(report.problems) == 1
    assert "b.sha256 says sha256:000" in report.problems[0]


async def test_every_damaged_blob_is_named(tmp_path: Path) -> None:
    """Damage in one blob of a plain bundle does not hide that in another."""
    written = await write_bundle(tmp_path / "b", several_images())
    content = bytearray((tmp_path / "b").read_bytes())
    damaged = [item.descriptor.digest for item in written.manifest.blobs[-3:-1]]
    for digest in damaged:
        content[content.index(digest.hex.encode() + bytes(23)) + 512] ^= 1
    (tmp_path / "b").write_bytes(content)
    report = verify_bundle(tmp_path / "b")
    assert len(report.problems) == 3
    for digest, problem in zip(damaged, report.problems, strict=False):
        assert digest.hex in problem
        assert "at byte" in problem
    error = report.error()
    assert error is not None
    assert error.exit_code == 10
    assert "and 2 more" in error.cause


@BOTH
async def test_the_head_alone_says_what_a_bundle_is(tmp_path: Path, options: WriteOptions) -> None:
    """Inspecting reads no blob: it works on a copy that ends after the head of the content."""
    written = await write_bundle(tmp_path / "b", several_images(), options)
    summary = inspect_bundle(tmp_path / "b")
    assert summary.manifest == written.manifest
    assert summary.file_size == written.size
    assert summary.compressed == options.zstd
    assert summary.has_checksum
    assert summary.signed_by == ()
    assert summary.changes[Change.ADDED] == 4
    assert sum(amount.count for amount in summary.content.values()) == len(written.manifest.blobs)
    assert summary.content[Role.MANIFEST].count == 6
