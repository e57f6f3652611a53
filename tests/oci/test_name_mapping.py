"""What repositories are called at their destination."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airgap.errors import InvalidReference, Refused
from airgap.oci.name_mapping import Change, Destination, MappingRule, NameMapping, host_component
from airgap.oci.reference import Reference, Repository
from tests.oci import strategies

REGISTRY = Destination.parse("reg.lan:5000/hub")
DIGEST = "sha256:" + "a" * 64


def _mapped(source: str, *rules: MappingRule, destination: Destination = REGISTRY) -> str:
    return str(NameMapping(destination, rules).map_reference(Reference.parse(source)))


@pytest.mark.parametrize(
    "source, target",
    [
        ("docker.io/library/a:1", "reg.lan:5000/hub/docker.io/library/a:1"),
        ("alpine", "reg.lan:5000/hub/docker.io/library/alpine"),
        ("quay.io/a/b/c:x", "reg.lan:5000/hub/quay.io/a/b/c:x"),
        ("localhost:5000/a:1", "reg.lan:5000/hub/localhost_5000/a:1"),
        ("Reg.Example:8443/a", "reg.lan:5000/hub/reg.example_8443/a"),
        ("[::1]:5000/a", "reg.lan:5000/hub/0_0_0_0_0_0_0_1_5000/a"),
        ("[2001:DB8::1]/a", "reg.lan:5000/hub/2001_db8_0_0_0_0_0_1/a"),
        (f"a@{DIGEST}", f"reg.lan:5000/hub/docker.io/library/a@{DIGEST}"),
        (f"a:1@{DIGEST}", f"reg.lan:5000/hub/docker.io/library/a:1@{DIGEST}"),
    ],
)
def test_the_sources_host_stays_in_the_name_by_default(source: str, target: str) -> None:
    """Whole names, so that nothing can meet; tag and digest are kept."""
    assert _mapped(source) == target


def test_a_destination_may_be_a_whole_registry() -> None:
    """Then the host is the first component there."""
    whole = Destination.parse("localhost:5000")
    assert _mapped("quay.io/a:1", destination=whole) == "localhost:5000/quay.io/a:1"
    assert str(whole) == "localhost:5000"


@given(strategies.repositories, strategies.repositories)
def test_different_repositories_never_get_one_name(one: Repository, other: Repository) -> None:
    """By default the mapping is injective, up to the case of hosts, which DNS does not see."""
    assume((one.domain.lower(), one.path) != (other.domain.lower(), other.path))
    assume("[" not in one.domain + other.domain)
    mapping = NameMapping(REGISTRY)
    assert mapping.map_repository(one) != mapping.map_repository(other)


_hosts = strategies.domains.filter(lambda domain: "[" not in domain)
_six = st.ip_addresses(v=6)


@given(_hosts, _six, st.none() | st.integers(1, 65535), _six)
def test_an_ipv6_host_is_no_other_host(
    host: str, address: object, port: int | None, other: object
) -> None:
    """Neither a name nor another address becomes the same component."""
    literal = f"[{address}]" + (f":{port}" if port else "")
    assert host_component(literal) != host_component(host)
    if address != other:
        assert host_component(literal) != host_component(f"[{other}]:{port or 80}")
    assert Repository("localhost", host_component(literal)).path == host_component(literal)


@given(strategies.references)
def test_what_comes_out_is_a_reference_with_tag_and_digest(source: Reference) -> None:
    """It can be written out and read back, and only the repository has changed."""
    target = NameMapping(REGISTRY).map_reference(source)
    assert Reference.parse(str(target)) == target
    assert (target.tag, target.digest) == (source.tag, source.digest)


@pytest.mark.parametrize(
    "rule, source, target",
    [
        (MappingRule("docker.io/library", Change.STRIP), "alpine:3", "alpine:3"),
        (MappingRule("docker.io", Change.STRIP), "alpine:3", "library/alpine:3"),
        (MappingRule("docker.io/library", Change.STRIP), "a/b", "docker.io/a/b"),
        (MappingRule("docker.io/lib", Change.STRIP), "alpine", "docker.io/library/alpine"),
        (MappingRule("quay.io", Change.TO, "q"), "quay.io/a/b", "q/a/b"),
        (MappingRule("quay.io/a/b", Change.TO, "q"), "quay.io/a/b:1", "q:1"),
        (MappingRule("", Change.TO, "all"), "quay.io/a", "all/quay.io/a"),
        (MappingRule("", Change.STRIP), "quay.io/a", "quay.io/a"),
        (MappingRule("", Change.TEMPLATE, "{host}/x/{path}"), "h:1/a/b", "h_1/x/a/b"),
        (MappingRule("", Change.TEMPLATE, "{rest}"), "h:1/a/b", "h_1/a/b"),
        (MappingRule("quay.io/a", Change.TEMPLATE, "{rest}-{name}"), "quay.io/a/b/c", "b/c-c"),
        (MappingRule("quay.io", Change.TEMPLATE, "p/{name}"), "quay.io/a/b:2", "p/b:2"),
    ],
)
def test_rules_strip_replace_or_fill_in(rule: MappingRule, source: str, target: str) -> None:
    """Prefixes are whole components; what no rule fits keeps its whole name."""
    assert _mapped(source, rule) == f"{REGISTRY}/{target}"


def test_the_longest_prefix_counts_whatever_the_order() -> None:
    """The most particular rule says what happens."""
    rules = (
        MappingRule("quay.io/team/app", Change.TO, "app"),
        MappingRule("", Change.TO, "rest"),
        MappingRule("quay.io", Change.TO, "q"),
    )
    for ordered in (rules, rules[::-1]):
        assert _mapped("quay.io/team/app/web", *ordered) == f"{REGISTRY}/app/web"
        assert _mapped("quay.io/team/other", *ordered) == f"{REGISTRY}/q/team/other"
        assert _mapped("ghcr.io/a", *ordered) == f"{REGISTRY}/rest/ghcr.io/a"


def test_two_tags_in_one_place_are_refused_and_both_are_named() -> None:
    """``a/x:1`` and ``b/x:1`` never become one, whatever the rules say."""
    mapping = NameMapping(REGISTRY, (MappingRule("", Change.TEMPLATE, "{name}"),))
    sources = [Reference.parse(text) for text in ("quay.io/a/x:1", "quay.io/b/x:1")]
    with pytest.raises(Refused) as caught:
        mapping.map_all(sources)
    assert all(str(source) in str(caught.value) for source in sources)
    assert "reg.lan:5000/hub/x:1" in str(caught.value)


def test_other_tags_and_the_same_digest_may_share_a_repository() -> None:
    """They are no two answers to one question."""
    mapping = NameMapping(REGISTRY, (MappingRule("", Change.TEMPLATE, "{name}"),))
    texts = ["quay.io/a/x:1", "quay.io/b/x:2", "quay.io/a/x:1", f"a/x@{DIGEST}", f"b/x@{DIGEST}"]
    targets = mapping.map_all([Reference.parse(text) for text in texts])
    assert [str(target).removeprefix(f"{REGISTRY}/") for target in targets] == [
        "x:1",
        "x:2",
        "x:1",
        f"x@{DIGEST}",
        f"x@{DIGEST}",
    ]


_rules = st.lists(
    st.sampled_from(
        [
            MappingRule("docker.io/library", Change.STRIP),
            MappingRule("docker.io", Change.TO, "hub"),
            MappingRule("quay.io", Change.TEMPLATE, "{name}"),
            MappingRule("", Change.TEMPLATE, "all/{name}"),
        ]
    ),
    max_size=3,
).map(tuple)
_few = st.sampled_from(
    ["a", "b/a", "quay.io/a", "quay.io/b/a", "hub/a", "docker.io/all/a", "g.io/a"]
)


@given(_rules, st.lists(_few.map(lambda text: Reference.parse(f"{text}:1")), max_size=6))
def test_either_all_names_stay_apart_or_the_whole_set_is_refused(
    rules: tuple[MappingRule, ...], sources: list[Reference]
) -> None:
    """There is no third outcome."""
    mapping = NameMapping(REGISTRY, rules)
    distinct = {mapping.map_reference(source) for source in sources}
    if len(distinct) < len(set(sources)):
        with pytest.raises(Refused):
            mapping.map_all(sources)
    else:
        assert mapping.map_all(sources) == [mapping.map_reference(source) for source in sources]


def test_a_name_that_becomes_too_long_is_refused_with_both_ends() -> None:
    """A registry would refuse it later and less clearly."""
    with pytest.raises(InvalidReference, match="at most 255") as caught:
        _mapped("quay.io/" + "a" * 250)
    assert "reg.lan:5000/hub" in str(caught.value)


def test_stripping_a_whole_name_is_refused() -> None:
    """Nothing would be left to call it."""
    with pytest.raises(InvalidReference, match="nothing is left"):
        _mapped("quay.io/a/b", MappingRule("quay.io/a/b", Change.STRIP))


@pytest.mark.parametrize(
    "prefix, change, value",
    [
        ("library", Change.STRIP, ""),
        ("quay.io/A", Change.STRIP, ""),
        ("quay.io/", Change.TO, ""),
        ("quay.io//a", Change.STRIP, ""),
        ("quay.io", Change.TO, ""),
        ("quay.io", Change.TO, "Upper"),
        ("quay.io", Change.TO, "a/"),
        ("quay.io", Change.TO, "../a"),
        ("quay.io", Change.TO, "{name}"),
        ("quay.io", Change.TEMPLATE, "{nam}"),
        ("quay.io", Change.TEMPLATE, "{name.__class__}"),
        ("quay.io", Change.TEMPLATE, "{name"),
        ("quay.io", Change.TEMPLATE, ""),
    ],
)
def test_a_rule_that_cannot_work_fails_when_it_is_made(
    prefix: str, change: Change, value: str
) -> None:
    """Not in the middle of a push."""
    with pytest.raises(InvalidReference):
        MappingRule(prefix, change, value)


@pytest.mark.parametrize(
    "text",
    ["", "registry", "hub/a", "reg.lan/", "reg.lan/A", "https://reg.lan", "reg.lan/a:1", "/a"],
)
def test_a_destination_names_its_host(text: str) -> None:
    """Docker Hub is never meant by leaving the host out."""
    with pytest.raises(InvalidReference):
        Destination.parse(text)


def test_brackets_without_an_address_are_refused() -> None:
    """The grammar of references lets them through."""
    with pytest.raises(InvalidReference, match="IPv6"):
        _mapped("[:::1]/a")
