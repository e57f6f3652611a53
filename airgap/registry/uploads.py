"""One blob into one repository: in one request, or in pieces, going on where it broke off."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from yarl import URL

from airgap.errors import AirgapError, ContentMismatch
from airgap.oci.descriptor import Descriptor
from airgap.registry import guards
from airgap.registry.answers import Answer
from airgap.registry.blob_feed import BlobFeed
from airgap.registry.exchange import Attempts, Call, Host
from airgap.registry.failures import ExchangeFailed, Failure, FailureKind
from airgap.registry.feed_payload import FeedPayload
from airgap.registry.pacing import Lane

DONE = frozenset({200, 201, 202, 204})
"""What registries answer to a request that went well; not all know the difference."""

_RANGE = re.compile(r"(?:bytes=)?0-(\d+)", re.ASCII)
_WORTH_RESUMING = 1024 * 1024
_FIRST_CHUNK = 16 * 1024 * 1024
_SMALLEST_CHUNK = 512 * 1024


@dataclass(frozen=True, slots=True)
class Session:
    """An upload that a registry has begun.

    Attributes:
        location: where its next request goes; the newest one always.
        smallest_chunk: what the registry wants at least in a piece, in bytes (distribution-spec,
            ``OCI-Chunk-Min-Length``).
    """

    location: URL
    smallest_chunk: int = 0


def session_of(answer: Answer, host: Host) -> Session:
    """Read where an upload goes on.

    Raises:
        RegistryFault: the answer does not say, or names a place that may not be used.
    """
    smallest = answer.headers.get("OCI-Chunk-Min-Length", "")
    return Session(
        guards.upload_target(answer.url, answer.headers.get("Location"), host.name),
        int(smallest) if smallest.isdecimal() else 0,
    )


@dataclass(slots=True)
class UploadHabits:
    """What was learnt of one registry's uploads, for the blobs that follow.

    Attributes:
        chunk_size: bytes of a piece; None sends a blob in one request.
        resumes: whether what a broken request has brought can be built upon.
    """

    chunk_size: int | None
    resumes: bool = True


class Upload:
    """The upload of one blob."""

    def __init__(
        self, host: Host, habits: UploadHabits, start: Call, descriptor: Descriptor, feed: BlobFeed
    ) -> None:
        self._host = host
        self._habits = habits
        self._start = start
        self._digest = descriptor.digest
        self._feed = feed
        self._session: Session | None = None
        self._received = 0
        self._by_kernel = True

    async def run(self, session: Session | None) -> None:
        """Send the blob, as often as the rules allow.

        Args:
            session: one that is begun already, by a mount that did not succeed.

        Raises:
            ContentMismatch: the bytes are not what the digest promises.
            AirgapError: the registry refuses, or failed for good.
        """
        self._session = session
        attempts = self._host.attempts(self._start.thing)
        while True:
            try:
                if self._session is None:
                    self._session = session_of(await self._host.call(self._start), self._host)
                    self._received = 0
                await self._send(self._session, attempts)
            except ExchangeFailed as error:
                failure = error.failure
            else:
                return
            await self._recover(failure, attempts)

    async def _send(self, session: Session, attempts: Attempts) -> None:
        if self._received == 0 and self._habits.chunk_size is None:
            await self._put(session, self._feed.size)
            return
        while self._received < self._feed.size:
            left = self._feed.size - self._received
            chunk = self._habits.chunk_size or left
            session = await self._patch(session, min(left, max(chunk, session.smallest_chunk)))
            attempts.progressed()
        await self._put(session, 0)

    async def _put(self, session: Session, length: int) -> None:
        # The Location may have a query of its own, which must come back as it is.
        query = session.location.raw_query_string
        both = f"{query}&digest={self._digest}" if query else f"digest={self._digest}"
        url = URL(f"{session.location.with_query(None)}?{both}", encoded=True)
        await self._request("PUT", url, length, {})

    async def _patch(self, session: Session, length: int) -> Session:
        end = self._received + length - 1
        span = {"Content-Range": f"{self._received}-{end}"}
        answer = await self._request("PATCH", session.location, length, span)
        self._received = self._received + length
        self._session = session_of(answer, self._host)
        return Session(self._session.location, session.smallest_chunk)

    async def _request(self, method: str, url: URL, length: int, headers: dict[str, str]) -> Answer:
        payloads: list[FeedPayload] = []
        start = self._received
        timeouts = self._host.settings.timeouts

        def make_body() -> FeedPayload:
            payload = FeedPayload(
                self._feed,
                start,
                length,
                pacer=self._host.pacer,
                stall=timeouts.stall,
                by_kernel=self._by_kernel,
                before=payloads[-1] if payloads else None,
            )
            payloads.append(payload)
            return payload

        call = Call(
            method,
            url,
            self._start.thing,
            scopes=self._start.scopes,
            headers={"Content-Type": "application/octet-stream", **headers},
            body=make_body if length else b"",
            accepted=DONE,
            lane=Lane.WRITE,
        )
        try:
            return await self._host.exchange(call, timeouts.answer)
        except ExchangeFailed:
            for payload in payloads:
                if payload.source_error is not None:
                    raise payload.source_error from None
            raise
        finally:
            for payload in payloads:
                await payload.settled()

    async def _recover(self, failure: Failure, attempts: Attempts) -> None:
        """Prepare for another try.

        Raises:
            AirgapError: there is none.
        """
        if failure.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and self._make_smaller():
            self._session = None
            return
        out_of_place = failure.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if out_of_place:
            failure = Failure(FailureKind.BROKEN, failure.detail)
        elif failure.status == HTTPStatus.BAD_REQUEST and "DIGEST_INVALID" in failure.detail:
            if self._received == 0 or not self._habits.resumes:
                raise ContentMismatch(
                    self._start.thing, f"{self._host.name}: {failure.detail}", "the source is wrong"
                )
            # What looked like a continued upload was none: this registry wants blobs whole.
            self._habits.resumes = False
            failure = Failure(FailureKind.BROKEN, failure.detail)
        elif failure.status == HTTPStatus.NOT_FOUND:
            # The session is gone, not the repository: that one let us begin.
            failure = Failure(FailureKind.BROKEN, failure.detail)
        await attempts.failed(failure)
        # Perhaps it was an answer before the end of the body, which sendfile makes us miss.
        self._by_kernel = False
        before = self._received
        await self._look_how_far()
        if out_of_place and self._received == before and self._habits.chunk_size is not None:
            # The piece was where it belongs, so it was too large (GHCR says 416 of that).
            self._make_smaller()

    def _make_smaller(self) -> bool:
        current = self._habits.chunk_size
        if current is not None and current <= _SMALLEST_CHUNK:
            return False
        self._habits.chunk_size = _FIRST_CHUNK if current is None else current // 4
        self._host.note(
            "info", f"takes no larger bodies; sending pieces of {self._habits.chunk_size} bytes"
        )
        return True

    async def _look_how_far(self) -> None:
        """Ask what has arrived; begin anew where that is little, unknown, or of no use."""
        session, self._session = self._session, None
        if session is None or not self._habits.resumes:
            return
        call = Call(
            "GET",
            session.location,
            self._start.thing,
            scopes=self._start.scopes,
            accepted=frozenset({200, 202, 204}),
        )
        try:
            answer = await self._host.call(call)
            found = _RANGE.fullmatch(answer.headers.get("Range", ""))
            # "0-0" is what registries say of no byte as well as of one.
            received = int(found[1]) + 1 if found and int(found[1]) else 0
            worth = _WORTH_RESUMING if self._habits.chunk_size is None else 0
            if not worth <= received <= self._feed.size:
                return
            self._session = session_of(answer, self._host)
        except AirgapError as error:
            self._host.note("debug", f"{error.cause}; the upload begins anew")
            return
        self._received = received
        self._host.note("info", f"going on with {self._start.thing} at byte {received}")
