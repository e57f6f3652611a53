"""The door: who asks, and whether he may."""

from __future__ import annotations

import base64
import binascii
import json
import time
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from airgap.server.accounts import Accounts
from airgap.server.answers import ApiError, Code
from airgap.server.policy import AccessPolicy, Action
from airgap.server.tokens import TOKEN_SECONDS, InvalidTokenError, Tokens

_SERVICE = "airgap"


@dataclass(frozen=True, slots=True)
class Gate:
    """Signs clients in and holds them to the policy.

    Attributes:
        policy: who may do what.
        accounts: the users; None signs nobody in.
        tokens: issues and reads tokens.
        offers_tokens: challenge with Bearer rather than Basic, see ``tokens``.
        read_only: refuse every change, whoever asks.
        public_url: the base of the token endpoint; None derives it from the request.
    """

    policy: AccessPolicy
    accounts: Accounts | None
    tokens: Tokens
    offers_tokens: bool
    read_only: bool
    public_url: str | None

    async def identify(self, request: web.BaseRequest) -> str | None:
        """Return the user that a request proves to come from; None for nobody in particular.

        Raises:
            ApiError: credentials were sent and are wrong (401).
        """
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if self.accounts is None or not scheme:
            return None
        if scheme.lower() == "bearer":
            try:
                return self.tokens.read(value.strip(), time.time())
            except InvalidTokenError:
                raise self._unauthorized(request, "the token is not valid any more") from None
        if scheme.lower() != "basic":
            raise self._unauthorized(request, "sign in with Basic credentials")
        name, password = _basic_credentials(value)
        if not await self.accounts.check(name, password):
            raise self._unauthorized(request, "the user name or the password is wrong")
        return name

    def admit_to_base(self, request: web.BaseRequest, user: str | None) -> None:
        """Answer the ping, whose challenge clients remember for everything after it.

        Raises:
            ApiError: 401 with the challenge, to a client that has not signed in yet.
        """
        if self.accounts is not None and user is None and "Authorization" not in request.headers:
            raise self._unauthorized(request, "sign in")

    def admit(self, request: web.BaseRequest, user: str | None, name: str, action: Action) -> None:
        """Let a request pass that may do what it wants to.

        Raises:
            ApiError: 405 where the registry is read-only; 401 to somebody who could still sign in;
                403 to everybody else.
        """
        if self.read_only and action is not Action.PULL:
            raise ApiError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                Code.DENIED,
                "this registry is read-only",
                headers={"Allow": "GET, HEAD"},
            )
        if self.policy.allows(user, name, action):
            return
        if user is None and self.accounts is not None:
            raise self._unauthorized(
                request, f"sign in to {action}", scope=f"repository:{name}:{_scope(action)}"
            )
        raise ApiError(HTTPStatus.FORBIDDEN, Code.DENIED, f"you may not {action} here")

    def token_answer(self, user: str | None) -> web.Response:
        """Return a token for whoever has just been identified (Docker token specification)."""
        now = time.time()
        token = self.tokens.issue(user, now)
        fields = {
            "token": token,
            "access_token": token,
            "expires_in": TOKEN_SECONDS,
            "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        }
        return web.Response(
            body=json.dumps(fields).encode(),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    def _unauthorized(self, request: web.BaseRequest, message: str, *, scope: str = "") -> ApiError:
        # The token endpoint itself is entered with a password, whatever the others ask for.
        if self.offers_tokens and request.path != "/token":
            base = self.public_url or f"{request.scheme}://{_safe_host(request)}"
            challenge = f'Bearer realm="{base.rstrip("/")}/token",service="{_SERVICE}"'
            if scope:
                challenge += f',scope="{scope}"'
        else:
            challenge = f'Basic realm="{_SERVICE}"'
        return ApiError(
            HTTPStatus.UNAUTHORIZED,
            Code.UNAUTHORIZED,
            message,
            headers={"WWW-Authenticate": challenge},
        )


def _scope(action: Action) -> str:
    return "pull,push" if action is Action.PUSH else str(action)


def _safe_host(request: web.BaseRequest) -> str:
    return "".join(c for c in request.host if c.isalnum() or c in ".-:[]")


def _basic_credentials(value: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    name, _, password = text.partition(":")
    return name, password
