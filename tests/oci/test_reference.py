"""References: the distribution project's grammar and normalisation."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import InvalidReference
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository, is_tag, names_a_host
from tests.oci import strategies

HEX = "a" * 64
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    "text, domain, path, tag, digest",
    [
        ("alpine", "docker.io", "library/alpine", None, None),
        ("alpine:3.19", "docker.io", "library/alpine", "3.19", None),
        ("alpine:1.10", "docker.io", "library/alpine", "1.10", None),
        (f"alpine@{DIGEST}", "docker.io", "library/alpine", None, DIGEST),
        (f"alpine:3@{DIGEST}", "docker.io", "library/alpine", "3", DIGEST),
        ("bitnami/redis", "docker.io", "bitnami/redis", None, None),
        ("docker.io/alpine", "docker.io", "library/alpine", None, None),
        ("index.docker.io/alpine", "docker.io", "library/alpine", None, None),
        ("index.docker.io/a/b:c", "docker.io", "a/b", "c", None),
        ("localhost/app", "localhost", "app", None, None),
        ("localhost:5000/app:1", "localhost:5000", "app", "1", None),
        ("localhost:5000", "docker.io", "library/localhost", "5000", None),
        ("host:5000/app", "host:5000", "app", None, None),
        ("quay.io/a/b/c/d:x", "quay.io", "a/b/c/d", "x", None),
        ("Upper/app", "Upper", "app", None, None),
        ("127.0.0.1:5000/a", "127.0.0.1:5000", "a", None, None),
        ("[::1]/a:b", "[::1]", "a", "b", None),
        ("[fe80::1]:5000/a", "[fe80::1]:5000", "a", None, None),
        ("a__b/c-d/e---f:_x", "docker.io", "a__b/c-d/e---f", "_x", None),
        (f"library/{HEX}", "docker.io", f"library/{HEX}", None, None),
        (f"{HEX[:-1]}:x", "docker.io", f"library/{HEX[:-1]}", "x", None),
        ("a" * 247, "docker.io", "library/" + "a" * 247, None, None),
        ("x:" + "t" * 128, "docker.io", "library/x", "t" * 128, None),
    ],
)
def test_references_are_read_and_normalised(
    text: str, domain: str, path: str, tag: str | None, digest: str | None
) -> None:
    """Docker Hub's defaults, ports, IPv6, digests: as docker reads them."""
    read = Reference.parse(text)
    assert (read.repository.domain, read.repository.path) == (domain, path)
    assert (read.tag, read.digest) == (tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " alpine",
        "alpine ",
        "alpine\n",
        "alpine:3\n",
        f"alpine@{DIGEST}\n",
        "Alpine",
        "docker.io/Library/alpine",
        "a//b",
        "/a",
        "a/",
        "a/:tag",
        ":tag",
        "a:",
        "a@",
        "a:.tag",
        "a:-tag",
        "a:t+t",
        "x:" + "t" * 129,
        "a___b",
        "a..b",
        "a.",
        "-a",
        "a_/b",
        HEX,
        f"{HEX}:tag",
        f"@{DIGEST}",
        f"a@{DIGEST}@{DIGEST}",
        f"a@{DIGEST}:tag",
        "a@sha256:abc",
        "a@sha256:" + "A" * 64,
        "https://quay.io/a",
        "quay.io:/a",
        "quay.io:port/a",
        "-quay.io/a",
        "quay-.io/a",
        "[::1/a",
        "::1/a",
        "[g::1]/a",
        "a/../b",
        "quay.io/../a",
        "ä/b",
        "a:ü",
        "a:٣",
        "a" * 248,
        "quay.io/" + "a" * 256,
    ],
)
def test_what_is_not_a_reference_is_refused(text: str) -> None:
    """Nothing outside the grammar gets in, trailing newlines and traversal included."""
    with pytest.raises(InvalidReference):
        Reference.parse(text)


def test_the_limit_of_255_does_not_count_the_domain() -> None:
    """A path of 255 characters is fine below any host."""
    assert len(Repository.parse("registry.example.com:5000/" + "a" * 255).path) == 255


@given(strategies.references)
def test_formatting_and_parsing_are_inverse(reference: Reference) -> None:
    """What is written out, in full or as people write it, is read back as the same."""
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference


@given(strategies.repositories)
def test_repositories_are_read_back_as_themselves(repository: Repository) -> None:
    """Also the short form names the same repository."""
    assert Repository.parse(str(repository)) == repository
    assert Repository.parse(repository.familiar) == repository


@given(st.text(max_size=300))
def test_any_text_is_a_reference_or_an_error_of_ours(text: str) -> None:
    """Nothing else is ever raised, and what is read is stable."""
    with contextlib.suppress(InvalidReference):
        reference = Reference.parse(text)
        assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "full, familiar",
    [
        ("docker.io/library/alpine:3", "alpine:3"),
        ("docker.io/bitnami/redis", "bitnami/redis"),
        ("docker.io/library/a/b", "library/a/b"),
        ("docker.io/localhost/a", "docker.io/localhost/a"),
        ("docker.io/a.b/c", "docker.io/a.b/c"),
        (f"docker.io/library/{HEX}:1", f"library/{HEX}:1"),
        ("quay.io/library/a", "quay.io/library/a"),
    ],
)
def test_the_familiar_form_is_the_shortest_that_is_read_back(full: str, familiar: str) -> None:
    """Docker Hub's host and ``library`` are left out only where nothing else is meant by that."""
    assert Reference.parse(full).familiar == familiar


@pytest.mark.parametrize(
    "domain, path",
    [
        ("registry", "a"),
        ("docker.io", "alpine"),
        ("index.docker.io", "library/alpine"),
        ("quay.io/a", "b"),
        ("quay.io", "A"),
        ("quay.io", ""),
        ("", "a"),
        ("quay.io\n", "a"),
        ("quay.io", "a\n"),
    ],
)
def test_no_repository_exists_that_would_be_read_back_as_another(domain: str, path: str) -> None:
    """Made directly, a repository is held to the same rules as one that was parsed."""
    with pytest.raises(InvalidReference):
        Repository(domain, path)


def test_a_tag_out_of_the_grammar_is_refused_when_made_directly() -> None:
    """The same for references."""
    with pytest.raises(InvalidReference):
        Reference(Repository("quay.io", "a"), "a/b")


def test_upper_case_is_answered_with_the_lower_case_spelling() -> None:
    """The most common slip gets the most exact advice."""
    with pytest.raises(InvalidReference) as caught:
        Repository.parse("quay.io/Team/App")
    assert caught.value.hint == "write it in lower case: team/app"


def test_the_default_tag_fills_only_what_is_missing() -> None:
    """A digest or a tag stays as it is."""
    assert str(Reference.parse("a").tagged()) == "docker.io/library/a:latest"
    assert Reference.parse("a:1").tagged().tag == "1"
    assert Reference.parse(f"a@{DIGEST}").tagged().tag is None


def test_the_name_of_content_is_its_digest_else_its_tag() -> None:
    """A digest says more than a tag; a whole repository has no such name."""
    assert Reference.parse(f"a:1@{DIGEST}").name == Digest(DIGEST)
    assert Reference.parse("a:1").name == "1"
    with pytest.raises(InvalidReference):
        _ = Reference.parse("a").name


@given(strategies.tags)
def test_tags_of_the_grammar_are_tags(tag: str) -> None:
    """The strategy and the recogniser agree."""
    assert is_tag(tag)
    assert not is_tag(tag + "\n")


def test_a_host_is_told_from_a_path_as_docker_does() -> None:
    """By a dot, a colon, an upper-case letter, or being localhost."""
    assert all(names_a_host(text) for text in ("localhost", "a.b", "a:1", "A", "[::1]"))
    assert not any(names_a_host(text) for text in ("", "library", "a-b", "a_b"))
