"""When images were created, as their configs say: for choosing the newest ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from airgap.content.parallel import for_each
from airgap.content.ports import ListsRepositories, ListsTags, Source
from airgap.content.walk import read_verified
from airgap.errors import ContentMismatch
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.image_config import MAX_CONFIG_SIZE, parse_image_config
from airgap.oci.reference import Reference, Repository

_CONCURRENCY = 16


class Upstream(Source, ListsTags, Protocol):
    """Registries, whose tags can be listed, and whose repositories, where there is a catalog."""

    def catalog(self, domain: str) -> ListsRepositories:
        """Return one registry as a place that lists its repositories."""
        ...


async def creation_times(
    upstream: Source, repository: Repository, tags: Sequence[str]
) -> dict[str, str | None]:
    """Return for each tag the time in its image's config, as written; None where it has none.

    An index counts as its first image. That costs two or three small requests a tag.
    """
    created: dict[str, str | None] = {}

    async def look(tag: str) -> None:
        descriptor = await upstream.resolve(Reference(repository, tag))
        created[tag] = await _created(upstream, repository, descriptor)

    await for_each(tags, look, concurrency=_CONCURRENCY)
    return created


async def _created(upstream: Source, repository: Repository, descriptor: Descriptor) -> str | None:
    manifest = await read_verified(upstream, repository, descriptor)
    if manifest.is_index:
        if not manifest.manifests or manifest.manifests[0].media_type in media_types.INDEXES:
            return None
        manifest = await read_verified(upstream, repository, manifest.manifests[0])
    config = manifest.config
    if config is None or config.media_type not in media_types.IMAGE_CONFIGS:
        return None
    raw = await read_small_blob(upstream, repository, config)
    return parse_image_config(raw, f"config {config.digest}").created


async def read_small_blob(source: Source, repository: Repository, descriptor: Descriptor) -> bytes:
    """Return a blob of at most 4 MiB, such as a config, verified.

    Raises:
        ContentMismatch: it is larger, or not what the descriptor promises.
    """
    what = f"{repository}@{descriptor.digest}"
    if descriptor.size > MAX_CONFIG_SIZE:
        raise ContentMismatch(what, f"has {descriptor.size} bytes, too many for a config")
    raw = bytearray()
    async with source.open_blob(repository, descriptor) as reader:
        async for piece in reader:
            raw += piece
            if len(raw) > descriptor.size:
                break
    if Digest.of(raw, descriptor.digest.algorithm) != descriptor.digest:
        raise ContentMismatch(what, "its bytes have another digest")
    return bytes(raw)
