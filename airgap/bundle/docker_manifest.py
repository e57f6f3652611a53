"""``manifest.json``, by which ``docker load``, podman and skopeo find images in a tar.

It has one platform an image, and only what such a loader can use: images with a config, with
layers that are tars, and with all of them inside. Artifacts are left to the OCI side of the bundle.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from airgap.bundle.format import MAX_DOCKER_MANIFEST_SIZE
from airgap.bundle.layout import blob_name
from airgap.content.ports import Source, TagMove
from airgap.errors import ContentMismatch, InvalidReference
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.image_config import MAX_CONFIG_SIZE, parse_image_config
from airgap.oci.manifest import Manifest, parse_manifest
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference, Repository

_PREFERRED = (Platform("linux", "amd64"), Platform("linux", "arm64"))
_MAX_DEPTH = 8
_NOTHING: Mapping[Digest, Digest] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LoadableImage:
    """One image that a docker loader can take.

    Attributes:
        config: digest of its config, which docker calls the image id.
        layers: digests of its layers, lowest first.
        references: the names that it gets; untagged images have none with a tag.
    """

    config: Digest
    layers: tuple[Digest, ...]
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class DockerManifest:
    """An encoded ``manifest.json``.

    Attributes:
        raw: its bytes, at most 1 MiB.
        left_out: references that a docker loader will not find, each with the reason.
    """

    raw: bytes
    left_out: dict[Reference, str] = field(default_factory=dict)


def encode_docker_manifest(
    images: Sequence[LoadableImage],
    limit: int = MAX_DOCKER_MANIFEST_SIZE,
    opened: Mapping[Digest, Digest] = _NOTHING,
) -> DockerManifest:
    """Write as many images as fit into ``limit`` bytes, in their order.

    Names are full ones. Docker itself leaves out ``docker.io/library/``, and so podman takes such
    an image for one of ``localhost``; every loader reads the full name as it is meant.

    Args:
        images: what can be loaded.
        limit: bytes.
        opened: the digest of the plain bytes of layers that are inside opened.
    """
    entries: list[str] = []
    left_out: dict[Reference, str] = {}
    size = len("[]\n")
    for image in images:
        tags = [str(r) for r in image.references if r.tag is not None]
        entry = json.dumps(
            {
                "Config": blob_name(image.config),
                "RepoTags": tags or None,
                "Layers": [blob_name(opened.get(layer, layer)) for layer in image.layers],
            },
            separators=(",", ":"),
        )
        if size + len(entry) + 1 > limit:
            left_out |= dict.fromkeys(image.references, "manifest.json is full (1 MiB)")
            continue
        entries.append(entry)
        size += len(entry) + 1
    return DockerManifest(f"[{','.join(entries)}]\n".encode("ascii"), left_out)


async def make_docker_manifest(
    source: Source,
    roots: Sequence[TagMove],
    inside: frozenset[Digest],
    opened: Mapping[Digest, Digest] = _NOTHING,
) -> DockerManifest:
    """Find for each reference the image that a docker loader shall take.

    Manifests are read one at a time, and only as many as the choice takes.

    Args:
        source: has the manifests and configs.
        roots: the references, in order.
        inside: digests of everything that the bundle carries, but for what travels as a delta.
        opened: the digest of the plain bytes of layers that travel opened.
    """
    finder = _Finder(source, inside)
    found: dict[Digest, LoadableImage | str] = {}
    names: dict[LoadableImage, list[Reference]] = {}
    left_out: dict[Reference, str] = {}
    for root in roots:
        digest = root.descriptor.digest
        if digest not in found:
            found[digest] = await finder.find(root.reference.repository, root.descriptor)
        choice = found[digest]
        if isinstance(choice, str):
            left_out[root.reference] = choice
        else:
            names.setdefault(choice, []).append(root.reference)
    images = [LoadableImage(i.config, i.layers, tuple(names[i])) for i in names]
    encoded = encode_docker_manifest(images, opened=opened)
    return DockerManifest(encoded.raw, left_out | encoded.left_out)


@dataclass(frozen=True, slots=True)
class _Finder:
    source: Source
    inside: frozenset[Digest]

    async def find(self, repository: Repository, root: Descriptor) -> LoadableImage | str:
        """Return the image that stands for a manifest or index, or why there is none."""
        reason = "is not inside"
        async for manifest in self._candidates(repository, root, depth=0):
            loadable = await self._loadable(repository, manifest)
            if isinstance(loadable, LoadableImage):
                return loadable
            reason = loadable
        return reason

    async def _candidates(
        self, repository: Repository, root: Descriptor, depth: int
    ) -> AsyncIterator[Manifest]:
        if root.digest not in self.inside or depth > _MAX_DEPTH:
            return
        raw = await self.source.read_manifest(repository, root)
        manifest = parse_manifest(raw, root.media_type, digest=root.digest)
        if not manifest.is_index:
            yield manifest
        for entry in sorted(manifest.manifests, key=_preference):
            async for candidate in self._candidates(repository, entry, depth + 1):
                yield candidate

    async def _loadable(self, repository: Repository, manifest: Manifest) -> LoadableImage | str:
        if manifest.config is None or not manifest.is_image:
            return "is an artifact, not an image"
        layers = tuple(layer.digest for layer in manifest.layers)
        if not {manifest.config.digest, *layers} <= self.inside:
            return "some of its layers are not inside"
        try:
            config = parse_image_config(await self._read_config(repository, manifest.config))
        except (ContentMismatch, InvalidReference) as error:
            return f"its config is not one that docker reads: {error}"
        if len(config.diff_ids) != len(layers):
            return "its config speaks of another number of layers"
        return LoadableImage(manifest.config.digest, layers)

    async def _read_config(self, repository: Repository, config: Descriptor) -> bytes:
        if config.size > MAX_CONFIG_SIZE:
            raise ContentMismatch(f"config {config.digest}", f"has {config.size} bytes")
        async with self.source.open_blob(repository, config) as reader:
            return b"".join([piece async for piece in reader])


def _preference(entry: Descriptor) -> int:
    """Sort amd64 first, then arm64, then other images, then what is no image; stable besides."""
    if entry.platform is None:
        return len(_PREFERRED)
    for rank, wanted in enumerate(_PREFERRED):
        if entry.platform.matches(wanted):
            return rank
    return len(_PREFERRED) + (entry.platform.os == "unknown")
