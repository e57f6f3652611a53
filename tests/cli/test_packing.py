"""``--pack``: layers made small on one side, and rebuilt bit for bit on the other."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import pytest
import zstandard

from airgap.errors import Refused, UsageError
from airgap.oci.digest import Digest
from tests.cli.site import Site
from tests.support import images
from tests.support.command import airgap, succeed
from tests.support.engines import docker_engine
from tests.support.images import BuiltImage, Layer
from tests.support.killing import killed_before_the_name, killed_in_state
from tests.support.podman import podman

SOURCES = sorted(Path(tarfile.__file__).parent.glob("*.py"))
"""Python's own library: text as it is in layers."""


def layer(seed: int, *changes: int) -> Layer:
    """Return a layer of a few hundred kilobytes of text; each change adds a line to a file."""
    files = {
        f"usr/lib/{path.name}": path.read_bytes() for path in SOURCES[20 * seed : 20 * seed + 20]
    }
    for change in changes:
        files[sorted(files)[change]] += b"# changed %d\n" % change
    return images.layer(files)


FIRST = {"quay.io/team/app:1": images.image([layer(1), layer(2), layer(3)])}
SECOND = {"quay.io/team/app:1": images.image([layer(1, 4), layer(2, 7), layer(3, 1, 2)])}
POLICY = "policy: assume-delivered\npack: delta"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two sides, and a channel that carries deltas."""
    made = Site(tmp_path)
    made.configure(export=POLICY)
    return made


def whole(wanted: dict[str, BuiltImage]) -> dict[Digest, bytes]:
    """Return everything that images are made of."""
    return {
        **{digest: blob for built in wanted.values() for digest, blob in built.blobs.items()},
        **{m.descriptor.digest: m.raw for built in wanted.values() for m in built.manifests},
    }


def expect_on_isolated(site: Site, wanted: dict[str, BuiltImage]) -> None:
    """Check that the isolated store has every byte of some images."""
    for digest, content in whole(wanted).items():
        path = site.folder / "isolated" / "blobs" / digest.algorithm / digest.hex
        assert path.read_bytes() == content


async def must(site: Site, number: int, *options: str) -> dict[str, Any]:
    """Import a bundle, which must go well."""
    done = await site.take_in(number, *options)
    assert done.code == 0, done.out + done.err
    return done.document


async def test_a_first_bundle_opens_its_layers_and_they_come_out_bit_for_bit(site: Site) -> None:
    """There is nothing to make deltas against yet, so it is small and stands alone."""
    await site.publish(FIRST)
    report = await site.export()
    packed = report["packed"]
    assert packed["small"]["blobs"] == 3
    assert packed["delta"]["blobs"] == packed["original"]["blobs"] == 0
    assert packed["recipes"] == {"zlib:6": 3}
    assert packed["recipe_bytes"] < 300
    assert report["size"] < 0.95 * packed["small"]["bytes"]
    assert report["not_loadable"] == {}
    await must(site, 1)
    expect_on_isolated(site, FIRST)


async def test_an_update_travels_as_what_differs_from_what_the_destination_holds(
    site: Site,
) -> None:
    """Every layer changed; each comes as a delta, and has its own digest on the other side."""
    await site.publish(FIRST)
    await site.export()
    await must(site, 1)
    await site.publish(SECOND)
    report = await site.export()
    assert report["packed"]["delta"]["blobs"] == 3
    assert report["kind"] == "incremental"
    assert report["base"] == 1
    assert report["size"] < 0.05 * report["packed"]["delta"]["bytes"]
    await must(site, 2)
    expect_on_isolated(site, SECOND)


async def test_a_dry_run_says_how_small_it_would_be(site: Site) -> None:
    """Nothing is written, and the figures are those of the real export."""
    await site.publish(FIRST)
    await site.export()
    await site.publish(SECOND)
    shown = (await site.on_connected("export", "plant", "--dry-run")).document
    assert shown["packed"] == (await site.export())["packed"]


async def test_a_bundle_whose_base_is_not_there_is_refused_and_asked_for_anew(site: Site) -> None:
    """The base guard holds for deltas; what answers the request needs nothing that is missing."""
    await site.publish(FIRST)
    await site.export()
    await site.publish(SECOND)
    await site.export()
    refused = await site.take_in(2)
    assert refused.code == Refused.exit_code, refused.out
    assert len(refused.document["missing"]) == 3
    assert (
        not (site.folder / "isolated" / "index.json").exists()
        or (await site.on_isolated("images")).document["images"] == []
    )
    answer = await site.export("--request", refused.document["request"])
    assert answer["packed"]["small"]["blobs"] == 3
    await must(site, answer["sequence"])
    expect_on_isolated(site, SECOND)


async def test_what_destinations_hold_stays_for_deltas_until_a_later_bundle_has_arrived(
    site: Site,
) -> None:
    """A collection on the sending side does not take the base away."""
    await site.publish(FIRST)
    await site.export()
    await site.publish(SECOND)
    swept = await site.on_connected("store", "gc", "--grace", "0")
    assert swept.document["removed"] == []
    assert (await site.export())["packed"]["delta"]["blobs"] == 3
    swept = await site.on_connected("store", "gc", "--grace", "0")
    assert len(swept.document["removed"]) == len(whole(FIRST))


async def test_layers_whose_base_is_lost_on_the_sending_side_travel_opened(site: Site) -> None:
    """It is larger, and nothing else is different."""
    await site.publish(FIRST)
    await site.export()
    await site.publish(SECOND)
    for built in FIRST.values():
        for blob in built.root.layers:
            (site.connected / "blobs" / "sha256" / blob.digest.hex).unlink()
    report = await site.export()
    assert report["packed"]["small"]["blobs"] == 3
    await must(site, 1)
    await must(site, 2)
    expect_on_isolated(site, SECOND)


async def test_layers_that_cannot_be_rebuilt_travel_as_they_are_and_the_report_says_why(
    site: Site,
) -> None:
    """Beside them, others are opened; all arrive."""
    plain = layer(1)
    strange = images.Layer(b"\x28\xb5\x2f\xfd" + bytes(5000), plain.media_type, plain.diff_id)
    wanted = {"quay.io/team/app:1": images.image([plain, strange])}
    await site.publish(wanted)
    packed = (await site.export())["packed"]
    assert packed["original"]["blobs"] == 1
    assert packed["whole"] == {"zstd cannot be rebuilt bit for bit": 1}
    await must(site, 1)
    expect_on_isolated(site, wanted)


async def test_the_same_plain_bytes_travel_once_whatever_compressed_them(site: Site) -> None:
    """One image was pushed with gzip, another with an uncompressed layer."""
    files = {"etc/motd": b"hello\n" * 20_000}
    wanted = {
        "quay.io/team/app:1": images.image([images.layer(files)]),
        "quay.io/team/app:2": images.image([images.layer(files, compress=False)]),
    }
    await site.publish(wanted)
    small = (await site.export())["packed"]["small"]
    assert small["blobs"] == 2
    assert small["carried"] == len(images.layer(files, compress=False).content)
    await must(site, 1)
    expect_on_isolated(site, wanted)


async def test_a_packed_bundle_becomes_a_plain_one_that_stands_alone(site: Site) -> None:
    """With the store that took in what came before at hand, a delta does, too."""
    for number, wanted in enumerate((FIRST, SECOND), 1):
        await site.publish(wanted)
        await site.export()
        await must(site, number)
    plain = site.folder / "plain.tar"
    packed = str(site.folder / "2.tar")
    done = await site.on_isolated("bundle", "unpack", packed, "-o", str(plain))
    assert done.code == 0, done.out + done.err
    with tarfile.open(plain) as tar:
        names = set(tar.getnames())
    assert {f"blobs/sha256/{digest.hex}" for digest in whole(SECOND)} <= names
    assert (await airgap("verify", str(plain))).code == 0


async def test_a_packed_bundle_can_be_cut_signed_and_encrypted(site: Site) -> None:
    """Around it everything is as it was: a lost volume is rebuilt from parity."""
    key = pyrage.x25519.Identity.generate()
    (site.folder / "key.txt").write_text(f"{key}\n")
    site.configure(export=f"{POLICY}\nencrypt: {key.to_public()}")
    await site.publish(FIRST)
    options = ("--volume-size", "40000", "--parity", "1")
    out = str(site.folder / "cut.tar")
    done = await site.on_connected("export", "plant", "-o", out, *options)
    assert done.code == 0, done.out + done.err
    (site.folder / "cut.tar.002").unlink()
    assert (await airgap("repair", str(site.folder))).code == 0
    identity = ("--identity", str(site.folder / "key.txt"))
    volumes = sorted(map(str, site.folder.glob("cut.tar.*")))
    done = await site.on_isolated("import", *volumes, *identity)
    assert done.code == 0, done.out + done.err
    expect_on_isolated(site, FIRST)


async def test_a_bundle_that_takes_more_memory_than_allowed_is_refused_before_anything(
    site: Site,
) -> None:
    """The bundle says what it takes, and nothing is written."""
    await site.publish(FIRST)
    await site.export()
    refused = await site.take_in(1, "--delta-memory", "64MiB")
    assert refused.code == Refused.exit_code
    assert "bytes of memory to unpack" in refused.document["error"]["cause"]
    assert not (site.folder / "isolated" / "blobs").exists()


async def test_too_little_memory_for_packing_is_said_at_once(site: Site) -> None:
    """Whoever exports learns what it takes at least."""
    await site.publish(FIRST)
    done = await site.on_connected("export", "plant", "--delta-memory", "64MiB")
    assert done.code == UsageError.exit_code
    assert "--delta-memory" in done.err


async def test_pack_and_no_compression_exclude_each_other(site: Site) -> None:
    """Opened layers without compression would be three times the size."""
    await site.publish(FIRST)
    done = await site.on_connected("export", "plant", "--compress", "none")
    assert done.code == UsageError.exit_code


async def test_inspect_shows_how_a_bundle_is_packed(site: Site) -> None:
    """Also what unpacking takes."""
    await site.publish(FIRST)
    await site.export()
    shown = await airgap("inspect", str(site.folder / "1.tar"), "--json")
    pack = shown.document["bundle_json"]["pack"]
    assert pack["kind"] == "small"
    assert len(pack["parts"]) == 3
    assert pack["memory"] > 128 * 1024 * 1024


async def test_loaders_take_a_small_bundle_as_it_is(site: Site) -> None:
    """It is a tar of docker's with uncompressed layers, and zstd around it."""
    await site.publish(FIRST)
    await site.export()
    bundle = site.folder / "1.tar"
    target = site.folder / "copied"
    archive = f"docker-archive:{bundle}:quay.io/team/app:1"
    await succeed("skopeo", "copy", "--quiet", archive, f"dir:{target}")
    diff_ids = {layer(number).diff_id.hex for number in (1, 2, 3)}
    assert diff_ids <= {path.name for path in target.iterdir()}
    image_id = FIRST["quay.io/team/app:1"].root.config
    assert image_id is not None
    async with podman() as isolated:
        await isolated("load", "--quiet", "-i", str(bundle))
        (loaded,) = await isolated.images()
        assert loaded["Id"] == image_id.digest.hex
        assert loaded["Names"] == ["quay.io/team/app:1"]


async def test_docker_takes_a_small_bundle(site: Site) -> None:
    """Debian's is of before Docker read zstd, so that is taken off first."""
    await site.publish(FIRST)
    await site.export()
    plain = site.folder / "plain.tar"
    with (site.folder / "1.tar").open("rb") as packed, plain.open("wb") as file:
        zstandard.ZstdDecompressor(max_window_size=1 << 27).copy_stream(packed, file)
    image_id = FIRST["quay.io/team/app:1"].root.config
    assert image_id is not None
    async with docker_engine(site.folder / "docker") as address:
        host = ("docker", "--host", address)
        await succeed(*host, "load", "--input", str(plain))
        shown = await succeed(*host, "inspect", "--format", "{{.Id}}", "quay.io/team/app:1")
    assert shown.strip() == image_id.digest


@pytest.mark.parametrize("state", ["received", "verified", "staged", "published"])
async def test_an_import_that_is_killed_goes_on_and_leaves_no_opened_content(
    site: Site, state: str
) -> None:
    """Content that lies opened meanwhile has no name, so nothing of it is left behind."""
    await site.publish(FIRST)
    await site.export()
    isolated = site.folder / "isolated"
    places = ("--store", str(isolated), "--config", str(site.folder / "import.yaml"))
    await killed_in_state(state, "import", str(site.folder / "1.tar"), *places)
    assert not list((isolated / "airgap" / "ingest").glob("*.tmp"))
    await must(site, 1)
    expect_on_isolated(site, FIRST)


async def test_an_export_that_is_killed_leaves_nothing_that_the_next_one_does_not_tidy(
    site: Site,
) -> None:
    """Its working folder goes with the next export."""
    await site.publish(FIRST)
    store = ("--store", str(site.connected), "--config", str(site.folder / "export.yaml"))
    out = str(site.folder / "killed.tar")
    await killed_before_the_name("killed.tar", "export", "plant", "-o", out, *store)
    packing = site.connected / "airgap" / "packing"
    assert len(list(packing.glob("work-*"))) == 1
    await site.export()
    assert not list(packing.glob("work-*"))
    await must(site, 1)
