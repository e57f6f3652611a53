"""The registry's own reasons, bounded and without secrets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import (
    AccessDenied,
    AirgapError,
    ContentMismatch,
    NotFound,
    RateLimited,
    RegistryFault,
    Unreachable,
)
from airgap.registry.answers import error_of, registry_reason
from airgap.registry.failures import Failure, FailureKind
from airgap.registry.rate_limits import asks_to_wait, rate_limit_of


def errors(*entries: object) -> bytes:
    """Return an error's body as the specification has it."""
    return json.dumps({"errors": entries}).encode()


@pytest.mark.parametrize(
    "body,reason",
    [
        (errors({"code": "DENIED", "message": "no right"}), "no right (DENIED)"),
        (
            errors({"code": "A", "message": "m", "detail": "why"}, {"code": "B"}),
            "m: why (A); B",
        ),
        (errors({"code": "A", "message": "m", "detail": {"x": 1}}), "m (A)"),
        (b'{"details":"incorrect username"}', "incorrect username"),
        (b'{"error":"invalid_grant","error_description":"expired"}', "expired"),
        (b"try again later\n", "try again later"),
        (b"<html><h1>502</h1></html>", ""),
        (b"[]", ""),
        (b'{"errors":[7,null]}', ""),
        (b"", ""),
    ],
)
def test_the_registrys_reason_is_found(body: bytes, reason: str) -> None:
    """In every form in which registries and token servers have been seen to give it."""
    assert registry_reason(body) == reason


@pytest.mark.parametrize(
    "text",
    [
        "token Bearer abcdefgh12345678 is wrong",
        "see https://store/x?X-Amz-Signature=abcdefgh12345678&y=1",
        "https://user:abcdefgh12345678@host/ failed",
        "Basic abcdefgh12345678 refused",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    """A registry that echoes what it was sent does not get it onto our screen."""
    reason = registry_reason(errors({"code": "X", "message": text}))
    assert "abcdefgh12345678" not in reason
    assert "…" in reason


@given(
    st.binary(max_size=3000)
    | st.text(max_size=3000).map(lambda text: errors({"code": "X", "message": text}))
)
def test_a_reason_is_one_short_printable_line(body: bytes) -> None:
    """Whatever was sent, a terminal can show it."""
    reason = registry_reason(body)
    assert len(reason) <= 401
    assert not any(ord(character) < 32 for character in reason)


@pytest.mark.parametrize(
    "status,kind",
    [
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotFound),
        (407, AccessDenied),
        (413, RegistryFault),
        (429, RateLimited),
        (400, RegistryFault),
        (500, RegistryFault),
    ],
)
def test_every_status_is_an_error_of_ours(status: int, kind: type[AirgapError]) -> None:
    """With the thing, the registry, and the reason."""
    failure = Failure(FailureKind.STATUS, f"{status} because", status)
    error = error_of(failure, "r.lan/app:1", "r.lan")
    assert type(error) is kind
    assert str(error) == f"r.lan/app:1: r.lan: {status} because"


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_advises(kind: FailureKind) -> None:
    """What to do is never left open, but for answers that only the registry can explain."""
    error = error_of(Failure(kind, "detail"), "thing", "r.lan")
    assert isinstance(error, Unreachable | ContentMismatch | RegistryFault)
    assert error.hint or kind is FailureKind.STATUS


def test_limits_are_read_as_docker_hub_writes_them() -> None:
    """``100;w=21600`` is a hundred in six hours."""
    limit = rate_limit_of({"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "9;w=21600"})
    assert limit is not None
    assert limit.is_scarce
    assert str(limit) == "9 of 100 requests in 6 h left"
    assert rate_limit_of({"RateLimit-Limit": "many"}) is None


def test_the_wait_may_stand_in_other_headers() -> None:
    """``Retry-After`` counts where it is there."""
    assert asks_to_wait({"X-RateLimit-Reset": "1700000000"}) == "1700000000"
    assert asks_to_wait({"Retry-After": "7", "RateLimit-Reset": "9"}) == "7"
    assert asks_to_wait({}) is None
