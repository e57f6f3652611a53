"""A bundle is written whole or not at all."""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from airgap.bundle.access import open_bundle
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.output import WriteOptions
from airgap.bundle.writer import BundleWriter
from airgap.content.copy_plan import copy_plan
from airgap.content.plan import CopyPlan, PlannedItem
from airgap.content.ports import BlobReader
from airgap.errors import ContentMismatch, NoSpace, NotFound, NotPermitted, Refused, UsageError
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest, Role
from airgap.oci.platform_filter import ALL_PLATFORMS
from airgap.oci.reference import Repository
from tests.bundle.samples import (
    NOON,
    QUICK,
    names_in,
    plan_of,
    roots_of,
    several_images,
    write_bundle,
)
from tests.support import images
from tests.support.memory import BytesReader, MemorySource


@pytest.mark.parametrize("rotten", [b"rotten" * 1000, b""], ids=["changed", "emptied"])
@pytest.mark.parametrize("verify", [True, False], ids=["verified", "unverified"])
async def test_bit_rot_on_the_connected_side_is_noticed(
    tmp_path: Path,
    rotten: bytes,
    verify: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    """A layer that has other bytes than its digest says does not travel for a week in vain."""
    built = images.image([images.random_layer(1, 6000 - 274)])
    layer = built.root.layers[0]
    bad = rotten[: layer.size].ljust(layer.size if rotten else 0, b"x")
    source = MemorySource({"a:1": built}, lies={layer.digest: bad})
    options = replace(QUICK, verify=verify)
    if not verify and rotten:
        await write_bundle(tmp_path / "b", source, options)
        return
    with pytest.raises(ContentMismatch, match=str(layer.digest)):
        await write_bundle(tmp_path / "b", source, options)
    assert names_in(tmp_path) == []


async def test_an_existing_file_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    """A name that is taken is refused, unless the person wants it replaced."""
    (tmp_path / "b").write_text("precious")
    with pytest.raises(UsageError, match="already there"):
        await write_bundle(tmp_path / "b", several_images())
    assert (tmp_path / "b").read_text() == "precious"
    await write_bundle(tmp_path / "b", several_images(), replace(QUICK, replace=True))
    assert names_in(tmp_path) == ["b", "b.sha256"]


async def test_a_failed_replacement_leaves_the_old_bundle(tmp_path: Path) -> None:
    """The old file and its checksum stay until the new one is whole."""
    await write_bundle(tmp_path / "b", several_images())
    before = {path.name: path.read_bytes() for path in files_in(tmp_path)}
    built = images.image([images.random_layer(1)])
    source = MemorySource({"a:1": built}, lies={built.root.layers[0].digest: b"?"})
    with pytest.raises(ContentMismatch):
        await write_bundle(tmp_path / "b", source, replace(QUICK, replace=True))
    assert {path.name: path.read_bytes() for path in files_in(tmp_path)} == before


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder."""
    return list(folder.iterdir())


async def test_what_a_killed_export_left_is_written_over(tmp_path: Path) -> None:
    """A partial file of an earlier process is in nobody's way."""
    (tmp_path / "b.partial").write_bytes(b"left over" * 100_000)
    await write_bundle(tmp_path / "b", several_images())
    assert names_in(tmp_path) == ["b", "b.sha256"]


async def test_two_exports_do_not_write_one_file(tmp_path: Path) -> None:
    """The second is refused while the first is at work, and does no harm to it."""
    with (tmp_path / "b.partial").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another process"):
            await write_bundle(tmp_path / "b", several_images())
    assert names_in(tmp_path) == ["b.partial"]


async def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """The message says that a file is wanted; so does one for a folder that is not there."""
    with pytest.raises(UsageError, match="is a folder"):
        await write_bundle(tmp_path, several_images())
    with pytest.raises(NotFound):
        await write_bundle(tmp_path / "missing" / "b", several_images())


async def test_a_disk_that_is_too_small_is_known_before_writing(tmp_path: Path) -> None:
    """Space is compared with the size of the whole bundle, which is known from the plan."""
    source = several_images()
    plan = await plan_of(source)
    huge = PlannedItem(Descriptor("x/y", Digest.of(b"huge"), 1 << 49), Role.LAYER)
    with pytest.raises(NoSpace, match="are free"):
        await write_bundle(tmp_path / "b", source, plan=CopyPlan(plan.roots, (*plan.items, huge)))
    assert names_in(tmp_path) == []


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mount a small disk in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path: Path) -> None:
    """A compressed bundle's size is not known before; the disk may end in its midst."""
    source = MemorySource({"a:1": images.image([images.random_layer(1, 5_000_000)])})
    with mounted(tmp_path / "disk", "size=1m") as disk:
        with pytest.raises(NoSpace, match="full"):
            await write_bundle(disk / "b", source, WriteOptions(zstd=True))
        assert names_in(disk) == []


async def test_a_medium_that_cannot_be_written_is_said_to_be_one(tmp_path: Path) -> None:
    """A read-only stick ends in one clear message."""
    with mounted(tmp_path / "disk", "ro") as disk, pytest.raises(NotPermitted, match="Read-only"):
        await write_bundle(disk / "b", several_images())


class StallingSource(MemorySource):
    """A source whose layers begin and never end."""

    stalled: asyncio.Event

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob that stops after its first bytes."""
        content = self._content(repository, descriptor)
        if "config" in descriptor.media_type:
            yield BytesReader(content, offset)
            return
        yield Stalling(content, self.stalled)


class Stalling(BytesReader):
    """Half of a blob, and then nothing more."""

    def __init__(self, content: bytes, stalled: asyncio.Event) -> None:
        super().__init__(content)
        self.stalled = stalled

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield a first piece, and wait for ever."""
        yield self.content[:100]
        self.stalled.set()
        await asyncio.Event().wait()


async def test_an_interrupted_export_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C in the midst of a blob: no partial file, no name, no checksum."""
    source = StallingSource({"a:1": images.image([images.random_layer(1)])})
    source.stalled = asyncio.Event()
    export = asyncio.create_task(write_bundle(tmp_path / "b", source))
    await source.stalled.wait()
    assert names_in(tmp_path) == ["b.partial"]
    export.cancel()
    with pytest.raises(asyncio.CancelledError):
        await export
    assert names_in(tmp_path) == []


async def test_signatures_travel_in_the_bundle(tmp_path: Path) -> None:
    """A signer gets the exact bytes of bundle.json, and its signatures come out again."""
    signed: list[bytes] = []

    def sign(raw: bytes) -> dict[str, bytes]:
        signed.append(raw)
        return {"second": b"sig 2", "first": b"sig 1"}

    await write_bundle(tmp_path / "b", several_images(), sign=sign)
    async with open_bundle(tmp_path / "b") as bundle:
        assert bundle.head.signatures == {"first": b"sig 1", "second": b"sig 2"}
        assert [bundle.head.bundle_json] == signed


async def test_a_channel_and_an_id_can_be_given(tmp_path: Path) -> None:
    """What the identity says is what bundle.json says."""
    identity = BundleIdentity(NOON, id="delivery-7", channel="lab", sequence=7)
    report = await write_bundle(tmp_path / "b", several_images(), identity=identity)
    manifest = report.manifest
    assert (manifest.id, manifest.channel, manifest.sequence) == ("delivery-7", "lab", 7)


async def test_a_plan_that_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    """A name twice is found out here, and not on the other side of the gap."""
    source = several_images()
    plan = await plan_of(source)
    twice = CopyPlan((*plan.roots, plan.roots[0]), plan.items)
    with pytest.raises(ContentMismatch, match="twice"):
        await write_bundle(tmp_path / "b", source, plan=twice)
    assert names_in(tmp_path) == []


async def test_content_comes_in_the_order_of_the_plan_or_not_at_all(tmp_path: Path) -> None:
    """A caller that skips a piece is told at once."""
    source = several_images()
    plan = await plan_of(source)
    async with BundleWriter(tmp_path / "b", source, BundleIdentity(NOON), QUICK) as writer:
        with pytest.raises(RuntimeError, match="prepare"):
            await writer.put_manifest(roots_of(source)[0].reference.repository, first_root(source))
        await writer.prepare(plan)
        with pytest.raises(RuntimeError, match="to its end"):
            await writer.move_tags(plan.roots)
        with pytest.raises(RuntimeError, match="not complete"):
            _ = writer.report
    assert names_in(tmp_path) == []


def first_root(source: MemorySource) -> Manifest:
    """Return the manifest of the first name."""
    return next(iter(source.roots.values())).root


async def test_a_bundle_in_writing_claims_to_hold_nothing(tmp_path: Path) -> None:
    """As a target it asks for everything."""
    source = several_images()
    root = roots_of(source)[0]
    repository = root.reference.repository
    async with BundleWriter(tmp_path / "b", source, BundleIdentity(NOON), QUICK) as writer:
        assert await writer.find(root.reference) is None
        assert not await writer.holds(repository, root.descriptor, ALL_PLATFORMS)
        assert await writer.missing(repository, [root.descriptor]) == {root.descriptor.digest}
        await copy_plan(source, writer, await plan_of(source))
    assert names_in(tmp_path) == ["b", "b.sha256"]
