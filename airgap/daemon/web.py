"""The status pages: how everything stands, for people, for machines and for Prometheus.

Reading needs no sign-in, as the server listens at loopback unless the config says otherwise. What
acts needs the token: in a form's field, or as ``Authorization: Bearer``; a page of another site
knows neither, so nothing can be done in somebody's name.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from airgap.config.serving import ListenAddress
from airgap.daemon.metrics import CONTENT_TYPE, render_metrics
from airgap.daemon.notices import read_token
from airgap.daemon.pages import Pages
from airgap.daemon.service import Daemon
from airgap.daemon.status import StatusReader, run_document
from airgap.errors import AirgapError, NotFound, NotPermitted, UsageError
from airgap.store.journal import StoreJournal
from airgap.store.ledger import StoreLedger
from airgap.usecases.import_report import report_document, report_page

_LARGEST_FORM = 16 * 1024
_SHUTDOWN_SECONDS = 2.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class StatusSite:
    """The pages, being served.

    Attributes:
        url: their base, without a slash at the end.
    """

    url: str


@asynccontextmanager
async def serving_status(daemon: Daemon, reader: StatusReader) -> AsyncIterator[StatusSite]:
    """Serve the pages where the config says, until the block ends.

    Raises:
        ConfigError, NotFound: the file of the token cannot be read as one.
        UsageError: the address cannot be listened at.
        NotPermitted: the operating system does not give us the port.
    """
    section = daemon.app.config.daemon
    token = await read_token(section.token_file) if section.token_file is not None else None
    site = _Site(daemon, reader, Pages(section.timezone, can_act=token is not None), token)
    runner = web.AppRunner(site.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await _listen(runner, section.listen)
        port: int = runner.addresses[0][1]
        yield StatusSite(f"http://{ListenAddress(section.listen.host, port)}")
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: ListenAddress) -> None:
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        if error.errno == errno.EACCES:
            raise NotPermitted(
                str(address), "this port is not ours to listen at", "choose one above 1023"
            ) from None
        in_use = error.errno == errno.EADDRINUSE
        cause = "somebody listens there already" if in_use else f"cannot be listened at ({error})"
        raise UsageError(str(address), cause, "choose another one: `daemon.listen`") from None


class _Site:
    def __init__(
        self, daemon: Daemon, reader: StatusReader, pages: Pages, token: str | None
    ) -> None:
        self._daemon = daemon
        self._reader = reader
        self._pages = pages
        self._token = token

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_FORM, middlewares=[_guarded])
        application.add_routes(
            [
                web.get("/", self.overview),
                web.get("/status.json", self.status),
                web.get("/runs/{number:[0-9]{1,12}}", self.run),
                web.get("/runs/{number:[0-9]{1,12}}.json", self.run_json),
                web.get("/channels/{channel}", self.channel),
                web.get("/imports/{number:[0-9]{1,12}}", self.report),
                web.get("/style.css", self.style),
                web.get("/healthz", self.health),
                web.get("/readyz", self.ready),
                web.get("/metrics", self.metrics),
                web.post("/start", self.start),
            ]
        )
        return application

    # Pages

    async def overview(self, request: web.Request) -> web.Response:
        """Show how everything stands."""
        status = await self._reader.read()
        return _page(self._pages.overview(status, request.query.get("said", "")))

    async def run(self, request: web.Request) -> web.Response:
        """Show one run, with everything that it left."""
        found = await asyncio.to_thread(self._daemon.history.run, int(request.match_info["number"]))
        if found is None:
            raise NotFound(f"run {request.match_info['number']}", "is not remembered")
        return _page(self._pages.run(found))

    async def channel(self, request: web.Request) -> web.Response:
        """Show the bundles of a channel, and what its newest one says."""
        name = request.match_info["channel"]
        async with self._daemon.app.open_store() as store:
            ledger, journal = StoreLedger(store), StoreJournal(store)
            sending = await ledger.status(name)
            entries = [entry for entry in await journal.entries() if entry.channel == name]
            if not sending.history and not entries:
                raise NotFound(name, "has sent and brought nothing")
            last = sending.last
            names = (await ledger.holding(last)).names if last is not None else {}
        return _page(self._pages.channel(name, sending, names, entries))

    async def report(self, request: web.Request) -> web.Response:
        """Show the report of an import, as it can be printed and signed."""
        number = int(request.match_info["number"])
        async with self._daemon.app.open_store() as store:
            entries = await StoreJournal(store).entries()
        entry = next((entry for entry in entries if entry.number == number), None)
        if entry is None:
            raise NotFound(f"import {number}", "is not in the journal")
        return _page(report_page(report_document(entry)))

    async def style(self, request: web.Request) -> web.Response:
        """Send how the pages look."""
        del request
        return web.Response(text=self._pages.style(), content_type="text/css")

    # For machines

    async def status(self, request: web.Request) -> web.Response:
        """Send how everything stands."""
        del request
        return _json((await self._reader.read()).document())

    async def run_json(self, request: web.Request) -> web.Response:
        """Send one run."""
        found = await asyncio.to_thread(self._daemon.history.run, int(request.match_info["number"]))
        if found is None:
            raise NotFound(f"run {request.match_info['number']}", "is not remembered")
        return _json(run_document(found))

    async def health(self, request: web.Request) -> web.Response:
        """Say that the process is alive."""
        del request
        return web.Response(text="ok\n")

    async def ready(self, request: web.Request) -> web.Response:
        """Say whether work can be done."""
        del request
        problem = (await self._reader.read()).store_problem
        if problem is not None:
            return web.Response(text=f"{problem}\n", status=HTTPStatus.SERVICE_UNAVAILABLE)
        return web.Response(text="ok\n")

    async def metrics(self, request: web.Request) -> web.Response:
        """Send the figures for Prometheus."""
        del request
        figures = render_metrics(await self._reader.read())
        return web.Response(body=figures, headers={"Content-Type": CONTENT_TYPE})

    # What acts

    async def start(self, request: web.Request) -> web.Response:
        """Begin a job now, or look into a folder."""
        form = await request.post()
        if not self._may_act(request, form.get("token")):
            self._daemon.logger.warning("wrong or missing token", remote=request.remote)
            raise NotPermitted("", "the token is missing or wrong", "see `daemon.token-file`")
        name = str(form.get("name", ""))
        begun = self._daemon.begin(name)
        said = f"{name} begins" if begun else f"{name} is running already"
        if "application/json" in request.headers.get("Accept", ""):
            status = HTTPStatus.ACCEPTED if begun else HTTPStatus.CONFLICT
            return _json({"name": name, "begun": begun}, status)
        raise web.HTTPSeeOther("/?said=" + ("begun" if begun else "running"), text=said)

    def _may_act(self, request: web.Request, given: Any) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        offered = bearer.strip() if scheme.lower() == "bearer" else given
        if self._token is None or not isinstance(offered, str):
            return False
        return hmac.compare_digest(offered.encode(), self._token.encode())


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        answer = await handler(request)
    except web.HTTPException as said:
        said.headers.update(_HEADERS)
        raise
    except AirgapError as error:
        answer = web.Response(text=f"{error}\n", status=_status_of(error))
    answer.headers.update(_HEADERS)
    return answer


def _status_of(error: AirgapError) -> HTTPStatus:
    if isinstance(error, NotFound):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, NotPermitted):
        return HTTPStatus.FORBIDDEN
    return HTTPStatus.SERVICE_UNAVAILABLE


def _page(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


def _json(document: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    text = json.dumps(document, indent=2) + "\n"
    return web.Response(text=text, content_type="application/json", status=status)
