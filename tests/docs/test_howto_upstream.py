"""The guides to logging in, choosing, finding and verifying: every command runs as it stands."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airgap.config.loading import parse_config
from airgap.oci.attachment_tag import signature_tag
from tests.support import cosign
from tests.support.command import run
from tests.support.images import image, random_layer
from tests.support.registry_gate import BasicGate
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
PAGES = ("login.md", "select.md", "find-images.md", "verify-upstream.md")
HOST = "registry.example.com"
KEY = cosign.new_key()
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
async def registry() -> AsyncIterator[ScriptedRegistry]:
    """Run a registry with what the guides name, one image of it signed."""
    async with scripted_registry() as made:
        for number, tag in enumerate(("1.1.0", "1.2.0", "1.3.0", "1.4.0-rc1", "2.0.0", "stable")):
            built = image([random_layer(number)])
            repository = made.add(f"team/app:{tag}", built)
            if tag == "1.3.0":
                signature = cosign.signature(KEY, repository, built.digest)
                made.add(f"team/app:{signature_tag(built.digest)}", signature)
        made.add("tools/busybox:1.36", image([random_layer(9)]))
        yield made


async def follow(page: str, folder: Path, registry: ScriptedRegistry) -> str:
    """Run every command of a guide in one shell; return what they print."""
    script = "\n".join(_BLOCK.findall((HOWTO / page).read_text())).replace(HOST, registry.host)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "AIRGAP_STORE": str(folder / "store"),
        "AIRGAP_CONFIG": os.devnull,
    }
    shell = ("bash", "-euo", "pipefail", "-c", f"cd {folder}\n{script}")
    done = await run(*shell, environment=environment)
    assert done.code == 0, f"{done.out}\n{done.err}"
    return done.out + done.err


async def test_logging_in_by_the_guide(tmp_path: Path, registry: ScriptedRegistry) -> None:
    """In by a password from a file, and out again."""
    registry.guard(BasicGate("robot", "secret"))
    (tmp_path / "password.txt").write_text("secret\n")
    told = await follow("login.md", tmp_path, registry)
    assert f"logged in to {registry.host} as robot" in told
    assert f"forgotten: {registry.host}" in told


async def test_choosing_by_the_guide(tmp_path: Path, registry: ScriptedRegistry) -> None:
    """Two newest versions of a range; the namespace; the signature with its image."""
    told = await follow("select.md", tmp_path, registry)
    assert "leave  1.4.0-rc1: is a prerelease, and the range names none" in told
    assert "is the signature of image" in told
    assert "1 image: 1 mirrored" in told


async def test_finding_by_the_guide(tmp_path: Path, registry: ScriptedRegistry) -> None:
    """From manifests, a compose file and a list, and into a mirror entry."""
    (tmp_path / "manifests").mkdir()
    name = f"{registry.host}/team/app:1.2.0"
    pod = f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: '{name}'}}]}}\n"
    (tmp_path / "manifests/pod.yaml").write_text(pod)
    (tmp_path / "compose.yaml").write_text(f"services: {{a: {{image: '{name}'}}}}\n")
    (tmp_path / "images.txt").write_text(f"{registry.host}/tools/busybox:1.36\n")
    told = await follow("find-images.md", tmp_path, registry)
    assert told.startswith(f"{name}\n{registry.host}/tools/busybox:1.36\n")
    assert "2 images would be mirrored" in told


async def test_verifying_by_the_guide(tmp_path: Path, registry: ScriptedRegistry) -> None:
    """The signed image comes in, with its signature."""
    (tmp_path / "cosign.pub").write_bytes(cosign.public_pem(KEY))
    told = await follow("verify-upstream.md", tmp_path, registry)
    assert "1 image: 1 mirrored" in told
    assert "carried along: 1 signature" in told


@pytest.mark.parametrize("page", PAGES)
def test_the_guides_configs_are_right(page: str) -> None:
    """Each piece of a config is one that loads."""
    for text in _YAML.findall((HOWTO / page).read_text()):
        parse_config(text, page)
