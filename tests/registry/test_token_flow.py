"""The conversation with a token server, without a server."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from airgap.errors import AirgapError, RegistryFault
from airgap.registry.challenges import Challenge
from airgap.registry.failures import ExchangeFailed
from airgap.registry.scopes import Scope, pull, push
from airgap.registry.settings import Login
from airgap.registry.token_flow import Token, TokenNeed, TokenReply, TokenRequest, token_flow

NOW = 1_700_000_000.0
REGISTRY = URL("https://r.example.com")
REALM = {"realm": "https://auth.example.com/token?tenant=a", "service": "r.example.com"}


def need(login: Login | None = None, *scopes: Scope) -> TokenNeed:
    """Return the need for a token at a registry whose realm has a query of its own."""
    wanted = scopes or (pull("team/app"),)
    return TokenNeed(REGISTRY, "r.example.com", Challenge("bearer", REALM), wanted, login)


def converse(
    wanted: TokenNeed, *replies: TokenReply
) -> tuple[list[TokenRequest], Token | Exception]:
    """Play the server's part; return what was asked, and what came of it."""
    flow = token_flow(wanted, NOW)
    asked: list[TokenRequest] = []
    try:
        asked.append(next(flow))
        for reply in replies:
            asked.append(flow.send(reply))  # noqa: PERF401 - map() would swallow StopIteration
    except StopIteration as end:
        return asked, end.value
    except (ExchangeFailed, AirgapError) as error:
        return asked, error
    raise AssertionError("the flow wants more replies")


def token(**fields: object) -> TokenReply:
    """Return a good answer."""
    return TokenReply(200, json.dumps({"token": "t", **fields}).encode())


def test_scopes_are_repeated_in_a_get() -> None:
    """Each is a parameter of its own, beside what the realm has already."""
    asked, _ = converse(need(None, push("team/b"), pull("team/a")), token())
    assert asked[0].url.query.getall("scope") == [
        "repository:team/b:pull,push",
        "repository:team/a:pull",
    ]
    assert asked[0].url.query["tenant"] == "a"
    assert asked[0].login is None


def test_scopes_are_joined_in_a_post() -> None:
    """OAuth2 separates them by spaces."""
    login = Login("u", "", "r")
    asked, _ = converse(need(login, push("team/b"), pull("team/a")), token())
    assert asked[0].form is not None
    assert asked[0].form["scope"] == "repository:team/b:pull,push repository:team/a:pull"


@pytest.mark.parametrize("status", [400, 401, 404, 405])
def test_the_other_way_is_tried_where_one_is_refused(status: int) -> None:
    """GET and POST stand in for each other."""
    refused = TokenReply(status, b"")
    asked, result = converse(need(Login("u", "p")), refused, token())
    assert [request.method for request in asked] == ["GET", "POST"]
    assert isinstance(result, Token)
    asked, result = converse(need(Login("u", "p", "r")), refused, token())
    assert [request.method for request in asked] == ["POST", "GET"]
    assert isinstance(result, Token)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failing_server_is_not_asked_another_way(status: int) -> None:
    """That is for the retry policy, which gets the status and the wait."""
    asked, result = converse(need(Login("u", "p")), TokenReply(status, b"", "7"))
    assert len(asked) == 1
    assert isinstance(result, ExchangeFailed)
    assert (result.failure.status, result.failure.retry_after) == (status, "7")


def test_wrong_credentials_tell_more_than_an_unknown_way() -> None:
    """The reason is that of the 401, in either order."""
    wrong, unknown = TokenReply(401, b'{"details":"wrong password"}'), TokenReply(404, b"")
    for replies in ((wrong, unknown), (unknown, wrong)):
        _, result = converse(need(Login("u", "p")), *replies)
        assert isinstance(result, ExchangeFailed)
        assert "wrong password" in result.failure.detail


@pytest.mark.parametrize(
    "fields,life",
    [
        ({}, 60),
        ({"expires_in": 5}, 60),
        ({"expires_in": 300}, 300),
        ({"expires_in": 300, "issued_at": "2023-11-14T22:12:20Z"}, 240),
        ({"expires_in": 300, "issued_at": "2001-01-01T00:00:00Z"}, 300),
        ({"expires_in": 300, "issued_at": "2099-01-01T00:00:00Z"}, 300),
        ({"expires_in": 300, "issued_at": "yesterday"}, 300),
    ],
)
def test_a_token_lives_as_long_as_it_says_within_reason(
    fields: dict[str, object], life: float
) -> None:
    """At least a minute; what was issued a while ago ends earlier; absurd clocks do not count."""
    _, result = converse(need(), token(**fields))
    assert isinstance(result, Token)
    assert result.life == life


def test_a_public_registry_may_not_name_a_token_server_inside() -> None:
    """The client is not to be used to reach the network that it runs in."""
    challenge = Challenge("bearer", {"realm": "http://169.254.169.254/token"})
    inside = TokenNeed(REGISTRY, "r.example.com", challenge, (pull("a"),), None)
    asked, result = converse(inside)
    assert not asked
    assert isinstance(result, RegistryFault)


def test_secrets_are_not_shown() -> None:
    """Neither requests nor tokens nor logins print what they hold."""
    login = Login("u", "pass-secret", "id-secret")
    good = TokenReply(200, b'{"token":"token-secret"}')
    asked, result = converse(need(login), TokenReply(404, b""), good)
    assert "secret" not in f"{asked!r} {result!r} {login!r}"


@given(st.binary(max_size=200), st.integers(100, 599))
def test_any_answer_ends_the_conversation(body: bytes, status: int) -> None:
    """With a token, or an error of ours."""
    asked, result = converse(need(), TokenReply(status, body))
    assert len(asked) == 1
    assert isinstance(result, Token | ExchangeFailed | AirgapError)
