"""Pushing onto names that are taken, and into namespaces that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airgap.content.copy_images import CopyLimits, ImageCopy, copy_images
from airgap.content.report import Outcome
from airgap.errors import AccessDenied, AirgapError, Refused
from airgap.oci.attachment_tag import signature_tag
from airgap.oci.reference import Reference
from airgap.oci.tag_policy import OnExisting
from airgap.registry.client import RegistryClient
from airgap.store.store import Store
from airgap.usecases.push import PushReport, PushRequest, push
from tests.support import cosign
from tests.support.command import airgap
from tests.support.images import image, index, random_layer
from tests.support.registry_faults import Answer
from tests.support.scripted_registry import ScriptedRegistry

OLD = image([random_layer(1)])
NEW = image([random_layer(2)])
OTHER = image([random_layer(3)])
KEY = cosign.new_key()


@pytest.fixture
async def names(
    upstream: ScriptedRegistry, destination: ScriptedRegistry, client: RegistryClient, store: Store
) -> list[Reference]:
    """Have three images in the store; of one the destination has another version, of one the same.

    The destination's ``app:taken`` is another image, ``app:same`` the same one, ``app:free`` none.
    """
    for tag, built in (("taken", NEW), ("same", OTHER), ("free", NEW)):
        upstream.add(f"app:{tag}", built)
    destination.add("app:taken", OLD)
    destination.add("app:same", OTHER)
    names = [Reference(upstream.repository("app"), tag) for tag in ("taken", "same", "free")]
    report = await copy_images(client, store, [ImageCopy(name, name) for name in names])
    assert report.error() is None
    return names


async def push_all(
    names: list[Reference],
    destination: ScriptedRegistry,
    client: RegistryClient,
    store: Store,
    policy: OnExisting,
) -> PushReport:
    """Push into the destination's ``app``."""
    repository = destination.repository("app")

    def map_names(sources: object) -> list[Reference]:
        del sources
        return [Reference(repository, name.tag) for name in names]

    return await push(PushRequest(names, map_names, on_existing=policy), store, client)


@pytest.mark.parametrize(
    "policy,outcome,taken",
    [
        (OnExisting.OVERWRITE, Outcome.COPIED, NEW.digest),
        (OnExisting.SKIP, Outcome.SKIPPED, OLD.digest),
        (OnExisting.FAIL, Outcome.FAILED, OLD.digest),
    ],
)
async def test_the_policy_decides_about_names_that_stand_for_something_else(
    names: list[Reference],
    destination: ScriptedRegistry,
    client: RegistryClient,
    store: Store,
    *,
    policy: OnExisting,
    outcome: Outcome,
    taken: str,
) -> None:
    """Those that stand for the same digest, and new ones, go through under every policy."""
    report = await push_all(names, destination, client, store, policy)
    outcomes = [result.outcome for result in report.copied.images]
    assert outcomes == [outcome, Outcome.UNCHANGED, Outcome.COPIED]
    assert destination.content("app").tags == {
        "taken": taken,
        "same": OTHER.digest,
        "free": NEW.digest,
    }
    assert report.audit.error() is None
    if outcome is Outcome.FAILED:
        error = report.copied.images[0].error
        assert isinstance(error, Refused)
        assert OLD.digest in error.cause
        assert NEW.digest in error.cause


async def test_a_skipped_image_moves_no_byte(
    names: list[Reference], destination: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """The digest is compared before anything is sent."""
    report = await push_all(names[:1], destination, client, store, OnExisting.SKIP)
    assert report.copied.traffic.bytes_copied == 0
    assert report.copied.error() is None
    assert destination.received() == 0


async def test_signatures_of_the_other_side_are_not_overwritten_either(
    upstream: ScriptedRegistry, destination: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """A tag of cosign's is a tag: what somebody signed over there stays."""
    repository = upstream.add("app:1", NEW)
    tag = signature_tag(NEW.digest)
    upstream.add(f"app:{tag}", cosign.signature(KEY, repository, NEW.digest))
    name = Reference(repository, "1")
    await copy_images(client, store, [ImageCopy(name, name)])
    theirs = cosign.signature(cosign.new_key(), repository, NEW.digest)
    destination.add(f"app:{tag}", theirs)
    report = await push_all([name], destination, client, store, OnExisting.SKIP)
    assert report.copied.error() is None
    assert destination.content("app").tags == {"1": NEW.digest, tag: theirs.digest}


async def test_pushing_again_puts_nothing(
    upstream: ScriptedRegistry, destination: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """Not even the index, of which a registry does not say whether it is whole."""
    both = index({"linux/amd64": NEW, "linux/arm64": image([], platform="linux/arm64")})
    name = Reference(upstream.add("app:1", both), "1")
    await copy_images(client, store, [ImageCopy(name, name)])
    await push_all([name], destination, client, store, OnExisting.OVERWRITE)
    destination.requests.clear()
    report = await push_all([name], destination, client, store, OnExisting.FAIL)
    assert [result.outcome for result in report.copied.images] == [Outcome.UNCHANGED]
    assert destination.count("PUT") == destination.count("POST") == 0


async def test_a_signature_that_is_newer_than_the_push_follows(
    upstream: ScriptedRegistry, destination: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """The image is there already; what belongs to it is looked for all the same."""
    name = Reference(upstream.add("app:1", NEW), "1")
    await copy_images(client, store, [ImageCopy(name, name)])
    await push_all([name], destination, client, store, OnExisting.OVERWRITE)
    signature = cosign.signature(KEY, name.repository, NEW.digest)
    upstream.add(f"app:{signature_tag(NEW.digest)}", signature)
    await copy_images(client, store, [ImageCopy(name, name)], CopyLimits(recheck=True))
    await push_all([name], destination, client, store, OnExisting.FAIL)
    assert destination.content("app").tags[signature_tag(NEW.digest)] == signature.digest


async def test_the_command_and_the_config_say_what_becomes_of_taken_names(
    names: list[Reference], destination: ScriptedRegistry, store: Store, tmp_path: Path
) -> None:
    """The config's ``on-existing`` holds where the option does not say; skipped ones are listed."""
    config = tmp_path / "airgap.yaml"
    config.write_text(
        "push:\n"
        f"  to: {destination.host}\n"
        "  on-existing: skip\n"
        f"  map: [{{from: '{names[0].repository.domain}', strip: true}}]\n"
    )
    command = ("push", str(names[0]), "--config", str(config), "--store", str(store.places.root))
    done = await airgap(*command)
    assert done.code == 0, done.err
    assert f"skipped  {destination.host}/app:taken stands for {OLD.digest.short}" in done.out
    assert "1 skipped" in done.out
    done = await airgap(*command, "--on-existing", "fail", "--json")
    assert done.code == 15
    assert done.document["images"][0]["error"]["kind"] == "Refused"
    done = await airgap(*command, "--on-existing", "overwrite")
    assert done.code == 0, done.err
    assert destination.content("app").tags["taken"] == NEW.digest


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_namespace_that_must_exist_is_named_with_the_registrys_reason(
    names: list[Reference],
    destination: ScriptedRegistry,
    client: RegistryClient,
    store: Store,
    status: int,
) -> None:
    """Alibaba Cloud says what to do; all of that reaches the person, and what to do besides."""
    reason = (
        "requested access to the resource is denied: the namespace app does not exist in instance "
        "cri-1234567890; create it in the console under Repository > Namespaces, or switch on "
        "automatic creation of repositories for it, then push again"
    )
    document = {"errors": [{"code": "DENIED", "message": reason, "detail": ""}]}
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    destination.fail(Answer(status, headers, body), "POST", times=None)
    destination.fail(Answer(status, headers, body), "HEAD", times=None)
    report = await push_all(names[2:], destination, client, store, OnExisting.OVERWRITE)
    error = report.copied.images[0].error
    assert isinstance(error, AirgapError)
    assert reason in error.cause
    assert isinstance(error, AccessDenied) or status == 404
