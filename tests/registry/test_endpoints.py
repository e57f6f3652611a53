"""Where registries are, and by which proxy they are reached."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from airgap.oci.reference import Repository
from airgap.registry.endpoints import endpoint_of, is_loopback, is_private
from airgap.registry.proxies import ProxyRules
from airgap.registry.settings import HostSettings, SchemePolicy


@pytest.mark.parametrize(
    "host,policy,tls,base",
    [
        ("docker.io", "automatic", False, "https://registry-1.docker.io"),
        ("r.lan:5000", "automatic", False, "https://r.lan:5000"),
        ("r.lan:5000", "http", False, "http://r.lan:5000"),
        ("127.0.0.1:5000", "automatic", False, "http://127.0.0.1:5000"),
        ("127.8.8.8", "automatic", False, "http://127.8.8.8"),
        ("localhost", "automatic", False, "http://localhost"),
        ("[::1]:5000", "automatic", False, "http://[::1]:5000"),
        ("localhost:5000", "automatic", True, "https://localhost:5000"),
        ("localhost:5000", "https", False, "https://localhost:5000"),
        ("localhost.example.com", "automatic", False, "https://localhost.example.com"),
        ("127.0.0.1.example.com", "automatic", False, "https://127.0.0.1.example.com"),
    ],
)
def test_plain_http_is_for_loopback_unless_somebody_says_so(
    host: str,
    policy: str,
    tls: bool,  # noqa: FBT001 - a column of the table
    base: str,
) -> None:
    """As docker has it; a TLS file for the host says that it speaks TLS."""
    settings = HostSettings(scheme=SchemePolicy(policy))
    assert endpoint_of(host, settings, has_certificates=tls).base == URL(base)


def test_a_mirror_keeps_repositories_below_its_path() -> None:
    """Harbor's proxy caches are projects."""
    endpoint = endpoint_of("harbor.lan/hub/", HostSettings(), has_certificates=False)
    repository = Repository("docker.io", "library/alpine")
    url = endpoint.of(repository, "manifests", "3.20")
    assert str(url) == "https://harbor.lan/v2/hub/library/alpine/manifests/3.20"
    assert endpoint.path(repository) == "hub/library/alpine"


def test_urls_are_those_of_the_specification() -> None:
    """A digest's colon stays a colon."""
    endpoint = endpoint_of("r.lan", HostSettings(), has_certificates=False)
    repository = Repository("r.lan", "a/b")
    assert (
        str(endpoint.of(repository, "blobs", "sha256:ab")) == "https://r.lan/v2/a/b/blobs/sha256:ab"
    )
    assert str(endpoint.of(repository, "blobs/uploads")) == "https://r.lan/v2/a/b/blobs/uploads/"
    assert str(endpoint.root()) == "https://r.lan/v2/"
    assert str(endpoint.catalog()) == "https://r.lan/v2/_catalog"


@given(st.text(max_size=40))
def test_any_name_is_loopback_or_not(name: str) -> None:
    """And what is loopback is private."""
    assert not is_loopback(name) or is_private(name) or ":" in name


@pytest.mark.parametrize(
    "no_proxy,host,direct",
    [
        ("", "r.example.com", False),
        ("*", "r.example.com", True),
        ("example.com", "r.example.com", True),
        (".example.com", "r.example.com", True),
        ("*.example.com", "r.example.com", True),
        ("ample.com", "r.example.com", False),
        ("other.com, EXAMPLE.COM", "r.example.com", True),
        ("r.example.com:443", "r.example.com", True),
        ("r.example.com:5000", "r.example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "[fd00::1]", True),
        ("", "127.0.0.1", True),
        ("", "localhost", True),
    ],
)
def test_exceptions_from_the_proxy_are_heeded(
    no_proxy: str,
    host: str,
    direct: bool,  # noqa: FBT001 - columns of the table
) -> None:
    """Hosts, domains, ports, networks; loopback always."""
    environ = {"https_proxy": "http://proxy.lan:3128", "NO_PROXY": no_proxy}
    proxy = ProxyRules.from_environ(environ).proxy_for(URL(f"https://{host}/v2/"))
    assert (proxy is None) is direct


@pytest.mark.parametrize(
    "environ,expected",
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}, "http://b:2"),
        ({"all_proxy": "c:3"}, "http://c:3"),
        ({"HTTP_PROXY": "http://a:1"}, None),
    ],
)
def test_proxies_come_from_the_environment(
    environ: Mapping[str, str], expected: str | None
) -> None:
    """The lower-case name wins, and a scheme is not needed."""
    found = ProxyRules.from_environ(environ).proxy_for(URL("https://r.example.com"))
    assert found == (URL(expected) if expected else None)


def test_a_header_of_a_cgi_request_is_no_proxy() -> None:
    """CVE-2016-5385."""
    rules = ProxyRules.from_environ({"HTTP_PROXY": "http://evil", "REQUEST_METHOD": "GET"})
    assert rules.proxy_for(URL("http://r.example.com")) is None


@given(st.text(max_size=30), st.from_regex(r"[a-z]{1,10}(\.[a-z]{1,5}){0,2}", fullmatch=True))
def test_any_exception_can_be_read(no_proxy: str, host: str) -> None:
    """Whatever stands in NO_PROXY, there is an answer."""
    rules = ProxyRules({"https": URL("http://p")}, tuple(no_proxy.lower().split(",")))
    rules.proxy_for(URL(f"https://{host}/"))
