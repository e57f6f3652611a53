"""What ``airgap images`` shows: every name with what it stands for, and what that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from airgap.errors import ContentMismatch, InvalidReference, NotFound
from airgap.oci.digest import Digest
from airgap.oci.image_config import MAX_CONFIG_SIZE, parse_image_config
from airgap.oci.manifest import Role
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference
from airgap.store import schema
from airgap.store.database import chunks
from airgap.store.lookups import all_names
from airgap.store.os_errors import explained
from airgap.store.store import Store


@dataclass(frozen=True, slots=True)
class Variant:
    """One image below a name: the image itself, or an entry of its index.

    Attributes:
        manifest: the image's manifest.
        config: the digest of its config, which people know as the image id.
        platform: where it runs, as its config says.
        created: RFC 3339 time as the config has it.
    """

    manifest: Digest
    config: Digest
    platform: Platform | None
    created: str | None


@dataclass(frozen=True, slots=True)
class ListedImage:
    """A name in the store.

    Attributes:
        reference: the name; by digest where the content is kept without tag.
        digest: the manifest or index that it stands for.
        media_type: that one's type.
        artifact_type: set for what is not an image.
        variants: the images below it that are in the store; empty for other artifacts.
        size: bytes of all content below it that is in the store, each piece once.
        shared_size: how many of them other manifests with names have as well.
    """

    reference: Reference
    digest: Digest
    media_type: str
    artifact_type: str | None
    variants: tuple[Variant, ...]
    size: int
    shared_size: int


async def list_images(store: Store) -> Sequence[ListedImage]:
    """Return every name of a store, by domain, path and name."""
    await store.settle()
    return await store.threads.ask(_list, store)


def _list(store: Store) -> Sequence[ListedImage]:
    with store.database.reading() as connection:
        names = all_names(connection)
        roots = list(dict.fromkeys(name.descriptor.digest for name in names))
        sizes = _sizes(connection)
        images = _images_below(connection, roots)
    variants = {
        digest: _variant(store, digest, config)
        for found in images.values()
        for digest, config in found
    }
    return [
        ListedImage(
            name.reference,
            name.descriptor.digest,
            name.descriptor.media_type,
            name.descriptor.artifact_type,
            tuple(variants[digest] for digest, _ in images.get(name.descriptor.digest, ())),
            *sizes.get(name.descriptor.digest, (0, 0)),
        )
        for name in names
    ]


def _sizes(connection: Connection) -> dict[Digest, tuple[int, int]]:
    """Return for each manifest with a name its size, and how much of that others share."""
    edge, blob = schema.edges.c, schema.blobs.c
    start = select(schema.tags.c.digest.label("root"), schema.tags.c.digest).distinct()
    reached = start.cte("reached", recursive=True)
    reached = reached.union(
        select(reached.c.root, edge.child).join(reached, edge.parent == reached.c.digest)
    )
    counted = select(reached.c.digest, func.count().label("owners"))
    owners = counted.group_by(reached.c.digest).subquery()
    rows = connection.execute(
        select(
            reached.c.root,
            func.sum(blob.size),
            func.coalesce(func.sum(blob.size).filter(owners.c.owners > 1), 0),
        )
        .join(schema.blobs, blob.digest == reached.c.digest)
        .join(owners, owners.c.digest == reached.c.digest)
        .group_by(reached.c.root)
    )
    return {Digest(root): (int(size), int(shared)) for root, size, shared in rows}


def _images_below(
    connection: Connection, roots: Sequence[Digest]
) -> dict[Digest, list[tuple[Digest, Digest]]]:
    """Return for each root the images (manifest and config) at or one level below it."""
    manifest, edge = schema.manifests.c, schema.edges.c
    found: dict[Digest, list[tuple[Digest, Digest]]] = {}
    is_image = (manifest.is_image, manifest.config.is_not(None))
    for chunk in chunks(roots):
        themselves = connection.execute(
            select(manifest.digest, manifest.config).where(manifest.digest.in_(chunk), *is_image)
        )
        for digest, config in themselves:
            found.setdefault(Digest(digest), []).append((Digest(digest), Digest(config)))
        entries = connection.execute(
            select(edge.parent, manifest.digest, manifest.config)
            .join(schema.edges, edge.child == manifest.digest)
            .where(edge.parent.in_(chunk), edge.role == Role.MANIFEST.value, *is_image)
            .order_by(edge.parent, edge.position)
        )
        for root, digest, config in entries:
            found.setdefault(Digest(root), []).append((Digest(digest), Digest(config)))
    return found


def _variant(store: Store, manifest: Digest, config: Digest) -> Variant:
    path = store.places.blob(config)
    try:
        with explained(path), path.open("rb") as file:
            parsed = parse_image_config(file.read(MAX_CONFIG_SIZE + 1), f"config {config}")
    except (NotFound, ContentMismatch, InvalidReference):
        # A listing shows what there is; what is wrong with it is for `store fsck` to say.
        return Variant(manifest, config, None, None)
    return Variant(manifest, config, parsed.platform, parsed.created)
