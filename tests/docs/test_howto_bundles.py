"""The guides to signing, volumes and encryption: every command in them runs as it stands."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.command import airgap, run
from tests.support.filled_store import filled_store, several_megabytes

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with a few images."""
    return await filled_store(tmp_path / "store", several_megabytes())


async def follow(page: str, folder: Path, store: Path) -> str:
    """Run every command of a guide in one shell; return what they print."""
    script = "\n".join(_BLOCK.findall((HOWTO / page).read_text()))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AIRGAP_STORE": str(store),
        "AIRGAP_CONFIG": os.devnull,
    }
    shell = ("bash", "-euo", "pipefail", "-c", f"cd {folder}\n{script}")
    done = await run(*shell, environment=environment)
    assert done.code == 0, f"{done.out}\n{done.err}"
    return done.out + done.err


async def test_signing_by_the_guide(tmp_path: Path, store: Path) -> None:
    """Keys, ids, thresholds, and the check with openssl alone, as the page has them."""
    said = await follow("sign.md", tmp_path, store)
    assert "Verified OK" in said
    assert "not signed" not in said
    (identifier,) = re.findall(r"release\.pub  the public key, id ([0-9a-f]{16})", said)
    assert said.count(identifier) >= 2


async def test_openssl_finds_a_changed_bundle_json(tmp_path: Path, store: Path) -> None:
    """The very command of the page fails where a byte of what was signed has changed."""
    await follow("sign.md", tmp_path, store)
    page = (HOWTO / "sign.md").read_text()
    (command,) = re.findall(r"^openssl dgst .*$", page, re.MULTILINE)
    (identity,) = re.findall(r"^id=.*$", page, re.MULTILINE)
    bundle_json = tmp_path / "airgap" / "bundle.json"
    bundle_json.write_bytes(bundle_json.read_bytes().replace(b"airgap 0", b"airgap 1"))
    done = await run("bash", "-c", f"cd {tmp_path}; {identity}; {command}")
    assert done.code == 1
    assert "Verification failure" in done.out + done.err


async def test_volumes_by_the_guide(tmp_path: Path, store: Path) -> None:
    """Cutting, joining, sticks in turn, making one again, and repair, as the page has them."""
    said = await follow("volumes.md", tmp_path, store)
    assert "still wanted" in said
    assert "every volume is whole again" in said
    assert (tmp_path / "safe.tar.003.damaged").exists()
    listed = [
        await airgap("images", "--store", str(tmp_path / name), "--json")
        for name in ("isolated", "elsewhere")
    ]
    assert listed[0].document["images"] == listed[1].document["images"] != []


async def test_encryption_by_the_guide(tmp_path: Path, store: Path) -> None:
    """Keys, recipients, and what is seen from outside, as the page has them."""
    said = await follow("encrypt.md", tmp_path, store)
    assert "encrypted for 1 key (X25519)" in said
    secret = (tmp_path / "plant.key").read_text().splitlines()[-1]
    assert secret not in said
