"""Tokens that are still good, and one request at a time for one that is not here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from airgap.registry.pacing import Clock
from airgap.registry.scopes import Scopes, covers
from airgap.registry.token_flow import Token

_EARLY = 0.25
_EARLY_AT_MOST = 30.0
_MOST_KEPT = 32


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Token
    scopes: Scopes
    renew_at: float


class TokenCache:
    """The tokens of one registry.

    A token for more than is needed does too. Tokens are renewed before they end: by a quarter of
    their life, 30 seconds at most, so that a long upload does not begin with the last second.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], list[_Kept]] = {}
        self._fetching: dict[Scopes, asyncio.Task[Token]] = {}

    async def get(self, scopes: Scopes, fetch: Callable[[], Awaitable[Token]]) -> Token:
        """Return a token, from here or from ``fetch``; whoever needs the same one shares it."""
        kept = self._find(scopes)
        if kept is not None:
            return kept
        task = self._fetching.get(scopes)
        if task is None:
            task = asyncio.create_task(self._fetch(scopes, fetch))
            self._fetching[scopes] = task
            task.add_done_callback(lambda _: self._fetching.pop(scopes, None))
        # One who waits and is cancelled must not take the token away from the others.
        return await asyncio.shield(task)

    def forget(self, value: str) -> None:
        """Drop a token that the registry does not take any more."""
        for kept in self._kept.values():
            kept[:] = [one for one in kept if one.token.value != value]

    async def close(self) -> None:
        """End the requests that nobody waits for any more."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _find(self, scopes: Scopes) -> Token | None:
        now = self._clock()
        for kept in self._kept.get(_key(scopes), ()):
            if kept.renew_at > now and covers(kept.scopes, scopes):
                return kept.token
        return None

    async def _fetch(self, scopes: Scopes, fetch: Callable[[], Awaitable[Token]]) -> Token:
        begun = self._clock()
        token = await fetch()
        renew_at = begun + token.life - min(_EARLY_AT_MOST, token.life * _EARLY)
        known = self._kept.setdefault(_key(scopes), [])
        known[:] = [
            one for one in known if one.renew_at > begun and not covers(scopes, one.scopes)
        ][-_MOST_KEPT:]
        known.append(_Kept(token, scopes, renew_at))
        return token


def _key(scopes: Scopes) -> tuple[str, str]:
    return (scopes[0].kind, scopes[0].name) if scopes else ("", "")
