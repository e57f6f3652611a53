"""Manifests that were seen or put a moment ago, so that they need not be read again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Repository

_MAX_SIZE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CachedManifest:
    """A manifest's bytes with the media type that they came with."""

    media_type: str
    raw: bytes


class ManifestCache:
    """Keeps at most 16 MiB; what was used longest ago goes first."""

    def __init__(self, max_size: int = _MAX_SIZE) -> None:
        self._max_size = max_size
        self._size = 0
        self._entries: OrderedDict[tuple[Repository, Digest], CachedManifest] = OrderedDict()

    def get(self, repository: Repository, digest: Digest) -> CachedManifest | None:
        """Return a manifest, or None where it is not here."""
        entry = self._entries.get((repository, digest))
        if entry is not None:
            self._entries.move_to_end((repository, digest))
        return entry

    def put(self, repository: Repository, descriptor: Descriptor, raw: bytes) -> None:
        """Keep a manifest whose bytes have the descriptor's digest."""
        key = (repository, descriptor.digest)
        known = self._entries.pop(key, None)
        self._size += len(raw) - (len(known.raw) if known else 0)
        self._entries[key] = CachedManifest(descriptor.media_type, raw)
        while self._size > self._max_size:
            _, dropped = self._entries.popitem(last=False)
            self._size -= len(dropped.raw)
