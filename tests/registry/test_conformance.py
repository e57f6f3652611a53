"""The registry client as a content store: the suite that every store passes.

The suite's repositories are at a host that does not exist. The registry stands in as its own
proxy: the client is told by ``HTTP_PROXY`` to go there, and the registry takes the absolute URLs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.content.walk import WalkRules
from airgap.errors import RegistryFault
from airgap.oci.platform_filter import ALL_PLATFORMS
from airgap.oci.reference import Repository
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings, HostSettings, SchemePolicy
from tests.content.conformance import (
    AMD64,
    REPOSITORY,
    ContentStoreConformance,
    ListingConformance,
    ReferrersConformance,
    named,
    two_platforms,
)
from tests.support.images import image, random_layer
from tests.support.memory import MemorySource
from tests.support.real_registry import real_registry
from tests.support.registry_clients import QUICK_RETRY
from tests.support.scripted_registry import ScriptedRegistry


class OneRegistry(RegistryClient):
    """A client that lists the repositories of the suite's one host."""

    async def repositories(self) -> AsyncIterator[Repository]:
        """Yield every repository."""
        async for repository in self.catalog(REPOSITORY.domain).repositories():
            yield repository


def through(url: str) -> ClientSettings:
    """Return settings that lead every plain request to one place."""
    settings = HostSettings(scheme=SchemePolicy.PLAIN_HTTP, retry=QUICK_RETRY)
    return ClientSettings(default=settings, environ={"HTTP_PROXY": url})


class RegistryConformance(ContentStoreConformance, ReferrersConformance, ListingConformance):
    """What holds of every registry; it differs from other stores in one point."""

    async def test_a_held_image_is_whole(  # type: ignore[override]
        self, place: OneRegistry
    ) -> None:
        """A registry takes no image that lacks a layer, and so never holds one."""
        built = image([random_layer(1), random_layer(2)])
        with pytest.raises(RegistryFault, match="MANIFEST_BLOB_UNKNOWN"):
            await place.put_manifest(REPOSITORY, built.root)
        assert not await place.holds(REPOSITORY, built.root.descriptor, ALL_PLATFORMS)


class TestScriptedRegistry(RegistryConformance):
    """Against the scripted registry, which knows referrers and takes sparse indexes."""

    @pytest.fixture
    async def place(self, scripted: ScriptedRegistry) -> AsyncIterator[OneRegistry]:
        """Return a client of an empty registry."""
        scripted.habits.relative = True
        async with OneRegistry(through(scripted.url)) as client:
            yield client


class TestDockerRegistry(RegistryConformance):
    """Against Debian's docker-registry, which knows no referrers and takes no sparse index."""

    @pytest.fixture
    async def place(self, tmp_path: Path) -> AsyncIterator[OneRegistry]:
        """Return a client of an empty registry."""
        async with (
            real_registry(tmp_path / "registry") as registry,
            OneRegistry(through(registry.url)) as client,
        ):
            yield client

    async def test_a_platform_of_an_index_leaves_a_sparse_index(  # type: ignore[override]
        self, place: OneRegistry
    ) -> None:
        """This registry refuses one, and the error says what to do; a rewritten index goes in."""
        source = MemorySource({str(named("1")): two_platforms()})
        copy = ImageCopy(named("1"), named("1"), WalkRules(platforms=AMD64))
        (failure,) = (await copy_images(source, place, [copy])).failures
        assert failure.error is not None
        assert "have the index rewritten" in failure.error.hint
        rules = WalkRules(platforms=AMD64, rewrite_index=True)
        report = await copy_images(source, place, [ImageCopy(named("1"), named("1"), rules)])
        assert report.error() is None
