"""Being let in at one registry: Basic, or Bearer with tokens, or nothing at all."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence

from airgap.registry import scopes as scoping
from airgap.registry.challenges import Challenge, choose, parse_challenges
from airgap.registry.endpoints import Endpoint
from airgap.registry.failures import ExchangeFailed
from airgap.registry.pacing import Time
from airgap.registry.scopes import Scopes
from airgap.registry.settings import Login
from airgap.registry.token_cache import TokenCache
from airgap.registry.token_flow import Token, TokenNeed, TokenReply, TokenRequest, token_flow

FindLogin = Callable[[str], Awaitable[Login | None]]
"""Looks up credentials for a repository's path; the empty path is the whole registry."""

AskOnce = Callable[[TokenRequest], Awaitable[TokenReply]]
"""Makes one request to a token server."""

Ping = Callable[[], Awaitable[Sequence[str]]]
"""Returns the challenges that the registry's root answers with."""


class RegistryAuthorizer:
    """Remembers how one registry wants to be asked, and has the answers."""

    def __init__(
        self, endpoint: Endpoint, time: Time, find_login: FindLogin, ask: AskOnce, ping: Ping
    ) -> None:
        self._endpoint = endpoint
        self._time = time
        self._find_login = find_login
        self._ask = ask
        self._ping = ping
        self._challenge: Challenge | None = None
        self._logins: dict[str, Login | None] = {}
        self._caches: dict[Login | None, TokenCache] = {}
        self._wider: dict[Scopes, Scopes] = {}

    async def header(self, scopes: Scopes) -> str | None:
        """Return the ``Authorization`` to send; None before the first challenge."""
        if self._challenge is None:
            return None
        login = await self._login(scopes)
        if self._challenge.scheme == "basic":
            return basic(login) if login is not None else None
        token = await self._token(self._challenge, scopes, login)
        return f"Bearer {token.value}"

    async def challenged(
        self, challenges: Sequence[str], scopes: Scopes, refused: str | None
    ) -> bool:
        """Learn from a refusal; tell whether another try may help."""
        challenge = choose(parse_challenges(challenges))
        if challenge is None and self._challenge is None:
            # Some registries say how to be asked only at their root.
            challenge = choose(parse_challenges(await self._ping()))
        known, self._challenge = self._challenge, challenge or self._challenge
        if self._challenge is None:
            return False
        if self._challenge.scheme == "basic":
            # A password that was refused once is wrong; what changed on disk may be right.
            path = _path_of(scopes)
            before = self._logins.pop(path, None)
            login = await self._login(scopes)
            return login is not None and (refused is None or login != before)
        if refused is None or known is None:
            self._widen(scopes, challenge)
            return True
        for cache in self._caches.values():
            cache.forget(refused.removeprefix("Bearer "))
        self._widen(scopes, challenge)
        return True

    async def close(self) -> None:
        """End what is under way."""
        for cache in self._caches.values():
            await cache.close()

    def _widen(self, scopes: Scopes, challenge: Challenge | None) -> None:
        """Remember that the registry wants more than we thought (``insufficient_scope``)."""
        asked = scoping.parse_scopes(challenge.parameters.get("scope", "")) if challenge else ()
        wider = scoping.merged((*self._wider.get(scopes, scopes), *asked))
        if wider != scopes:
            self._wider[scopes] = wider

    async def _login(self, scopes: Scopes) -> Login | None:
        path = _path_of(scopes)
        if path not in self._logins:
            self._logins[path] = await self._find_login(path)
        return self._logins[path]

    async def _token(self, challenge: Challenge, scopes: Scopes, login: Login | None) -> Token:
        wanted = scoping.merged(self._wider.get(scopes, scopes))
        cache = self._caches.setdefault(login, TokenCache(self._time.clock))
        need = TokenNeed(self._endpoint.base, self._endpoint.name, challenge, wanted, login)
        return await cache.get(wanted, lambda: self._converse(need))

    async def _converse(self, need: TokenNeed) -> Token:
        flow = token_flow(need, self._time.wall())
        request = next(flow)
        while True:
            reply = await self._ask(request)
            try:
                request = flow.send(reply)
            except StopIteration as end:
                token: Token = end.value
                return token
            except ExchangeFailed:
                # Somebody may log in while a daemon runs: look again the next time.
                self._logins.clear()
                raise


def basic(login: Login) -> str:
    """Return the ``Authorization`` of a name and a password (RFC 7617)."""
    pair = f"{login.username}:{login.password}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _path_of(scopes: Scopes) -> str:
    return scopes[0].name if scopes and scopes[0].kind == "repository" else ""
