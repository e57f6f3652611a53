"""What is there: tags, referrers, the catalog (distribution-spec, "Content Discovery")."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlencode

from aiohttp import web

from airgap.oci import media_types
from airgap.server.answers import ApiError, Code
from airgap.server.call import Call, Service, json_response
from airgap.server.names import path_of
from airgap.server.policy import Action

_MAX_DIGITS = 9


async def list_tags(call: Call) -> web.Response:
    """List the tags of a repository, in the order of their bytes."""
    tags = [tag async for tag in call.hosting.tags(call.repository)]
    page, headers = _page(tags, call.request, f"/v2/{call.route.name}/tags/list")
    return json_response({"name": call.route.name, "tags": page}, headers)


async def list_referrers(call: Call) -> web.Response:
    """List what refers to a manifest; a manifest that is not there is referred to by nothing."""
    referrers = await call.hosting.referrers(call.repository, call.digest())
    headers: dict[str, str] = {}
    wanted = call.request.query.get("artifactType")
    if wanted:
        referrers = [item for item in referrers if item.artifact_type == wanted]
        headers["OCI-Filters-Applied"] = "artifactType"
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [item.to_json() for item in referrers],
    }
    headers["Content-Type"] = media_types.OCI_INDEX
    return web.Response(body=json.dumps(document).encode(), headers=headers)


async def list_repositories(
    service: Service, request: web.BaseRequest, user: str | None
) -> web.Response:
    """List the repositories that the user may pull, by the paths under which they are served."""
    names = []
    async for repository in service.hosting.repositories():
        name = path_of(repository, default_domain=service.settings.default_domain)
        if name is not None and service.gate.policy.allows(user, name, Action.PULL):
            names.append(name)
    page, headers = _page(names, request, "/v2/_catalog")
    return json_response({"repositories": page}, headers)


def _page(
    names: Iterable[str], request: web.BaseRequest, path: str
) -> tuple[list[str], dict[str, str]]:
    query = request.query
    last = query.get("last", "")
    found = sorted(name for name in names if name > last)
    if "n" not in query:
        return found, {}
    text = query["n"]
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise ApiError(
            HTTPStatus.BAD_REQUEST, Code.PAGINATION_NUMBER_INVALID, "n is not a number of entries"
        )
    count = int(text)
    page = found[:count]
    if not page or len(page) == len(found):
        return page, {}
    parameters = {"n": text, "last": page[-1]} | ({"ns": query["ns"]} if "ns" in query else {})
    return page, {"Link": f'<{path}?{urlencode(parameters)}>; rel="next"'}
