"""Whatever was pushed where: a runtime that reads its file as documented finds it there."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import NotFound, Unsupported
from airgap.oci.name_mapping import Destination
from airgap.oci.reference import Repository
from airgap.usecases.mirror_rules import Moved, mirror_rules
from airgap.usecases.runtime_files import Access, Runtime, RuntimeConfig, runtime_config

Push = tuple[Repository, Repository]

_HOSTS = st.sampled_from(["docker.io", "quay.io", "reg.example:8443"])
_PATHS = st.sampled_from(["library/a", "library/b", "team/a", "team/a/b"])
_PREFIXES = st.sampled_from(["", "hub", "hub/docker.io", "x/y"])


@st.composite
def pushes(draw: st.DrawFn) -> Push:
    """Return one push: below a prefix, or under another name."""
    source = Repository(draw(_HOSTS), draw(_PATHS))
    prefix = draw(_PREFIXES)
    path = draw(st.sampled_from([source.path, "renamed", "re/named"]))
    return source, Repository("reg.lan:5000", f"{prefix}/{path}" if prefix else path)


def access(host: str) -> Access:
    """Return how each registry is talked to."""
    return Access(plain_http=host == "reg.lan:5000")


def config_for(runtime: Runtime, made: Sequence[Push]) -> RuntimeConfig:
    """Return what a runtime gets."""
    return runtime_config(runtime, mirror_rules(made), access)


@given(st.lists(pushes(), min_size=1, max_size=6))
def test_podman_finds_everything(made: list[Push]) -> None:
    """By the longest prefix that fits, and then by its mirrors."""
    file = config_for(Runtime.PODMAN, made).files[0]
    registries = tomllib.loads(file.content)["registry"]
    for source, target in made:
        fitting = [r for r in registries if f"{source}/".startswith(f"{r['prefix']}/")]
        longest = max(fitting, key=lambda registry: len(registry["prefix"]))
        rest = str(source).removeprefix(longest["prefix"])
        assert str(target) in {f"{mirror['location']}{rest}" for mirror in longest["mirror"]}
        assert all(mirror["insecure"] for mirror in longest["mirror"])


@given(st.lists(pushes(), min_size=1, max_size=6))
def test_openshift_finds_everything(made: list[Push]) -> None:
    """The same in two kinds of sets: for digests and for tags."""
    documents = list(yaml.safe_load_all(config_for(Runtime.OPENSHIFT, made).files[0].content))
    for document, key in zip(documents, ("imageDigestMirrors", "imageTagMirrors"), strict=True):
        sets = document["spec"][key]
        for source, target in made:
            fitting = [s for s in sets if f"{source}/".startswith(f"{s['source']}/")]
            longest = max(fitting, key=lambda one: len(one["source"]))
            rest = str(source).removeprefix(longest["source"])
            assert str(target) in {f"{mirror}{rest}" for mirror in longest["mirrors"]}


@given(st.lists(pushes(), min_size=1, max_size=6))
def test_containerd_finds_what_keeps_its_name(made: list[Push]) -> None:
    """Whole names below a prefix are found; what was renamed is named in a note."""
    renamed = [source for source, target in made if Moved(source, target).prefix is None]
    if len(renamed) == len(made):
        with pytest.raises(Unsupported):
            config_for(Runtime.CONTAINERD, made)
        return
    config = config_for(Runtime.CONTAINERD, made)
    found = {Path(f.path).parent.name: tomllib.loads(f.content) for f in config.files}
    for source, target in made:
        if Moved(source, target).prefix is not None:
            assert str(target) in set(_in_hosts_toml(found[source.domain], source))
    assert not renamed or any(str(source) in note for source in renamed for note in config.notes)


def _in_hosts_toml(document: dict[str, Any], source: Repository) -> Iterator[str]:
    for url, host in document["host"].items():
        where = url if host.get("override_path") else f"{url}/v2"
        yield f"{where}/{source.path}".removeprefix("http://").replace("/v2/", "/", 1)


@given(st.lists(pushes(), min_size=1, max_size=6))
def test_k3s_finds_everything(made: list[Push]) -> None:
    """One pattern fits each name, and leads to where it was pushed last."""
    document = yaml.safe_load(config_for(Runtime.K3S, made).files[0].content)
    newest = dict(reversed(made))
    for source, target in newest.items():
        mirror = document["mirrors"][source.domain]
        assert mirror["endpoint"] == ["http://reg.lan:5000"]
        rewritten = {
            re.sub(pattern, new.replace("$1", r"\1"), source.path)
            for pattern, new in mirror.get("rewrite", {}).items()
            if re.search(pattern, source.path)
        }
        assert (rewritten or {source.path}) == {target.path}


def test_docker_gets_docker_hub_at_a_root_alone() -> None:
    """The rest is said in notes."""
    hub = Repository("docker.io", "library/a")
    made = [
        (hub, Repository("reg.lan:5000", "library/a")),
        (hub, Repository("reg.lan:5000", "hub/library/a")),
        (Repository("quay.io", "a"), Repository("reg.lan:5000", "a")),
    ]
    config = config_for(Runtime.DOCKER, made)
    assert json.loads(config.files[0].content) == {
        "registry-mirrors": ["http://reg.lan:5000"],
        "insecure-registries": ["reg.lan:5000"],
    }
    assert len(config.notes) == 2


def test_only_one_registry_can_be_asked_for() -> None:
    """With its path; where nothing was pushed there, that is an error."""
    source = Repository("docker.io", "library/a")
    made = [
        (source, Repository("one.lan", "hub/library/a")),
        (source, Repository("two.lan", "library/a")),
    ]
    (found,) = mirror_rules(made, Destination.parse("one.lan/hub"))
    assert found.places == (Destination("one.lan", "hub"),)
    with pytest.raises(NotFound):
        mirror_rules(made, Destination.parse("one.lan/other"))


def test_an_authority_is_told_to_those_that_can_be_told() -> None:
    """In the file for containerd and k3s, in a note for Podman."""
    made = [(Repository("quay.io", "a"), Repository("reg.lan", "a"))]
    rules = mirror_rules(made)
    authority = Access(ca=Path("/etc/ca.pem"))
    for runtime in (Runtime.CONTAINERD, Runtime.K3S):
        config = runtime_config(runtime, rules, lambda _: authority)
        assert "/etc/ca.pem" in config.files[0].content
    podman = runtime_config(Runtime.PODMAN, rules, lambda _: authority)
    assert "/etc/ca.pem" in podman.notes[0]
