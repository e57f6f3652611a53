"""The section ``serve``: addresses, and what goes with what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.config.loading import parse_config
from airgap.config.serving import ListenAddress, ServeSection
from airgap.errors import ConfigError, UsageError
from airgap.server import Action
from airgap.server.configured import exposures, server_settings


@given(
    st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.just("localhost")),
    st.integers(0, 65535),
)
def test_every_address_is_read_as_it_is_written(host: str, port: int) -> None:
    """What an address is written as is read as the same address."""
    address = ListenAddress(host, port)
    assert ListenAddress.parse(str(address)) == address


@given(st.text())
def test_text_is_an_address_or_refused(text: str) -> None:
    """Nothing else is ever raised, and no port is out of range."""
    try:
        address = ListenAddress.parse(text)
    except UsageError:
        return
    assert 0 <= address.port <= 65535


@pytest.mark.parametrize(
    "text",
    ["", "5000", ":5000", "host", "host:", "::1:5000", "[::1]", "http://h:1", "h:65536", "h:-1"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Each is refused with an example of what would do."""
    with pytest.raises(UsageError) as caught:
        ListenAddress.parse(text)
    assert "127.0.0.1:5000" in caught.value.hint


@pytest.mark.parametrize(
    "section, words",
    [
        ("{anonymous-read: true}", "anonymous-read without htpasswd"),
        ("{rules: [{repositories: a, users: ann}]}", "rules for ann and no htpasswd"),
        ("{rules: [{repositories: a, users: '*', may: write}]}", "write"),
        ("{public-url: registry.example}", "not the URL of a host"),
        ("{public-url: 'https://registry.example/path'}", "not the URL of a host"),
        ("{tls: {certificate: a}}", "key"),
        ("{upstream: 'https://docker.io'}", "is a URL"),
        ("{port: 5000}", "write it into `listen`"),
    ],
)
def test_what_does_not_fit_together_is_told(section: str, words: str) -> None:
    """A server that would not do what was meant does not start."""
    with pytest.raises(ConfigError) as caught:
        parse_config(f"serve: {section}\n", "airgap.yaml")
    assert words in str(caught.value) + caught.value.hint


def test_a_section_becomes_settings() -> None:
    """Each pattern of a rule is a rule, in the order of the file."""
    text = (
        "serve:\n  listen: '[::1]:0'\n  htpasswd: users\n  rules:\n"
        "    - {repositories: [a/**, b], users: [ann, '@'], may: [pull, push]}\n"
        "    - {repositories: c, users: '*'}\n"
    )
    settings = server_settings(parse_config(text, "airgap.yaml").serve)
    assert (settings.host, settings.port) == ("::1", 0)
    assert [rule.pattern for rule in settings.rules] == ["a/**", "b", "c"]
    assert settings.rules[0].actions == {Action.PULL, Action.PUSH}
    assert settings.rules[2].actions == frozenset()


@pytest.mark.parametrize(
    "section, warned",
    [
        ("{}", ""),
        ("{listen: '[::1]:5000'}", ""),
        ("{listen: 0.0.0.0:5000}", "may push and delete"),
        ("{listen: 0.0.0.0:5000, read-only: true}", ""),
        ("{listen: reg.lan:5000, htpasswd: u}", "unencrypted"),
        ("{listen: reg.lan:5000, htpasswd: u, public-url: 'https://reg.lan'}", ""),
        ("{listen: reg.lan:5000, htpasswd: u, tls: {certificate: c, key: k}}", ""),
    ],
)
def test_who_lets_others_in_is_warned(section: str, warned: str) -> None:
    """Only what others can reach is warned of, and only where it is open."""
    found: ServeSection = parse_config(f"serve: {section}\n", "airgap.yaml").serve
    warnings = list(exposures(found))
    assert len(warnings) == bool(warned)
    assert all(warned in warning for warning in warnings)
