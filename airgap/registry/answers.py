"""What a registry's answers mean: its own reasons, and our errors for a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from yarl import URL

from airgap.errors import (
    AccessDenied,
    AirgapError,
    ContentMismatch,
    NotFound,
    RateLimited,
    RegistryFault,
    Unreachable,
)
from airgap.registry.failures import Failure, FailureKind

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error's body that are read."""

_MAX_REASON = 400
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f]+")
_SECRETS = re.compile(
    r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}"
    r"|([?&](?:x-amz-\w+|sig|signature|token|access_token|refresh_token|password)=)[^&\s\"']+"
    r"|(://)[^/@\s]+@"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        status: the HTTP status.
        headers: its headers; names in any case.
        body: bounded by what was asked for.
        url: where it came from in the end.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: URL


def registry_reason(body: bytes) -> str:
    """Return the registry's own reason from an error's body (distribution-spec, "Error Codes").

    At most 400 characters on one line, without credentials; empty where there is none.
    """
    try:
        document = json.loads(body[:MAX_ERROR_BODY])
    except (ValueError, RecursionError):
        return _tidy(_as_plain_text(body))
    if not isinstance(document, dict):
        return ""
    errors = document.get("errors")
    if isinstance(errors, list):
        return _tidy("; ".join(filter(None, map(_reason_of, errors[:5]))))
    for key in ("error_description", "details", "message", "error"):
        if isinstance(document.get(key), str):
            return _tidy(document[key])
    return ""


def _reason_of(error: object) -> str:
    if not isinstance(error, dict):
        return ""
    code, message, detail = (error.get(key) for key in ("code", "message", "detail"))
    parts = [message] if isinstance(message, str) and message else []
    if isinstance(detail, str) and detail and detail != message:
        parts.append(detail)
    if isinstance(code, str) and code:
        return f"{': '.join(parts)} ({code})" if parts else code
    return ": ".join(parts)


def _as_plain_text(body: bytes) -> str:
    text = body[:2000].decode("utf-8", "replace")
    # A page for people's browsers says nothing that its status does not.
    return "" if "<" in text else text


def _tidy(text: str) -> str:
    text = _UNPRINTABLE.sub(" ", text).strip()
    text = _SECRETS.sub(lambda found: "".join(filter(None, found.groups())) + "…", text)
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"


def status_text(status: int) -> str:
    """Return a status as people know it: ``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def error_of(failure: Failure, thing: str, host: str) -> AirgapError:
    """Return the error that a person sees, for a failure that nobody will retry.

    Args:
        failure: what happened.
        thing: what was asked for, as the person named it.
        host: the registry, as references name it.
    """
    match failure.kind:
        case FailureKind.STATUS:
            return _error_of_status(failure, thing, host)
        case FailureKind.MISMATCH:
            return ContentMismatch(
                thing, f"{host}: {failure.detail}", "nothing of it was kept; the registry is wrong"
            )
        case FailureKind.UNKNOWN_NAME:
            hint = "check the registry's name, and this machine's name servers"
        case FailureKind.TLS:
            hint = f"set the registry's CA file, or put it at /etc/containers/certs.d/{host}/ca.crt"
            if "alert" in failure.detail:
                hint = "it may want a client certificate: set one, or put it into certs.d"
            elif "wrong version" in failure.detail or "packet length" in failure.detail:
                hint = "it does not seem to speak TLS; allow plain http for it if that is intended"
        case FailureKind.NO_CONNECTION:
            hint = "check the host and port, the network and the proxy settings"
        case FailureKind.BROKEN | FailureKind.STALLED:
            hint = "run it again: what has arrived is kept"
    return Unreachable(thing, f"{host}: {failure.detail}", hint)


_STATUS_ERRORS: Mapping[int, tuple[type[AirgapError], str]] = {
    HTTPStatus.UNAUTHORIZED: (
        AccessDenied,
        "log in with: airgap login {host}; or the repository does not exist",
    ),
    HTTPStatus.FORBIDDEN: (
        AccessDenied,
        "the account lacks the right, or the repository or its namespace does not exist",
    ),
    HTTPStatus.NOT_FOUND: (NotFound, "check the name; private repositories need a login"),
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: (
        AccessDenied,
        "put the proxy's user and password in its URL",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        RegistryFault,
        "raise the body limit of the registry or of the proxy before it",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        RateLimited,
        "wait, or log in for a higher limit: airgap login {host}",
    ),
}


def _error_of_status(failure: Failure, thing: str, host: str) -> AirgapError:
    error, hint = _STATUS_ERRORS.get(failure.status, (RegistryFault, ""))
    return error(thing, f"{host}: {failure.detail}", hint.format(host=host))
