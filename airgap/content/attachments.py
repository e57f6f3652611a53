"""What belongs to an image without being part of it: signatures, SBOMs, attestations.

It is found in two ways: by the referrers API (whose stand-in, the fallback tag, is the source's own
business), and by the tags of cosign's scheme, for which the tags of a repository are listed once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from airgap.content import events
from airgap.content.events import Emit
from airgap.content.ports import HasReferrers, ListsTags, Source, capability
from airgap.errors import AccessDenied, NotFound, RateLimited, RegistryFault, Unsupported
from airgap.oci.attachment_tag import cosign_tags, only_attachments, parse_attachment_tag
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository


@dataclass(frozen=True, slots=True)
class Attachment:
    """One thing that belongs to an image.

    Attributes:
        descriptor: its manifest.
        kind: what it is: the artifact type of a referrer, what a tag of cosign's says.
        tag: the tag that it must have to be found; None for a referrer, which its subject finds.
    """

    descriptor: Descriptor
    kind: str
    tag: str | None = None


class AttachmentTags:
    """The tags of cosign's scheme at one source; each repository is listed once at most."""

    def __init__(self, source: Source, emit: Emit = events.discard) -> None:
        self._place = capability(source, ListsTags)
        self._emit = emit
        self._known: dict[Repository, frozenset[str]] = {}
        self._locks: defaultdict[Repository, asyncio.Lock] = defaultdict(asyncio.Lock)

    def learn(self, repository: Repository, tags: Iterable[str]) -> None:
        """Take in a listing that was made for another purpose."""
        self._known[repository] = only_attachments(tags)

    async def of(self, repository: Repository, digest: Digest) -> tuple[str, ...]:
        """Return the tags under which something is attached to a digest."""
        async with self._locks[repository]:
            if repository not in self._known:
                self._known[repository] = await self._list(repository)
        known = self._known[repository]
        return tuple(tag for tag in cosign_tags(digest) if tag in known)

    async def _list(self, repository: Repository) -> frozenset[str]:
        if self._place is None:
            return frozenset()
        try:
            return only_attachments([tag async for tag in self._place.tags(repository)])
        except RateLimited:
            raise
        except (AccessDenied, NotFound, RegistryFault, Unsupported) as error:
            # Some registries refuse the listing of a repository that may be pulled (Alibaba).
            self._emit(
                events.Note(
                    "warning",
                    f"{repository}: its tags cannot be listed ({error.cause}); what cosign keeps "
                    "under tags stays behind",
                )
            )
            return frozenset()


async def attachments_of(
    source: Source, repository: Repository, digests: Iterable[Digest], tags: AttachmentTags
) -> list[Attachment]:
    """Return what belongs to the given manifests, and what belongs to that, each once."""
    found: dict[tuple[Digest, str | None], Attachment] = {}
    waiting = list(digests)
    seen = set(waiting)
    while waiting:
        async for attachment in _attached(source, repository, waiting.pop(), tags):
            digest = attachment.descriptor.digest
            found.setdefault((digest, attachment.tag), attachment)
            if digest not in seen:
                seen.add(digest)
                waiting.append(digest)
    return list(found.values())


async def _attached(
    source: Source, repository: Repository, digest: Digest, tags: AttachmentTags
) -> AsyncIterator[Attachment]:
    referring = capability(source, HasReferrers)
    if referring is not None:
        for descriptor in await referring.referrers(repository, digest):
            yield Attachment(descriptor, descriptor.artifact_type or "referrer")
    for tag in await tags.of(repository, digest):
        try:
            descriptor = await source.resolve(Reference(repository, tag))
        except NotFound:
            # It went away since the listing.
            continue
        named = parse_attachment_tag(tag)
        yield Attachment(descriptor, str(named.kind) if named is not None else "", tag)
