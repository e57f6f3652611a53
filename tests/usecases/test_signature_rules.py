"""What the config's entries want of signatures holds for what is asked for by hand, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.config.loading import load_config
from airgap.oci.reference import Reference
from airgap.usecases.signature_rules import SignatureRules
from tests.support import cosign
from tests.support.command import airgap
from tests.support.images import image, random_layer
from tests.support.scripted_registry import ScriptedRegistry

KEY = cosign.new_key()
SIGNED, UNSIGNED = image([random_layer(1)]), image([random_layer(2)])
REFUSED = 15


@pytest.fixture
def config(upstream: ScriptedRegistry, tmp_path: Path) -> Path:
    """Publish a signed image, and one beside it that is not; want signatures of their repository.

    The entry names neither of the tags that are asked for.
    """
    home = upstream.add("app:1", SIGNED)
    upstream.add("app:2", UNSIGNED)
    upstream.add("free:1", UNSIGNED)
    upstream.add(f"app:{_tag()}", cosign.signature(KEY, home, SIGNED.digest))
    (tmp_path / "cosign.pub").write_bytes(cosign.public_pem(KEY))
    path = tmp_path / "airgap.yaml"
    path.write_text(
        "store: {path: store}\n"
        f"mirror: [{{references: '{upstream.host}/app:0', verify: {{key: cosign.pub}}}}]\n"
    )
    return path


def _tag() -> str:
    return f"sha256-{SIGNED.digest.hex}.sig"


@pytest.mark.parametrize("verb", ["pull", "mirror"])
async def test_an_unsigned_image_is_refused_by_hand_too(
    verb: str, config: Path, upstream: ScriptedRegistry
) -> None:
    """Whichever tag of the repository it is.

    What is signed comes, a signature that is asked for by its tag, and what nobody speaks of.
    """
    options = ("--config", str(config))
    refused = await airgap(verb, f"{upstream.host}/app:2", *options)
    assert refused.code == REFUSED
    assert "has no signature, and must have one by" in refused.err
    assert "it was not taken" in refused.err
    wanted = ("app:1", f"app:{_tag()}", "free:1")
    for name in wanted:
        done = await airgap(verb, f"{upstream.host}/{name}", *options)
        assert done.code == 0, done.err
    listed = await airgap("images", *options, "--json")
    names = {entry["reference"] for entry in listed.document["images"]}
    assert names == {f"{upstream.host}/{name}" for name in wanted}


async def test_every_tag_of_a_pull_is_looked_at(config: Path, upstream: ScriptedRegistry) -> None:
    """One that is refused does not stop the others."""
    name = f"{upstream.host}/app"
    done = await airgap("pull", "--all-tags", name, "--config", str(config), "--json")
    assert done.code != 0
    outcomes = {entry["source"]: entry["outcome"] for entry in done.document["images"]}
    assert outcomes[f"{name}:1"] == "copied"
    assert outcomes[f"{name}:2"] == "failed"


async def test_an_entry_speaks_for_all_repositories_that_it_names(tmp_path: Path) -> None:
    """By a reference, by a pattern, or in a file."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.pub").write_bytes(cosign.public_pem(cosign.new_key()))
    (tmp_path / "list.txt").write_text("quay.io/listed/app:1\n")
    config = tmp_path / "airgap.yaml"
    config.write_text(
        "mirror:\n"
        "  - {references: ['alpine:3', 'quay.io/team/app:1'], verify: {key: a.pub}}\n"
        "  - {repository: quay.io/team/*, tags: all, verify: {key: b.pub}}\n"
        "  - {from-file: list.txt, verify: {key: c.pub}}\n"
        "  - {references: 'docker.io/library/debian:12'}\n"
        "  - docker-daemon:busybox:1\n"
    )
    rules = await SignatureRules.of_entries(load_config(config).mirror)

    def keys(name: str) -> list[str]:
        repository = Reference.parse(name).repository
        return [Path(policy.names).stem for policy in rules.of(repository)]

    assert keys("alpine:edge") == ["a"]
    assert keys("quay.io/team/app:2") == ["a", "b"]
    assert keys("quay.io/team/other") == ["b"]
    assert keys("quay.io/listed/app:2") == ["c"]
    assert keys("debian") == []
    assert keys("busybox") == []
