"""What refers to a manifest: the referrers API, and the tag that stands in for it.

Distribution-spec v1.1, "Listing Referrers" and "Referrers Tag Schema".
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from http import HTTPStatus

from airgap.errors import NotFound, RegistryFault
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest
from airgap.oci.reference import Reference, Repository
from airgap.registry import pages, scopes
from airgap.registry.answers import Answer
from airgap.registry.exchange import Call, Host
from airgap.registry.manifest_cache import ManifestCache
from airgap.registry.pull import manifest_call, media_type_of

_NO_API = frozenset({200, 400, 404, 405, 501})

Put = Callable[[Reference, Descriptor, bytes], Awaitable[bool]]
"""Puts a manifest under a name."""


def fallback_tag(digest: Digest) -> str:
    """Return the tag under which a registry without the API keeps what refers to a digest."""
    return f"{digest.algorithm[:32]}-{digest.hex[:64]}"


class Referrers:
    """What refers to manifests at one registry; remembers whether that has the API."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._has_api: bool | None = None

    async def of(self, repository: Repository, digest: Digest) -> Sequence[Descriptor]:
        """Return the manifests whose subject is ``digest``; empty where there are none.

        Raises:
            ContentMismatch: the list is not an index.
        """
        if self._has_api is not False:
            found = await self._by_api(repository, digest)
            if found is not None:
                return found
        return (await self.by_tag(repository, digest)).manifests

    async def _by_api(self, repository: Repository, digest: Digest) -> Sequence[Descriptor] | None:
        call = Call(
            "GET",
            self._host.endpoint.of(repository, "referrers", digest),
            f"referrers of {repository}@{digest}",
            scopes=(scopes.pull(self._host.endpoint.path(repository)),),
            headers={"Accept": media_types.OCI_INDEX},
            accepted=_NO_API,
            limit=MAX_MANIFEST_SIZE,
        )
        found: dict[Digest, Descriptor] = {}
        async for answer in pages.of(self._host, call):
            if answer.status != HTTPStatus.OK or media_type_of(answer) != media_types.OCI_INDEX:
                # A registry with the API answers 200 even of a manifest that it does not have.
                self._has_api = False
                return None
            index = parse_manifest(answer.body, media_types.OCI_INDEX)
            found.update({entry.digest: entry for entry in index.manifests})
        self._has_api = True
        return tuple(found.values())

    async def by_tag(self, repository: Repository, digest: Digest) -> Manifest:
        """Return the index behind the fallback tag; an empty one where there is none."""
        return await read_fallback(self._host, repository, digest)


async def read_fallback(host: Host, repository: Repository, digest: Digest) -> Manifest:
    """Return the index behind a fallback tag; an empty one where there is none."""
    tag = fallback_tag(digest)
    thing = f"{repository}:{tag}"
    try:
        answer: Answer = await host.call(manifest_call(host, repository, tag, thing))
    except NotFound:
        return _index(())
    if media_type_of(answer) not in media_types.INDEXES:
        raise RegistryFault(thing, f"{host.name}: is not an index of referrers")
    return parse_manifest(answer.body, media_type_of(answer))


class FallbackTags:
    """Keeps the fallback tags of one registry up to date."""

    def __init__(self, host: Host, cache: ManifestCache) -> None:
        self._host = host
        self._cache = cache
        # Two referrers of one subject at once would overwrite each other's entry.
        self._locks: defaultdict[tuple[Repository, Digest], asyncio.Lock] = defaultdict(
            asyncio.Lock
        )

    async def add(self, repository: Repository, referrer: Manifest, put: Put) -> None:
        """Enter a referrer into the index of its subject, unless it stands there already."""
        if referrer.subject is None:
            return
        subject = referrer.subject.digest
        async with self._locks[repository, subject]:
            index = await read_fallback(self._host, repository, subject)
            if any(entry.digest == referrer.descriptor.digest for entry in index.manifests):
                return
            entry = replace(
                referrer.descriptor,
                artifact_type=referrer.artifact_type,
                annotations=referrer.annotations or {},
            )
            grown = _index((*index.manifests, entry))
            tag = fallback_tag(subject)
            self._host.note("debug", f"keeps no list of referrers; entering it at {tag}")
            await put(Reference(repository, tag=tag), grown.descriptor, grown.raw)


def _index(entries: Sequence[Descriptor]) -> Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry.to_json() for entry in entries],
    }
    return parse_manifest(json.dumps(document).encode(), media_types.OCI_INDEX)
