"""Choosing and mirroring: namespaces, what belongs to images, and what an unchanged tag costs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from airgap.bundle.access import open_bundle
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.output import WriteOptions
from airgap.bundle.writer import BundleWriter
from airgap.content.copy_images import CopyLimits
from airgap.content.report import CopyReport, Outcome
from airgap.errors import InvalidReference, Unsupported
from airgap.oci.attachment_tag import signature_tag
from airgap.oci.digest import Digest
from airgap.oci.name_mapping import Destination, NameMapping
from airgap.oci.reference import Reference
from airgap.oci.repository_pattern import RepositoryPattern
from airgap.oci.selection import TagSelection
from airgap.oci.tag_pattern import TagPattern
from airgap.registry.client import RegistryClient
from airgap.store.store import Store
from airgap.usecases.choose import available_references
from airgap.usecases.export import ExportRequest, export, plan_export
from airgap.usecases.import_bundle import import_bundle
from airgap.usecases.mirror import Selection, Wanted, mirror, select
from airgap.usecases.push import PushRequest, push
from tests.support import cosign
from tests.support.images import BuiltImage, artifact, image, index, random_layer
from tests.support.registry_clients import Told
from tests.support.registry_faults import Answer
from tests.support.scripted_registry import ScriptedRegistry

KEY = cosign.new_key()
AMD = image([random_layer(1)])
ARM = image([random_layer(2)], platform="linux/arm64")
APP = index({"linux/amd64": AMD, "linux/arm64": ARM})
EVERY_TAG = TagSelection(globs=(TagPattern.glob("*"),))


def add_signed(upstream: ScriptedRegistry, name: str, built: BuiltImage) -> tuple[str, Digest]:
    """Publish an image with a signature as cosign keeps it; return the signature's tag."""
    repository = upstream.add(name, built)
    signature = cosign.signature(KEY, repository, built.digest)
    tag = signature_tag(built.digest)
    upstream.add(f"{repository.path}:{tag}", signature)
    return tag, signature.digest


async def run(
    wanted: Wanted | Sequence[Wanted],
    client: RegistryClient,
    store: Store,
    *,
    recheck: bool = False,
) -> tuple[Selection, CopyReport]:
    """Select and mirror."""
    entries = [wanted] if isinstance(wanted, Wanted) else wanted
    selection = await select(entries, client)
    return selection, await mirror(selection, client, store, CopyLimits(recheck=recheck))


async def test_every_repository_of_a_namespace_is_mirrored(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """The catalog says which there are; those beside and below the namespace stay."""
    for path in ("team/one", "team/two", "team/deep/three", "other/four"):
        upstream.add(f"{path}:1", AMD)
    pattern = RepositoryPattern.parse(f"{upstream.host}/team/*")
    selection, report = await run(Wanted(repository=pattern, tags=EVERY_TAG), client, store)
    assert report.error() is None
    assert [str(choice.repository) for choice in selection.choices] == [
        f"{upstream.host}/team/one",
        f"{upstream.host}/team/two",
    ]
    assert [name.repository.path for name in await available_references(store)] == [
        "team/one",
        "team/two",
    ]


async def test_two_stars_go_below(upstream: ScriptedRegistry, client: RegistryClient) -> None:
    """The whole registry is ``host/**``."""
    for path in ("one", "team/deep/three"):
        upstream.add(f"{path}:1", AMD)
    pattern = RepositoryPattern.parse(f"{upstream.host}/**")
    selection = await select([Wanted(repository=pattern, tags=EVERY_TAG)], client)
    assert len(selection.images) == 2


async def test_not_every_repository_of_a_namespace_needs_the_tag(
    upstream: ScriptedRegistry, client: RegistryClient
) -> None:
    """A name that one of them has is taken there; that the others lack it is no failure."""
    upstream.add("team/one:1.0", AMD)
    upstream.add("team/two:stable", AMD)
    pattern = RepositoryPattern.parse(f"{upstream.host}/team/*")
    wanted = Wanted(repository=pattern, tags=TagSelection(names=("stable",)))
    selection = await select([wanted], client)
    assert [copy.source.repository.path for copy in selection.images] == ["team/two"]
    assert selection.failures == ()


async def test_a_namespace_that_gives_nothing_is_a_failure(
    upstream: ScriptedRegistry, client: RegistryClient
) -> None:
    """A mistyped pattern must not pass for a mirror that is up to date."""
    upstream.add("team/one:1.0", AMD)
    pattern = RepositoryPattern.parse(f"{upstream.host}/taem/*")
    selection = await select([Wanted(repository=pattern, tags=EVERY_TAG)], client)
    assert isinstance(selection.failures[0].error, InvalidReference)
    assert "taem/*" in str(selection.failures[0].error)


async def test_a_registry_without_catalog_is_named(
    upstream: ScriptedRegistry, client: RegistryClient
) -> None:
    """As Docker Hub is; the other entries go on."""
    repository = upstream.add("team/one:1", AMD)
    upstream.fail(Answer(404), path="_catalog", times=None)
    pattern = RepositoryPattern.parse(f"{upstream.host}/team/*")
    wanted = [
        Wanted(repository=pattern, tags=EVERY_TAG),
        Wanted((Reference(repository, "1"),)),
    ]
    selection = await select(wanted, client)
    (failure,) = selection.failures
    assert isinstance(failure.error, Unsupported)
    assert len(selection.images) == 1


async def test_signatures_are_no_images_of_their_own(
    upstream: ScriptedRegistry, client: RegistryClient
) -> None:
    """``tags: all`` leaves them out and says what they are; by name they can be had."""
    tag, _ = add_signed(upstream, "team/app:1", APP)
    fallback = f"sha256-{APP.digest.hex}"
    upstream.add(f"team/app:{fallback}", artifact(b"a list"))
    repository = upstream.repository("team/app")
    selection = await select([Wanted(repository=repository, tags=EVERY_TAG)], client)
    assert [copy.source.tag for copy in selection.images] == ["1"]
    reasons = {item.tag: item.reason for item in selection.choices[0].chosen.rejected}
    assert reasons == {
        tag: f"is the signature of image {APP.digest.short}, and goes with it",
        fallback: f"is the list of referrers of image {APP.digest.short}, and goes with it",
    }
    named = TagSelection(names=(tag,), globs=EVERY_TAG.globs)
    selection = await select([Wanted(repository=repository, tags=named)], client)
    assert {copy.source.tag for copy in selection.images} == {"1", tag}


async def test_what_belongs_to_an_image_crosses_with_it_to_the_other_registry(
    upstream: ScriptedRegistry,
    destination: ScriptedRegistry,
    client: RegistryClient,
    store: Store,
    tmp_path: Path,
) -> None:
    """Signatures by tag, an SBOM by reference, a signature of the SBOM: all of it, and listed."""
    tag, _ = add_signed(upstream, "team/app:1", APP)
    child = cosign.signature(KEY, upstream.repository("team/app"), AMD.digest)
    upstream.add(f"team/app:{signature_tag(AMD.digest)}", child)
    sbom = artifact(b"packages", subject=AMD.root.descriptor)
    upstream.add("team/app", sbom)
    upstream.add(
        f"team/app:{signature_tag(sbom.digest)}",
        cosign.signature(KEY, upstream.repository("team/app"), sbom.digest),
    )
    reference = Reference(upstream.repository("team/app"), "1")
    _, report = await run(Wanted((reference,)), client, store)
    (result,) = report.images
    assert sorted(attached.kind for attached in result.attached) == [
        "application/vnd.example.sbom.v1",
        "signature",
        "signature",
        "signature",
    ]
    assert upstream.count("GET", "/tags/list") == 1
    names = {tag, signature_tag(AMD.digest), signature_tag(sbom.digest), "1"}
    assert {name.tag for name in await available_references(store)} == names

    plan = await plan_export(ExportRequest((str(reference),)), store)
    path = tmp_path / "bundle.tar"
    identity = BundleIdentity(datetime(2026, 1, 1, tzinfo=UTC))
    async with BundleWriter(path, store, identity, WriteOptions(sync=False)) as writer:
        await export(plan, store, writer)
    async with open_bundle(path) as bundle:
        assert {root.reference.tag for root in bundle.roots} == names
        async with Store.open(tmp_path / "other", create=True, sync=False) as other:
            await import_bundle(bundle, other)
            mapping = NameMapping(Destination.parse(destination.host))
            pushed = await push(PushRequest([reference], mapping.map_all), other, client)
    assert pushed.copied.error() is None
    assert pushed.audit.error() is None
    assert len(pushed.audit.names) == 4
    (path_there,) = destination.contents.content
    there = destination.content(path_there)
    assert there.tags == upstream.content("team/app").tags
    assert sbom.digest in there.manifests


async def test_without_referrers_nothing_comes_along(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """Neither by reference nor by tag, and nothing is asked for."""
    add_signed(upstream, "team/app:1", APP)
    upstream.add("team/app", artifact(b"packages", subject=APP.root.descriptor))
    reference = Reference(upstream.repository("team/app"), "1")
    _, report = await run(Wanted((reference,), referrers=False), client, store)
    assert report.images[0].attached == ()
    assert [name.tag for name in await available_references(store)] == ["1"]
    assert upstream.count(path="/tags/list|/referrers/") == 0


async def test_export_leaves_signatures_behind_where_it_is_told_to(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """Also where every image is taken; a signature that is named in full is wanted."""
    tag, _ = add_signed(upstream, "team/app:1", APP)
    reference = Reference(upstream.repository("team/app"), "1")
    await run(Wanted((reference,)), client, store)
    plan = await plan_export(ExportRequest(referrers=False), store)
    assert [root.reference.tag for root in plan.roots] == ["1"]
    named = f"{reference.repository}:{tag}"
    plan = await plan_export(ExportRequest((named,), referrers=False), store)
    assert [root.reference.tag for root in plan.roots] == [tag]


async def test_a_repository_whose_tags_are_secret_is_still_mirrored(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store, told: Told
) -> None:
    """Some registries refuse the listing; that what cosign keeps under tags is missing is told."""
    add_signed(upstream, "team/app:1", APP)
    upstream.fail(Answer(403), path="/tags/list", times=None)
    reference = Reference(upstream.repository("team/app"), "1")
    selection = await select([Wanted((reference,))], client, told)
    report = await mirror(selection, client, store)
    assert report.error() is None
    assert told.has("stays behind", "warning")


async def test_a_new_signature_is_found_by_a_recheck(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """An unchanged image is not looked at again, unless somebody asks for it."""
    reference = Reference(upstream.add("team/app:1", APP), "1")
    await run(Wanted((reference,)), client, store)
    tag, digest = add_signed(upstream, "team/app:1", APP)
    _, report = await run(Wanted((reference,)), client, store)
    assert report.images[0].outcome is Outcome.UNCHANGED
    _, report = await run(Wanted((reference,)), client, store, recheck=True)
    assert report.images[0].outcome is Outcome.COPIED
    found = await store.find(Reference(reference.repository, tag))
    assert found is not None
    assert found.digest == digest
    _, report = await run(Wanted((reference,)), client, store, recheck=True)
    assert report.images[0].outcome is Outcome.UNCHANGED


async def test_an_unchanged_tag_costs_one_head(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """And where tags are chosen, one listing for the repository; nothing else is asked."""
    for number in range(20):
        add_signed(upstream, f"team/app:{number}", image([random_layer(number)]))
    repository = upstream.repository("team/app")
    await run(Wanted(repository=repository, tags=EVERY_TAG), client, store)
    upstream.requests.clear()
    _, report = await run(Wanted(repository=repository, tags=EVERY_TAG), client, store)
    assert {result.outcome for result in report.images} == {Outcome.UNCHANGED}
    assert upstream.count() == 21
    assert upstream.count("HEAD", "/manifests/") == 20
    assert upstream.count("GET", "/tags/list") == 1
    upstream.requests.clear()
    exactly = tuple(Reference(repository, str(number)) for number in range(20))
    await run(Wanted(exactly), client, store)
    assert upstream.count() == upstream.count("HEAD", "/manifests/") == 20


async def test_entries_of_one_repository_share_its_listing(
    upstream: ScriptedRegistry, client: RegistryClient
) -> None:
    """They are looked at side by side, and what they want stays in their order."""
    for path in ("b", "a"):
        for tag in ("1", "2"):
            upstream.add(f"{path}:{tag}", AMD)
    wanted = [
        Wanted(
            repository=upstream.repository(path),
            tags=TagSelection(globs=(TagPattern.glob(glob),)),
        )
        for path, glob in (("b", "2"), ("a", "*"), ("b", "1"), ("b", "*"))
    ]
    selection = await select(wanted, client)
    chosen = [f"{copy.source.repository.path}:{copy.source.tag}" for copy in selection.images]
    assert chosen == ["b:2", "a:1", "a:2", "b:1"]
    assert upstream.count("GET", "/tags/list") == 2


async def test_a_changed_tag_costs_one_listing_for_its_repository(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """However many images are new, what cosign keeps under tags is found by one listing."""
    for number in range(20):
        add_signed(upstream, f"team/app:{number}", image([random_layer(number)]))
    repository = upstream.repository("team/app")
    exactly = tuple(Reference(repository, str(number)) for number in range(20))
    _, report = await run(Wanted(exactly), client, store)
    assert report.error() is None
    assert all(len(result.attached) == 1 for result in report.images)
    assert upstream.count("GET", "/tags/list") == 1
    # One for each image, one for each signature that is there; none for what is not.
    assert upstream.count("HEAD", "/manifests/") == 40


async def test_a_thousand_unchanged_tags_take_seconds_and_read_no_blob(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store
) -> None:
    """A nightly run over a large mirror that has not changed; not a file is touched."""
    layer = random_layer(0)
    for number in range(1000):
        upstream.add(f"team/app{number % 10}:{number}", image([layer], author=str(number)))
    wanted = [
        Wanted(repository=upstream.repository(f"team/app{number}"), tags=EVERY_TAG)
        for number in range(10)
    ]
    await run(wanted, client, store)
    upstream.requests.clear()
    blobs = [*store.places.root.rglob("sha256/*")]
    assert len(blobs) > 2000
    for path in blobs:
        # Reading a file brings such a time up to date, however the file system is mounted.
        os.utime(path, ns=(1, path.stat().st_mtime_ns))
    before = {path: path.stat() for path in blobs}
    started = time.monotonic()
    _, report = await run(wanted, client, store)
    seconds = time.monotonic() - started
    assert [result.outcome for result in report.images] == [Outcome.UNCHANGED] * 1000
    assert upstream.count() == 1010
    assert upstream.count(path="/blobs/") == 0
    assert report.traffic.bytes_copied == 0
    assert {path: path.stat() for path in store.places.root.rglob("sha256/*")} == before
    assert seconds < 20, f"{seconds:.1f} s"
