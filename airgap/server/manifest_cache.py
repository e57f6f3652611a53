"""Manifests that were just served, so that the next client gets them without a file being read."""

from __future__ import annotations

from collections import OrderedDict

from airgap.oci.digest import Digest


class ManifestCache:
    """Bytes by digest, the least recently used going first.

    It says what bytes a digest stands for and nothing else: whether a repository has the manifest
    is asked of the host every time.

    Attributes:
        size: bytes held now.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._entries: OrderedDict[Digest, bytes] = OrderedDict()
        self.size = 0

    def get(self, digest: Digest) -> bytes | None:
        """Return a manifest's bytes, or None where they are not at hand."""
        raw = self._entries.get(digest)
        if raw is not None:
            self._entries.move_to_end(digest)
        return raw

    def put(self, digest: Digest, raw: bytes) -> None:
        """Keep a manifest's bytes; a manifest that would fill a quarter of the room is not kept."""
        if digest in self._entries or len(raw) > self._max_size // 4:
            return
        self._entries[digest] = raw
        self.size += len(raw)
        while self.size > self._max_size:
            _, dropped = self._entries.popitem(last=False)
            self.size -= len(dropped)
