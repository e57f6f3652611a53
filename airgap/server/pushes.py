"""Which pushes are not finished yet, so that nothing that they need is collected meanwhile.

A client pushes an image in many requests: it asks for blobs, sends those that are missing, then the
manifests, and in the end a tag. Whatever it relied on or sent is *pending* until a tag leads to it.
The registry tells the place how far back the oldest pending thing reaches.

A client is a user, or an address where nobody signs in. What is pending for a client that has been
gone for an hour is given up, unless it has an unfinished upload, which it may take up again for as
long as uploads lie. Nothing is pending for over a week, so that no client keeps it all for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from airgap.content.hosting import Hosting, KeepsForPushes, PushClaim
from airgap.content.ports import capability
from airgap.errors import AirgapError
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.reference import Repository

Client: TypeAlias = tuple[Repository, str]
"""Who pushes what: a repository, and a user or an address."""

IDLE_SECONDS = 3600.0
"""How long a client may be gone between two requests of a push."""

ASKING_SECONDS = 600.0
"""How long what a client asked for is kept for it when it has sent nothing."""

LONGEST_SECONDS = 7 * 24 * 3600.0
"""How far back a push may reach."""

RENEWAL_SECONDS = 300.0
"""How often the claim is said again."""

MAX_UPLOADS = 1000
"""Uploads that one client may have begun and not finished."""

_MAX_PENDING = 20_000
"""Pending things of one client; of more, only how far back they reach is remembered."""

_MAX_CLIENTS = 10_000
"""Clients with something pending; of more, those longest gone are forgotten."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class UploadTimes:
    """When an upload was begun, and when last a request of it ended or began."""

    began: float
    touched: float


@dataclass(slots=True)
class Push:
    """What one client has under way in one repository; times are seconds since 1970.

    Attributes:
        pending: what no tag leads to yet, and since when.
        uploads: uploads that it has begun and not finished.
        busy: its requests that are running.
        seen: when its last request began or ended.
        wrote: whether it has sent anything.
        beyond: how far back things reach that are too many to be remembered.
    """

    pending: dict[Digest, float] = field(default_factory=dict)
    uploads: dict[str, UploadTimes] = field(default_factory=dict)
    busy: int = 0
    seen: float = 0.0
    wrote: bool = False
    beyond: float | None = None

    def rely_on(self, digest: Digest, since: float | None = None) -> None:
        """Note something that is needed, from now on or already since then."""
        since = self.seen if since is None else since
        if len(self.pending) < _MAX_PENDING:
            self.pending[digest] = min(since, self.pending.get(digest, since))
        else:
            self.beyond = since if self.beyond is None else min(since, self.beyond)

    def take_in(self, manifest: Manifest, *, tagged: bool) -> None:
        """Note a manifest that has come: it leads to what it names, and a tag to it, or will."""
        digest = manifest.descriptor.digest
        names = [child.descriptor.digest for child in manifest.children()]
        reached = [self.pending.pop(name, self.seen) for name in (*names, digest)]
        # What refers to another manifest is kept with that one.
        if not tagged and manifest.subject is None:
            self.rely_on(digest, min(reached))

    def began(self) -> float | None:
        """Return how far back it reaches; None where nothing is under way."""
        times = [*self.pending.values(), *(upload.began for upload in self.uploads.values())]
        return min([*times, self.beyond] if self.beyond is not None else times, default=None)

    def forget_old(self, now: float, upload_seconds: float) -> None:
        """Give up what nobody goes on with."""
        self.uploads = {
            name: upload
            for name, upload in self.uploads.items()
            if now <= upload.touched + upload_seconds
        }
        patience = IDLE_SECONDS if self.wrote else ASKING_SECONDS
        gone = not self.busy and not self.uploads and now > self.seen + patience
        earliest = now if gone else now - LONGEST_SECONDS
        self.pending = {d: since for d, since in self.pending.items() if since >= earliest}
        if self.beyond is not None and self.beyond < earliest:
            self.beyond = None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is running or under way."""
        return not self.busy and self.began() is None


class Pushes:
    """All pushes that are not finished, and the claim that they amount to."""

    def __init__(
        self,
        claim: PushClaim | None,
        upload_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._claim = claim
        self._upload_seconds = upload_seconds
        self._clock = clock
        self._pushes: dict[Client, Push] = {}
        self._inherited = claim.inherited if claim is not None else None
        self._inherited_until = clock() + IDLE_SECONDS
        self._said: tuple[float | None, float] = (self._inherited, clock())
        self._saying = asyncio.Lock()

    @asynccontextmanager
    async def request(self, client: Client) -> AsyncIterator[Push]:
        """Have what a client has under way, for one request of a push.

        What the request relies on is not collected from here on until the push is over.
        """
        push = self._pushes.setdefault(client, Push())
        push.busy += 1
        push.seen = self._clock()
        try:
            await self._reach_back_to(push.seen)
            yield push
        finally:
            push.busy -= 1
            push.seen = self._clock()
            if push.is_over:
                self._pushes.pop(client, None)
            self._bound()
        if push.is_over and self.began() is None:
            await self._say()

    def begin_upload(self, push: Push, upload_id: str) -> None:
        """Note an upload of a client's."""
        push.wrote = True
        push.uploads[upload_id] = UploadTimes(push.seen, push.seen)

    def go_on(self, repository: Repository, upload_id: str) -> None:
        """Note that somebody goes on with an upload."""
        found = self._push_with(repository, upload_id)
        if found is not None:
            found.uploads[upload_id].touched = self._clock()
        else:
            # It was begun by an earlier process, whose push goes on.
            self._inherited_until = self._clock() + IDLE_SECONDS

    def end_upload(self, repository: Repository, upload_id: str) -> float | None:
        """Forget an upload, whoever began it; return when, or None where that is not known."""
        found = self._push_with(repository, upload_id)
        return found.uploads.pop(upload_id).began if found is not None else None

    def _push_with(self, repository: Repository, upload_id: str) -> Push | None:
        return next(
            (
                push
                for (where, _), push in self._pushes.items()
                if where == repository and upload_id in push.uploads
            ),
            None,
        )

    async def renew(self) -> None:
        """Give up pushes that are over, and say the claim again."""
        now = self._clock()
        for client, push in list(self._pushes.items()):
            push.forget_old(now, self._upload_seconds)
            if push.is_over:
                del self._pushes[client]
        if self._inherited is not None:
            until = min(self._inherited_until, self._inherited + LONGEST_SECONDS)
            self._inherited = self._inherited if now <= until else None
        await self._say()

    def began(self) -> float | None:
        """Return how far back the oldest push reaches; None where there is none."""
        known = [push.began() for push in self._pushes.values()]
        running = [push.seen for push in self._pushes.values() if push.busy]
        times = [began for began in (*known, *running, self._inherited) if began is not None]
        return min(times, default=None)

    async def _reach_back_to(self, now: float) -> None:
        said, when = self._said
        # While it is being said anew it may be let go.
        if self._saying.locked() or said is None or said > now or now > when + RENEWAL_SECONDS:
            await self._say()

    async def _say(self) -> None:
        if self._claim is None:
            return
        async with self._saying:
            began = self.began()
            if began is not None or self._said[0] is not None:
                await self._claim.reach_back_to(began)
            self._said = (began, self._clock())

    def _bound(self) -> None:
        while len(self._pushes) > _MAX_CLIENTS:
            idle = [client for client, push in self._pushes.items() if not push.busy]
            if not idle:
                return
            del self._pushes[min(idle, key=lambda client: self._pushes[client].seen)]


@asynccontextmanager
async def watching_pushes(hosting: Hosting, upload_seconds: float) -> AsyncIterator[Pushes]:
    """Watch pushes, and keep what they need from being collected, until the block ends.

    What is unfinished then stays claimed for an hour, for the next server.
    """
    keeper = capability(hosting, KeepsForPushes)
    if keeper is None:
        yield Pushes(None, upload_seconds)
        return
    async with keeper.push_claim() as claim:
        pushes = Pushes(claim, upload_seconds)
        renewing = asyncio.create_task(_renew(pushes))
        try:
            yield pushes
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await pushes.renew()


async def _renew(pushes: Pushes) -> None:
    while True:
        await asyncio.sleep(RENEWAL_SECONDS)
        try:
            await pushes.renew()
        except AirgapError as error:
            # The disk may be full or away; what was said before still stands for a while.
            _log.warning("the claim of running pushes was not renewed", cause=f"{error}")
