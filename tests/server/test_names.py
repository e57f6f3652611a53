"""Which repository a request means, and under which path a repository is served."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airgap.errors import InvalidReference
from airgap.oci.name_mapping import host_component
from airgap.oci.reference import Repository
from airgap.server.names import path_of, repository_at

components = st.from_regex(r"[a-z0-9]{1,4}(?:(?:[._]|__|-)[a-z0-9]{1,4}){0,2}", fullmatch=True)
paths = st.lists(components, min_size=1, max_size=4).map("/".join)
labels = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,3}[a-z0-9])?", fullmatch=True)
ports = st.one_of(st.just(""), st.integers(1, 65535).map(lambda port: f":{port}"))
# Python 3.13 writes mapped IPv4 addresses with dots, which is outside the grammar of domains.
addresses = st.ip_addresses(v=6).map(str).filter(lambda address: "." not in address)
domains = st.one_of(
    st.builds(
        lambda parts, port: ".".join(parts) + port,
        st.lists(labels, min_size=2, max_size=3),
        ports,
    ),
    st.builds("localhost{}".format, ports),
    st.builds("{}:5000".format, labels),
    st.builds("[{}]{}".format, addresses, ports),
)
repositories = st.builds(Repository, domains, paths)


@pytest.mark.parametrize(
    "path, ns, full",
    [
        ("docker.io/library/alpine", None, "docker.io/library/alpine"),
        ("docker.io/alpine", None, "docker.io/library/alpine"),
        ("library/alpine", "docker.io", "docker.io/library/alpine"),
        ("docker.io/library/alpine", "docker.io", "docker.io/library/alpine"),
        ("quay.io/app/web", "docker.io", "docker.io/quay.io/app/web"),
        ("team/app", "127.0.0.1:5000", "127.0.0.1:5000/team/app"),
        ("127.0.0.1_5000/team/app", None, "127.0.0.1:5000/team/app"),
        ("registry_5000/app", None, "registry:5000/app"),
        ("localhost/app", None, "localhost/app"),
        ("0_0_0_0_0_0_0_1_5000/app", None, "[::1]:5000/app"),
        ("fe80_0_0_0_0_0_0_1/app", None, "[fe80::1]/app"),
        ("index.docker.io/app", None, "docker.io/library/app"),
        ("myapp", None, "here.example/myapp"),
        ("docker.io", None, "here.example/docker.io"),
        ("team/app", None, "here.example/team/app"),
        ("my_team/app", None, "here.example/my_team/app"),
        ("a.b_c/app", None, "here.example/a.b_c/app"),
        ("library", "[::1]:5000", "[::1]:5000/library"),
    ],
)
def test_a_request_means_one_repository(path: str, ns: str | None, full: str) -> None:
    """The domain comes from ``?ns=``, from a first component that names a host, or by default."""
    repository = repository_at(path, default_domain="here.example", ns=ns)
    assert str(repository) == full


@pytest.mark.parametrize("path", ["", "/", "UPPER/x", "a//b", "../etc", "a/../b", "a/", "a b", "é"])
def test_a_path_outside_the_grammar_is_refused(path: str) -> None:
    """No path that could climb or confuse becomes a repository."""
    with pytest.raises(InvalidReference):
        repository_at(path, default_domain="here.example")


@pytest.mark.parametrize("ns", ["a b", "../x", "docker.io/library", "host:port"])
def test_a_domain_outside_the_grammar_is_refused(ns: str) -> None:
    """What ``?ns=`` says is held to the grammar of hosts."""
    with pytest.raises(InvalidReference):
        repository_at("library/alpine", default_domain="here.example", ns=ns)


def test_docker_hub_as_default_domain_makes_a_mirror_for_dockerd() -> None:
    """With ``docker.io`` as the default domain paths need no host, as for dockerd."""
    assert str(repository_at("library/alpine", default_domain="docker.io")) == (
        "docker.io/library/alpine"
    )


@given(repositories, domains)
def test_a_served_path_leads_back_to_its_repository(repository: Repository, default: str) -> None:
    """Every repository whose domain can stand in a path is served, and found again by its path."""
    assume(repository == repository_at(repository.path, default_domain=repository.domain))
    path = path_of(repository, default_domain=default)
    assert path is not None
    assert repository_at(path, default_domain=default) == repository


@given(repositories, repositories, domains)
def test_two_repositories_never_share_a_path(a: Repository, b: Repository, default: str) -> None:
    """The underscore that stands for the colon of a port makes no two domains one."""
    shared = path_of(a, default_domain=default)
    assume(shared is not None and a != b)
    assert shared != path_of(b, default_domain=default)


@given(paths, domains)
def test_a_path_means_the_same_as_the_name_in_the_catalog(path: str, default: str) -> None:
    """What is pushed under one path is pulled under the path that the catalog shows."""
    repository = repository_at(path, default_domain=default)
    shown = path_of(repository, default_domain=default)
    assert shown is not None
    assert repository_at(shown, default_domain=default) == repository


@given(repositories)
def test_ns_reaches_every_repository(repository: Repository) -> None:
    """A mirror's client finds an image under the domain and the path that it has at home."""
    assume(not repository.path.startswith(host_component(repository.domain) + "/"))
    assume(repository.domain not in {"docker.io", "index.docker.io"})
    found = repository_at(repository.path, default_domain="x.y", ns=repository.domain)
    assert found == repository


@pytest.mark.parametrize("domain", ["Registry.Example", "[0::1]:5000"])
def test_a_domain_that_no_path_can_hold_has_no_path(domain: str) -> None:
    """Upper-case domains, and addresses in odd spellings, are reached with ``?ns=`` only."""
    assert path_of(Repository(domain, "app"), default_domain="localhost") is None


def test_a_default_repository_that_looks_like_another_host_is_named_in_full() -> None:
    """``localhost/quay.io/app`` keeps its domain in its path, or it would be quay.io's."""
    repository = Repository("localhost", "quay.io/app")
    assert path_of(repository, default_domain="localhost") == "localhost/quay.io/app"
