"""Bundles for tests, and the strictest of targets to read them into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from airgap.bundle.access import open_bundle
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.output import WriteOptions
from airgap.bundle.writer import BundleReport, BundleWriter, Signer
from airgap.content.copy_plan import copy_plan, plan_copy
from airgap.content.plan import CopyPlan
from airgap.content.ports import OnBytes, OpenBlob, Source, TagMove
from airgap.content.walk import WalkRules
from airgap.errors import ContentMismatch
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.platform_filter import Platforms
from airgap.oci.reference import Reference, Repository
from tests.support import images
from tests.support.memory import MemorySource

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
QUICK = WriteOptions(sync=False)
COMPRESSED = WriteOptions(sync=False, zstd=True)


def several_images() -> MemorySource:
    """Return an OCI image, a Docker one, an index, and an artifact; layers are shared."""
    shared = images.random_layer(1)
    return MemorySource(
        {
            "oci:1": images.image([shared, images.random_layer(2)]),
            "quay.io/team/docker:1.10": images.image(
                [
                    images.layer({"shared": b"docker's"}, docker=True),
                    images.layer({"own": b"x" * 9000}, docker=True),
                ],
                docker=True,
            ),
            "registry.example:5000/multi:v2": images.index(
                {
                    "linux/arm64": images.image([shared], platform="linux/arm64"),
                    "linux/amd64": images.image([shared, images.random_layer(3)]),
                }
            ),
            "ghcr.io/team/sbom:1": images.artifact(b"a bill of materials"),
        }
    )


def roots_of(source: MemorySource) -> list[TagMove]:
    """Return every name of a source with what it stands for."""
    return [TagMove(reference, built.root.descriptor) for reference, built in source.roots.items()]


async def plan_of(source: MemorySource) -> CopyPlan:
    """Plan everything that a source has."""
    return await plan_copy(source, roots_of(source), WalkRules())


async def write_bundle(
    path: Path,
    source: MemorySource,
    options: WriteOptions = QUICK,
    *,
    identity: BundleIdentity | None = None,
    sign: Signer | None = None,
    plan: CopyPlan | None = None,
) -> BundleReport:
    """Write everything that a source has into a bundle, at noon."""
    plan = plan or await plan_of(source)
    async with BundleWriter(
        path, source, identity or BundleIdentity(NOON), options, sign
    ) as writer:
        await copy_plan(source, writer, plan)
        return writer.report


@dataclass
class Collected:
    """A target in memory that verifies what it takes, and whose names all move at once."""

    blobs: dict[Digest, bytes] = field(default_factory=dict)
    names: dict[Reference, Descriptor] = field(default_factory=dict)

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return what a name stands for."""
        return self.names.get(reference)

    async def holds(
        self, repository: Repository, descriptor: Descriptor, platforms: Platforms
    ) -> bool:
        """Never be sure."""
        del repository, descriptor, platforms
        return False

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return what is not there."""
        del repository
        return frozenset(b.digest for b in blobs) - frozenset(self.blobs)

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Take a blob, by its region where it has one."""
        del repository
        async with open_at(0) as reader:
            if reader.region is not None:
                with reader.region.path.open("rb") as file:
                    file.seek(reader.region.offset)
                    content = file.read(reader.region.length)
            else:
                content = b"".join([piece async for piece in reader])
        on_bytes(len(content))
        if Digest.of(content, descriptor.digest.algorithm) != descriptor.digest:
            raise ContentMismatch(str(descriptor.digest), "has other bytes")
        self.blobs[descriptor.digest] = content

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Take a manifest."""
        del repository
        self.blobs[manifest.descriptor.digest] = manifest.raw

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Move all names."""
        self.names.update({move.reference: move.descriptor for move in moves})


async def take_in(path: Path, target: Collected | None = None) -> Collected:
    """Import a whole bundle."""
    target = target if target is not None else Collected()
    async with open_bundle(path) as bundle:
        plan = await plan_copy(bundle, bundle.roots, WalkRules())
        await copy_plan(bundle, target, plan)
    return target


def content_of(source: Source) -> dict[Digest, bytes]:
    """Return everything that a memory source has."""
    assert isinstance(source, MemorySource)
    return source.blobs


def names_in(folder: Path) -> list[str]:
    """Return the names of what is in a folder."""
    return sorted(path.name for path in folder.iterdir())
