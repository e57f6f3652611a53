"""The registry itself: it listens, lets requests in, and hands them to their handlers."""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web

from airgap.content.hosting import Hosting
from airgap.errors import AirgapError, ConfigError, NotPermitted, UsageError
from airgap.server import blobs, listings, manifests, uploads
from airgap.server.accounts import Accounts
from airgap.server.answers import ApiError, Code, api_error
from airgap.server.call import Call, Service, empty, json_response, scope_headers
from airgap.server.gate import Gate
from airgap.server.manifest_cache import ManifestCache
from airgap.server.policy import Action
from airgap.server.pushes import Pushes, watching_pushes
from airgap.server.reading import Turns
from airgap.server.routes import Endpoint, Route, parse_route
from airgap.server.settings import ServerSettings, TlsFiles
from airgap.server.sweeper import sweep_uploads
from airgap.server.tokens import Tokens
from airgap.server.upload_desk import UploadDesk

_READ_BUFFER = 64 * 1024
"""Bytes that aiohttp buffers of one body before it makes the client wait (twice that at most)."""

_KEEP_ALIVE_SECONDS = 75.0
_BACKLOG = 512

Handler: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]

_HANDLERS: dict[Endpoint, dict[str, tuple[Action, Handler]]] = {
    Endpoint.TAGS: {"GET": (Action.PULL, listings.list_tags)},
    Endpoint.REFERRERS: {"GET": (Action.PULL, listings.list_referrers)},
    Endpoint.MANIFEST: {
        "GET": (Action.PULL, manifests.get_manifest),
        "HEAD": (Action.PULL, manifests.get_manifest),
        "PUT": (Action.PUSH, manifests.put_manifest),
        "DELETE": (Action.DELETE, manifests.delete_manifest),
    },
    Endpoint.BLOB: {
        "GET": (Action.PULL, blobs.get_blob),
        "HEAD": (Action.PULL, blobs.head_blob),
        "DELETE": (Action.DELETE, blobs.delete_blob),
    },
    Endpoint.UPLOADS: {"POST": (Action.PUSH, uploads.post_upload)},
    Endpoint.UPLOAD: {
        "GET": (Action.PUSH, uploads.get_upload),
        "PATCH": (Action.PUSH, uploads.patch_upload),
        "PUT": (Action.PUSH, uploads.put_upload),
        "DELETE": (Action.PUSH, uploads.delete_upload),
    },
}


@dataclass(frozen=True, slots=True)
class RunningRegistry:
    """A registry that listens.

    Attributes:
        host: the address it listens at.
        port: the port it really has.
        url: its base URL, without a slash at the end.
    """

    host: str
    port: int
    url: str

    @property
    def domain(self) -> str:
        """``host:port``, as it stands in the references of its images."""
        return self.url.partition("://")[2]


@asynccontextmanager
async def running_registry(
    hosting: Hosting, settings: ServerSettings | None = None
) -> AsyncIterator[RunningRegistry]:
    """Serve a place as a registry until the block ends; running requests may finish then.

    Raises:
        ConfigError: the TLS files or the password file cannot be used.
        UsageError: the address cannot be listened at.
        NotPermitted: the operating system does not give us the port.
    """
    settings = settings or ServerSettings()
    context = await asyncio.to_thread(_tls_context, settings.tls) if settings.tls else None
    accounts = None
    if settings.htpasswd is not None:
        accounts = await asyncio.to_thread(Accounts.load, settings.htpasswd)
    gate = Gate(
        policy=settings.policy,
        accounts=accounts,
        tokens=Tokens(),
        offers_tokens=settings.anonymous_read,
        read_only=settings.read_only,
        public_url=settings.public_url,
    )
    async with AsyncExitStack() as stack:
        pushes = Pushes(None, settings.upload_seconds)
        if not settings.read_only:
            watching = watching_pushes(hosting, settings.upload_seconds)
            pushes = await stack.enter_async_context(watching)
        service = Service(
            hosting=hosting,
            settings=settings,
            gate=gate,
            manifests=ManifestCache(settings.manifest_cache_size),
            uploads=UploadDesk(hosting),
            turns=Turns(at_once=settings.max_bodies, waiting=settings.max_waiting_bodies),
            pushes=pushes,
        )
        runner = web.ServerRunner(_server(service), shutdown_timeout=settings.shutdown_seconds)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await _listen(runner, settings, context)
        if not settings.read_only:
            await stack.enter_async_context(sweep_uploads(hosting, settings.upload_seconds))
        yield _running(runner, settings)


def _server(service: Service) -> web.Server:
    return web.Server(
        _Front(service).answer,
        access_log=None,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        read_bufsize=_READ_BUFFER,
        # A digest is that of the bytes as sent: nothing is ever unpacked here.
        auto_decompress=False,
    )


class _Front:
    """Receives every request; bounds their number and turns errors into answers."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._in_progress = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._in_progress >= self._service.settings.max_requests:
            return _too_many().response()
        self._in_progress += 1
        try:
            response = await self._answer_or_refuse(request)
        except ConnectionError:
            response = _hang_up(request)
        finally:
            self._in_progress -= 1
        if not response.prepared:
            response.headers.update(scope_headers(request))
            response.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        return response

    async def _answer_or_refuse(self, request: web.BaseRequest) -> web.StreamResponse:
        route = parse_route(request.path)
        if route is None:
            return _no_such_endpoint().response()
        try:
            return await self._dispatch(request, route)
        except ApiError as error:
            refusal = error
        except AirgapError as error:
            refusal = api_error(error, route.endpoint)
        if request.writer.output_size:
            # The answer has begun and cannot be taken back; a broken connection says so.
            raise ConnectionAbortedError(refusal.message)
        return refusal.response()

    async def _dispatch(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        service = self._service
        user = await service.gate.identify(request)
        if route.endpoint in {Endpoint.BASE, Endpoint.TOKEN, Endpoint.CATALOG}:
            return await self._dispatch_fixed(request, route, user)
        methods = _HANDLERS[route.endpoint]
        _require(request, methods)
        action, handler = methods[request.method]
        repository = service.repository(route.name, request.query.get("ns"))
        service.gate.admit(request, user, service.name_of(repository), action)
        return await handler(Call(service, request, route, repository, user))

    async def _dispatch_fixed(
        self, request: web.BaseRequest, route: Route, user: str | None
    ) -> web.StreamResponse:
        _require(request, ("GET", "HEAD"))
        gate = self._service.gate
        if route.endpoint is Endpoint.TOKEN:
            if gate.accounts is None:
                raise ApiError(HTTPStatus.NOT_FOUND, Code.UNSUPPORTED, "nobody signs in here")
            return gate.token_answer(user)
        if route.endpoint is Endpoint.CATALOG:
            return await listings.list_repositories(self._service, request, user)
        gate.admit_to_base(request, user)
        return empty(HTTPStatus.OK, {}) if request.method == "HEAD" else json_response({})


async def _listen(
    runner: web.ServerRunner, settings: ServerSettings, context: ssl.SSLContext | None
) -> None:
    site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context, backlog=_BACKLOG)
    address = f"{settings.host}:{settings.port}"
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EACCES:
            raise NotPermitted(
                address, "this port is not ours to listen at", "choose one above 1023"
            ) from None
        in_use = error.errno == errno.EADDRINUSE
        cause = "somebody listens there already" if in_use else f"cannot be listened at ({error})"
        raise UsageError(address, cause, "choose another address") from None


def _running(runner: web.ServerRunner, settings: ServerSettings) -> RunningRegistry:
    port: int = runner.addresses[0][1]
    scheme = "https" if settings.tls else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return RunningRegistry(settings.host, port, f"{scheme}://{host}:{port}")


def _tls_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{files.certificate}", f"is no certificate for {files.key} ({error.reason})"
        ) from None
    except OSError as error:
        thing = error.filename or f"{files.certificate}, {files.key}"
        raise ConfigError(f"{thing}", f"cannot be read ({error.strerror})") from None
    return context


def _require(request: web.BaseRequest, methods: Collection[str]) -> None:
    if request.method not in methods:
        raise ApiError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            Code.UNSUPPORTED,
            f"{request.method} is not possible here",
            headers={"Allow": ", ".join(methods)},
        )


def _too_many() -> ApiError:
    return ApiError(
        HTTPStatus.TOO_MANY_REQUESTS,
        Code.TOOMANYREQUESTS,
        "too many requests at once",
        headers={"Retry-After": "1"},
    )


def _hang_up(request: web.BaseRequest) -> web.Response:
    """Close a connection whose answer cannot be finished; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _no_such_endpoint() -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, Code.UNSUPPORTED, "no such endpoint")
