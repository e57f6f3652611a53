"""Config files: found, read into the model, refused with file, line and key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import ValidationError

from airgap.config.loading import find_config, load_config, parse_config
from airgap.config.model import Config, Verbosity
from airgap.config.transfer import Compression
from airgap.errors import ConfigError, NotFound, NotPermitted, Refused
from airgap.oci.name_mapping import Destination
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference, Repository
from airgap.oci.selection import Newest, Order, choose_candidates, choose_tags


def _refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "airgap.yaml")
    return caught.value


def _only(text: str) -> tuple[str, str, str]:
    error = _refused(text)
    return error.thing, error.cause, error.hint


def test_an_empty_file_is_the_defaults() -> None:
    """Everything has a default, so no file at all is needed."""
    config = parse_config("# nothing yet\n", "airgap.yaml")
    assert config == Config()
    assert config.store.sync
    assert config.log.verbosity.level == 0
    assert config.registry("quay.io").concurrency == 6


def test_the_config_is_frozen() -> None:
    """What was read is passed around as a value."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Config(), "store", Config().store)  # noqa: B010 - a checker would refuse the assignment


def test_the_tag_1_10_stays_1_10() -> None:
    """Without quotes, in every place that takes a tag."""
    config = parse_config(
        "mirror:\n"
        "  - {repository: a, tags: [1.10, 012, 1e3, on, null]}\n"
        "  - {repository: a, tags: {names: 1.10, exclude: {names: [1.20]}}}\n",
        "airgap.yaml",
    )
    first, second = (entry.tags.selection() for entry in config.mirror if entry.tags)
    assert first.names == ("1.10", "012", "1e3", "on", "null")
    assert second.names == ("1.10",)
    assert second.exclude.names == ("1.20",)


def test_text_alone_is_a_reference_and_latest_is_the_default_tag() -> None:
    """The short form is what people type at docker."""
    digest = "sha256:" + "a" * 64
    config = parse_config(f"mirror: [alpine, 'quay.io/a/b:1', a@{digest}]", "airgap.yaml")
    assert [entry.references for entry in config.mirror] == [
        (Reference.parse("docker.io/library/alpine:latest"),),
        (Reference.parse("quay.io/a/b:1"),),
        (Reference.parse(f"a@{digest}"),),
    ]


def test_a_repository_with_every_way_to_choose_tags() -> None:
    """The model's values are those of the selection."""
    text = r"""
mirror:
  - repository: docker.io/library/nginx
    tags:
      names: latest
      glob: ['1.*']
      regex: '[\d.]+'
      semver: ['>=1.2 <2', ^3]
      suffixes: ''
      newest: {count: 2, by: created}
      exclude: {glob: '*rc*'}
    platforms: [linux/amd64, linux/aarch64]
    referrers: false
    rewrite-index: true
  - {repository: quay.io/a/b, tags: all}
  - {repository: quay.io/a/b, tags: {newest: 3}}
"""
    first, every, newest = parse_config(text, "airgap.yaml").mirror
    assert first.repository == Repository("docker.io", "library/nginx")
    assert first.tags is not None
    selection = first.tags.selection()
    assert selection.names == ("latest",)
    assert [str(pattern) for pattern in selection.globs] == ["glob '1.*'"]
    assert [wanted.text for wanted in selection.ranges] == [">=1.2 <2", "^3"]
    assert selection.suffixes == ("",)
    assert selection.newest == Newest(2, Order.CREATED)
    assert first.platform_choice == {Platform("linux", "amd64"), Platform("linux", "arm64")}
    assert (first.referrers, first.rewrite_index) == (False, True)
    assert every.tags is not None
    assert newest.tags is not None
    tags = ["1", "2", "x", "3", "4"]
    chosen = choose_tags(choose_candidates(every.tags.selection(), tags))
    assert chosen.taken == ("1", "2", "3", "4", "x")
    assert newest.tags.selection().newest == Newest(3, Order.SEMVER)


def test_registries_have_what_the_client_needs() -> None:
    """Each value typed by its key."""
    text = """
registries:
  reg.lan:5000:
    plain-http: true
    mirrors: cache.lan:5000/hub
    requests-per-second: 0.5
    concurrency: 2
    bandwidth: 20MiB/s
  quay.io:
    tls: {ca: ca.pem, certificate: /etc/c.pem, key: ~/k.pem}
    credentials: {username: me, password-env: SECRET}
  ghcr.io:
    credentials: {helper: docker-credential-pass}
"""
    config = parse_config(text, "airgap.yaml", Path("/etc/airgap"))
    plain, quay, helped = (config.registry(h) for h in ("reg.lan:5000", "quay.io", "ghcr.io"))
    assert plain.plain_http is True
    assert plain.mirrors == ("cache.lan:5000/hub",)
    assert (plain.requests_per_second, plain.concurrency) == (0.5, 2)
    assert plain.bandwidth == 20 * 1024**2
    assert quay.plain_http is None
    assert quay.tls.ca == Path("/etc/airgap/ca.pem")
    assert quay.tls.certificate == Path("/etc/c.pem")
    assert quay.tls.key == Path.home() / "k.pem"
    assert quay.credentials is not None
    assert (quay.credentials.username, quay.credentials.password_env) == ("me", "SECRET")
    assert helped.credentials is not None
    assert helped.credentials.helper == "pass"


def test_channels_and_destinations() -> None:
    """Where things go out, come in, and end up."""
    text = """
log: {verbosity: debug}
export:
  plant: {include: 'quay.io/*', output: 'out/{channel}-{date}-{time}.tar', compress: zstd}
  all: {}
import:
  plant: {to: 'reg.lan:5000/x', map: [{from: quay.io, strip: true}]}
  quiet: {}
push:
  to: localhost:5000
"""
    config = parse_config(text, "airgap.yaml", Path("/srv"))
    plant = config.exports["plant"]
    assert plant.include == ("quay.io/*",)
    assert plant.compress is Compression.ZSTD
    at_dawn = datetime(2024, 6, 1, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    expected = Path("/srv/out/plant-2024-05-31-2024-05-31T23-02-03Z.tar")
    assert plant.output_path("plant", at_dawn) == expected
    assert config.exports["all"].output_path("all", datetime.now(UTC)) is None
    mapping = config.imports["plant"].name_mapping()
    assert mapping is not None
    assert str(mapping.map_reference(Reference.parse("quay.io/a:1"))) == "reg.lan:5000/x/a:1"
    assert config.imports["quiet"].name_mapping() is None
    elsewhere = config.imports["plant"].name_mapping(Destination.parse("other.lan"))
    assert elsewhere is not None
    assert str(elsewhere.map_reference(Reference.parse("quay.io/a:1"))) == "other.lan/a:1"
    assert config.push.name_mapping() is not None
    assert config.log.verbosity is Verbosity.DEBUG
    assert config.log.verbosity.level == 2


def test_rules_that_make_two_names_one_are_refused_by_the_mapping() -> None:
    """The config's rules come with the guard."""
    text = "push: {to: reg.lan, map: [{template: '{name}'}]}"
    mapping = parse_config(text, "airgap.yaml").push.name_mapping()
    assert mapping is not None
    with pytest.raises(Refused):
        mapping.map_all([Reference.parse("quay.io/x:1"), Reference.parse("ghcr.io/x:1")])


@pytest.mark.parametrize(
    "text, thing, cause, hint",
    [
        ("stor: {}", "1: stor", "is not a key here", "did you mean store?"),
        ("\nstore:\n  pth: x", "3: store.pth", "is not a key here", "did you mean path?"),
        (
            "registries:\n  a.b:\n    plain_http: true",
            "3: registries.a.b.plain_http",
            "not a key",
            "did you mean plain-http?",
        ),
        ("zzz: 1", "1: zzz", "is not a key here", "keys are store, log, registries"),
        ("store: {sync: yes}", "1: store.sync", "'yes' is neither true nor false", "write true"),
        ("store: {sync: Off}", "1: store.sync", "'Off' is neither true nor", "write false"),
        ("store: {sync: TRUE}", "1: store.sync", "'TRUE' is neither", "write true"),
        ("store: {sync: maybe}", "1: store.sync", "'maybe' is neither", "write true or false"),
        ("store: {sync: [true]}", "1: store.sync", "must be a single value", ""),
        ("store: {path: ''}", "1: store.path", "'' is not a path", ""),
        ("store: fast", "1: store", "must be a mapping of keys", ""),
        ("mirror: {a: b}", "1: mirror", "must be a list", ""),
        ("registries: [a]", "1: registries", "must be a mapping of keys", ""),
        (
            "log: {verbosity: verbos}",
            "1: log.verbosity",
            "'verbos' is not one of",
            "did you mean verbose?",
        ),
        ("export: {A: {}}", "1: export.A", "'A' is not the name of a channel", "lower-case"),
        ("imports: {}", "1: imports", "is not a key here", "the section is called `import`"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_line(
    text: str, thing: str, cause: str, hint: str
) -> None:
    """File, line and dotted key, what is wrong, and the near miss."""
    found_thing, found_cause, found_hint = _only(text)
    assert found_thing == f"airgap.yaml:{thing}"
    assert cause in found_cause
    assert hint in found_hint


@pytest.mark.parametrize(
    "registry, key, cause, hint",
    [
        ("{concurrency: 0}", ".concurrency", "'0' is not a whole number from 1", ""),
        ("{concurrency: 1.5}", ".concurrency", "not a whole number", ""),
        ("{concurrency: many}", ".concurrency", "not a whole number", ""),
        ("{requests-per-second: 0}", ".requests-per-second", "not a number above 0", ""),
        ("{requests-per-second: nan}", ".requests-per-second", "not a number above 0", ""),
        ("{bandwidth: 20MiB}", ".bandwidth", "is not a rate", "20MiB/s"),
        ("{mirrors: ['https://m.lan']}", ".mirrors[0]", "is a URL", "write m.lan"),
        ("{mirrors: [m.lan/a//b]}", ".mirrors[0]", "is not host[:port][/path]", ""),
        ("{tls: {verify: false}}", ".tls.verify", "not a key", "certificates are always verified"),
        ("{tls: {certificate: x}}", ".tls", "has certificate without key", ""),
        ("{plain-http: true, tls: {ca: x}}", "", "plain-http: true and certificates", ""),
        ("{credentials: {username: a}}", ".credentials", "has no password", "exactly one"),
        ("{credentials: {password-env: A}}", ".credentials", "has no username", ""),
        ("{credentials: {helper: a, username: b}}", ".credentials", "has a username", ""),
        ("{credentials: {helper: ../a}}", ".credentials.helper", "not the name of a cred", ""),
        (
            "{credentials: {username: a, password-env: A, password-file: b}}",
            ".credentials",
            "has password-file and password-env",
            "exactly one",
        ),
        ("{username: a}", ".username", "not a key", "credentials stand below"),
    ],
)
def test_what_a_registry_cannot_be_is_named(registry: str, key: str, cause: str, hint: str) -> None:
    """Each with the reason and the way out."""
    found_thing, found_cause, found_hint = _only(f"registries:\n  a.b: {registry}")
    assert found_thing == f"airgap.yaml:2: registries.a.b{key}"
    assert cause in found_cause
    assert hint in found_hint


@pytest.mark.parametrize(
    "host, cause, hint",
    [
        ("'https://quay.io/'", "is a URL", "write quay.io"),
        ("'http://reg.lan:5000'", "is a URL", "write reg.lan:5000 and plain-http: true below it"),
        ("quay", "is not a registry host", "quay:5000"),
        ("index.docker.io", "is called docker.io", "write docker.io"),
        ("registry-1.docker.io", "is called docker.io", "write docker.io"),
        ("quay.io/team", "is not a registry host", ""),
    ],
)
def test_a_registry_is_called_what_references_call_it(host: str, cause: str, hint: str) -> None:
    """A URL or another name of Docker Hub would silently match nothing."""
    _, found_cause, found_hint = _only(f"registries: {{{host}: {{}}}}")
    assert cause in found_cause
    assert hint in found_hint


def test_a_password_in_the_file_is_explained_and_never_shown() -> None:
    """Secrets come by reference; the error does not repeat what should not have been there."""
    error = _refused("registries: {a.b: {credentials: {username: u, password: hunter2}}}")
    assert "password-file" in str(error) + error.hint
    assert "hunter2" not in str(error) + error.hint + repr(error)
    error = _refused("registries: {a.b: {credentials: {username: u, password-env: hunter-2!}}}")
    assert "hunter" not in str(error) + error.hint + repr(error)


@pytest.mark.parametrize(
    "entry, key, cause, hint",
    [
        ("'UPPER/x:'", "", "is not a reference", ""),
        ("docker.io/Alpine:1", "", "is not a repository path", "lower case"),
        ("{references: []}", "", "names nothing", "give repository"),
        ("{references: [a, B]}", ".references[1]", "is not a reference", ""),
        ("{references: {a: b}}", ".references", "must be a list", ""),
        ("{repository: a}", "", "does not say which tags", "`tags: all`"),
        ("{repository: 'a:1', tags: all}", ".repository", "names an image", "docker.io/library/a"),
        ("{repository: a, tags: all, references: b}", "", "repository and references", "two"),
        ("{references: b, tags: all}", "", "tags without repository", ""),
        ("{repository: a, tags: {}}", ".tags", "selects by nothing", "`tags: all`"),
        ("{repository: a, tags: ['b c']}", ".tags", "'b c' is not a tag", ""),
        ("{repository: a, tags: {semvr: 1}}", ".tags.semvr", "not a key", "did you mean semver?"),
        ("{repository: a, tags: {semver: new}}", ".tags.semver", "not a range", ">=1.2 <2"),
        ("{repository: a, tags: {regex: '('}}", ".tags.regex", "not a regular expression", ""),
        ("{repository: a, tags: {regex: '(?=a)'}}", ".tags.regex", "not a regular", "look-around"),
        ("{repository: a, tags: {newest: few}}", ".tags.newest", "not a whole number", ""),
        (
            "{repository: a, tags: {newest: {count: 1, by: date}}}",
            ".tags.newest.by",
            "not one of 'semver' or 'created'",
            "",
        ),
        ("{repository: a, tags: {newest: {by: created}}}", ".tags.newest.count", "is missing", ""),
        ("{references: a, platforms: amd64}", ".platforms", "is not a platform", "linux/amd64"),
        ("{references: a, rewrite-index: true}", "", "without platforms", ""),
        ("{source: a}", ".source", "not a key", "write `repository`"),
    ],
)
def test_what_a_mirror_entry_cannot_be_is_named(
    entry: str, key: str, cause: str, hint: str
) -> None:
    """Bad references, patterns, ranges, and entries that contradict themselves."""
    error = _refused(f"mirror:\n  - busybox\n  - {entry}")
    assert f"airgap.yaml:3: mirror[1]{key}" in str(error)
    assert cause in str(error)
    assert hint in str(error) + error.hint


@pytest.mark.parametrize(
    "section, key, cause",
    [
        ("export: {a: {output: '{chanel}.tar'}}", "export.a.output", "{chanel} is not a field"),
        ("export: {a: {include: ['A:1']}}", "export.a.include[0]", "is not a reference"),
        ("export: {a: {compress: gzip}}", "export.a.compress", "'gzip' is not one of"),
        ("import: {a: {push: b}}", "import.a.push", "is not a key here"),
        ("push: {to: hub}", "push.to", "does not begin with a registry host"),
        ("push: {map: [{from: a.b}]}", "push.map[0]", "needs exactly one of"),
        ("push: {map: [{to: a, strip: true}]}", "push.map[0]", "needs exactly one of"),
        ("push: {map: [{from: lib, to: a}]}", "push.map[0]", "does not begin with a registry"),
        ("push: {map: [{template: '{x}'}]}", "push.map[0]", "{x} is not a field"),
        ("push: {map: {to: a}}", "push.map", "must be a list"),
    ],
)
def test_what_cannot_go_anywhere_is_named(section: str, key: str, cause: str) -> None:
    """Output paths, patterns, destinations and rules fail when they are read, not when used."""
    found_thing, found_cause, _ = _only(section)
    assert found_thing == f"airgap.yaml:1: {key}"
    assert cause in found_cause


def test_several_errors_come_at_once_in_the_order_of_the_file() -> None:
    """Nobody wants to find five mistakes in five runs; duplicate keys are among them."""
    error = _refused(
        "store: {sync: no}\n"
        "mirror:\n"
        "  - Upper\n"
        "push: {to: x}\n"
        "push: {to: reg.lan}\n"
        "log:\n"
        "wrong: 1\n"
    )
    assert error.thing == "airgap.yaml"
    assert error.cause.splitlines()[0] == "has 6 errors"
    lines = [line.strip() for line in error.cause.splitlines()[1:]]
    assert [line.split(": ")[0] for line in lines] == [
        f"airgap.yaml:{n}" for n in (1, 3, 4, 5, 6, 7)
    ]
    assert "(write false)" in lines[0]
    assert "stands here twice" in lines[3]
    assert "has no value" in lines[4]


def test_underscores_are_no_second_spelling(tmp_path: Path) -> None:
    """One key has one name, so that everything can be searched for."""
    (tmp_path / "airgap.yaml").write_text("mirror: [{references: a, rewrite_index: false}]")
    with pytest.raises(ConfigError, match="rewrite_index: is not a key here"):
        load_config(tmp_path / "airgap.yaml")


def test_relative_paths_begin_at_the_files_folder(tmp_path: Path) -> None:
    """Wherever the program was started."""
    file = tmp_path / "airgap.yaml"
    file.write_text("store: {path: here/store}\n")
    assert load_config(file).store.path == tmp_path / "here/store"


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    """Windows editors write one."""
    file = tmp_path / "airgap.yaml"
    file.write_bytes(b"\xef\xbb\xbfstore: {sync: false}\n")
    assert not load_config(file).store.sync


def test_a_file_that_is_not_text_is_refused_with_its_line(tmp_path: Path) -> None:
    """Latin-1 is the usual one."""
    file = tmp_path / "airgap.yaml"
    file.write_bytes(b"store:\n  path: /sp\xe4t\n")
    with pytest.raises(ConfigError, match=r"airgap.yaml:2: is not UTF-8 text"):
        load_config(file)


def test_a_missing_file_a_folder_and_an_endless_one_are_errors(tmp_path: Path) -> None:
    """Each with its cause; reading stops at the bound."""
    with pytest.raises(NotFound, match="no such config file"):
        load_config(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="more than"):
        load_config(Path("/dev/zero"))


@pytest.fixture
def unreadable(tmp_path: Path) -> Iterator[Path]:
    """A config that another user may not read; root reads as nobody meanwhile."""
    file = tmp_path / "airgap.yaml"
    file.write_text("store: {}\n")
    file.chmod(0)
    if os.geteuid() != 0:
        yield file
        return
    os.seteuid(65534)
    try:
        yield file
    finally:
        os.seteuid(0)


def test_a_file_that_may_not_be_read_is_not_permitted(unreadable: Path) -> None:
    """The exit code tells it from a mistake in the file."""
    with pytest.raises(NotPermitted):
        load_config(unreadable)


def test_the_file_is_found_in_the_documented_order(tmp_path: Path) -> None:
    """Option, variable, then the places where one may be; a named one need not exist."""
    here, system = tmp_path / "airgap.yaml", tmp_path / "etc.yaml"
    environ = {"AIRGAP_CONFIG": "/named.yaml"}
    places = (here, system)
    assert find_config(Path("/x.yaml"), environ, places) == Path("/x.yaml")
    assert find_config(None, environ, places) == Path("/named.yaml")
    assert find_config(None, {"AIRGAP_CONFIG": ""}, places) is None
    system.touch()
    assert find_config(None, {}, places) == system
    here.touch()
    assert find_config(None, {}, places) == here
