"""Mirroring only what is signed, where a policy says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.content.copy_images import CopyLimits
from airgap.content.report import CopyReport, Outcome
from airgap.errors import Refused
from airgap.oci import media_types
from airgap.oci.attachment_tag import signature_tag
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.registry.client import RegistryClient
from airgap.store.store import Store
from airgap.usecases.choose import available_references
from airgap.usecases.mirror import Wanted, mirror, select
from airgap.usecases.upstream_signatures import SignaturePolicy
from airgap.verification.keys import read_public_keys
from tests.support import cosign
from tests.support.command import airgap
from tests.support.images import BuiltImage, artifact, image, index, random_layer
from tests.support.registry_faults import Answer
from tests.support.scripted_registry import ScriptedRegistry

KEY, STRANGER = cosign.new_key(), cosign.new_key()
POLICY = SignaturePolicy(read_public_keys(cosign.public_pem(KEY), "cosign.pub"))
APP = index(
    {
        "linux/amd64": image([random_layer(1)]),
        "linux/arm64": image([random_layer(2)], platform="linux/arm64"),
    }
)
ROOT = APP.root.descriptor


@pytest.fixture
def name(upstream: ScriptedRegistry) -> Reference:
    """Publish an image without a signature."""
    return Reference(upstream.add("app:1", APP), "1")


async def run(
    name: Reference,
    client: RegistryClient,
    store: Store,
    *policies: SignaturePolicy,
    recheck: bool = False,
) -> CopyReport:
    """Mirror under some policies."""
    wanted = [Wanted((name,), signed=policy) for policy in policies or (POLICY,)]
    selection = await select(wanted, client)
    return await mirror(selection, client, store, CopyLimits(recheck=recheck), mirrored=store)


def sign_by_tag(upstream: ScriptedRegistry, name: Reference, built: BuiltImage) -> None:
    """Publish signatures under the tag of cosign's scheme."""
    upstream.add(f"{name.repository.path}:{signature_tag(APP.digest)}", built)


async def refused(report: CopyReport, store: Store) -> str:
    """Return why nothing was mirrored."""
    (result,) = report.images
    assert isinstance(result.error, Refused)
    assert report.traffic.bytes_copied == 0
    assert await available_references(store) == []
    return result.error.cause


async def test_an_image_without_signature_stays_away(
    name: Reference, client: RegistryClient, store: Store
) -> None:
    """It is reported with its digest and the key that it lacks a signature by."""
    cause = await refused(await run(name, client, store), store)
    assert "no signature" in cause
    assert "cosign.pub" in cause
    assert APP.digest in cause


async def test_a_signature_under_cosigns_tag_lets_an_image_in(
    upstream: ScriptedRegistry, name: Reference, client: RegistryClient, store: Store
) -> None:
    """As ``cosign sign --key`` puts it there; it comes along."""
    sign_by_tag(upstream, name, cosign.signature(KEY, name.repository, APP.digest))
    report = await run(name, client, store)
    assert report.error() is None
    assert [attached.kind for attached in report.images[0].attached] == ["signature"]


@pytest.mark.parametrize("api", [True, False], ids=["referrers API", "fallback tag"])
@pytest.mark.parametrize("form", ["simple signing", "bundle"])
async def test_a_signature_that_refers_to_it_lets_an_image_in(
    upstream: ScriptedRegistry,
    name: Reference,
    client: RegistryClient,
    store: Store,
    *,
    api: bool,
    form: str,
) -> None:
    """As OCI 1.1 has it, in both of cosign's forms; also where the registry has no such API."""
    if form == "bundle":
        bundle = cosign.sigstore_bundle(KEY, cosign.statement(APP.digest))
        signed = cosign.referring_bundle(bundle, ROOT)
    else:
        signed = cosign.referring_signature(KEY, name.repository, ROOT)
    upstream.habits.referrers_api = api
    upstream.add("app", signed)
    if not api:
        fallback = index({"linux/amd64": signed})
        raw = fallback.root.raw.replace(
            b'"platform": {', b'"artifactType": "%s", "platform": {' % _kind(signed).encode()
        )
        _put_tag(upstream, f"sha256-{APP.digest.hex}", raw)
    report = await run(name, client, store)
    assert report.error() is None, report.images[0].error


def _kind(signed: BuiltImage) -> str:
    return signed.root.artifact_type or ""


def _put_tag(upstream: ScriptedRegistry, tag: str, raw: bytes) -> None:
    content = upstream.content("app")
    content.manifests[Digest.of(raw)] = (media_types.OCI_INDEX, raw)
    content.tags[tag] = Digest.of(raw)


async def test_one_good_signature_among_others_is_enough(
    upstream: ScriptedRegistry, name: Reference, client: RegistryClient, store: Store
) -> None:
    """Cosign adds one to the others."""
    payload = cosign.payload(name.repository, APP.digest)
    both = cosign.signatures(
        (payload, cosign.sign(STRANGER, payload)), (payload, cosign.sign(KEY, payload))
    )
    sign_by_tag(upstream, name, both)
    assert (await run(name, client, store)).error() is None


async def test_bad_signatures_are_listed_by_what_is_wrong_with_them(
    upstream: ScriptedRegistry, name: Reference, client: RegistryClient, store: Store
) -> None:
    """By somebody else, of another image, in another form."""
    right = cosign.payload(name.repository, APP.digest)
    wrong = cosign.payload(name.repository, image([]).digest)
    several = cosign.signatures(
        (right, cosign.sign(STRANGER, right)),
        (wrong, cosign.sign(KEY, wrong)),
        (b"nonsense", b"nonsense"),
    )
    sign_by_tag(upstream, name, several)
    cause = await refused(await run(name, client, store), store)
    assert "1 by another key" in cause
    assert "1 by the key, and of another image" in cause
    assert "1 not to be read" in cause


async def test_an_attestation_is_no_signature(
    upstream: ScriptedRegistry, name: Reference, client: RegistryClient, store: Store
) -> None:
    """Nor is an artifact that merely claims to be one."""
    statement = cosign.statement(APP.digest, predicateType="https://spdx.dev/Document")
    bundle = cosign.sigstore_bundle(KEY, statement)
    upstream.add("app", cosign.referring_bundle(bundle, ROOT))
    upstream.add("app", artifact(b"{}", artifact_type=cosign.BUNDLE, subject=ROOT))
    await refused(await run(name, client, store), store)


async def test_a_registry_that_serves_another_payload_is_not_believed(
    upstream: ScriptedRegistry, name: Reference, client: RegistryClient, store: Store
) -> None:
    """The digest of the payload is checked as that of everything else."""
    signed = cosign.signature(KEY, name.repository, APP.digest)
    sign_by_tag(upstream, name, signed)
    upstream.fail(Answer(200, {}, b"something else"), "GET", "/blobs/", times=None)
    await refused(await run(name, client, store), store)


async def test_two_entries_want_both_signatures(
    upstream: ScriptedRegistry, name: Reference, client: RegistryClient, store: Store
) -> None:
    """The stricter entry is not undone by another one that names the same image."""
    sign_by_tag(upstream, name, cosign.signature(KEY, name.repository, APP.digest))
    other = SignaturePolicy(read_public_keys(cosign.public_pem(STRANGER), "other.pub"))
    cause = await refused(await run(name, client, store, POLICY, other), store)
    assert "other.pub" in cause


async def test_an_unchanged_image_is_verified_by_what_came_along(
    upstream: ScriptedRegistry, name: Reference, client: RegistryClient, store: Store
) -> None:
    """Upstream is asked for the tag alone; the signature is in the store."""
    sign_by_tag(upstream, name, cosign.signature(KEY, name.repository, APP.digest))
    await run(name, client, store)
    upstream.requests.clear()
    report = await run(name, client, store)
    assert report.images[0].outcome is Outcome.UNCHANGED
    assert upstream.count() == 1


async def test_a_tag_that_moves_to_an_unsigned_image_stays_where_it_is(
    upstream: ScriptedRegistry, name: Reference, client: RegistryClient, store: Store
) -> None:
    """The store goes on to have the signed one; the run reports the other."""
    sign_by_tag(upstream, name, cosign.signature(KEY, name.repository, APP.digest))
    await run(name, client, store)
    upstream.add("app:1", image([random_layer(9)]))
    report = await run(name, client, store)
    assert isinstance(report.images[0].error, Refused)
    found = await store.find(name)
    assert found is not None
    assert found.digest == APP.digest


async def test_the_config_names_the_key(
    upstream: ScriptedRegistry, name: Reference, tmp_path: Path
) -> None:
    """``verify: {key: …}`` of an entry; others are mirrored all the same."""
    sign_by_tag(upstream, name, cosign.signature(KEY, name.repository, APP.digest))
    upstream.add("unsigned:1", image([random_layer(5)]))
    upstream.add("free:1", image([random_layer(6)]))
    (tmp_path / "cosign.pub").write_bytes(cosign.public_pem(KEY))
    config = tmp_path / "airgap.yaml"
    config.write_text(
        "mirror:\n"
        f"  - references: ['{name}', '{upstream.host}/unsigned:1']\n"
        "    verify: {key: cosign.pub}\n"
        f"  - {upstream.host}/free:1\n"
    )
    options = ("--config", str(config), "--store", str(tmp_path / "store"))
    done = await airgap("mirror", *options, "--json")
    assert done.code == 13, done.err
    outcomes = {entry["source"]: entry["outcome"] for entry in done.document["images"]}
    assert outcomes == {
        str(name): "copied",
        f"{upstream.host}/unsigned:1": "failed",
        f"{upstream.host}/free:1": "copied",
    }
    (tmp_path / "cosign.pub").write_text("no key")
    assert (await airgap("mirror", *options)).code == 3


async def test_the_command_names_the_key(
    upstream: ScriptedRegistry, name: Reference, tmp_path: Path
) -> None:
    """``--verify-key`` holds for the references of the command line; without any it means none."""
    (tmp_path / "cosign.pub").write_bytes(cosign.public_pem(KEY))
    command = ("mirror", str(name), "--verify-key", str(tmp_path / "cosign.pub"))
    store = ("--store", str(tmp_path / "store"))
    done = await airgap(*command, *store)
    assert done.code == 15, done.out
    assert "has no signature" in done.err
    sign_by_tag(upstream, name, cosign.signature(KEY, name.repository, APP.digest))
    assert (await airgap(*command, *store)).code == 0
    assert (await airgap("mirror", *command[2:], *store)).code == 2
