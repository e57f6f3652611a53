"""A registry on loopback that does what a test tells it to, the wrong thing above all.

It speaks pull and push over real sockets, holds images of :mod:`tests.support.images`, commits the
faults of :mod:`tests.support.registry_faults`, and writes down every request.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from airgap.oci.reference import Repository
from tests.support.images import BuiltImage
from tests.support.registry_contents import Content, Contents, Habits, Request
from tests.support.registry_faults import (
    Answer,
    Drip,
    EndEarly,
    Fault,
    IgnoreRange,
    RandomFaults,
    Refuse,
    Reply,
    Reset,
    Rule,
    Silence,
    Stall,
    Surplus,
    Truncate,
    altered,
)
from tests.support.registry_gate import BasicGate, TokenGate

_MOMENT = 0.1
"""Seconds."""


@dataclass
class Seen:
    """One request, as it was answered.

    Attributes:
        method: the HTTP method.
        path: path and query.
        headers: what it came with.
        received: bytes of its body.
        sent: bytes of the answer's body.
        status: of the answer; 0 where there was none.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    received: int = 0
    sent: int = 0
    status: int = 0


class ScriptedRegistry:
    """The registry; see :func:`scripted_registry`."""

    def __init__(self) -> None:
        self.host = ""
        self.contents = Contents()
        self.requests: list[Seen] = []
        self.rules: list[Rule] = []
        self.random: RandomFaults | None = None
        self.silenced = asyncio.Event()
        self._closing = asyncio.Event()

    def add(self, name: str, built: BuiltImage) -> Repository:
        """Hold an image; ``name`` is a path, with a tag or without."""
        self.contents.add(name, built)
        return self.repository(name.partition(":")[0])

    def repository(self, path: str) -> Repository:
        """Return a repository of this registry."""
        return Repository(self.host, path)

    def fail(
        self,
        fault: Fault,
        method: str = "",
        path: str = "",
        *,
        times: int | None = 1,
        after: int = 0,
    ) -> Rule:
        """Commit a fault at requests that match; earlier rules go first."""
        rule = Rule(fault, method, path, times, after)
        self.rules.append(rule)
        return rule

    def fail_at_random(self, rate: float, faults: Sequence[Fault], seed: int) -> RandomFaults:
        """Commit faults at a share of all requests."""
        self.random = RandomFaults(rate, faults, seed)
        return self.random

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return self.contents.url

    @property
    def habits(self) -> Habits:
        """How this registry differs from others."""
        return self.contents.habits

    def content(self, path: str) -> Content:
        """Return what a repository holds."""
        return self.contents.content.get(path, Content())

    def guard(self, gate: BasicGate | TokenGate) -> None:
        """Let in only whom the gate lets in."""
        self.contents.gate = gate

    def count(self, method: str = "", path: str = "") -> int:
        """Count the requests that match."""
        return sum(
            1
            for seen in self.requests
            if (not method or seen.method == method) and re.search(path, seen.path)
        )

    def sent(self, path: str = "") -> int:
        """Count the bytes of answers' bodies, for the requests that match."""
        return sum(seen.sent for seen in self.requests if re.search(path, seen.path))

    def received(self, path: str = "") -> int:
        """Count the bytes of requests' bodies, for the requests that match."""
        return sum(seen.received for seen in self.requests if re.search(path, seen.path))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        # A client that takes us for its proxy names the host too.
        target = re.sub(r"^https?://[^/]+", "", request.raw_path)
        seen = Seen(request.method, target, request.headers)
        self.requests.append(seen)
        fault = next((r.fault for r in self.rules if r.strikes(seen.method, seen.path)), None)
        if fault is None and self.random is not None:
            fault = self.random.draw()
        if isinstance(fault, Silence):
            self.silenced.set()
            await self._closing.wait()
        if isinstance(fault, Refuse):
            return await self._refuse(request, fault)
        body = await self._read_body(request, seen, fault)
        if body is None:
            return _aborted(request)
        if isinstance(fault, Answer):
            reply = Reply(fault.status, fault.headers, fault.body)
        else:
            path, _, query = target.partition("?")
            asked = Request(
                request.method, path, query, request.headers, body, isinstance(fault, IgnoreRange)
            )
            reply = altered(self.contents.reply(asked), fault)
        return await self._send(request, reply, fault, seen)

    async def _refuse(self, request: web.BaseRequest, fault: Refuse) -> web.StreamResponse:
        response = web.Response(status=fault.status)
        response.force_close()
        await response.prepare(request)
        await response.write_eof()
        # As Go's server does: the answer is given a moment to arrive before the reset.
        await asyncio.sleep(_MOMENT)
        if request.transport is not None:
            request.transport.close()
        return response

    async def _read_body(
        self, request: web.BaseRequest, seen: Seen, fault: Fault | None
    ) -> bytes | None:
        """Return the request's body, or None where the connection is to break."""
        body = bytearray()
        limit = fault.after if isinstance(fault, Reset) else None
        try:
            while limit is None or len(body) < limit:
                piece = await request.content.readany()
                if not piece:
                    break
                body += piece
        except (ConnectionError, web.RequestPayloadError):
            limit = 0
        seen.received = len(body)
        if limit is None:
            return bytes(body)
        kept = bytes(body[: fault.after]) if isinstance(fault, Reset) else bytes(body)
        session = self.contents.uploads.get(_session_id(request))
        if session is not None and self.contents.habits.keeps_broken_uploads:
            session += kept
        return None

    async def _send(
        self, request: web.BaseRequest, reply: Reply, fault: Fault | None, seen: Seen
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        body = reply.body
        if isinstance(fault, Surplus | EndEarly) and body:
            body = body + fault.extra if isinstance(fault, Surplus) else body[: fault.after]
            response.enable_chunked_encoding()
        elif "Content-Length" not in reply.headers and reply.status != 204:
            response.content_length = len(body)
        seen.status = reply.status
        try:
            await response.prepare(request)
            if request.method == "HEAD":
                return response
            announced = int(reply.headers.get("Content-Length", len(body)))
            await self._send_body(request, response, body[:announced], fault, seen)
            if seen.sent < announced and not isinstance(fault, Surplus | EndEarly):
                return _aborted(request)
            await response.write_eof()
        except ConnectionError:
            # The client has had enough; what it got is written down.
            return _aborted(request)
        return response

    async def _send_body(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        body: bytes,
        fault: Fault | None,
        seen: Seen,
    ) -> None:
        end = fault.after if isinstance(fault, Truncate | Stall) else len(body)
        step = fault.size if isinstance(fault, Drip) else 256 * 1024
        for start in range(0, min(end, len(body)), step):
            piece = body[start : min(start + step, end)]
            await response.write(piece)
            seen.sent += len(piece)
            if isinstance(fault, Drip):
                await asyncio.sleep(fault.pause)
        if isinstance(fault, Stall):
            await self._closing.wait()
        if isinstance(fault, Truncate) and request.transport is not None:
            # Only a close lets what was written arrive; an abort would throw it away.
            request.transport.close()

    def close(self) -> None:
        """Let go of the connections that were left open."""
        self._closing.set()


@asynccontextmanager
async def scripted_registry(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedRegistry]:
    """Run a scripted registry on a free loopback port until the block ends."""
    registry = ScriptedRegistry()
    runner = web.ServerRunner(web.Server(registry.handle), shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        registry.host = f"127.0.0.1:{port}"
        registry.contents.url = f"{'http' if tls is None else 'https'}://{registry.host}"
        yield registry
    finally:
        registry.close()
        await runner.cleanup()


def _session_id(request: web.BaseRequest) -> str:
    return request.path.rpartition("/")[2]


def _aborted(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
