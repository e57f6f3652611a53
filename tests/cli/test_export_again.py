"""One volume of a channel's bundle, lost on the way, is made again from what the ledger says."""

from __future__ import annotations

import filecmp
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.store.store import Store
from airgap.usecases.choose import available_references
from tests.support.command import Done, airgap
from tests.support.images import BuiltImage, image, random_layer
from tests.support.memory import MemorySource

KIBIBYTE = 1024


def built(**layers: tuple[int, ...]) -> dict[str, BuiltImage]:
    """Return an image a name, with layers of 200 KiB each."""
    return {
        f"quay.io/team/{name}:1": image([random_layer(seed, 200 * KIBIBYTE) for seed in seeds])
        for name, seeds in layers.items()
    }


@dataclass(frozen=True)
class Sender:
    """The connected side, with a channel that is signed and cut into volumes."""

    folder: Path

    def configure(self, *more: str) -> None:
        """Write the config; each text is one more key of the channel."""
        keys = ("output: 'out-{time}.tar'", "policy: assume-delivered", *more)
        lines = "".join(f"    {key}\n" for key in keys)
        (self.folder / "airgap.yaml").write_text(f"export:\n  plant:\n{lines}")

    async def publish(self, wanted: dict[str, BuiltImage]) -> None:
        """Let the store have exactly these names."""
        source = MemorySource(wanted)
        async with Store.open(self.folder / "store", create=True, sync=False) as store:
            copies = [ImageCopy(name, name) for name in source.roots]
            assert (await copy_images(source, store, copies)).error() is None
            for name in await available_references(store):
                if name not in source.roots:
                    await store.remove_tag(name)

    async def run(self, *arguments: str) -> Done:
        """Run a command on the store."""
        config = ("--config", str(self.folder / "airgap.yaml"), "--json")
        return await airgap(*arguments, "--store", str(self.folder / "store"), *config)

    async def export(self, name: str, *options: str) -> dict[str, Any]:
        """Export the next bundle; return the report."""
        done = await self.run("export", "plant", "-o", str(self.folder / name), *options)
        assert done.code == 0, done.out
        return done.document

    async def again(self, *options: str) -> Done:
        """Make volumes again."""
        return await self.run("export", "plant", *options)

    async def take_in(self, name: str) -> Done:
        """Import a bundle on the other side."""
        isolated = ("--store", str(self.folder / "isolated"))
        return await airgap("import", str(self.folder / name), *isolated, "--json")


@pytest.fixture
async def sender(tmp_path: Path) -> Sender:
    """A channel with a key and volumes of 128 KiB, and two images to send."""
    made = Sender(tmp_path)
    assert (await airgap("keygen", str(tmp_path / "sender"), "--no-passphrase")).code == 0
    made.configure("sign: {with: sender.key}", "volumes: {size: 256KiB, parity: 2}")
    await made.publish(built(app=(1, 2), db=(1, 3)))
    return made


def kept_aside(folder: Path) -> Path:
    """Copy everything, to compare with later."""
    return Path(shutil.copytree(folder, folder.with_name(f"{folder.name}-before")))


async def test_a_lost_volume_comes_out_as_it_was(sender: Sender, tmp_path: Path) -> None:
    """Of the newest bundle, where it was written, although the channel has moved on since."""
    (tmp_path / "out").mkdir()
    exported = await sender.export("out/1.tar")
    names = [file["name"] for file in exported["volumes"]["files"]]
    assert names == ["1.tar.001", "1.tar.002", "1.tar.003", "1.tar.p01", "1.tar.p02"]
    before = kept_aside(tmp_path / "out")
    (tmp_path / "out" / "1.tar.002").unlink()
    await sender.publish(built(app=(1, 4), db=(1, 3), web=(5,)))
    done = await sender.again("--only-volume", "2")
    assert done.code == 0, done.out
    assert (done.document["sequence"], done.document["made_again"]) == (1, ["1.tar.002"])
    everything = [path.name for path in before.iterdir()]
    assert filecmp.cmpfiles(tmp_path / "out", before, everything, shallow=False)[0] == everything
    taken = await sender.take_in("out")
    assert taken.code == 0, taken.out


async def test_an_older_bundle_is_named_by_its_number(sender: Sender, tmp_path: Path) -> None:
    """With what it said of its base and of names that were there then, elsewhere and of parity."""
    for folder in ("first", "second", "third"):
        (tmp_path / folder).mkdir()
    await sender.export("first/1.tar")
    await sender.publish(built(app=(1, 4, 6), web=(5, 7)))
    second = await sender.export("second/2.tar")
    assert (second["kind"], second["base"]) == ("incremental", 1)
    assert {change["change"] for change in second["changes"]} == {"added", "moved", "removed"}
    await sender.publish(built(web=(5, 7)))
    await sender.export("third/3.tar")
    index = "2.tar.volumes.json"
    (tmp_path / "new").mkdir()
    shutil.copy(tmp_path / "second" / index, tmp_path / "new")
    done = await sender.again(
        *("--sequence", "2", "--only-volume", "1", "--only-volume", "p2"),
        *("-o", str(tmp_path / "new" / "2.tar")),
    )
    assert done.code == 0, done.out
    made = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert made == ["2.tar.001", "2.tar.p02", "2.tar.sha256", index]
    same = filecmp.cmpfiles(tmp_path / "new", tmp_path / "second", made, shallow=False)[0]
    assert same == made
    assert (await sender.take_in("first")).code == 0
    (tmp_path / "second" / "2.tar.001").unlink()
    shutil.copy(tmp_path / "new" / "2.tar.001", tmp_path / "second")
    assert (await sender.take_in("second")).code == 0


async def test_compression_is_the_bundle_s_own(sender: Sender, tmp_path: Path) -> None:
    """What the config has changed to since does not matter."""
    sender.configure("compress: zstd", "volumes: {size: 256KiB}")
    await sender.export("1.tar")
    before = (tmp_path / "1.tar.001").read_bytes()
    (tmp_path / "1.tar.001").unlink()
    sender.configure("volumes: {size: 1MiB}", "encrypt: sender.pub", "pack: small")
    done = await sender.again("--only-volume", "1")
    assert done.code == 0, done.out
    assert (tmp_path / "1.tar.001").read_bytes() == before


async def test_what_the_store_has_lost_is_said(sender: Sender, tmp_path: Path) -> None:
    """Once the content was collected, nothing is written and the ways out are named."""
    await sender.export("1.tar")
    (tmp_path / "1.tar.003").unlink()
    before = sorted(tmp_path.iterdir())
    await sender.publish(built(app=(1, 2)))
    assert (await sender.run("store", "gc", "--grace", "0")).code == 0
    done = await sender.again("--only-volume", "3")
    assert done.code == 5, done.out
    assert "pieces that it carried are not in the store any more" in done.document["error"]["cause"]
    assert "airgap repair" in done.document["error"]["hint"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "key, words",
    [("encrypt: plant.pub", "encrypting again gives other bytes"), ("pack: small", "is packed")],
)
async def test_what_cannot_come_out_the_same_is_not_tried(
    sender: Sender, tmp_path: Path, key: str, words: str
) -> None:
    """Volumes of encrypted and packed bundles; that is said before anything is read."""
    assert (await airgap("keygen", str(tmp_path / "plant"), "--for", "encrypt")).code == 0
    sender.configure(key, "volumes: {size: 256KiB}")
    await sender.export("1.tar")
    (tmp_path / "1.tar.002").unlink()
    done = await sender.again("--only-volume", "2")
    assert done.code == 16
    assert words in done.document["error"]["cause"]


async def test_another_key_makes_another_volume(sender: Sender, tmp_path: Path) -> None:
    """What does not come out the same is not published."""
    await sender.export("1.tar")
    (tmp_path / "1.tar.001").unlink()
    assert (await airgap("keygen", str(tmp_path / "other"), "--no-passphrase")).code == 0
    sender.configure("sign: {with: other.key}", "volumes: {size: 256KiB, parity: 2}")
    done = await sender.again("--only-volume", "1")
    assert done.code == 15
    assert "would be other than before" in done.document["error"]["cause"]
    assert not (tmp_path / "1.tar.001").exists()


async def test_what_cannot_be_meant_is_refused(sender: Sender, tmp_path: Path) -> None:
    """Another bundle's index, a number that there is not, options that would change the bundle."""
    assert (await sender.again("--only-volume", "1")).code == 5
    await sender.export("1.tar")
    await sender.publish(built(app=(1, 4, 6), web=(5, 7)))
    await sender.export("2.tar")
    for options, code, words in (
        (("--only-volume", "1", "--sequence", "7"), 5, "is not in the ledger"),
        (("--only-volume", "9", "--force"), 2, "no volume 9"),
        (("--only-volume", "x1"), 2, "is not a volume"),
        (("--only-volume", "1", "--full"), 2, "as they were"),
        (("--sequence", "1"), 2, "is for --only-volume"),
        (("--only-volume", "1", "-o", str(tmp_path / "1.tar")), 15, "another bundle"),
        (("--only-volume", "1"), 2, "is already there"),
    ):
        done = await sender.again(*options)
        said = done.out + done.err
        assert (done.code, words in said) == (code, True), said
