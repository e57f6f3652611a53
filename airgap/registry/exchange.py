"""Talking to one registry: paced, authorised, redirected with care, and retried in one place."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Protocol, TypeVar

import aiohttp
from yarl import URL

from airgap.content.events import Emit, Note
from airgap.errors import RateLimited, RegistryFault
from airgap.registry import guards
from airgap.registry.answers import (
    MAX_ERROR_BODY,
    Answer,
    error_of,
    registry_reason,
    status_text,
)
from airgap.registry.endpoints import Endpoint
from airgap.registry.failures import ExchangeFailed, Failure, FailureKind
from airgap.registry.pacing import Clock, Lane, Pacer, Time
from airgap.registry.rate_limits import asks_to_wait, rate_limit_of
from airgap.registry.retry import GiveUp, decide
from airgap.registry.scopes import Scopes
from airgap.registry.settings import HostSettings
from airgap.registry.tls import HostTls
from airgap.registry.transport import Transport, read_bounded

OK = frozenset({200})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 6
_MAX_CHALLENGES = 2
_OUT_OF_REACH = frozenset(
    {FailureKind.UNKNOWN_NAME, FailureKind.NO_CONNECTION, FailureKind.TLS, FailureKind.STALLED}
)
_OUT_OF_REACH_FOR = 60.0

Result = TypeVar("Result")

MakeBody = Callable[[], aiohttp.Payload]
"""Makes the body of a request anew for each try."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of a registry.

    Attributes:
        method: the HTTP method.
        url: where.
        thing: what it is about, as a person named it, for errors.
        scopes: what it needs a token for.
        headers: besides those of the session and the authorisation.
        body: bytes, or what makes a body anew for each try.
        accepted: statuses that are no failure.
        limit: bytes of the answer's body that are allowed.
        lane: whose slots it takes.
        check: returns what is wrong with a whole body, or nothing; what is wrong is asked again.
    """

    method: str
    url: URL
    thing: str
    scopes: Scopes = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | MakeBody | None = None
    accepted: frozenset[int] = OK
    limit: int = MAX_ERROR_BODY
    lane: Lane = Lane.SMALL
    check: Callable[[bytes], str] | None = None

    def with_headers(self, headers: Mapping[str, str]) -> Call:
        """Return the call with more headers."""
        return replace(self, headers={**self.headers, **headers})


class Authorizer(Protocol):
    """Knows how to be let in at one registry."""

    async def header(self, scopes: Scopes) -> str | None:
        """Return the ``Authorization`` header to send, as far as it is known already."""
        ...

    async def challenged(
        self, challenges: Sequence[str], scopes: Scopes, refused: str | None
    ) -> bool:
        """Take in the ``WWW-Authenticate`` headers of a refusal.

        Args:
            challenges: the headers, of which there may be none.
            scopes: what the refused request needs.
            refused: the ``Authorization`` that it had.

        Returns:
            Whether another try may help, with what :meth:`header` returns then.
        """
        ...


class Attempts:
    """The tries of one request or one blob: counts failures, waits, and gives up."""

    def __init__(self, host: Host, thing: str) -> None:
        self._host = host
        self._thing = thing
        self._failed = 0

    def progressed(self) -> None:
        """Forget earlier failures: what came since is worth as many new tries."""
        self._failed = 0

    async def failed(self, failure: Failure) -> None:
        """Wait until another try is due.

        Raises:
            AirgapError: another try would not help, or there were enough.
        """
        self._failed += 1
        await self._host.wait_or_raise(failure, self._failed, self._thing)


class Host:
    """One registry."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: HostSettings,
        *,
        transport: Transport,
        tls: HostTls,
        authorizer: Authorizer,
        pacer: Pacer,
        time: Time,
        emit: Emit,
    ) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.pacer = pacer
        self._transport = transport
        self._tls = tls
        self._authorizer = authorizer
        self._time = time
        self._emit = emit
        self._told_of_limit = False
        self._back_at = time.clock()

    @property
    def is_out_of_reach(self) -> bool:
        """Whether nobody answered there a moment ago, so that a mirror had better be left out."""
        return self._back_at > self._time.clock()

    @property
    def name(self) -> str:
        """The registry as references name it."""
        return self.endpoint.name

    @property
    def clock(self) -> Clock:
        """Seconds on a clock that never goes backwards."""
        return self._time.clock

    def note(self, level: str, text: str) -> None:
        """Tell whoever watches."""
        self._emit(Note(level, f"{self.name}: {text}"))

    async def call(self, call: Call) -> Answer:
        """Make a call with a small answer, body included, as often as the rules allow.

        Raises:
            AirgapError: it failed for good.
        """
        return await self.retried(call.thing, lambda: self.exchange(call))

    async def exchange(self, call: Call, patience: float | None = None) -> Answer:
        """Make a call once, its body and that of the answer included.

        Args:
            call: what to ask.
            patience: seconds to wait, after the request, for the answer to begin. None is for a
                call that carries no blob: it has ``timeouts.small`` for everything.

        Raises:
            ExchangeFailed: it did not work; the caller's attempts decide what comes next.
            RegistryFault: the answer is longer than the call allows.
        """
        timeouts = self.settings.timeouts
        total = timeouts.small if patience is None else None
        async with self.pacer.slot(call.lane):
            try:
                async with asyncio.timeout(total):
                    response = await self._authorized(call, patience or timeouts.stall)
                    try:
                        body = await read_bounded(response, call.limit, timeouts.stall)
                    finally:
                        response.close()
            except TimeoutError:
                detail = f"no whole answer within {total or 0:g} s"
                raise ExchangeFailed(Failure(FailureKind.STALLED, detail)) from None
        if body is None:
            raise RegistryFault(
                call.thing, f"{self.name}: the answer has more than {call.limit} bytes"
            )
        if call.check is not None and (wrong := call.check(body)):
            raise ExchangeFailed(Failure(FailureKind.MISMATCH, wrong))
        return Answer(response.status, response.headers, body, response.url)

    async def retried(self, thing: str, once: Callable[[], Awaitable[Result]]) -> Result:
        """Do something until it works or the rules say stop.

        Raises:
            AirgapError: it failed for good.
        """
        attempts = Attempts(self, thing)
        while True:
            try:
                return await once()
            except ExchangeFailed as error:
                failure = error.failure
            await attempts.failed(failure)

    def attempts(self, thing: str) -> Attempts:
        """Begin to count tries of something that can go on where it stopped."""
        return Attempts(self, thing)

    async def wait_or_raise(self, failure: Failure, attempt: int, thing: str) -> None:
        """Ask the policy about a failure, say so, and do as it says."""
        # Jitter keeps clients apart; it guards nothing.
        jitter = random.random()  # noqa: S311
        decision = decide(self.settings.retry, failure, attempt, self._time.wall(), jitter)
        if isinstance(decision, GiveUp):
            if decision.asked_to_wait is not None:
                raise RateLimited(
                    thing,
                    f"{self.name}: {failure.detail}; asks to wait {decision.asked_to_wait:.0f} s",
                    "run it again later, log in, or allow a longer wait",
                )
            if failure.kind in _OUT_OF_REACH:
                self._back_at = self._time.clock() + _OUT_OF_REACH_FOR
            raise error_of(failure, thing, self.name)
        level = "warning" if decision.whole_host else "info"
        self.note(
            level,
            f"{failure.detail} ({thing}); try {attempt + 1} in {decision.seconds:.1f} s"
            + (", and all other requests wait too" if decision.whole_host else ""),
        )
        if decision.whole_host:
            self.pacer.hold(decision.seconds)
        await self._time.sleep(decision.seconds)

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make a call once and hold its slot for the block, which reads the body.

        Raises:
            ExchangeFailed: on entering; the caller's attempts decide what comes next.
        """
        async with self.pacer.slot(call.lane):
            response = await self._authorized(call, self.settings.timeouts.stall)
            try:
                yield response
            finally:
                response.close()

    async def _authorized(self, call: Call, read_timeout: float) -> aiohttp.ClientResponse:
        for _ in range(_MAX_CHALLENGES):
            authorization = await self._authorizer.header(call.scopes)
            response = await self._redirected(call, authorization, read_timeout)
            challenges = response.headers.getall("WWW-Authenticate", ())
            if not _is_refusal(response.status, challenges) or not (
                guards.same_origin(response.url, call.url)
                and await self._authorizer.challenged(challenges, call.scopes, authorization)
            ):
                return await self._accepted(call, response, read_timeout)
            await _finish(response, read_timeout)
        authorization = await self._authorizer.header(call.scopes)
        response = await self._redirected(call, authorization, read_timeout)
        return await self._accepted(call, response, read_timeout)

    async def _redirected(
        self, call: Call, authorization: str | None, read_timeout: float
    ) -> aiohttp.ClientResponse:
        url = call.url
        for _ in range(_MAX_REDIRECTS):
            headers = dict(call.headers)
            if authorization is not None and guards.same_origin(url, call.url):
                headers["Authorization"] = authorization
            response = await self._transport.send(
                call.method,
                url,
                headers=headers,
                tls=self._tls.own if guards.same_host(url, call.url) else self._tls.others,
                connect_timeout=self.settings.timeouts.connect,
                read_timeout=read_timeout,
                body=call.body() if callable(call.body) else call.body,
            )
            self._watch_limit(response.headers)
            if response.status not in _REDIRECTS or call.method not in {"GET", "HEAD"}:
                return response
            location = response.headers.get("Location")
            await _finish(response, read_timeout)
            url = guards.redirect_target(call.url, url, location, self.name)
        raise RegistryFault(call.thing, f"{self.name}: redirects without end")

    async def _accepted(
        self, call: Call, response: aiohttp.ClientResponse, read_timeout: float
    ) -> aiohttp.ClientResponse:
        if response.status in call.accepted:
            return response
        try:
            body = await read_bounded(response, MAX_ERROR_BODY, read_timeout)
        except ExchangeFailed:
            # The status alone says enough.
            body = b""
        finally:
            response.close()
        detail = status_text(response.status)
        if reason := registry_reason(body or b""):
            detail = f"{detail}: {reason}"
        if response.status == HTTPStatus.TOO_MANY_REQUESTS and (
            limit := rate_limit_of(response.headers)
        ):
            detail = f"{detail} [{limit}]"
        raise ExchangeFailed(
            Failure(FailureKind.STATUS, detail, response.status, asks_to_wait(response.headers))
        )

    def _watch_limit(self, headers: Mapping[str, str]) -> None:
        limit = rate_limit_of(headers)
        if limit is not None and limit.is_scarce and not self._told_of_limit:
            self._told_of_limit = True
            self.note("warning", f"the pull limit is near: {limit}")


def _is_refusal(status: int, challenges: Sequence[str]) -> bool:
    # RFC 6750 has 403 for a token whose scope is too narrow; distribution answers 401.
    return status == HTTPStatus.UNAUTHORIZED or (
        status == HTTPStatus.FORBIDDEN and any("insufficient_scope" in text for text in challenges)
    )


async def _finish(response: aiohttp.ClientResponse, read_timeout: float) -> None:
    """Read a small body that nobody wants, so that its connection can serve the next request."""
    try:
        await read_bounded(response, MAX_ERROR_BODY, read_timeout)
    except ExchangeFailed:
        pass
    finally:
        response.close()
