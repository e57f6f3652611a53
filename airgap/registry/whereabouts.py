"""Where the blobs of one host are, as far as this process has seen lately."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from airgap.oci.digest import Digest
from airgap.oci.reference import Repository
from airgap.registry.pacing import Clock

_FRESH = 600.0
"""Seconds that a sighting stands for the blob itself; a registry may collect its garbage."""

_MOST_REMEMBERED = 20_000


class Whereabouts:
    """Sightings of blobs, and whose turn it is to bring one.

    They save requests and bytes, and no more: an old or lost sighting costs another look, or a
    mount that is refused.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[Digest, dict[Repository, float]] = OrderedDict()
        self._missed: OrderedDict[tuple[Repository, Digest], None] = OrderedDict()
        self._turns: dict[Digest, asyncio.Event] = {}

    def has(self, repository: Repository, digest: Digest) -> bool:
        """Tell whether a blob was in a repository a short while ago."""
        seen = self._seen.get(digest, {}).get(repository)
        return seen is not None and self._clock() - seen < _FRESH

    def lacks(self, repository: Repository, digest: Digest) -> bool:
        """Tell whether a blob was looked for in a repository, and was not there."""
        return (repository, digest) in self._missed

    def saw(self, repository: Repository, digest: Digest) -> None:
        """Remember that a blob is in a repository."""
        self._missed.pop((repository, digest), None)
        self._seen.setdefault(digest, {})[repository] = self._clock()
        self._seen.move_to_end(digest)
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)

    def missed(self, repository: Repository, digest: Digest) -> None:
        """Remember that a blob is not in a repository."""
        self._seen.get(digest, {}).pop(repository, None)
        self._missed[repository, digest] = None
        if len(self._missed) > _MOST_REMEMBERED:
            self._missed.popitem(last=False)

    def origin_of(self, repository: Repository, digest: Digest) -> Repository | None:
        """Return another repository of the host that had the blob, or None."""
        return next((r for r in self._seen.get(digest, ()) if r != repository), None)

    @asynccontextmanager
    async def turn(self, digest: Digest) -> AsyncIterator[None]:
        """Bring a blob alone: whoever needs the same one at this host waits until this is over."""
        while (moving := self._turns.get(digest)) is not None:
            await moving.wait()
        over = self._turns[digest] = asyncio.Event()
        try:
            yield
        finally:
            del self._turns[digest]
            over.set()
