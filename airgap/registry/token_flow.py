"""Getting a token, as a conversation without I/O: yields requests and is sent the replies.

Distribution's "Token Authentication Specification" (GET) and "OAuth2 Token Authentication" (POST).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from yarl import URL

from airgap.errors import AccessDenied, ContentMismatch, RegistryFault
from airgap.oci.json_object import JsonObject
from airgap.registry import guards
from airgap.registry.answers import registry_reason, status_text
from airgap.registry.challenges import Challenge
from airgap.registry.endpoints import is_private
from airgap.registry.failures import ExchangeFailed, Failure, FailureKind
from airgap.registry.scopes import Scopes
from airgap.registry.settings import Login

MAX_TOKEN_BODY = 64 * 1024
"""Bytes of a token server's answer."""

SHORTEST_LIFE = 60
"""Seconds that a token lives at least; some servers announce less and mean it not."""

CLIENT_ID = "airgap"

_TRY_THE_OTHER_WAY = frozenset({400, 401, 404, 405})


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to a token server.

    Attributes:
        method: GET, or POST with a form.
        url: query included.
        login: Basic credentials to send, or None.
        form: the fields of a POST; never shown.
    """

    method: str
    url: URL
    login: Login | None = None
    form: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TokenReply:
    """A token server's answer; ``retry_after`` is what it says about waiting."""

    status: int
    body: bytes
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token.

    Attributes:
        value: never shown.
        life: seconds from when it was asked for.
    """

    value: str = field(repr=False)
    life: float


@dataclass(frozen=True, slots=True)
class TokenNeed:
    """What a token is needed for.

    Attributes:
        registry: the URL of the registry that wants it.
        host: the registry as references name it.
        challenge: what the registry said.
        scopes: the needed one first.
        login: who asks; None for anonymous.
    """

    registry: URL
    host: str
    challenge: Challenge
    scopes: Scopes
    login: Login | None


TokenFlow = Generator[TokenRequest, TokenReply, Token]


def token_flow(need: TokenNeed, now: float) -> TokenFlow:
    """Ask for a token: the way that suits the credentials, then, where it is refused, the other.

    Args:
        need: what for.
        now: seconds since the epoch, to read ``issued_at`` against.

    Raises:
        AccessDenied: credentials would have to travel unprotected.
        ExchangeFailed: the server refuses, with the answer that tells more.
        RegistryFault: the realm is not one that may be asked, or the answer holds no token.
    """
    realm = _realm(need)
    ways: list[Callable[[TokenNeed, URL], TokenRequest]] = [_by_get]
    if need.login is not None and need.login.identity_token:
        ways = [_by_post, _by_get] if need.login.password else [_by_post]
    elif need.login is not None:
        ways = [_by_get, _by_post]
    refusal: Failure | None = None
    for way in ways:
        reply = yield way(need, realm)
        if reply.status == HTTPStatus.OK:
            return _token_of(reply, need.host, now)
        failure = _failure_of(reply, realm)
        if reply.status not in _TRY_THE_OTHER_WAY:
            raise ExchangeFailed(failure)
        # "Wrong password" tells more than "not found" from the way that the server does not know.
        if refusal is None or refusal.status != HTTPStatus.UNAUTHORIZED:
            refusal = failure
    if refusal is None:
        raise RegistryFault(need.host, "there is no way to ask for a token")
    raise ExchangeFailed(refusal)


def _realm(need: TokenNeed) -> URL:
    text = need.challenge.parameters.get("realm", "")
    try:
        realm = URL(text)
    except ValueError:
        raise RegistryFault(need.host, "names a token server that is no URL") from None
    if realm.scheme not in {"http", "https"} or not realm.host or realm.user:
        raise RegistryFault(need.host, f"names a token server of another kind, {realm.scheme}:")
    if is_private(realm.host) and not is_private(need.registry.host or ""):
        raise RegistryFault(
            need.host, f"names a token server at a private address, {guards.shown(realm)}"
        )
    if need.login is not None and not guards.may_send_credentials(realm, need.registry):
        raise AccessDenied(
            need.host,
            f"its token server, {guards.shown(realm)}, would get the password unprotected",
            "the token server must use https; nothing was sent",
        )
    return realm


def _by_get(need: TokenNeed, realm: URL) -> TokenRequest:
    query: list[tuple[str, str]] = []
    if service := need.challenge.parameters.get("service"):
        query.append(("service", service))
    query += [("scope", str(scope)) for scope in need.scopes]
    query.append(("client_id", CLIENT_ID))
    login = need.login if need.login is not None and need.login.password else None
    if login is not None:
        query.append(("account", login.username))
    return TokenRequest("GET", realm.extend_query(query), login)


def _by_post(need: TokenNeed, realm: URL) -> TokenRequest:
    form = {
        "client_id": CLIENT_ID,
        "service": need.challenge.parameters.get("service", need.host),
        "scope": " ".join(map(str, need.scopes)),
    }
    if need.login is not None and need.login.identity_token:
        form |= {"grant_type": "refresh_token", "refresh_token": need.login.identity_token}
    elif need.login is not None:
        form |= {
            "grant_type": "password",
            "username": need.login.username,
            "password": need.login.password,
        }
    return TokenRequest("POST", realm, form=form)


def _failure_of(reply: TokenReply, realm: URL) -> Failure:
    detail = f"its token server {realm.host} answers {status_text(reply.status)}"
    if reason := registry_reason(reply.body):
        detail = f"{detail}: {reason}"
    # Wrong credentials are 400 in OAuth2 (RFC 6749, section 5.2), and 401 everywhere else.
    status = reply.status
    if status == HTTPStatus.BAD_REQUEST:
        status = HTTPStatus.UNAUTHORIZED
    return Failure(FailureKind.STATUS, detail, status, reply.retry_after)


def _token_of(reply: TokenReply, host: str, now: float) -> Token:
    try:
        document = JsonObject.parse(reply.body, "token", limit=MAX_TOKEN_BODY)
        value = document.optional_text("token") or document.optional_text("access_token")
        life = document.integer("expires_in") if "expires_in" in document else SHORTEST_LIFE
        issued = document.optional_text("issued_at")
    except ContentMismatch as error:
        raise RegistryFault(host, f"its token server's answer: {error.cause}") from None
    if value is None or not value.isascii() or not value.isprintable():
        raise RegistryFault(host, "its token server answers without a token")
    life = max(life, SHORTEST_LIFE)
    return Token(value, life - _age(issued, life, now))


def _age(issued: str | None, life: float, now: float) -> float:
    """Return how old a token is already, in seconds; 0 where its own word is absurd."""
    try:
        moment = datetime.fromisoformat(issued or "")
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    age = now - moment.timestamp()
    # Beyond that it is a clock that goes wrong, theirs or ours.
    return age if 0 < age < life else 0.0
