"""Fetching from upstream only what is signed, where a mirror entry wants that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from airgap.content.hosting import Hosting
from airgap.oci.attachment_tag import signature_tag
from airgap.oci.reference import Reference, Repository
from airgap.server import running_registry
from airgap.server.pull_through import pulling_through
from airgap.usecases.mirror import PoliciesOf, no_policies
from airgap.usecases.upstream_signatures import SignaturePolicy
from airgap.verification.keys import read_public_keys
from tests.server.api import Answer, Api
from tests.support import cosign
from tests.support.images import BuiltImage, image, index, random_layer
from tests.support.memory import MemorySource

KEY = cosign.new_key()
POLICY = SignaturePolicy(read_public_keys(cosign.public_pem(KEY), "cosign.pub"))
HOME = Reference.parse("app").repository
HUB = frozenset({"docker.io"})
ARM = image([random_layer(2)], platform="linux/arm64")
SIGNED = index({"linux/amd64": image([random_layer(1)]), "linux/arm64": ARM})
UNSIGNED = image([random_layer(3)])
SIGNATURE = {f"app:{signature_tag(SIGNED.digest)}": cosign.signature(KEY, HOME, SIGNED.digest)}


def rules(repository: Repository) -> Sequence[SignaturePolicy]:
    """Want a signature of one repository's images."""
    return (POLICY,) if repository == HOME else ()


@asynccontextmanager
async def serving(
    hosting: Hosting, images: dict[str, BuiltImage], wanted: PoliciesOf = rules
) -> AsyncIterator[Api]:
    """Run a registry that pulls docker.io through."""
    async with (
        pulling_through(hosting, MemorySource(images), HUB, wanted) as place,
        running_registry(place) as running,
        aiohttp.ClientSession() as session,
    ):
        yield Api(session, running.url)


async def manifest(api: Api, name: str, repository: str = "app") -> Answer:
    """Ask for a manifest."""
    return await api.request("GET", f"/v2/library/{repository}/manifests/{name}?ns=docker.io")


async def test_an_unsigned_image_is_refused_and_not_kept(hosting: Hosting) -> None:
    """By tag and by digest, with the reason; one of another repository comes."""
    async with serving(hosting, {"app:1": UNSIGNED, "free:1": UNSIGNED}) as api:
        for name in ("1", UNSIGNED.digest):
            refused = await manifest(api, name)
            assert refused.status == 403
            assert b"has no signature, and must have one by cosign.pub" in refused.body
        assert (await manifest(api, "1", "free")).status == 200
    assert await hosting.find(Reference(HOME, "1")) is None
    assert await hosting.find(Reference(HOME, digest=UNSIGNED.digest)) is None


async def test_a_signed_image_comes_with_its_platforms_and_its_signature(hosting: Hosting) -> None:
    """Also by the digest of one platform, after a restart: what names it is here."""
    images = {"app:1": SIGNED, **SIGNATURE}
    async with serving(hosting, images) as api:
        assert (await manifest(api, "1")).body == SIGNED.root.raw
        assert (await manifest(api, signature_tag(SIGNED.digest))).status == 200
    async with serving(hosting, images) as api:
        assert (await manifest(api, ARM.digest)).body == ARM.root.raw


async def test_a_tag_that_moves_to_an_unsigned_image_stays_where_it_was(hosting: Hosting) -> None:
    """The signed one is served, with a warning."""
    async with serving(hosting, {"app:1": SIGNED, **SIGNATURE}) as api:
        assert (await manifest(api, "1")).status == 200
    moved = {"app:1": UNSIGNED, "app:old": SIGNED, **SIGNATURE}
    async with serving(hosting, moved) as api:
        answer = await manifest(api, "1")
        assert answer.body == SIGNED.root.raw
        assert "which is refused" in answer.headers["Warning"]


async def test_a_rule_that_comes_later_holds_for_tags_that_are_here(hosting: Hosting) -> None:
    """What was fetched without a signature before is not served by its tag any more."""
    images = {"app:1": UNSIGNED}
    async with serving(hosting, images, no_policies) as api:
        assert (await manifest(api, "1")).status == 200
    async with serving(hosting, images) as api:
        assert (await manifest(api, "1")).status == 403
