"""Bundles served as they are: nothing is unpacked, every blob is sent out of the bundle's file.

What a name's image is made of belongs to the name's repository, signatures and attestations
included. Several bundles are one place; where two bring the same name, the later one counts, as if
they had been imported in that order.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from airgap.bundle.access import open_bundle
from airgap.bundle.medium import Medium
from airgap.bundle.opening import find_bundle
from airgap.bundle.reader import Bundle
from airgap.bundle.volumes import INDEX_SUFFIX, read_file_name
from airgap.content.hosting import Hosting
from airgap.content.ports import BlobReader, ReadsInOrder, capability
from airgap.errors import NotFound, Unsupported
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Role
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository
from airgap.server.read_only_hosting import ReadOnlyHosting


@asynccontextmanager
async def bundles_as_hosting(paths: Sequence[Path]) -> AsyncIterator[Hosting]:
    """Open bundles for being served until the block ends.

    All manifests are read and verified; blobs are verified by whoever pulls them.

    Raises:
        Unsupported: a bundle is compressed or encrypted, or stands on an earlier one.
        BundleDamaged: one is not a bundle, or does not agree with itself.
        NotFound, NotPermitted: one cannot be opened.
    """
    async with AsyncExitStack() as stack:
        contents: dict[Repository, _Content] = defaultdict(_Content)
        for medium in await asyncio.to_thread(_media, paths):
            bundle = await stack.enter_async_context(open_bundle(medium))
            _require_servable(bundle)
            await _take_stock(bundle, contents)
        yield BundleHosting(", ".join(map(str, paths)), dict(contents))


@dataclass(slots=True)
class _Content:
    """What one repository has.

    Attributes:
        tags: what each tag stands for.
        manifests: its manifests as referrers lists show them.
        sizes: bytes of its blobs.
        referrers: the manifests whose subject a digest is.
        homes: a bundle for each manifest and blob.
    """

    tags: dict[str, Descriptor] = field(default_factory=dict)
    manifests: dict[Digest, Descriptor] = field(default_factory=dict)
    sizes: dict[Digest, int] = field(default_factory=dict)
    referrers: dict[Digest, dict[Digest, Descriptor]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    homes: dict[Digest, Bundle] = field(default_factory=dict)


def _media(paths: Sequence[Path]) -> list[Medium]:
    """Return the bundles that paths stand for; volumes of one name are one bundle."""
    together: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        volume = read_file_name(path.name)
        name = volume[0] if volume is not None else path.name.removesuffix(INDEX_SUFFIX)
        together[name if name != path.name else str(path)].append(path)
    found = [find_bundle(group) for group in together.values()]
    for bundle in found:
        if bundle.is_encrypted:
            raise Unsupported(
                str(bundle.medium.path),
                "is encrypted, so it cannot be served as it is",
                "`airgap import` it and serve the store",
            )
    return [bundle.medium for bundle in found]


def _require_servable(bundle: Bundle) -> None:
    if capability(bundle, ReadsInOrder) is not None:
        raise Unsupported(
            str(bundle.path),
            "is compressed as a whole, so what is in its middle cannot be served by itself",
            "`airgap import` it and serve the store, or export it without --compress",
        )
    if bundle.manifest.base is not None:
        raise Unsupported(
            str(bundle.path),
            f"carries only what is new since bundle {bundle.manifest.base.sequence}",
            "`airgap import` it and serve the store",
        )


async def _take_stock(bundle: Bundle, contents: dict[Repository, _Content]) -> None:
    graph = await bundle.graph()
    for root in bundle.roots:
        content = contents[root.reference.repository]
        if root.reference.tag is not None:
            content.tags[root.reference.tag] = root.descriptor
        plan = graph.plan([root], frozenset(), referrers=True)
        for item in plan.items:
            digest = item.descriptor.digest
            content.homes.setdefault(digest, bundle)
            if item.role is not Role.MANIFEST:
                content.sizes[digest] = item.descriptor.size
                continue
            manifest = graph.manifests[digest]
            descriptor = replace(
                manifest.descriptor,
                artifact_type=manifest.artifact_type,
                annotations=manifest.annotations or {},
            )
            content.manifests[digest] = descriptor
            if manifest.subject is not None:
                content.referrers[manifest.subject.digest][digest] = descriptor


class BundleHosting(ReadOnlyHosting):
    """A ``Hosting`` over open bundles.

    Attributes:
        name: their paths.
    """

    def __init__(self, name: str, contents: dict[Repository, _Content]) -> None:
        self.name = name
        self._contents = contents

    @property
    def image_count(self) -> int:
        """How many tags there are."""
        return sum(len(content.tags) for content in self._contents.values())

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return the manifest that a tag, or a digest within its repository, stands for."""
        content = self._contents.get(reference.repository)
        if content is None:
            return None
        if reference.digest is not None:
            return content.manifests.get(reference.digest)
        return content.tags.get(reference.name)

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a tag or digest stands for."""
        found = await self.find(reference)
        if found is None:
            raise NotFound(str(reference), f"is not in {self.name}")
        return found

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        return await self._home(repository, descriptor).read_manifest(repository, descriptor)

    def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob; it is a piece of the bundle's file where no volume ends within it."""
        bundle = self._home(repository, descriptor)
        return bundle.open_blob(repository, descriptor, offset)

    def _home(self, repository: Repository, descriptor: Descriptor) -> Bundle:
        content = self._contents.get(repository)
        bundle = content.homes.get(descriptor.digest) if content is not None else None
        if bundle is None:
            raise NotFound(f"{repository}@{descriptor.digest}", f"is not in {self.name}")
        return bundle

    async def blob_size(self, repository: Repository, digest: Digest) -> int | None:
        """Return the size of a blob that belongs to the repository, else None."""
        content = self._contents.get(repository)
        return content.sizes.get(digest) if content is not None else None

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Say no: what of an index was left out on purpose is not looked up here."""
        del repository, descriptor, platforms
        return False

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return those blobs that do not belong to the repository."""
        content = self._contents.get(repository, _Content())
        return frozenset(blob.digest for blob in blobs) - content.sizes.keys()

    async def tags(self, repository: Repository) -> AsyncIterator[str]:
        """Yield every tag of a repository in byte order."""
        content = self._contents.get(repository)
        if content is None:
            raise NotFound(str(repository), f"is not in {self.name}")
        for tag in sorted(content.tags):
            yield tag

    async def repositories(self) -> AsyncIterator[Repository]:
        """Yield every repository, by domain and path."""
        for repository in sorted(self._contents, key=lambda r: (r.domain, r.path)):
            yield repository

    async def referrers(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the manifests of a repository whose subject is ``digest``, sorted by digest."""
        content = self._contents.get(repository)
        found = content.referrers.get(digest, {}) if content is not None else {}
        return [found[key] for key in sorted(found)]
