"""Scopes, and the tokens that are kept for them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.registry.scopes import Scope, Scopes, covers, merged, parse_scopes, pull, push
from airgap.registry.token_cache import TokenCache
from airgap.registry.token_flow import Token

actions = st.frozensets(st.sampled_from(["pull", "push", "delete", "*"]), min_size=1)
names = st.sampled_from(["team/app", "team/other", "host:5000/app"])
scopes = st.builds(Scope, st.just("repository"), names, actions)


@given(scopes)
def test_a_scope_is_read_as_it_is_written(scope: Scope) -> None:
    """A name with a port in it included."""
    assert Scope.parse(str(scope)) == scope


@given(st.text(max_size=40))
def test_any_text_is_a_scope_or_none(text: str) -> None:
    """What a challenge holds never makes the reader fail."""
    parse_scopes(text)


@given(st.lists(scopes, max_size=6))
def test_merging_keeps_every_right_and_the_order(given_scopes: list[Scope]) -> None:
    """Each resource stands once, where it first stood."""
    result = merged(given_scopes)
    assert covers(result, tuple(given_scopes))
    assert [s.name for s in result] == list(dict.fromkeys(s.name for s in given_scopes))


def test_actions_are_written_in_one_order() -> None:
    """Some token servers compare text."""
    assert str(push("a")) == "repository:a:pull,push"
    assert merged([pull("a"), push("a")]) == (push("a"),)


class Server:
    """Hands out tokens, each another."""

    def __init__(self) -> None:
        self.asked = 0

    async def fetch(self) -> Token:
        """Return the next token."""
        self.asked += 1
        await asyncio.sleep(0)
        return Token(f"t{self.asked}", 100)


async def get(cache: TokenCache, server: Server, *wanted: Scope) -> str:
    """Return a token's value."""
    needed: Scopes = wanted
    return (await cache.get(needed, server.fetch)).value


async def test_a_token_is_shared_and_renewed_early() -> None:
    """Before it ends, by a quarter of its life, a new one is fetched."""
    now = 0.0
    cache, server = TokenCache(lambda: now), Server()
    assert await asyncio.gather(*(get(cache, server, pull("a")) for _ in range(5))) == ["t1"] * 5
    now = 74.9
    assert await get(cache, server, pull("a")) == "t1"
    now = 75.1
    assert await get(cache, server, pull("a")) == "t2"


async def test_a_token_for_more_does_for_less() -> None:
    """But not the other way round."""
    cache, server = TokenCache(lambda: 0.0), Server()
    assert await get(cache, server, pull("a")) == "t1"
    assert await get(cache, server, push("a")) == "t2"
    assert await get(cache, server, pull("a")) == "t2"
    assert await get(cache, server, pull("b")) == "t3"


async def test_a_forgotten_token_is_fetched_anew() -> None:
    """The registry did not take it."""
    cache, server = TokenCache(lambda: 0.0), Server()
    cache.forget(await get(cache, server, pull("a")))
    assert await get(cache, server, pull("a")) == "t2"


async def test_a_failed_fetch_is_not_remembered() -> None:
    """Everybody who waited learns of it, and the next one asks again."""
    cache, server = TokenCache(lambda: 0.0), Server()

    async def fail() -> Token:
        await asyncio.sleep(0)
        raise ConnectionError

    results = await asyncio.gather(
        *(cache.get((pull("a"),), fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [ConnectionError] * 3
    assert await get(cache, server, pull("a")) == "t1"


async def test_one_who_gives_up_waiting_does_not_take_the_token_from_the_others() -> None:
    """The request goes on for those who stay."""
    cache, server = TokenCache(lambda: 0.0), Server()
    first = asyncio.create_task(get(cache, server, pull("a")))
    second = asyncio.create_task(get(cache, server, pull("a")))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "t1"
    with pytest.raises(asyncio.CancelledError):
        await first
