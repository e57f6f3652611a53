"""Reading ``WWW-Authenticate``."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from airgap.registry.challenges import Challenge, choose, parse_challenges

names = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
challenges = st.builds(
    Challenge,
    scheme=names.map(str.lower),
    parameters=st.dictionaries(names.map(str.lower), values, min_size=1, max_size=4),
)


def written(challenge: Challenge) -> str:
    """Write a challenge with every value in quotes."""
    pairs = (
        '{}="{}"'.format(key, value.replace("\\", "\\\\").replace('"', '\\"'))
        for key, value in challenge.parameters.items()
    )
    return f"{challenge.scheme.upper()} {', '.join(pairs)}"


@given(st.lists(challenges, max_size=4))
def test_what_is_written_is_read_again(expected: list[Challenge]) -> None:
    """Several challenges in one header come out as they went in, commas and quotes included."""
    assert parse_challenges([", ".join(map(written, expected))]) == tuple(expected)


@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_header_can_be_read(headers: list[str]) -> None:
    """Nothing that a registry sends there makes the reader fail."""
    parse_challenges(headers)


def test_a_real_header_is_read() -> None:
    """Docker Hub's challenge has its three parameters."""
    header = (
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
        'scope="repository:library/alpine:pull,push"'
    )
    assert parse_challenges([header]) == (
        Challenge(
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:library/alpine:pull,push",
            },
        ),
    )


def test_bearer_is_chosen_before_basic_and_others_are_passed_over() -> None:
    """Whatever their order, the token is the better answer."""
    found = parse_challenges(["Negotiate", 'Basic realm="x", BEARER realm=https, Digest a="b"'])
    chosen = choose(found)
    assert [challenge.scheme for challenge in found] == ["negotiate", "basic", "bearer", "digest"]
    assert chosen is not None
    assert chosen.scheme == "bearer"


def test_a_bearer_challenge_without_realm_is_no_challenge() -> None:
    """There would be nobody to ask for a token."""
    assert choose(parse_challenges(['Bearer service="x"'])) is None
    assert choose(parse_challenges(["Negotiate abc=="])) is None
