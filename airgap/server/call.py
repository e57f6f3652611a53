"""One request on its way through the registry, and what all of them share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from airgap.content.hosting import Hosting
from airgap.errors import InvalidReference
from airgap.oci.digest import Digest
from airgap.oci.reference import Repository
from airgap.server.answers import ApiError, Code
from airgap.server.gate import Gate
from airgap.server.manifest_cache import ManifestCache
from airgap.server.names import path_of, repository_at
from airgap.server.policy import Action
from airgap.server.pushes import Push, Pushes
from airgap.server.reading import BodyReader, Turns
from airgap.server.routes import Route
from airgap.server.settings import ServerSettings
from airgap.server.upload_desk import UploadDesk


@dataclass(frozen=True, slots=True)
class Service:
    """What the registry is made of.

    Attributes:
        hosting: the place that is served.
        settings: how.
        gate: who is let in.
        manifests: manifests at hand.
        uploads: uploads in progress.
        turns: request bodies that may be read at once.
        pushes: pushes that are not finished.
    """

    hosting: Hosting
    settings: ServerSettings
    gate: Gate
    manifests: ManifestCache
    uploads: UploadDesk
    turns: Turns
    pushes: Pushes

    def body(self, request: web.BaseRequest, limit: int) -> BodyReader:
        """Return a reader of a request's body, of at most ``limit`` bytes."""
        return BodyReader(
            request, limit=limit, idle_seconds=self.settings.body_seconds, turns=self.turns
        )

    def repository(self, path: str, ns: str | None) -> Repository:
        """Return the repository that a path means.

        Raises:
            ApiError: the path is not a repository name.
        """
        try:
            return repository_at(path, default_domain=self.settings.default_domain, ns=ns)
        except InvalidReference as error:
            raise ApiError(HTTPStatus.BAD_REQUEST, Code.NAME_INVALID, f"{error}") from None

    def name_of(self, repository: Repository) -> str:
        """Return the name by which rules know a repository: its path, else its full name."""
        served = path_of(repository, default_domain=self.settings.default_domain)
        return served if served is not None else str(repository)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is let in.

    Attributes:
        service: the registry.
        request: the HTTP request.
        route: its path, taken apart.
        repository: the repository that it means.
        user: who asks; None for nobody in particular.
    """

    service: Service
    request: web.BaseRequest
    route: Route
    repository: Repository
    user: str | None

    @property
    def hosting(self) -> Hosting:
        """The place that is served."""
        return self.service.hosting

    @property
    def ns(self) -> str | None:
        """The host that a mirror's client asked for, where it says so."""
        return self.request.query.get("ns")

    def push(self) -> AbstractAsyncContextManager[Push]:
        """Have what the client has under way here, for as long as the request runs."""
        return self.service.pushes.request(
            (self.repository, self.user or self.request.remote or "")
        )

    @property
    def may_push(self) -> bool:
        """Whether the client could push here, and what it asks for may be for a push."""
        gate = self.service.gate
        name = self.service.name_of(self.repository)
        return not gate.read_only and gate.policy.allows(self.user, name, Action.PUSH)

    def location(self, leaf: str) -> str:
        """Return the path of something in the same repository, as this client addresses it."""
        query = f"?{urlencode({'ns': self.ns})}" if self.ns else ""
        return f"/v2/{self.route.name}/{leaf}{query}"

    def digest(self, text: str | None = None) -> Digest:
        """Return the path's last part, or another text, as a digest.

        Raises:
            ApiError: it is not a digest, or of an algorithm that cannot be verified here.
        """
        try:
            return Digest(self.route.leaf if text is None else text)
        except InvalidReference as error:
            raise ApiError(HTTPStatus.BAD_REQUEST, Code.DIGEST_INVALID, f"{error}") from None


def scope_headers(request: web.BaseRequest) -> dict[str, str]:
    """Return what says that an answer is about the host in ``?ns=``, where one was asked for."""
    ns = "".join(c for c in request.query.get("ns", "") if c.isascii() and c.isprintable())
    return {"OCI-Namespace": ns} if ns else {}


def empty(status: HTTPStatus, headers: Mapping[str, str]) -> web.Response:
    """Return an answer without a body."""
    return web.Response(status=status, headers=headers)


def json_response(
    document: Any,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> web.Response:
    """Return a JSON document."""
    return web.Response(
        body=json.dumps(document).encode(), content_type=content_type, headers=headers
    )
