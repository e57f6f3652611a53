"""Reading one blob: in large pieces, bounded, and going on by itself where it breaks off."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp

from airgap.content.ports import FileRegion
from airgap.errors import AirgapError, ContentMismatch
from airgap.oci.descriptor import Descriptor
from airgap.registry.exchange import Call, Host
from airgap.registry.failures import ExchangeFailed, Failure, FailureKind
from airgap.registry.transport import read_piece

MAX_PIECE = 1024 * 1024
"""Bytes of a piece at most, as the port promises."""

_WORTH_NEW_TRIES = 256 * 1024
"""Bytes since the last failure that count as progress; a drip before each break does not."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)

CallFor = Callable[[Host], Call]
"""Makes the call for the blob at one of its hosts."""


class ResumingReader:
    """An open blob; an async context manager.

    Where the body breaks off, the reader asks for the rest. A registry that cannot start in the
    middle sends the blob again from its start, and the reader skips what it has delivered
    already: its caller never sees a byte twice. Where a host fails for good, the next takes over.
    """

    def __init__(
        self, hosts: Sequence[Host], call_for: CallFor, descriptor: Descriptor, offset: int
    ) -> None:
        self.offset = offset
        self.region: FileRegion | None = None
        self._hosts = list(hosts)
        self._host = self._hosts.pop(0)
        self._call_for = call_for
        self._size = descriptor.size
        self._position = offset
        self._skip = 0
        self._ranges = True
        self._since_failure = 0
        self._attempts = self._host.attempts(call_for(self._host).thing)
        self._pace = _SlowdownWatch(self._host)
        self._connection = AsyncExitStack()
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Self:
        # Of an empty rest there is nothing to ask for; RFC 9110 has no range for it either.
        if self._position < self._size:
            try:
                await self._connect(first=True)
            except BaseException:
                await self._connection.aclose()
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connection.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the rest of the blob.

        Raises:
            ContentMismatch: there are more bytes than the descriptor says.
            AirgapError: every host failed for good.
        """
        while self._position < self._size:
            piece = await self._next_piece()
            if self._skip:
                skipped = min(self._skip, len(piece))
                self._skip -= skipped
                piece = piece[skipped:]
                if not piece:
                    continue
            self._take(len(piece))
            if self._host.pacer.limits_bytes:
                await self._host.pacer.spend(len(piece))
            for start in range(0, len(piece), MAX_PIECE):
                yield piece[start : start + MAX_PIECE]
        await self._expect_end()
        # Whatever the caller does next, the slot is free for the next blob.
        await self._connection.aclose()

    def _take(self, size: int) -> None:
        self._position += size
        if self._position > self._size:
            raise self._too_long()
        self._since_failure += size
        if self._since_failure >= _WORTH_NEW_TRIES:
            self._attempts.progressed()

    def _too_long(self) -> ContentMismatch:
        return ContentMismatch(
            self._call_for(self._host).thing,
            f"{self._host.name}: the blob has more bytes than the {self._size} announced",
            "nothing of it was kept; the registry is wrong",
        )

    async def _next_piece(self) -> bytes:
        while True:
            failure = Failure(FailureKind.BROKEN, "the answer ended early")
            try:
                if piece := await self._read():
                    return piece
            except ExchangeFailed as error:
                failure = error.failure
            await self._recover(failure)
            await self._connect()

    async def _read(self) -> bytes:
        if self._response is None:
            return b""
        self._pace.begin()
        piece = await read_piece(self._response, self._host.settings.timeouts.stall)
        self._pace.arrived(len(piece))
        return piece

    async def _expect_end(self) -> None:
        # Only a body of unannounced length can have more; the rest is the HTTP parser's business.
        if self._response is None or self._response.content_length is not None:
            return
        try:
            surplus = await read_piece(self._response, self._host.settings.timeouts.stall)
        except ExchangeFailed:
            # Every byte is here; how the connection ends does not matter.
            return
        if surplus:
            raise self._too_long()

    async def _recover(self, failure: Failure) -> None:
        """Let the policy decide; where this host is lost, go over to the next."""
        self._response = None
        self._since_failure = 0
        await self._connection.aclose()
        try:
            await self._attempts.failed(failure)
        except AirgapError as error:
            self._next_host(error)

    def _next_host(self, error: AirgapError) -> None:
        if not self._hosts:
            raise error
        self._host.note("info", f"{error.cause}; going on at {self._hosts[0].name}")
        self._host = self._hosts.pop(0)
        self._ranges = True
        self._attempts = self._host.attempts(self._call_for(self._host).thing)
        self._pace = _SlowdownWatch(self._host)

    async def _connect(self, *, first: bool = False) -> None:
        while True:
            try:
                await self._ask(first=first)
            except ExchangeFailed as error:
                failure = error.failure
            except AirgapError as error:
                await self._connection.aclose()
                self._next_host(error)
                continue
            else:
                return
            await self._recover(failure)

    async def _ask(self, *, first: bool) -> None:
        start = self._position if self._ranges else 0
        call = self._call_for(self._host)
        if start:
            call = call.with_headers({"Range": f"bytes={start}-"})
        response = await self._connection.enter_async_context(self._host.open(call))
        begins = self._begin_of(response, start)
        if first and begins != self._position:
            # Nothing is delivered yet, so the caller may as well have it all.
            self.offset = self._position = begins
        self._skip = self._position - begins
        self._pace = _SlowdownWatch(self._host)
        self._response = response

    def _begin_of(self, response: aiohttp.ClientResponse, start: int) -> int:
        """Return which byte of the blob the body begins with."""
        if response.status == HTTPStatus.OK:
            begins, length = 0, response.content_length
        else:
            found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if (
                response.status != HTTPStatus.PARTIAL_CONTENT
                or found is None
                or int(found[1]) != start
            ):
                self._ranges = False
                raise ExchangeFailed(
                    Failure(FailureKind.MISMATCH, "does not answer with the range that was asked")
                )
            begins, length = start, int(found[2]) - start + 1
            if found[3] != "*" and int(found[3]) != self._size:
                length = int(found[3]) - start
        if length is not None and begins + length != self._size:
            raise ExchangeFailed(
                Failure(
                    FailureKind.MISMATCH,
                    f"has {begins + length} bytes where {self._size} were announced",
                )
            )
        return begins


class _SlowdownWatch:
    """Notices a body that drips: alive at every moment, and yet of no use."""

    def __init__(self, host: Host) -> None:
        self._clock = host.clock
        self._window = host.settings.timeouts.stall
        self._slowest = host.settings.timeouts.slowest
        self._begun = 0.0
        self._waited = 0.0
        self._arrived = 0

    def begin(self) -> None:
        self._begun = self._clock()

    def arrived(self, size: int) -> None:
        """Count what came since :meth:`begin`; the caller's own time does not count.

        Raises:
            ExchangeFailed: over a whole window of waiting, too little came.
        """
        self._waited += self._clock() - self._begun
        self._arrived += size
        if self._waited < self._window:
            return
        if self._arrived < self._slowest * self._waited:
            raise ExchangeFailed(
                Failure(
                    FailureKind.STALLED,
                    f"only {self._arrived} bytes came in {self._waited:.0f} s",
                )
            )
        self._waited, self._arrived = 0.0, 0
