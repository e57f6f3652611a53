"""What the API answers when it refuses (distribution-spec, "Error Codes")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus

from aiohttp import web

from airgap.errors import (
    AccessDenied,
    AirgapError,
    ContentMismatch,
    InvalidReference,
    NoSpace,
    NotFound,
    RateLimited,
    Refused,
    RegistryFault,
    StoreUnusable,
    Unreachable,
    Unsupported,
)
from airgap.server.routes import Endpoint


class Code(StrEnum):
    """The codes that clients can tell apart."""

    BLOB_UNKNOWN = "BLOB_UNKNOWN"
    BLOB_UPLOAD_INVALID = "BLOB_UPLOAD_INVALID"
    BLOB_UPLOAD_UNKNOWN = "BLOB_UPLOAD_UNKNOWN"
    DIGEST_INVALID = "DIGEST_INVALID"
    MANIFEST_BLOB_UNKNOWN = "MANIFEST_BLOB_UNKNOWN"
    MANIFEST_INVALID = "MANIFEST_INVALID"
    MANIFEST_UNKNOWN = "MANIFEST_UNKNOWN"
    NAME_INVALID = "NAME_INVALID"
    NAME_UNKNOWN = "NAME_UNKNOWN"
    PAGINATION_NUMBER_INVALID = "PAGINATION_NUMBER_INVALID"
    SIZE_INVALID = "SIZE_INVALID"
    UNAUTHORIZED = "UNAUTHORIZED"
    DENIED = "DENIED"
    UNSUPPORTED = "UNSUPPORTED"
    TOOMANYREQUESTS = "TOOMANYREQUESTS"
    UNKNOWN = "UNKNOWN"


class ApiError(Exception):
    """An answer that ends a request: status, code, a sentence, and more where it helps."""

    def __init__(
        self,
        status: HTTPStatus,
        code: Code,
        message: str,
        *,
        details: tuple[object, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """Return the answer, with one error for each detail."""
        error: dict[str, object] = {"code": str(self.code), "message": self.message}
        errors = [error | {"detail": detail} for detail in self.details] or [error]
        return web.Response(
            status=self.status,
            body=json.dumps({"errors": errors}).encode(),
            content_type="application/json",
            headers=self.headers,
        )


_NOT_FOUND = {
    Endpoint.MANIFEST: Code.MANIFEST_UNKNOWN,
    Endpoint.BLOB: Code.BLOB_UNKNOWN,
    Endpoint.UPLOAD: Code.BLOB_UPLOAD_UNKNOWN,
    Endpoint.UPLOADS: Code.BLOB_UNKNOWN,
}

_ANSWERS: tuple[tuple[type[AirgapError], HTTPStatus, Code], ...] = (
    (InvalidReference, HTTPStatus.BAD_REQUEST, Code.NAME_INVALID),
    (Unsupported, HTTPStatus.BAD_REQUEST, Code.UNSUPPORTED),
    (Refused, HTTPStatus.FORBIDDEN, Code.DENIED),
    (NoSpace, HTTPStatus.INSUFFICIENT_STORAGE, Code.UNKNOWN),
    (StoreUnusable, HTTPStatus.SERVICE_UNAVAILABLE, Code.UNKNOWN),
    # What an upstream registry did wrong or refused is a bad gateway, not our client's doing.
    (Unreachable, HTTPStatus.GATEWAY_TIMEOUT, Code.UNKNOWN),
    (RateLimited, HTTPStatus.TOO_MANY_REQUESTS, Code.TOOMANYREQUESTS),
    (RegistryFault, HTTPStatus.BAD_GATEWAY, Code.UNKNOWN),
    (AccessDenied, HTTPStatus.BAD_GATEWAY, Code.DENIED),
)


def api_error(error: AirgapError, endpoint: Endpoint) -> ApiError:
    """Return the answer that an error of the house amounts to at an endpoint."""
    message = f"{error}"
    if isinstance(error, NotFound):
        code = _NOT_FOUND.get(endpoint, Code.NAME_UNKNOWN)
        return ApiError(HTTPStatus.NOT_FOUND, code, message)
    if isinstance(error, Refused) and endpoint is Endpoint.UPLOAD:
        # Another process that serves the same place has the upload in hand.
        return ApiError(HTTPStatus.CONFLICT, Code.BLOB_UPLOAD_INVALID, message)
    if isinstance(error, ContentMismatch):
        manifest = endpoint is Endpoint.MANIFEST
        code = Code.MANIFEST_INVALID if manifest else Code.DIGEST_INVALID
        return ApiError(HTTPStatus.BAD_REQUEST, code, message)
    for kind, status, code in _ANSWERS:
        if isinstance(error, kind):
            return ApiError(status, code, message)
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, Code.UNKNOWN, message)
