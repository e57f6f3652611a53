"""Whole bundles cross in volumes, encrypted, compressed, and in every combination of these."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgap.bundle.access import open_bundle
from airgap.bundle.inspect import inspect_bundle
from airgap.bundle.medium import Medium
from airgap.bundle.opening import find_bundle
from airgap.bundle.output import WriteOptions
from airgap.bundle.reader import PlainBundle
from airgap.bundle.verify import verify_bundle
from airgap.bundle.volumes import VolumeCut
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.walk import WalkRules
from airgap.errors import AccessDenied, AirgapError, NotFound, UsageError
from airgap.oci.digest import Digest
from tests.bundle.samples import (
    QUICK,
    Collected,
    content_of,
    names_in,
    several_images,
    take_in,
    write_bundle,
)
from tests.bundle.volume_samples import flip

KEY = pyrage.x25519.Identity.generate()
CUT = VolumeCut(20_000, parity=1)
FOR_KEY = (KEY.to_public(),)

WAYS = {
    "volumes": WriteOptions(sync=False, cut=CUT),
    "volumes-zstd": WriteOptions(sync=False, cut=CUT, zstd=True),
    "age": WriteOptions(sync=False, recipients=FOR_KEY),
    "age-zstd": WriteOptions(sync=False, recipients=FOR_KEY, zstd=True),
    "volumes-age": WriteOptions(sync=False, recipients=FOR_KEY, cut=CUT),
    "volumes-age-zstd": WriteOptions(sync=False, recipients=FOR_KEY, cut=CUT, zstd=True),
    "volumes-read-back": WriteOptions(cut=CUT, read_back=True),
    "file-read-back": WriteOptions(read_back=True),
}
EVERY_WAY = pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)


def opened(*paths: Path) -> Medium:
    """Return the bundle that paths hold, with the key."""
    return find_bundle(paths).opened([KEY])


async def taken_from(medium: Medium, target: Collected | None = None) -> Collected:
    """Import a whole bundle."""
    target = target if target is not None else Collected()
    async with open_bundle(medium) as bundle:
        await copy_plan(bundle, target, await plan_copy(bundle, bundle.roots, WalkRules()))
    return target


@EVERY_WAY
async def test_everything_comes_out_as_it_went_in(tmp_path: Path, options: WriteOptions) -> None:
    """Names, manifests and blobs are the same on the other side, byte for byte."""
    source = several_images()
    await write_bundle(tmp_path / "b", source, options)
    taken = await taken_from(opened(tmp_path))
    assert taken.blobs == content_of(source)
    assert taken.names == {r: b.root.descriptor for r, b in source.roots.items()}


@EVERY_WAY
async def test_verify_and_inspect_see_through_it(tmp_path: Path, options: WriteOptions) -> None:
    """Both say the same of a bundle however it travels."""
    report = await write_bundle(tmp_path / "b", several_images(), options)
    assert verify_bundle(opened(tmp_path)).problems == ()
    assert inspect_bundle(opened(tmp_path)).manifest == report.manifest


@EVERY_WAY
async def test_nothing_is_left_of_a_bundle_that_fails(
    tmp_path: Path, options: WriteOptions
) -> None:
    """Where a blob of the store is damaged, no file of the bundle stays, whatever it is made of."""
    source = several_images()
    largest = max(source.blobs, key=lambda digest: len(source.blobs[digest]))
    source.blobs[largest] = bytes(len(source.blobs[largest]))
    with pytest.raises(AirgapError):
        await write_bundle(tmp_path / "b", source, options)
    assert names_in(tmp_path) == []


async def test_the_volumes_are_the_bundle_in_pieces(tmp_path: Path) -> None:
    """Joined volumes are byte for byte the bundle in one file, and its report names them."""
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    await write_bundle(tmp_path / "one" / "b", several_images())
    report = await write_bundle(tmp_path / "many" / "b", several_images(), WAYS["volumes"])
    assert report.volumes is not None
    names = [volume.id.file_name("b") for volume in report.volumes.data]
    joined = b"".join((tmp_path / "many" / name).read_bytes() for name in names)
    assert joined == (tmp_path / "one" / "b").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(joined)) as tar:
        bundle_json = tar.extractfile("airgap/bundle.json")
        assert bundle_json is not None
        assert Digest.of(bundle_json.read()) == report.volumes.bundle_json
    assert report.digest == Digest.of((tmp_path / "many" / "b.volumes.json").read_bytes())


async def test_blobs_are_read_from_any_place_in_volumes(tmp_path: Path) -> None:
    """A bundle in volumes is read at random, and a blob within one volume is a piece of a file."""
    source = several_images()
    await write_bundle(tmp_path / "b", source, WAYS["volumes"])
    regions = 0
    async with open_bundle(opened(tmp_path)) as bundle:
        assert isinstance(bundle, PlainBundle)
        repository = bundle.roots[0].reference.repository
        for item in reversed(bundle.manifest.blobs):
            async with bundle.open_blob(repository, item.descriptor, 3) as reader:
                content = b"".join([piece async for piece in reader])
                regions += reader.region is not None
                if reader.region is not None:
                    raw = reader.region.path.read_bytes()[reader.region.offset :]
                    assert raw[: reader.region.length] == content
            assert content == source.blobs[item.descriptor.digest][3:]
    assert 0 < regions < len(bundle.manifest.blobs)


async def test_without_a_key_only_the_outside_is_seen(tmp_path: Path) -> None:
    """Opening, inspecting and verifying an encrypted bundle ask for the key."""
    await write_bundle(tmp_path / "b", several_images(), WAYS["age"])
    found = find_bundle([tmp_path / "b"])
    assert found.is_encrypted
    for attempt in (inspect_bundle, verify_bundle):
        with pytest.raises(AccessDenied, match="is encrypted"):
            attempt(found.opened([]))
    with pytest.raises(AccessDenied, match="is encrypted"):
        await take_in(tmp_path / "b")


async def test_an_encrypted_file_keeps_its_checksum(tmp_path: Path) -> None:
    """The ``.sha256`` is that of the file as it is stored, and verify compares it."""
    report = await write_bundle(tmp_path / "b", several_images(), WAYS["age"])
    assert report.digest == Digest.of((tmp_path / "b").read_bytes())
    found = verify_bundle(opened(tmp_path / "b"))
    assert found.checksum == found.digest == report.digest


async def test_a_folder_with_one_bundle_is_that_bundle(tmp_path: Path) -> None:
    """A stick can be named instead of the file on it, once the copy is complete."""
    await write_bundle(tmp_path / "b", several_images())
    (tmp_path / "notes.txt").write_text("hello")
    assert find_bundle([tmp_path]).medium.path == tmp_path / "b"
    (tmp_path / "b.sha256").unlink()
    with pytest.raises(NotFound, match="no bundle is there"):
        find_bundle([tmp_path])


async def test_several_bundles_want_a_choice(tmp_path: Path) -> None:
    """Two bundles in a folder are not guessed between."""
    for name in ("1", "2"):
        await write_bundle(tmp_path / name, several_images())
    with pytest.raises(UsageError, match="are several bundles"):
        find_bundle([tmp_path])


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for the sets that are damaged below."""
    return tmp_path_factory.mktemp("sets")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), way=st.sampled_from(["volumes", "volumes-zstd", "volumes-age"]))
async def test_any_changed_bit_in_any_volume_is_found(
    sets: Path, data: st.DataObject, way: str
) -> None:
    """Whichever bit of a data volume changes, verify finds it, and importing moves no name."""
    folder = sets / way
    if not folder.exists():
        folder.mkdir()
        await write_bundle(folder / "b", several_images(), WAYS[way])
    volumes = sorted(folder.glob("b.[0-9]*"))
    victim = data.draw(st.sampled_from(volumes))
    position = data.draw(st.integers(0, victim.stat().st_size - 1))
    flip(victim, position)
    try:
        target = Collected()
        try:
            found = verify_bundle(opened(folder)).error()
        except AirgapError as error:
            found = error
        assert found is not None
        with pytest.raises(AirgapError):
            await taken_from(opened(folder), target)
        assert target.names == {}
    finally:
        flip(victim, position)


def test_quick_is_one_file() -> None:
    """Without options a bundle is one readable file."""
    assert QUICK.cut is None
    assert QUICK.recipients == ()
